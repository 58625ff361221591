//! The ways in which a case meets a store.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::testing::FailingStore;
use crate::{
    BackendInfo, BackendStats, BatchWrite, ClearStep, Context, Entry, Increment, Key, Lifetime, List, ListPage,
    Payload, Put, Result, Scan, ScanCursor, ScanPage, Store, TryStore, Ttl, Version, Written,
};

/// The way in which a case meets the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// The store as it was opened, by its waiting methods.
    Bare,
    /// The store behind the implementation for `Arc<dyn Store>`.
    Dynamic,
    /// The store by its synchronous path, and by waiting only where that gives `None`.
    Immediate,
    /// The store inside of another, which offers no synchronous path.
    Wrapped,
}

impl Shape {
    /// Every shape.
    pub const ALL: [Shape; 4] = [Shape::Bare, Shape::Dynamic, Shape::Immediate, Shape::Wrapped];

    pub(super) fn apply(self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        match self {
            Shape::Bare => store,
            Shape::Dynamic => Arc::new(store),
            Shape::Immediate => Arc::new(AtOnce { now: Arc::clone(&store).immediate(), store }),
            Shape::Wrapped => Arc::new(FailingStore::new(store)),
        }
    }
}

/// Answers every waiting method by the synchronous path, if that answers.
struct AtOnce {
    store: Arc<dyn Store>,
    now: Option<Arc<dyn TryStore>>,
}

impl AtOnce {
    fn now<'a, T>(&'a self, ask: impl FnOnce(&'a dyn TryStore) -> Option<T>) -> Option<T> {
        self.now.as_deref().and_then(ask)
    }
}

impl fmt::Debug for AtOnce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AtOnce").field(&self.store).finish()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for AtOnce {
    fn info(&self) -> BackendInfo {
        self.store.info()
    }
    fn stats(&self) -> BackendStats {
        self.store.stats()
    }
    fn immediate(self: Arc<Self>) -> Option<Arc<dyn TryStore>> {
        Arc::clone(&self.store).immediate()
    }
    async fn get(&self, cx: &Context, key: Key<'_>) -> Result<Option<Payload>> {
        if let Some(answer) = self.now(|store| store.try_get(cx, key)) {
            return answer;
        }
        self.store.get(cx, key).await
    }
    async fn has(&self, cx: &Context, key: Key<'_>) -> Result<bool> {
        if let Some(answer) = self.now(|store| store.try_has(cx, key)) {
            return answer;
        }
        self.store.has(cx, key).await
    }
    async fn entry(&self, cx: &Context, key: Key<'_>) -> Result<Option<Entry>> {
        if let Some(answer) = self.now(|store| store.try_entry(cx, key)) {
            return answer;
        }
        self.store.entry(cx, key).await
    }
    async fn ttl(&self, cx: &Context, key: Key<'_>) -> Result<Option<Ttl>> {
        if let Some(answer) = self.now(|store| store.try_ttl(cx, key)) {
            return answer;
        }
        self.store.ttl(cx, key).await
    }
    async fn put(&self, cx: &Context, key: Key<'_>, value: &[u8], put: Put<'_>) -> Result<Written> {
        if let Some(answer) = self.now(|store| store.try_put(cx, key, value, put)) {
            return answer;
        }
        self.store.put(cx, key, value, put).await
    }
    async fn delete(&self, cx: &Context, key: Key<'_>, if_version: Option<&Version>) -> Result<bool> {
        if let Some(answer) = self.now(|store| store.try_delete(cx, key, if_version)) {
            return answer;
        }
        self.store.delete(cx, key, if_version).await
    }
    async fn touch(
        &self,
        cx: &Context,
        key: Key<'_>,
        lifetime: Lifetime,
        if_version: Option<&Version>,
    ) -> Result<bool> {
        if let Some(answer) = self.now(|store| store.try_touch(cx, key, lifetime, if_version)) {
            return answer;
        }
        self.store.touch(cx, key, lifetime, if_version).await
    }
    async fn get_and_touch(&self, cx: &Context, key: Key<'_>, lifetime: Lifetime) -> Result<Option<Payload>> {
        if let Some(answer) = self.now(|store| store.try_get_and_touch(cx, key, lifetime)) {
            return answer;
        }
        self.store.get_and_touch(cx, key, lifetime).await
    }
    async fn take(&self, cx: &Context, key: Key<'_>) -> Result<Option<Payload>> {
        if let Some(answer) = self.now(|store| store.try_take(cx, key)) {
            return answer;
        }
        self.store.take(cx, key).await
    }
    async fn increment(&self, cx: &Context, key: Key<'_>, by: Increment) -> Result<i64> {
        if let Some(answer) = self.now(|store| store.try_increment(cx, key, by)) {
            return answer;
        }
        self.store.increment(cx, key, by).await
    }
    async fn get_many(&self, cx: &Context, keys: &[Key<'_>]) -> Result<Vec<Option<Payload>>> {
        if let Some(answer) = self.now(|store| store.try_get_many(cx, keys)) {
            return answer;
        }
        self.store.get_many(cx, keys).await
    }
    async fn set_many(&self, cx: &Context, items: &[BatchWrite<'_>]) -> Result<()> {
        if let Some(answer) = self.now(|store| store.try_set_many(cx, items)) {
            return answer;
        }
        self.store.set_many(cx, items).await
    }
    async fn delete_many(&self, cx: &Context, keys: &[Key<'_>]) -> Result<Vec<bool>> {
        if let Some(answer) = self.now(|store| store.try_delete_many(cx, keys)) {
            return answer;
        }
        self.store.delete_many(cx, keys).await
    }
    async fn list(&self, cx: &Context, list: List<'_>) -> Result<ListPage> {
        if let Some(answer) = self.now(|store| store.try_list(cx, list)) {
            return answer;
        }
        self.store.list(cx, list).await
    }
    async fn scan(&self, cx: &Context, scan: Scan<'_>) -> Result<ScanPage> {
        self.store.scan(cx, scan).await
    }
    async fn clear(&self, cx: &Context, prefix: &[u8], cursor: Option<&ScanCursor>) -> Result<ClearStep> {
        self.store.clear(cx, prefix, cursor).await
    }
    async fn purge_expired(&self, max: usize) -> Result<usize> {
        self.store.purge_expired(max).await
    }
    async fn ping(&self) -> Result<()> {
        self.store.ping().await
    }
    async fn flush(&self) -> Result<()> {
        self.store.flush().await
    }
    async fn close(&self) -> Result<()> {
        self.store.close().await
    }
}
