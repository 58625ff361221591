//! The suite on stores that can do less, and on one that is slow.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use store_core::conformance::{BackendHarness, Harness, Shape, cases};
use store_core::testing::{FailingStore, Fault};
use store_core::{
    Backend, BackendInfo, BackendStats, BatchWrite, Capabilities, ClearStep, Condition, Context, Entry, Error,
    Increment, Key, Lifetime, List, ListPage, OpenContext, Payload, Put, Result, Scan, ScanCursor, ScanPage, Store,
    TryStore, Ttl, Version, Written, async_trait,
};
use store_examples::custom_backend::{ShelfBackend, ShelfOptions};

/// A store that takes away what it does not declare.
#[derive(Debug)]
struct Modest {
    inner: Arc<dyn Store>,
    can: Capabilities,
    declares: Capabilities,
}

fn refuse(allowed: bool, what: &'static str) -> Result<()> {
    if allowed { Ok(()) } else { Err(Error::unsupported(what)) }
}

impl Modest {
    fn ttl(&self, lifetime: Lifetime) -> Result<()> {
        refuse(self.can.ttl || lifetime == Lifetime::NEVER, "this store knows no expiry")
    }

    fn versions(&self, version: Option<&Version>) -> Result<()> {
        refuse(self.can.versions || version.is_none(), "this store compares no versions")
    }
}

#[async_trait]
impl Store for Modest {
    fn info(&self) -> BackendInfo {
        BackendInfo { capabilities: self.declares, ..self.inner.info() }
    }
    fn stats(&self) -> BackendStats {
        self.inner.stats()
    }
    fn immediate(self: Arc<Self>) -> Option<Arc<dyn TryStore>> {
        None
    }
    async fn get(&self, cx: &Context, key: Key<'_>) -> Result<Option<Payload>> {
        self.inner.get(cx, key).await
    }
    async fn has(&self, cx: &Context, key: Key<'_>) -> Result<bool> {
        self.inner.has(cx, key).await
    }
    async fn entry(&self, cx: &Context, key: Key<'_>) -> Result<Option<Entry>> {
        self.inner.entry(cx, key).await
    }
    async fn ttl(&self, cx: &Context, key: Key<'_>) -> Result<Option<Ttl>> {
        self.inner.ttl(cx, key).await
    }
    async fn put(&self, cx: &Context, key: Key<'_>, value: &[u8], put: Put<'_>) -> Result<Written> {
        self.ttl(put.lifetime)?;
        if let Condition::IfVersion(version) = put.condition {
            self.versions(Some(version))?;
        }
        self.inner.put(cx, key, value, put).await
    }
    async fn delete(&self, cx: &Context, key: Key<'_>, if_version: Option<&Version>) -> Result<bool> {
        self.versions(if_version)?;
        self.inner.delete(cx, key, if_version).await
    }
    async fn touch(
        &self,
        cx: &Context,
        key: Key<'_>,
        lifetime: Lifetime,
        if_version: Option<&Version>,
    ) -> Result<bool> {
        self.ttl(lifetime)?;
        self.versions(if_version)?;
        self.inner.touch(cx, key, lifetime, if_version).await
    }
    async fn get_and_touch(&self, cx: &Context, key: Key<'_>, lifetime: Lifetime) -> Result<Option<Payload>> {
        self.ttl(lifetime)?;
        self.inner.get_and_touch(cx, key, lifetime).await
    }
    async fn take(&self, cx: &Context, key: Key<'_>) -> Result<Option<Payload>> {
        self.inner.take(cx, key).await
    }
    async fn increment(&self, cx: &Context, key: Key<'_>, by: Increment) -> Result<i64> {
        refuse(self.can.increment, "this store does not count")?;
        self.ttl(by.lifetime)?;
        self.inner.increment(cx, key, by).await
    }
    async fn get_many(&self, cx: &Context, keys: &[Key<'_>]) -> Result<Vec<Option<Payload>>> {
        self.inner.get_many(cx, keys).await
    }
    async fn set_many(&self, cx: &Context, items: &[BatchWrite<'_>]) -> Result<()> {
        items.iter().try_for_each(|item| self.ttl(item.lifetime))?;
        self.inner.set_many(cx, items).await
    }
    async fn delete_many(&self, cx: &Context, keys: &[Key<'_>]) -> Result<Vec<bool>> {
        self.inner.delete_many(cx, keys).await
    }
    async fn list(&self, cx: &Context, list: List<'_>) -> Result<ListPage> {
        refuse(self.can.ordered_list, "this store has no order")?;
        self.inner.list(cx, list).await
    }
    async fn scan(&self, cx: &Context, scan: Scan<'_>) -> Result<ScanPage> {
        self.inner.scan(cx, scan).await
    }
    async fn clear(&self, cx: &Context, prefix: &[u8], cursor: Option<&ScanCursor>) -> Result<ClearStep> {
        self.inner.clear(cx, prefix, cursor).await
    }
    async fn purge_expired(&self, max: usize) -> Result<usize> {
        if self.can.purge { self.inner.purge_expired(max).await } else { Ok(0) }
    }
    async fn ping(&self) -> Result<()> {
        self.inner.ping().await
    }
    async fn flush(&self) -> Result<()> {
        self.inner.flush().await
    }
    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}

struct ModestHarness {
    can: Capabilities,
    declares: Capabilities,
    harness: BackendHarness<ShelfBackend>,
}

#[async_trait]
impl Harness for ModestHarness {
    async fn open(&self, id: &str) -> Result<Arc<dyn Store>> {
        Ok(Arc::new(Modest { inner: self.harness.open(id).await?, can: self.can, declares: self.declares }))
    }

    async fn advance(&self, by: Duration) {
        self.harness.advance(by).await;
    }

    fn clock(&self) -> Arc<dyn store_core::Clock> {
        self.harness.clock()
    }
}

fn harness(can: Capabilities) -> ModestHarness {
    let harness = BackendHarness::new(ShelfBackend, ShelfOptions::default());
    ModestHarness { can, declares: can, harness }
}

mod nothing_but_keys_and_values {
    use super::*;

    const CAN: Capabilities = Capabilities {
        ttl: false,
        versions: false,
        increment: false,
        ordered_list: false,
        exact_values: true,
        unique_versions: true,
        injected_clock: true,
        purge: false,
    };

    store_core::conformance!(harness(CAN));
}

mod no_versions {
    use super::*;
    store_core::conformance!(harness(Capabilities { versions: false, ..Capabilities::ALL }));
}

#[test]
fn what_is_not_declared_must_be_refused() {
    // A store that can do more than it declares has declared wrongly: callers rely on the refusal.
    let declares = Capabilities { versions: false, ..Capabilities::ALL };
    let case = cases().iter().find(|case| case.name == "put_if_version").unwrap();
    let run = || case.run(Shape::Bare, || ModestHarness { declares, ..harness(Capabilities::ALL) });
    assert!(std::panic::catch_unwind(run).is_err());
}

/// Real time, and every answer takes so long that the times of the first attempt have passed before it comes.
struct Slow;

#[async_trait]
impl Harness for Slow {
    async fn open(&self, id: &str) -> Result<Arc<dyn Store>> {
        let store = ShelfBackend.open(&ShelfOptions::default(), OpenContext::new(id)).await?;
        let slow = FailingStore::new(store);
        slow.inject(Fault::anywhere().delay(Duration::from_millis(60)));
        Ok(Arc::new(slow))
    }
}

#[test]
fn a_slow_store_is_not_taken_for_a_wrong_one() {
    for name in ["t5_keep_ttl_keeps_the_deadline", "t5_increment_keeps_the_ttl_of_a_live_counter"] {
        cases().iter().find(|case| case.name == name).unwrap().run(Shape::Bare, || Slow);
    }
}
