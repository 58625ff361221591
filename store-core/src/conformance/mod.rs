//! The conformance suite: whoever writes a backend proves it with one dev-dependency and one macro line.
//!
//! ```toml
//! [dev-dependencies]
//! store-core = { version = "0.1", features = ["conformance"] }
//! ```
//! ```text
//! // tests/conformance.rs
//! store_core::conformance!(store_core::conformance::BackendHarness::new(MyBackend::new(), MyOptions::default()));
//! ```
//!
//! The line becomes one named `#[test]` for each case of [`cases`], in four modules: `bare` (the store's waiting methods, as
//! they are), `dynamic` (through the implementation for `Arc<dyn Store>`), `immediate` (through the synchronous path, where
//! there is one) and `wrapped` (inside another store). So a failure names the rule, and where it does not hold:
//! `wrapped::t5_overwrite_never_inherits_ttl`.
//!
//! What a store declares not to be capable of ([`Capabilities`](crate::Capabilities)) is not skipped: the case then asserts
//! that it is refused as INVALID with reason `unsupported`.
//!
//! # Time
//! A backend with an injected clock is tested without sleeping. Against a server the suite really waits, with times to live
//! of tens of milliseconds. Where a case needs something done before a deadline and the machine was too slow for that, the
//! suite notices and runs the case again with longer times; a case that was in time is never repeated.
//!
//! # Your own harness
//! [`BackendHarness`] suits most backends. Implement [`Harness`] where tests need more: a server, a runtime, a folder.

mod cases;
mod direct;
mod harness;
mod list;
mod run;
mod shape;

pub use harness::{BackendHarness, Harness};
pub use list::cases;
pub use run::{Case, run};
pub use shape::Shape;
