//! Short words for the operations.

#![allow(clippy::unwrap_used, reason = "only tests use this")]

use std::sync::Arc;
use std::time::Duration;

use store_core::{
    Clock, Condition, Context, Increment, Key, Lifetime, List, ListPage, ManualClock, Payload, Put, Result, TryStore,
    Want,
};
use store_memory::{Builder, MemoryStore};

pub(crate) const NEVER: Lifetime = Lifetime::NEVER;

pub(crate) fn millis(millis: u64) -> Lifetime {
    Lifetime::after(Duration::from_millis(millis)).unwrap()
}

/// A store whose clock only the test moves, and which frees nothing unless asked.
#[allow(dead_code, reason = "each test file uses some")]
pub(crate) fn still(change: impl FnOnce(Builder) -> Builder) -> (MemoryStore, ManualClock) {
    let clock = ManualClock::new();
    let shared: Arc<dyn Clock> = Arc::new(clock.clone());
    (change(MemoryStore::builder().clock(shared).background(false)).build(), clock)
}

/// The operations with the noise taken off.
#[allow(dead_code, reason = "each test file uses some")]
pub(crate) trait Short: TryStore {
    fn set(&self, key: &str, value: &str, lifetime: Lifetime) -> Result<()> {
        self.put_if(key, value, Put::always(lifetime))
    }
    fn put_if(&self, key: &str, value: &str, put: Put<'_>) -> Result<()> {
        self.try_put(&Context::none(), Key::new(key)?, value.as_bytes(), put).unwrap().map(drop)
    }
    fn add(&self, key: &str, value: &str) -> Result<()> {
        self.put_if(key, value, Put { lifetime: NEVER, keep_ttl: false, condition: Condition::IfAbsent })
    }
    fn read(&self, key: &str) -> Option<String> {
        let payload: Option<Payload> = self.try_get(&Context::none(), Key::new(key).unwrap()).unwrap().unwrap();
        payload.map(|payload| String::from_utf8(payload.to_vec()).unwrap())
    }
    fn del(&self, key: &str) -> bool {
        self.try_delete(&Context::none(), Key::new(key).unwrap(), None).unwrap().unwrap()
    }
    fn retouch(&self, key: &str, lifetime: Lifetime) -> bool {
        self.try_touch(&Context::none(), Key::new(key).unwrap(), lifetime, None).unwrap().unwrap()
    }
    fn count(&self, key: &str, delta: i64) -> Result<i64> {
        let by = Increment { delta, initial: 0, lifetime: NEVER };
        self.try_increment(&Context::none(), Key::new(key)?, by).unwrap()
    }
    fn page(&self, prefix: &str, after: Option<&[u8]>, limit: usize) -> ListPage {
        let list = List { prefix: prefix.as_bytes(), after, limit, want: Want::Keys };
        self.try_list(&Context::none(), list).unwrap().unwrap()
    }
}

impl Short for MemoryStore {}

/// The keys of a page, as text.
#[allow(dead_code, reason = "each test file uses some")]
pub(crate) fn keys(page: &ListPage) -> Vec<String> {
    page.items.iter().map(|item| String::from_utf8_lossy(&item.key).into_owned()).collect()
}
