//! The store: which answers wait for the device, and which do not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use store_core::{
    BackendInfo, BackendStats, BatchWrite, Capabilities, ClearStep, Condition, Consistency, Context, Entry, Error,
    Increment, Key, Lifetime, List, ListPage, Outcome, Payload, Put, Result, Scan, ScanCursor, ScanPage, Store,
    TryStore, Ttl, Value, Version, Written, async_trait,
};

use crate::config::Durability;
use crate::large::Upload;
use crate::record::{Body, CHUNK};
use crate::space::{Done, Space, not_applied};
use crate::task::{blocking, yield_now};

/// Items of a batch that are done without letting other tasks run.
const AT_ONCE: usize = 32;
/// Steps of removing garbage at close; what is left then is found by the next run.
const GARBAGE_AT_CLOSE: usize = 1000;
/// How long a close waits for operations in flight.
const LINGER: Duration = Duration::from_secs(1);

/// A store on sled. Made by [`SledBackend`](crate::SledBackend).
///
/// Reads, and writes that need not wait for the device, run where they are called: sled answers from its cache in
/// microseconds, and a hop to another thread would cost more than ten of them. A read of a page that is not cached blocks for
/// one read of the disk. Waiting for the device is a future without a thread.
#[derive(Debug)]
pub struct SledStore {
    space: ArcSwapOption<Space>,
    durability: Durability,
}

impl SledStore {
    pub(crate) fn new(space: Arc<Space>, durability: Durability) -> SledStore {
        SledStore { space: ArcSwapOption::new(Some(space)), durability }
    }

    fn space(&self) -> Result<Arc<Space>> {
        self.space.load_full().ok_or_else(Error::closed)
    }

    /// Runs a read here and now.
    fn read<T>(&self, work: impl FnOnce(&Space) -> Result<T>) -> Result<T> {
        match &*self.space.load() {
            Some(space) => work(space),
            None => Err(Error::closed()),
        }
    }

    /// Runs a write here and now, if it need not wait.
    fn try_write<T>(&self, work: impl FnOnce(&Space) -> Result<Done<T>>) -> Option<Result<T>> {
        if self.durability == Durability::Sync {
            return None;
        }
        Some(self.read(|space| work(space).map(|done| done.value)))
    }

    /// Runs a write, and waits for the device if that was asked for.
    async fn write<T>(&self, work: impl FnOnce(&Space) -> Result<Done<T>> + Send) -> Result<T> {
        let space = self.space()?;
        let done = work(&space)?;
        self.settle(&space, done).await
    }

    async fn settle<T>(&self, space: &Space, done: Done<T>) -> Result<T> {
        if self.durability == Durability::Sync && done.ticket != 0 {
            space.db.committer().wait(done.ticket).await?;
        }
        Ok(done.value)
    }
}

/// Stores a value and writes its record; a large one in steps between which other tasks run.
async fn put(space: &Space, key: &[u8], value: &[u8], put: &Put<'_>) -> Result<Done<Written>> {
    if value.len() <= CHUNK {
        return space.put(key, Body::Inline(value), None, put);
    }
    space.db.writable()?;
    if put.condition != Condition::Always {
        // Not worth storing if the record will not be written; whether it will is decided again then.
        space.check(key, put.condition, space.clock.now())?;
    }
    let mut upload = Upload::begin(&space.pieces, key, value)?;
    while upload.step()? {
        yield_now().await;
    }
    let result = space.put(key, Body::Large(upload.length()), Some(upload.counter()), put);
    if result.as_ref().err().is_none_or(|error| !not_applied(error)) {
        upload.keep();
    }
    // Who writes large values takes the trouble of removing as much, so that garbage does not outgrow the sweeper.
    for _ in 0..value.len() / CHUNK / 16 + 1 {
        if !space.pieces.collect()? {
            break;
        }
        yield_now().await;
    }
    result
}

fn failed_batch(error: Error, at: usize, total: usize) -> Error {
    let indices = |range: std::ops::Range<usize>| Value::Array(range.map(Value::from).collect());
    let unknown = if not_applied(&error) { at..at } else { at..at + 1 };
    let error = error.with_detail("not_applied", indices(unknown.end..total)).with_detail("unknown", indices(unknown));
    if at == 0 { error } else { error.with_outcome(Outcome::Unknown) }
}

#[async_trait]
impl Store for SledStore {
    fn info(&self) -> BackendInfo {
        BackendInfo {
            backend: "sled",
            consistency: Consistency::Linearizable,
            durable: self.durability != Durability::None,
            capabilities: Capabilities::ALL,
            entries: None,
            max_entries: None,
        }
    }

    fn stats(&self) -> BackendStats {
        let stats = |space: &Space| BackendStats {
            bytes: space.db.bytes(),
            expirations: Some(space.expirations()),
            ..BackendStats::default()
        };
        self.space.load().as_deref().map(stats).unwrap_or_default()
    }

    fn immediate(self: Arc<Self>) -> Option<Arc<dyn TryStore>> {
        Some(self)
    }

    async fn get(&self, _: &Context, key: Key<'_>) -> Result<Option<Payload>> {
        self.read(|space| space.get(key.as_bytes()))
    }

    async fn has(&self, _: &Context, key: Key<'_>) -> Result<bool> {
        self.read(|space| space.has(key.as_bytes()))
    }

    async fn entry(&self, _: &Context, key: Key<'_>) -> Result<Option<Entry>> {
        self.read(|space| space.entry(key.as_bytes()))
    }

    async fn ttl(&self, _: &Context, key: Key<'_>) -> Result<Option<Ttl>> {
        self.read(|space| space.ttl(key.as_bytes()))
    }

    async fn put(&self, _: &Context, key: Key<'_>, value: &[u8], how: Put<'_>) -> Result<Written> {
        let space = self.space()?;
        let done = put(&space, key.as_bytes(), value, &how).await?;
        self.settle(&space, done).await
    }

    async fn delete(&self, _: &Context, key: Key<'_>, if_version: Option<&Version>) -> Result<bool> {
        self.write(|space| space.delete(key.as_bytes(), if_version)).await
    }

    async fn touch(&self, _: &Context, key: Key<'_>, lifetime: Lifetime, if_version: Option<&Version>) -> Result<bool> {
        self.write(|space| space.touch(key.as_bytes(), lifetime, if_version)).await
    }

    async fn get_and_touch(&self, _: &Context, key: Key<'_>, lifetime: Lifetime) -> Result<Option<Payload>> {
        self.write(|space| space.get_and_touch(key.as_bytes(), lifetime)).await
    }

    async fn take(&self, _: &Context, key: Key<'_>) -> Result<Option<Payload>> {
        self.write(|space| space.take(key.as_bytes())).await
    }

    async fn increment(&self, _: &Context, key: Key<'_>, by: Increment) -> Result<i64> {
        self.write(|space| space.increment(key.as_bytes(), by)).await
    }

    async fn get_many(&self, _: &Context, keys: &[Key<'_>]) -> Result<Vec<Option<Payload>>> {
        let space = self.space()?;
        let mut values = Vec::with_capacity(keys.len());
        for keys in keys.chunks(AT_ONCE) {
            if !values.is_empty() {
                yield_now().await;
            }
            for key in keys {
                values.push(space.get(key.as_bytes())?);
            }
        }
        Ok(values)
    }

    async fn set_many(&self, _: &Context, items: &[BatchWrite<'_>]) -> Result<()> {
        let space = self.space()?;
        let mut ticket = 0;
        for (at, item) in items.iter().enumerate() {
            if at > 0 && at % AT_ONCE == 0 {
                yield_now().await;
            }
            let written = put(&space, item.key.as_bytes(), item.value, &Put::always(item.lifetime)).await;
            ticket = written.map_err(|error| failed_batch(error, at, items.len()))?.ticket;
        }
        self.settle(&space, Done { value: (), ticket }).await.map_err(|error| {
            let all = Value::Array((0..items.len()).map(Value::from).collect());
            error.with_detail("unknown", all).with_detail("not_applied", Value::Array(Vec::new()))
        })
    }

    async fn delete_many(&self, _: &Context, keys: &[Key<'_>]) -> Result<Vec<bool>> {
        let space = self.space()?;
        let mut deleted = Vec::with_capacity(keys.len());
        let mut ticket = 0;
        for keys in keys.chunks(AT_ONCE) {
            if !deleted.is_empty() {
                yield_now().await;
            }
            for key in keys {
                let done = space.delete(key.as_bytes(), None)?;
                ticket = ticket.max(done.ticket);
                deleted.push(done.value);
            }
        }
        self.settle(&space, Done { value: deleted, ticket }).await
    }

    async fn list(&self, _: &Context, list: List<'_>) -> Result<ListPage> {
        self.read(|space| space.list(list))
    }

    async fn scan(&self, _: &Context, scan: Scan<'_>) -> Result<ScanPage> {
        self.read(|space| space.scan(scan))
    }

    async fn clear(&self, _: &Context, prefix: &[u8], cursor: Option<&ScanCursor>) -> Result<ClearStep> {
        let space = self.space()?;
        let step = space.clear(prefix, cursor)?;
        let ticket = if step.deleted > 0 { space.db.committer().now() } else { 0 };
        self.settle(&space, Done { value: step, ticket }).await
    }

    async fn purge_expired(&self, max: usize) -> Result<usize> {
        let space = self.space()?;
        space.db.writable()?;
        let upto = space.clock.now().millis_floor();
        let mut freed = 0;
        let mut from = None;
        while freed < max {
            let (count, next) = space.free_expired(from, upto, max - freed)?;
            freed += count;
            if next.is_none() {
                break;
            }
            from = next;
            yield_now().await;
        }
        Ok(freed)
    }

    async fn ping(&self) -> Result<()> {
        self.read(|space| {
            space.db.writable()?;
            space.find(b"\0").map(drop)
        })
    }

    async fn flush(&self) -> Result<()> {
        let space = self.space()?;
        space.db.writable()?;
        space.db.committer().wait(space.db.committer().now()).await
    }

    async fn close(&self) -> Result<()> {
        let Some(space) = self.space.swap(None) else { return Ok(()) };
        // A database that has failed has nothing left that it could flush, and has told those whom it concerns.
        let flushed = match space.db.writable() {
            Ok(()) => space.db.committer().wait(space.db.committer().now()).await,
            Err(_) => Ok(()),
        };
        for _ in 0..GARBAGE_AT_CLOSE {
            if !space.pieces.collect().unwrap_or(false) {
                break;
            }
            yield_now().await;
        }
        // The last store of a database closes it, which waits for sled's threads.
        blocking("store-close", move || {
            // Whoever is in the middle of an operation keeps it open; so does the sweeper, for milliseconds.
            let started = Instant::now();
            while Arc::strong_count(&space) > 1 && started.elapsed() < LINGER {
                std::thread::sleep(Duration::from_millis(1));
            }
            drop(space);
            Ok(())
        })
        .await?;
        flushed
    }
}

/// Writes wait for the device with [`Durability::Sync`], so there are none here then; nor are there large values, which take
/// their time.
impl TryStore for SledStore {
    fn try_get(&self, _: &Context, key: Key<'_>) -> Option<Result<Option<Payload>>> {
        Some(self.read(|space| space.get(key.as_bytes())))
    }

    fn try_has(&self, _: &Context, key: Key<'_>) -> Option<Result<bool>> {
        Some(self.read(|space| space.has(key.as_bytes())))
    }

    fn try_entry(&self, _: &Context, key: Key<'_>) -> Option<Result<Option<Entry>>> {
        Some(self.read(|space| space.entry(key.as_bytes())))
    }

    fn try_ttl(&self, _: &Context, key: Key<'_>) -> Option<Result<Option<Ttl>>> {
        Some(self.read(|space| space.ttl(key.as_bytes())))
    }

    fn try_put(&self, _: &Context, key: Key<'_>, value: &[u8], put: Put<'_>) -> Option<Result<Written>> {
        if value.len() > CHUNK {
            return None;
        }
        self.try_write(|space| space.put(key.as_bytes(), Body::Inline(value), None, &put))
    }

    fn try_delete(&self, _: &Context, key: Key<'_>, if_version: Option<&Version>) -> Option<Result<bool>> {
        self.try_write(|space| space.delete(key.as_bytes(), if_version))
    }

    fn try_touch(
        &self,
        _: &Context,
        key: Key<'_>,
        lifetime: Lifetime,
        if_version: Option<&Version>,
    ) -> Option<Result<bool>> {
        self.try_write(|space| space.touch(key.as_bytes(), lifetime, if_version))
    }

    fn try_get_and_touch(&self, _: &Context, key: Key<'_>, lifetime: Lifetime) -> Option<Result<Option<Payload>>> {
        self.try_write(|space| space.get_and_touch(key.as_bytes(), lifetime))
    }

    fn try_take(&self, _: &Context, key: Key<'_>) -> Option<Result<Option<Payload>>> {
        self.try_write(|space| space.take(key.as_bytes()))
    }

    fn try_increment(&self, _: &Context, key: Key<'_>, by: Increment) -> Option<Result<i64>> {
        self.try_write(|space| space.increment(key.as_bytes(), by))
    }

    fn try_get_many(&self, _: &Context, keys: &[Key<'_>]) -> Option<Result<Vec<Option<Payload>>>> {
        if keys.len() > AT_ONCE {
            return None;
        }
        Some(self.read(|space| keys.iter().map(|key| space.get(key.as_bytes())).collect()))
    }

    fn try_set_many(&self, _: &Context, items: &[BatchWrite<'_>]) -> Option<Result<()>> {
        if items.len() > AT_ONCE || items.iter().any(|item| item.value.len() > CHUNK) {
            return None;
        }
        self.try_write(|space| {
            for (at, item) in items.iter().enumerate() {
                let put = Put::always(item.lifetime);
                let written = space.put(item.key.as_bytes(), Body::Inline(item.value), None, &put);
                written.map_err(|error| failed_batch(error, at, items.len()))?;
            }
            Ok(Done { value: (), ticket: 0 })
        })
    }

    fn try_delete_many(&self, _: &Context, keys: &[Key<'_>]) -> Option<Result<Vec<bool>>> {
        if keys.len() > AT_ONCE {
            return None;
        }
        self.try_write(|space| {
            let deleted = keys.iter().map(|key| space.delete(key.as_bytes(), None).map(|done| done.value));
            Ok(Done { value: deleted.collect::<Result<_>>()?, ticket: 0 })
        })
    }

    fn try_list(&self, _: &Context, list: List<'_>) -> Option<Result<ListPage>> {
        Some(self.read(|space| space.list(list)))
    }
}
