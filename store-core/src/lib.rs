//! The contract of the store: one API for key-value storage with TTL, whatever the backend.
//!
//! Services use the crate `store`, which joins this one with the backends. Take this one to write a backend or a wrapper.
//!
//! # Who is who
//! - [`Store`] is what a backend implements, [`TryStore`] its synchronous twin for answers that need no waiting.
//! - [`Handle`] is what users hold: it checks arguments, applies the policy, resolves TTLs and limits, encodes and decodes.
//! - [`Registry`] keeps stores by id: opened when first asked for, closed together. [`config`] makes one from TOML.
//! - [`observe`] is for those who look inside: spans, counters, latencies.
//! - [`Backend`] is how configuration makes a store; [`Backends`] is the table of those that are compiled in.
//!
//! # Time to live
//! A write states an [`Expiry`]: the store's default, never, or after a duration. From its deadline on an entry is absent for
//! every operation; nothing revives it. A write never inherits the old TTL unless asked to. The rules live in `expiry.rs` and
//! nowhere else.
//!
//! # Errors and retry
//! There is one [`Error`], with a [`Kind`], whether retrying makes sense, what became of a failed write ([`Outcome`]), details
//! and source. A missing key is not an error, and a failure never looks like a missing key.
//!
//! # Writing a backend
//! Implement [`Store`] (re-exported [`macro@async_trait`] included) and [`Backend`], register it in a [`Backends`], and prove it with
//! the conformance suite (feature `conformance`): one macro line.

mod backend;
mod backends;
mod block_on;
mod clock;
pub mod codec;
pub mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
mod context;
pub mod dump;
mod entry;
mod error;
mod expiry;
mod foreign;
mod handle;
mod info;
mod key;
pub mod observe;
mod options;
pub mod policy;
mod record;
mod registry;
mod slot;
mod store;
mod sync;
pub mod testing;
mod value;

pub use async_trait::async_trait;
pub use backend::{Backend, OpenContext};
pub use backends::Backends;
pub use block_on::block_on;
pub use clock::{BoxFuture, Clock, ManualClock, SystemClock, SystemTimer, Time, Timer};
pub use context::{Actor, Context};
pub use entry::{Entry, Item, Payload, Version, VersionCipher, Written, random_u64};
pub use error::{Error, Kind, Outcome, Result};
pub use expiry::{Deadline, Expiry, Lifetime, MAX_TTL, Ttl, TtlRules};
pub use foreign::Holder;
pub use handle::{
    Entries, Handle, IncrementOptions, Info, ListOptions, Loaded, MAX_BATCH, Page, PutOptions, Scanning, TypedEntry,
    decode_cursor, encode_cursor,
};
pub use info::{BackendInfo, BackendStats, Capabilities, Consistency};
pub use key::{Key, KeyBuf, MAX_KEY_LEN, prefix_end};
pub use options::{BatchWrite, ClearStep, Condition, Increment, List, ListPage, Put, Scan, ScanCursor, ScanPage, Want};
pub use record::Record;
pub use registry::{Health, Registry, RegistryBuilder, Reloaded, StoreHealth, StoreStats};
pub use slot::{Audit, Denial, LoadOptions};
pub use store::{Store, TryStore};
pub use value::Value;
