//! The in-process backend of the store: a hash table with TTL, versions and ordered listing.
//!
//! - [`MemoryStore`] is the store; [`MemoryStore::builder`] sets limits and the clock.
//! - [`MemoryBackend`] makes one from configuration ([`MemoryOptions`]).
//! - [`Stats`] counts what the store does, so that its promises about cost can be checked by counting.
//!
//! # How it is built
//! Keys are spread by a keyed hash over shards, each under a read-write lock (`shard`). A shard's hash table (`table`) leads to
//! the record, one allocation with key, value, version and deadline (`record`), which reads share instead of copying. An
//! ordered index (`order`) and a timing wheel (`wheel`) refer to entries by the number of their slot (`slab`). A store that
//! evicts marks uses (`recency`); a full one makes room (`room`) within its limits (`limits`). Expired entries are freed a few at
//! a time (`reclaim`), in the background by a thread (`sweeper`).
//!
//! # Cost
//! A read is one hash, one probe, and a shared lock; it looks at the clock only if the entry has a deadline. Setting a
//! deadline is O(1), and so is each move towards it (seven at most). A new key costs O(log n) in the ordered index,
//! overwriting one costs it nothing. A page of a listing costs O(shards · log n + entries examined). No operation on keys
//! depends on how many entries have expired.
//!
//! ```
//! use store_core::{Context, Key, Lifetime, Put, TryStore};
//! use store_memory::MemoryStore;
//!
//! # fn main() -> store_core::Result<()> {
//! let store = MemoryStore::new();
//! let (cx, key) = (Context::none(), Key::new("greeting")?);
//! if let Some(written) = store.try_put(&cx, key, b"\xa5hello", Put::always(Lifetime::NEVER)) {
//!     written?;
//! }
//! let value = store.try_get(&cx, key).transpose()?.flatten();
//! assert_eq!(value.as_deref(), Some(&b"\xa5hello"[..]));
//! # Ok(())
//! # }
//! ```
mod backend;
mod config;
mod due;
mod entries;
mod equal;
mod limits;
mod ops;
mod order;
mod page;
mod recency;
mod reclaim;
mod record;
mod room;
mod shard;
mod slab;
mod stats;
mod store;
mod sweeper;
mod sync;
mod table;
mod tagged;
mod tick;
mod wheel;

pub use backend::MemoryBackend;
pub use config::{Builder, MemoryOptions, OnFull};
pub use stats::Stats;
pub use store::MemoryStore;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
