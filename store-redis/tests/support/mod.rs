//! What the tests of this crate share.
#![allow(dead_code, clippy::unwrap_used, reason = "each test binary uses a part, and tests may panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use store_core::config::HumanDuration;
use store_core::{Handle, Key, Lifetime, Put, Version};
use store_redis::{RedisOptions, RedisStore};
use store_testkit::RedisServer;

/// A prefix that no other test has, on whatever server.
pub(crate) fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Options for the server that the tests of a binary share.
pub(crate) fn shared() -> RedisOptions {
    let mut options = RedisOptions::new(RedisServer::shared().url());
    options.prefix = unique();
    options
}

/// Options with another timeout.
pub(crate) fn with_timeout(url: impl Into<String>, millis: u64) -> RedisOptions {
    let mut options = RedisOptions::new(url);
    options.timeout = HumanDuration(Duration::from_millis(millis));
    options.connect_timeout = options.timeout;
    options
}

/// A store and a handle to it.
pub(crate) fn open(options: &RedisOptions) -> (Arc<RedisStore>, Handle) {
    let store = Arc::new(RedisStore::open("app:cache", options).unwrap());
    let handle = Handle::new(Arc::clone(&store) as Arc<dyn store_core::Store>);
    (store, handle)
}

pub(crate) fn key(text: &str) -> Key<'_> {
    Key::new(text).unwrap()
}

pub(crate) fn millis(millis: u64) -> Lifetime {
    Lifetime::after(Duration::from_millis(millis)).unwrap()
}

pub(crate) fn always() -> Put<'static> {
    Put::always(Lifetime::NEVER)
}

/// The version with this number.
pub(crate) fn version(number: u64) -> Version {
    Version::from_u64(number)
}
