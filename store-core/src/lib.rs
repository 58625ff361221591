//! The contract of the store.
mod backend;
mod clock;
pub mod codec;
mod context;
mod entry;
mod error;
mod expiry;
mod info;
mod key;
mod options;
pub mod policy;
mod store;
mod value;

pub use async_trait::async_trait;
pub use backend::{Backend, OpenContext};
pub use clock::{BoxFuture, Clock, ManualClock, SystemClock, SystemTimer, Time, Timer};
pub use context::{Actor, Context};
pub use entry::{Entry, Item, Payload, Version, VersionCipher, Written, random_u64};
pub use error::{Error, Kind, Outcome, Result};
pub use expiry::{Deadline, Expiry, Lifetime, MAX_TTL, Ttl, TtlRules};
pub use info::{BackendInfo, Capabilities, Consistency};
pub use key::{Key, MAX_KEY_LEN, prefix_end};
pub use options::{BatchWrite, ClearStep, Condition, Increment, List, ListPage, Put, Scan, ScanCursor, ScanPage, Want};
pub use store::{Store, TryStore};
pub use value::Value;
