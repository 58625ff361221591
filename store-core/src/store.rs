//! The contract between the library and a backend.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    BackendInfo, BackendStats, BatchWrite, ClearStep, Context, Entry, Increment, Key, Lifetime, List, ListPage,
    Payload, Put, Result, Scan, ScanPage, Ttl, Version, Written,
};

/// A store, as a backend implements it. Users hold a [`Handle`](crate::Handle) around it.
///
/// # What has happened before a call arrives
/// The handle has checked, once and for every backend: that the key is valid (the type proves it), that the value is within
/// its limits, what the TTL means ([`Lifetime`] is resolved), that batches are at most 1000 long, and that the policy
/// allows it. A backend holds only what differs.
///
/// # What a backend owes
/// - Every single-key operation is atomic and linearizable per key, expiry included.
/// - From its deadline on an entry is absent for every operation (T6). Deadlines come from the precise clock.
/// - The version of a key changes with every value write, never repeats, and does not change by touch (C2).
/// - A dropped future leaves the store usable; a cancelled write happens wholly or not at all, and never after a later
///   acknowledged one (C3).
/// - Nothing waits without a deadline; a failure is never answered as absence.
/// - What it cannot do it declares in [`info`](Store::info) and refuses with [`Error::unsupported`](crate::Error::unsupported).
///
/// There are no default bodies: a wrapper that forgets an operation does not compile.
///
/// # Errors
/// All operations: UNAVAILABLE (down, overloaded, closed), TIMEOUT, INTERNAL (`foreign`, `corrupt`), INVALID
/// (`unsupported`). Further kinds are named at each operation.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// What the backend is and can do. Cheap.
    fn info(&self) -> BackendInfo;

    /// What it counts about itself. Never waits for a server; may visit all parts of the store, but not all entries.
    fn stats(&self) -> BackendStats;

    /// The synchronous path, if there is one: see [`TryStore`]. Asked once, when the store is opened, and kept beside it.
    ///
    /// Most often `Some(self)` or `None`. A wrapper that has nothing to do on it gives that of the store inside, so that a call
    /// never passes through the wrapper: `Arc::clone(&self.inner).immediate()`.
    fn immediate(self: Arc<Self>) -> Option<Arc<dyn TryStore>>;

    /// The value of a key; `None` if absent.
    async fn get(&self, cx: &Context, key: Key<'_>) -> Result<Option<Payload>>;

    /// Whether the key is live.
    async fn has(&self, cx: &Context, key: Key<'_>) -> Result<bool>;

    /// Value, version and TTL of a key, of one moment; `None` if absent.
    async fn entry(&self, cx: &Context, key: Key<'_>) -> Result<Option<Entry>>;

    /// The time a key has left; `None` if absent.
    async fn ttl(&self, cx: &Context, key: Key<'_>) -> Result<Option<Ttl>>;

    /// Writes a value under a condition.
    ///
    /// # Errors
    /// ALREADY_EXISTS, NOT_FOUND, CONFLICT as [`Condition`](crate::Condition) says; UNAVAILABLE with reason `capacity`.
    async fn put(&self, cx: &Context, key: Key<'_>, value: &[u8], put: Put<'_>) -> Result<Written>;

    /// Deletes a key: true iff it was live.
    ///
    /// # Errors
    /// CONFLICT if it is live with another version than `if_version`.
    async fn delete(&self, cx: &Context, key: Key<'_>, if_version: Option<&Version>) -> Result<bool>;

    /// Gives a live key a new lifetime: true iff it was live. Value and version stay.
    ///
    /// # Errors
    /// CONFLICT if it is live with another version than `if_version`.
    async fn touch(&self, cx: &Context, key: Key<'_>, lifetime: Lifetime, if_version: Option<&Version>)
    -> Result<bool>;

    /// Reads a key and gives it a new lifetime, in one step.
    async fn get_and_touch(&self, cx: &Context, key: Key<'_>, lifetime: Lifetime) -> Result<Option<Payload>>;

    /// Reads a key and deletes it, in one step.
    async fn take(&self, cx: &Context, key: Key<'_>) -> Result<Option<Payload>>;

    /// Adds to an integer and returns the sum. [`integer`](crate::codec::integer) is the only judge of what is one.
    ///
    /// # Errors
    /// INVALID if the sum does not fit 64 bits or the value is not an integer: nothing changes.
    async fn increment(&self, cx: &Context, key: Key<'_>, by: Increment) -> Result<i64>;

    /// The values of many keys, in their order; `None` where absent. Keys may repeat.
    async fn get_many(&self, cx: &Context, keys: &[Key<'_>]) -> Result<Vec<Option<Payload>>>;

    /// Writes many entries, in their order; the last of equal keys stays. Not atomic across keys.
    ///
    /// # Errors
    /// As `put`. The details name the items (counted from 0) that were not applied (`not_applied`), and those of which
    /// nobody knows (`unknown`).
    async fn set_many(&self, cx: &Context, items: &[BatchWrite<'_>]) -> Result<()>;

    /// Deletes many keys: true for each that was live. Of equal keys only the first can be.
    async fn delete_many(&self, cx: &Context, keys: &[Key<'_>]) -> Result<Vec<bool>>;

    /// One page of the live entries in byte order.
    async fn list(&self, cx: &Context, list: List<'_>) -> Result<ListPage>;

    /// One step over the live entries in any order: no backend pays more than one pass for all steps together.
    async fn scan(&self, cx: &Context, scan: Scan<'_>) -> Result<ScanPage>;

    /// One bounded step of deleting everything with a prefix.
    async fn clear(&self, cx: &Context, prefix: &[u8], cursor: Option<&crate::ScanCursor>) -> Result<ClearStep>;

    /// Frees at most `max` expired entries and says how many; 0 where the server does that by itself.
    async fn purge_expired(&self, max: usize) -> Result<usize>;

    /// Asks the backend whether it can serve: one round trip.
    async fn ping(&self) -> Result<()>;

    /// Makes everything acknowledged so far as durable as the backend can.
    async fn flush(&self) -> Result<()>;

    /// Ends the store: flushes what is durable, stops what runs in the background. Operations afterwards give
    /// [`Error::closed`](crate::Error::closed). Idempotent.
    async fn close(&self) -> Result<()>;
}

/// The synchronous path of a backend that can often answer without waiting.
///
/// `None` means: that would wait; **nothing was started**. The caller then takes the method of the same name of [`Store`].
/// The rules are those of [`Store`].
#[expect(missing_docs, reason = "each method is documented at its namesake in Store")]
pub trait TryStore: Send + Sync + 'static {
    fn try_get(&self, cx: &Context, key: Key<'_>) -> Option<Result<Option<Payload>>>;
    fn try_has(&self, cx: &Context, key: Key<'_>) -> Option<Result<bool>>;
    fn try_entry(&self, cx: &Context, key: Key<'_>) -> Option<Result<Option<Entry>>>;
    fn try_ttl(&self, cx: &Context, key: Key<'_>) -> Option<Result<Option<Ttl>>>;
    fn try_put(&self, cx: &Context, key: Key<'_>, value: &[u8], put: Put<'_>) -> Option<Result<Written>>;
    fn try_delete(&self, cx: &Context, key: Key<'_>, if_version: Option<&Version>) -> Option<Result<bool>>;
    fn try_touch(
        &self,
        cx: &Context,
        key: Key<'_>,
        lifetime: Lifetime,
        if_version: Option<&Version>,
    ) -> Option<Result<bool>>;
    fn try_get_and_touch(&self, cx: &Context, key: Key<'_>, lifetime: Lifetime) -> Option<Result<Option<Payload>>>;
    fn try_take(&self, cx: &Context, key: Key<'_>) -> Option<Result<Option<Payload>>>;
    fn try_increment(&self, cx: &Context, key: Key<'_>, by: Increment) -> Option<Result<i64>>;
    fn try_get_many(&self, cx: &Context, keys: &[Key<'_>]) -> Option<Result<Vec<Option<Payload>>>>;
    fn try_set_many(&self, cx: &Context, items: &[BatchWrite<'_>]) -> Option<Result<()>>;
    fn try_delete_many(&self, cx: &Context, keys: &[Key<'_>]) -> Option<Result<Vec<bool>>>;
    fn try_list(&self, cx: &Context, list: List<'_>) -> Option<Result<ListPage>>;
}

/// Shared stores are stores.
#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store + ?Sized> Store for Arc<S> {
    fn info(&self) -> BackendInfo {
        (**self).info()
    }
    fn stats(&self) -> BackendStats {
        (**self).stats()
    }
    fn immediate(self: Arc<Self>) -> Option<Arc<dyn TryStore>> {
        Arc::clone(&*self).immediate()
    }
    async fn get(&self, cx: &Context, key: Key<'_>) -> Result<Option<Payload>> {
        (**self).get(cx, key).await
    }
    async fn has(&self, cx: &Context, key: Key<'_>) -> Result<bool> {
        (**self).has(cx, key).await
    }
    async fn entry(&self, cx: &Context, key: Key<'_>) -> Result<Option<Entry>> {
        (**self).entry(cx, key).await
    }
    async fn ttl(&self, cx: &Context, key: Key<'_>) -> Result<Option<Ttl>> {
        (**self).ttl(cx, key).await
    }
    async fn put(&self, cx: &Context, key: Key<'_>, value: &[u8], put: Put<'_>) -> Result<Written> {
        (**self).put(cx, key, value, put).await
    }
    async fn delete(&self, cx: &Context, key: Key<'_>, if_version: Option<&Version>) -> Result<bool> {
        (**self).delete(cx, key, if_version).await
    }
    async fn touch(
        &self,
        cx: &Context,
        key: Key<'_>,
        lifetime: Lifetime,
        if_version: Option<&Version>,
    ) -> Result<bool> {
        (**self).touch(cx, key, lifetime, if_version).await
    }
    async fn get_and_touch(&self, cx: &Context, key: Key<'_>, lifetime: Lifetime) -> Result<Option<Payload>> {
        (**self).get_and_touch(cx, key, lifetime).await
    }
    async fn take(&self, cx: &Context, key: Key<'_>) -> Result<Option<Payload>> {
        (**self).take(cx, key).await
    }
    async fn increment(&self, cx: &Context, key: Key<'_>, by: Increment) -> Result<i64> {
        (**self).increment(cx, key, by).await
    }
    async fn get_many(&self, cx: &Context, keys: &[Key<'_>]) -> Result<Vec<Option<Payload>>> {
        (**self).get_many(cx, keys).await
    }
    async fn set_many(&self, cx: &Context, items: &[BatchWrite<'_>]) -> Result<()> {
        (**self).set_many(cx, items).await
    }
    async fn delete_many(&self, cx: &Context, keys: &[Key<'_>]) -> Result<Vec<bool>> {
        (**self).delete_many(cx, keys).await
    }
    async fn list(&self, cx: &Context, list: List<'_>) -> Result<ListPage> {
        (**self).list(cx, list).await
    }
    async fn scan(&self, cx: &Context, scan: Scan<'_>) -> Result<ScanPage> {
        (**self).scan(cx, scan).await
    }
    async fn clear(&self, cx: &Context, prefix: &[u8], cursor: Option<&crate::ScanCursor>) -> Result<ClearStep> {
        (**self).clear(cx, prefix, cursor).await
    }
    async fn purge_expired(&self, max: usize) -> Result<usize> {
        (**self).purge_expired(max).await
    }
    async fn ping(&self) -> Result<()> {
        (**self).ping().await
    }
    async fn flush(&self) -> Result<()> {
        (**self).flush().await
    }
    async fn close(&self) -> Result<()> {
        (**self).close().await
    }
}
