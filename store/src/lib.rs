//! A key-value store with TTL: one API, the backend chosen by Cargo feature and by configuration.
//!
//! What a store answers does not depend on where it keeps its entries: in this process, in an embedded database, or on a Redis
//! server. Which one it is, a configuration file says, per environment; the code stays the same.
//!
//! ```
//! use std::time::Duration;
//! use store::config::Document;
//! use store::{Expiry, Result};
//!
//! # async fn example() -> Result<()> {
//! let document = Document::parse(r#"
//!     [stores."app:sessions"]
//!     backend = "memory"
//!     default_ttl = "30m"
//! "#, "store.toml")?;                                  // or: store::open("store.toml", Some("production"))?
//! let registry = store::open_with(&document, None, &store::backends())?;
//!
//! let sessions = registry.get("app:sessions").await?;
//! sessions.set("session:abc", &("alice", 3), Duration::from_secs(300)).await?;
//! let session: Option<(String, u32)> = sessions.get("session:abc").await?;
//! assert_eq!(session, Some(("alice".to_string(), 3)));
//!
//! sessions.set("greeting", "hello", Expiry::Default).await?;
//! assert!(sessions.delete("greeting").await?);
//! registry.close().await
//! # }
//! # #[cfg(feature = "memory")]
//! # store::block_on(example()).unwrap();
//! ```
//!
//! # Which backend do I need?
//! | Feature | Where | Survives a restart | Shared by processes | Its own options |
//! |---|---|---|---|---|
//! | `memory` (default) | in this process | no | no | `max_entries`, ... |
//! | `sled` | in a folder | yes | no | `path`, `durability`, ... |
//! | `redis` | on a Redis or Valkey server | as the server does | yes | `url`, `prefix`, ... |
//!
//! A build has what its features ask for and nothing else; a configuration that names a backend which was left out is told the
//! feature. Crates of third parties join by [`Backends::register`].
//!
//! # Time to live
//! Every write states an [`Expiry`]: the store's default, never, or after a [`Duration`](std::time::Duration). An entry is
//! readable until its deadline, and from then on absent for every operation. Writing again never inherits what was left,
//! unless asked to.
//!
//! # Errors and retry
//! There is one [`Error`]: a [`Kind`], a message, whether to retry ([`Error::is_retryable`]), what became of a failed write
//! ([`Error::outcome`]), and details. A missing key is `None` or `false`, never an error; a failing backend is never `None`.

mod backends;
pub mod blocking;
mod file;
mod open;
#[cfg(feature = "tower-sessions")]
pub mod sessions;
#[cfg(any(feature = "tracing", feature = "metrics"))]
pub mod telemetry;

pub use backends::backends;
pub use file::ConfigFile;
pub use open::{open, open_with};

pub use store_core::{
    Actor, Audit, Backend, BackendInfo, BackendStats, Backends, BoxFuture, Capabilities, Clock, Consistency, Context,
    Denial, Entries, Entry, Error, Expiry, Handle, Health, IncrementOptions, Info, Item, Kind, ListOptions,
    LoadOptions, Loaded, MAX_BATCH, MAX_KEY_LEN, MAX_TTL, ManualClock, OpenContext, Outcome, Page, Payload, PutOptions,
    Registry, RegistryBuilder, Reloaded, Result, Scanning, Store, StoreHealth, StoreStats, SystemClock, SystemTimer,
    Time, Timer, TryStore, Ttl, TtlRules, TypedEntry, Value, Version, Written, block_on,
};
pub use store_core::{async_trait, codec, config, dump, observe, policy};

/// The in-process backend.
#[cfg(feature = "memory")]
pub mod memory {
    pub use store_memory::*;
}

/// The embedded, durable backend.
#[cfg(feature = "sled")]
pub mod sled {
    pub use store_sled::*;
}

/// The backend for Redis and Valkey servers.
#[cfg(feature = "redis")]
pub mod redis {
    pub use store_redis::*;
}
