//! The Redis and Valkey backend of the store: one server over TCP, TLS or a Unix socket, the primary that
//! Sentinels name, or a Redis Cluster.
//!
//! [`RedisBackend`] is what configurations select as `redis`; [`RedisStore`] is one store, for use without a registry.
//!
//! ```no_run
//! use store_core::{Expiry, Handle};
//! use store_redis::{RedisOptions, RedisStore};
//! use std::sync::Arc;
//!
//! # async fn example() -> store_core::Result<()> {
//! let options = RedisOptions::new("redis://127.0.0.1:6379");
//! let cache = Handle::new(Arc::new(RedisStore::open("app:cache", &options)?));
//! cache.set("greeting", "hello", Expiry::seconds(60)).await?;
//! assert_eq!(cache.get::<String>("greeting").await?.as_deref(), Some("hello"));
//! # Ok(())
//! # }
//! ```
//!
//! # How it is built
//! - `config`, `target`: options and URLs; `backend`: opening.
//! - `keys`, `form` (`envelope`, `raw`), `times`, `scripts`: what lies in Redis, and what works on it there.
//! - `cluster`: who holds which slot, and redirections.
//! - `server`, `connect`, `reply`, `encryption`, `link`, `supervisor`, `executor`: one connection that comes back, on whatever runtime there is.
//! - `deadlines`, `pool`: one deadline around everything that a call waits for; what may be sent again, and what not.
//! - `store`, `counter`, `batch`, `listing`: the operations.
//! - `index`, `indexed`: the same with an ordered index, where it is asked for.
//! - `near`: hot keys answered from this process, where that is asked for.
//! - `stats`: what the servers have counted, for those who watch.
//! - `error`: what the server and the network say, in the contract's words.

mod backend;
mod batch;
mod cluster;
mod config;
mod connect;
mod counter;
mod deadlines;
mod encryption;
mod envelope;
mod error;
mod executor;
mod form;
mod index;
mod indexed;
mod keys;
mod link;
mod listing;
mod near;
mod pool;
mod raw;
mod reply;
mod scripts;
mod server;
mod stats;
mod store;
mod supervisor;
mod target;
mod times;

pub use backend::RedisBackend;
pub use config::{NearCache, RedisOptions, Sentinel};
pub use form::Format;
pub use stats::{CommandStats, ServerStats};
pub use store::RedisStore;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
