//! What stores do, told to the libraries that services already use: spans to `tracing`, numbers to `metrics`.
//!
//! Nothing is told of keys, unless `Spans::with_keys` asks for it, and never anything of values. What there is to measure, and
//! under which names, is in [`observe`](crate::observe).

#[cfg(feature = "metrics")]
mod numbers;
#[cfg(feature = "tracing")]
mod spans;

#[cfg(feature = "metrics")]
pub use numbers::{Published, describe, publish};
#[cfg(feature = "tracing")]
pub use spans::Spans;
