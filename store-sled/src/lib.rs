//! The embedded, durable backend of the store, on [sled](https://docs.rs/sled/0.34) 0.34.
//!
//! sled acknowledges a write when it is in the memory of the process, and its `flush` leaves it in the cache of the device.
//! This crate is the layer that makes it trustworthy: with `durability = "sync"`, which is the default, what was acknowledged
//! is on the device.
//!
//! ```
//! use store_core::{Backend, Context, Key, Lifetime, OpenContext, Put, Store};
//! use store_sled::{Options, SledBackend};
//!
//! # fn main() -> store_core::Result<()> {
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("sessions");
//! # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
//! # runtime.block_on(async {
//! let backend = SledBackend::new();
//! let store = backend.open(&Options::new(path), OpenContext::new("app:sessions")).await?;
//! let (cx, key) = (Context::none(), Key::new("user:1")?);
//! store.put(&cx, key, b"\xa5Alice", Put::always(Lifetime::NEVER)).await?;
//! assert_eq!(store.get(&cx, key).await?.as_deref(), Some(&b"\xa5Alice"[..]));
//! store.close().await
//! # })
//! # }
//! ```
//!
//! | file | what |
//! |---|---|
//! | `config.rs` | options |
//! | `backend.rs` | opening, also of several stores in one folder |
//! | `store.rs` | the store: which answers wait for the device and which do not |
//! | `space.rs`, `large.rs`, `list.rs` | the operations, atomic per key |
//! | `record.rs` | the bytes on disk |
//! | `database.rs`, `health.rs`, `files.rs` | an open database: lock, recovery, what a failure leaves |
//! | `numbers.rs` | the counters that versions are made of |
//! | `commit.rs`, `log.rs` | group commit |
//! | `journal.rs`, `replay.rs` | the journal of those who wait for the device |
//! | `sweep.rs` | freeing what has expired |
//! | [`doctor`] | verifying a database, and saving what is readable of a damaged one |

mod backend;
mod commit;
mod config;
mod database;
pub mod doctor;
mod error;
mod files;
mod health;
mod journal;
mod large;
mod list;
mod log;
mod numbers;
mod record;
mod replay;
mod space;
mod store;
mod sweep;
mod sync;
mod task;

pub use backend::SledBackend;
pub use config::{Durability, Options};
pub use store::SledStore;

/// The README's example runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
