//! A store around a store that fails on command.

use std::collections::HashMap;
use std::fmt;
use std::future::{Future, pending};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::fault::{Effect, Fault, Op};
use crate::{
    BackendInfo, BackendStats, BatchWrite, ClearStep, Context, Entry, Increment, Key, Lifetime, List, ListPage,
    Payload, Put, Result, Scan, ScanCursor, ScanPage, Store, SystemTimer, Timer, TryStore, Ttl, Version, Written,
};

/// A store that does what the one inside does, until it is given [`Fault`]s.
///
/// It has no synchronous path, so that delays and hanging are possible everywhere.
///
/// ```
/// use std::sync::Arc;
/// use store_core::testing::{FailingStore, Fault, Op};
/// use store_core::{Expiry, Handle, Kind, Store, block_on};
///
/// # fn example(real: Arc<dyn Store>) -> store_core::Result<()> {
/// let failing = Arc::new(FailingStore::new(real));
/// let handle = Handle::new(failing.clone());
/// failing.inject(Fault::on(Op::Put).times(1));
/// let first = block_on(handle.set("k", "v", Expiry::Never));
/// assert_eq!(first.map_err(|error| error.kind()), Err(Kind::Unavailable));
/// block_on(handle.set("k", "v", Expiry::Never))?;
/// assert_eq!(failing.calls(Op::Put), 2);
/// # Ok(())
/// # }
/// ```
pub struct FailingStore {
    inner: Arc<dyn Store>,
    timer: Arc<dyn Timer>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    faults: Vec<Fault>,
    calls: HashMap<Op, u64>,
}

impl FailingStore {
    /// Around this store, without faults.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>) -> FailingStore {
        FailingStore::with_timer(inner, SystemTimer)
    }

    /// With a timer of one's own for delays.
    #[must_use]
    pub fn with_timer(inner: Arc<dyn Store>, timer: impl Timer) -> FailingStore {
        FailingStore { inner, timer: Arc::new(timer), state: Mutex::default() }
    }

    /// Adds a fault. Of several that match a call, the one injected first strikes.
    pub fn inject(&self, fault: Fault) {
        self.lock().faults.push(fault);
    }

    /// Removes all faults.
    pub fn heal(&self) {
        self.lock().faults.clear();
    }

    /// How many calls of an operation arrived, failed ones included.
    #[must_use]
    pub fn calls(&self, op: Op) -> u64 {
        self.lock().calls.get(&op).copied().unwrap_or(0)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn strike(&self, op: Op) -> Option<Effect> {
        let mut state = self.lock();
        *state.calls.entry(op).or_default() += 1;
        state.faults.iter_mut().find_map(|fault| fault.strikes(op))
    }

    async fn pass<T>(&self, op: Op, operation: impl Future<Output = Result<T>>) -> Result<T> {
        match self.strike(op) {
            None => operation.await,
            Some(Effect::Before(error)) => Err(error),
            Some(Effect::After(error)) => operation.await.and(Err(error)),
            Some(Effect::Delay(by)) => {
                self.timer.sleep(by).await;
                operation.await
            }
            Some(Effect::Hang) => pending().await,
        }
    }
}

impl fmt::Debug for FailingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FailingStore").field("inner", &self.inner).finish_non_exhaustive()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for FailingStore {
    fn info(&self) -> BackendInfo {
        self.inner.info()
    }
    fn stats(&self) -> BackendStats {
        self.inner.stats()
    }
    fn immediate(self: Arc<Self>) -> Option<Arc<dyn TryStore>> {
        None
    }
    async fn get(&self, cx: &Context, key: Key<'_>) -> Result<Option<Payload>> {
        self.pass(Op::Get, self.inner.get(cx, key)).await
    }
    async fn has(&self, cx: &Context, key: Key<'_>) -> Result<bool> {
        self.pass(Op::Has, self.inner.has(cx, key)).await
    }
    async fn entry(&self, cx: &Context, key: Key<'_>) -> Result<Option<Entry>> {
        self.pass(Op::Entry, self.inner.entry(cx, key)).await
    }
    async fn ttl(&self, cx: &Context, key: Key<'_>) -> Result<Option<Ttl>> {
        self.pass(Op::Ttl, self.inner.ttl(cx, key)).await
    }
    async fn put(&self, cx: &Context, key: Key<'_>, value: &[u8], put: Put<'_>) -> Result<Written> {
        self.pass(Op::Put, self.inner.put(cx, key, value, put)).await
    }
    async fn delete(&self, cx: &Context, key: Key<'_>, if_version: Option<&Version>) -> Result<bool> {
        self.pass(Op::Delete, self.inner.delete(cx, key, if_version)).await
    }
    async fn touch(
        &self,
        cx: &Context,
        key: Key<'_>,
        lifetime: Lifetime,
        if_version: Option<&Version>,
    ) -> Result<bool> {
        self.pass(Op::Touch, self.inner.touch(cx, key, lifetime, if_version)).await
    }
    async fn get_and_touch(&self, cx: &Context, key: Key<'_>, lifetime: Lifetime) -> Result<Option<Payload>> {
        self.pass(Op::GetAndTouch, self.inner.get_and_touch(cx, key, lifetime)).await
    }
    async fn take(&self, cx: &Context, key: Key<'_>) -> Result<Option<Payload>> {
        self.pass(Op::Take, self.inner.take(cx, key)).await
    }
    async fn increment(&self, cx: &Context, key: Key<'_>, by: Increment) -> Result<i64> {
        self.pass(Op::Increment, self.inner.increment(cx, key, by)).await
    }
    async fn get_many(&self, cx: &Context, keys: &[Key<'_>]) -> Result<Vec<Option<Payload>>> {
        self.pass(Op::GetMany, self.inner.get_many(cx, keys)).await
    }
    async fn set_many(&self, cx: &Context, items: &[BatchWrite<'_>]) -> Result<()> {
        self.pass(Op::SetMany, self.inner.set_many(cx, items)).await
    }
    async fn delete_many(&self, cx: &Context, keys: &[Key<'_>]) -> Result<Vec<bool>> {
        self.pass(Op::DeleteMany, self.inner.delete_many(cx, keys)).await
    }
    async fn list(&self, cx: &Context, list: List<'_>) -> Result<ListPage> {
        self.pass(Op::List, self.inner.list(cx, list)).await
    }
    async fn scan(&self, cx: &Context, scan: Scan<'_>) -> Result<ScanPage> {
        self.pass(Op::Scan, self.inner.scan(cx, scan)).await
    }
    async fn clear(&self, cx: &Context, prefix: &[u8], cursor: Option<&ScanCursor>) -> Result<ClearStep> {
        self.pass(Op::Clear, self.inner.clear(cx, prefix, cursor)).await
    }
    async fn purge_expired(&self, max: usize) -> Result<usize> {
        self.pass(Op::PurgeExpired, self.inner.purge_expired(max)).await
    }
    async fn ping(&self) -> Result<()> {
        self.pass(Op::Ping, self.inner.ping()).await
    }
    async fn flush(&self) -> Result<()> {
        self.pass(Op::Flush, self.inner.flush()).await
    }
    async fn close(&self) -> Result<()> {
        self.pass(Op::Close, self.inner.close()).await
    }
}
