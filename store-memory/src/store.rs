//! The store: its parts, and the contract.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use async_trait::async_trait;
use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use store_core::{
    BackendInfo, BackendStats, BatchWrite, Capabilities, ClearStep, Consistency, Context, Entry, Error, Increment, Key,
    Lifetime, List, ListPage, Payload, Put, Result, Scan, ScanCursor, ScanPage, Store, TryStore, Ttl, Version,
    VersionCipher, Written,
};

use crate::config::Builder;
use crate::due::Due;
use crate::limits::Limits;
use crate::shard::{Hash, Place, Shard};
use crate::stats::{Counters, Stats};
use crate::sweeper::Sweeper;
use crate::tick::StoreClock;

/// A store in the memory of the process. Clones are the same store.
///
/// Every operation answers at once: [`Store::immediate`] is always there, and the methods of [`TryStore`] are never `None`.
#[derive(Clone)]
pub struct MemoryStore {
    inner: Arc<Inner>,
}

/// On cache lines of its own, so that threads at work in different shards do not disturb each other.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Locked(RwLock<Shard>);

/// How often somebody looks whether a lock is free before he leaves the processor to others: for about two microseconds. Nobody holds
/// one for longer, unless the system took the processor from him; and a call of the system takes about as long itself. (The lock of
/// `parking_lot` looks three times within half a microsecond, and then calls the system.)
const LOOKS: usize = 64;

impl Locked {
    #[inline]
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Shard> {
        self.0.try_read().unwrap_or_else(|| self.read_soon())
    }

    #[inline]
    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, Shard> {
        self.0.try_write().unwrap_or_else(|| self.write_soon())
    }

    #[cold]
    fn read_soon(&self) -> RwLockReadGuard<'_, Shard> {
        soon(|| self.0.is_locked_exclusive(), || self.0.try_read()).unwrap_or_else(|| self.0.read())
    }

    #[cold]
    fn write_soon(&self) -> RwLockWriteGuard<'_, Shard> {
        soon(|| self.0.is_locked(), || self.0.try_write()).unwrap_or_else(|| self.0.write())
    }
}

fn soon<T>(is_taken: impl Fn() -> bool, attempt: impl Fn() -> Option<T>) -> Option<T> {
    for _ in 0..LOOKS {
        std::hint::spin_loop();
        if !is_taken()
            && let Some(guard) = attempt()
        {
            return Some(guard);
        }
    }
    None
}

pub(crate) struct Inner {
    /// Their number is a power of two.
    pub(crate) shards: Box<[Locked]>,
    pub(crate) hash: Hash,
    pub(crate) clock: StoreClock,
    closed: AtomicBool,
    pub(crate) limits: Option<Arc<Limits>>,
    pub(crate) counters: Counters,
    pub(crate) sweeper: Sweeper,
    pub(crate) due: Due,
}

impl Inner {
    #[inline]
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.closed.load(Relaxed) {
            return Err(Error::closed());
        }
        Ok(())
    }

    #[inline]
    pub(crate) fn shard_number(&self, place: Place) -> usize {
        place.shard as usize & (self.shards.len() - 1)
    }

    #[inline]
    pub(crate) fn shard(&self, place: Place) -> &Locked {
        &self.shards[self.shard_number(place)]
    }

    fn entries(&self) -> u64 {
        self.shards.iter().map(|shard| u64::from(shard.read().len())).sum()
    }

    fn stats(&self) -> Stats {
        let counters = &self.counters;
        Stats {
            entries: self.entries(),
            examined: counters.examined.load(Relaxed),
            reclaimed: counters.reclaimed.load(Relaxed),
            swept_by_writes: counters.swept_by_writes.load(Relaxed),
            evicted: counters.evicted.load(Relaxed),
            table_bytes: self.shards.iter().map(|shard| shard.read().memory() as u64).sum(),
        }
    }

    fn close(&self) {
        self.closed.store(true, Relaxed);
        self.sweeper.stop();
        for shard in &self.shards {
            // A writer that saw the store open looks again under the lock, so nothing is added after this.
            let contents = shard.write().clear();
            drop(contents);
        }
    }
}

impl MemoryStore {
    /// A store without limits, on the machine's clock.
    #[must_use]
    pub fn new() -> MemoryStore {
        MemoryStore::builder().build()
    }

    /// Sets limits, the clock, and what else there is to choose.
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(crate) fn from_builder(builder: Builder) -> MemoryStore {
        let count = builder.shard_count();
        let due = Due::new(builder.clock.as_deref());
        let limits = Limits::new(builder.max_entries, builder.max_bytes, builder.on_full).map(Arc::new);
        let (hash, cipher) = (Hash::new(), VersionCipher::random());
        let shards = (0..count as u64)
            .map(|number| Shard::new(number, count as u64, cipher, limits.as_ref()))
            .map(|shard| Locked(RwLock::new(shard)))
            .collect();
        let inner = Arc::new_cyclic(|store| Inner {
            shards,
            hash,
            clock: StoreClock::new(builder.clock),
            closed: AtomicBool::new(false),
            limits,
            counters: Counters::default(),
            sweeper: Sweeper::new(builder.background, store.clone()),
            due,
        });
        MemoryStore { inner }
    }

    /// What the store did so far, and what it holds. Visits every shard.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.inner.stats()
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        MemoryStore::new()
    }
}

/// Shows how much it holds, and no key and no value.
impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("entries", &self.inner.entries())
            .field("shards", &self.inner.shards.len())
            .field("limits", &self.inner.limits)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").finish_non_exhaustive()
    }
}

impl TryStore for MemoryStore {
    #[inline]
    fn try_get(&self, _cx: &Context, key: Key<'_>) -> Option<Result<Option<Payload>>> {
        Some(self.inner.get(key))
    }
    fn try_has(&self, _cx: &Context, key: Key<'_>) -> Option<Result<bool>> {
        Some(self.inner.has(key))
    }
    fn try_entry(&self, _cx: &Context, key: Key<'_>) -> Option<Result<Option<Entry>>> {
        Some(self.inner.entry(key))
    }
    fn try_ttl(&self, _cx: &Context, key: Key<'_>) -> Option<Result<Option<Ttl>>> {
        Some(self.inner.ttl(key))
    }
    fn try_put(&self, _cx: &Context, key: Key<'_>, value: &[u8], put: Put<'_>) -> Option<Result<Written>> {
        Some(self.inner.put(key, value, put))
    }
    fn try_delete(&self, _cx: &Context, key: Key<'_>, if_version: Option<&Version>) -> Option<Result<bool>> {
        Some(self.inner.delete(key, if_version))
    }
    fn try_touch(
        &self,
        _cx: &Context,
        key: Key<'_>,
        lifetime: Lifetime,
        if_version: Option<&Version>,
    ) -> Option<Result<bool>> {
        Some(self.inner.touch(key, lifetime, if_version))
    }
    fn try_get_and_touch(&self, _cx: &Context, key: Key<'_>, lifetime: Lifetime) -> Option<Result<Option<Payload>>> {
        Some(self.inner.get_and_touch(key, lifetime))
    }
    fn try_take(&self, _cx: &Context, key: Key<'_>) -> Option<Result<Option<Payload>>> {
        Some(self.inner.take(key))
    }
    fn try_increment(&self, _cx: &Context, key: Key<'_>, by: Increment) -> Option<Result<i64>> {
        Some(self.inner.increment(key, by))
    }
    fn try_get_many(&self, _cx: &Context, keys: &[Key<'_>]) -> Option<Result<Vec<Option<Payload>>>> {
        Some(self.inner.get_many(keys))
    }
    fn try_set_many(&self, _cx: &Context, items: &[BatchWrite<'_>]) -> Option<Result<()>> {
        Some(self.inner.set_many(items))
    }
    fn try_delete_many(&self, _cx: &Context, keys: &[Key<'_>]) -> Option<Result<Vec<bool>>> {
        Some(self.inner.delete_many(keys))
    }
    fn try_list(&self, _cx: &Context, list: List<'_>) -> Option<Result<ListPage>> {
        Some(self.inner.list(list))
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn info(&self) -> BackendInfo {
        BackendInfo {
            backend: "memory",
            consistency: Consistency::Linearizable,
            durable: false,
            capabilities: Capabilities::ALL,
            entries: Some(self.inner.entries()),
            max_entries: self.inner.limits.as_ref().and_then(|limits| limits.max_entries),
        }
    }
    fn stats(&self) -> BackendStats {
        let own = self.inner.stats();
        BackendStats {
            entries: Some(own.entries),
            // Only where there are limits is it counted what keys and values take.
            bytes: self.inner.limits.as_ref().map(|limits| limits.bytes()),
            expirations: Some(own.reclaimed),
            evictions: Some(own.evicted),
            reconnects: None,
        }
    }
    fn immediate(self: Arc<Self>) -> Option<Arc<dyn TryStore>> {
        Some(self)
    }
    async fn get(&self, _cx: &Context, key: Key<'_>) -> Result<Option<Payload>> {
        self.inner.get(key)
    }
    async fn has(&self, _cx: &Context, key: Key<'_>) -> Result<bool> {
        self.inner.has(key)
    }
    async fn entry(&self, _cx: &Context, key: Key<'_>) -> Result<Option<Entry>> {
        self.inner.entry(key)
    }
    async fn ttl(&self, _cx: &Context, key: Key<'_>) -> Result<Option<Ttl>> {
        self.inner.ttl(key)
    }
    async fn put(&self, _cx: &Context, key: Key<'_>, value: &[u8], put: Put<'_>) -> Result<Written> {
        self.inner.put(key, value, put)
    }
    async fn delete(&self, _cx: &Context, key: Key<'_>, if_version: Option<&Version>) -> Result<bool> {
        self.inner.delete(key, if_version)
    }
    async fn touch(
        &self,
        _cx: &Context,
        key: Key<'_>,
        lifetime: Lifetime,
        if_version: Option<&Version>,
    ) -> Result<bool> {
        self.inner.touch(key, lifetime, if_version)
    }
    async fn get_and_touch(&self, _cx: &Context, key: Key<'_>, lifetime: Lifetime) -> Result<Option<Payload>> {
        self.inner.get_and_touch(key, lifetime)
    }
    async fn take(&self, _cx: &Context, key: Key<'_>) -> Result<Option<Payload>> {
        self.inner.take(key)
    }
    async fn increment(&self, _cx: &Context, key: Key<'_>, by: Increment) -> Result<i64> {
        self.inner.increment(key, by)
    }
    async fn get_many(&self, _cx: &Context, keys: &[Key<'_>]) -> Result<Vec<Option<Payload>>> {
        self.inner.get_many(keys)
    }
    async fn set_many(&self, _cx: &Context, items: &[BatchWrite<'_>]) -> Result<()> {
        self.inner.set_many(items)
    }
    async fn delete_many(&self, _cx: &Context, keys: &[Key<'_>]) -> Result<Vec<bool>> {
        self.inner.delete_many(keys)
    }
    async fn list(&self, _cx: &Context, list: List<'_>) -> Result<ListPage> {
        self.inner.list(list)
    }
    async fn scan(&self, _cx: &Context, scan: Scan<'_>) -> Result<ScanPage> {
        self.inner.scan(scan)
    }
    async fn clear(&self, _cx: &Context, prefix: &[u8], cursor: Option<&ScanCursor>) -> Result<ClearStep> {
        self.inner.clear(prefix, cursor)
    }
    async fn purge_expired(&self, max: usize) -> Result<usize> {
        self.inner.check_open()?;
        Ok(self.inner.purge(max))
    }
    async fn ping(&self) -> Result<()> {
        self.inner.check_open()
    }
    async fn flush(&self) -> Result<()> {
        self.inner.check_open()
    }
    async fn close(&self) -> Result<()> {
        self.inner.close();
        Ok(())
    }
}
