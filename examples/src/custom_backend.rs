//! Writing a backend, from nothing to one that passes the whole conformance suite.
//!
//! This one keeps its entries in a `BTreeMap` behind a mutex: too slow for real use, and complete. What a backend does *not*
//! have to care about: valid keys, limits of values, what a TTL means, batch sizes, cursors, access policy, handles. All of
//! that has happened before a call arrives. It holds only what differs: where the bytes are.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Place;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use store_core::{
    Backend, BackendInfo, BackendStats, BatchWrite, Capabilities, ClearStep, Clock, Condition, Consistency, Context,
    Deadline, Entry, Error, Increment, Item, Key, KeyBuf, Lifetime, List, ListPage, OpenContext, Payload, Put, Result,
    Scan, ScanCursor, ScanPage, Store, Time, TryStore, Ttl, Version, VersionCipher, Want, Written, async_trait, codec,
};

/// Step 1: a backend has a name and options. What its stores share would be its fields: a connection, an open database.
#[derive(Debug, Default)]
pub struct ShelfBackend;

/// The options of a store, from its `options = { ... }` in the configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShelfOptions {
    /// The most live entries the store takes.
    pub max_entries: Option<u64>,
}

#[async_trait]
impl Backend for ShelfBackend {
    type Options = ShelfOptions;
    const NAME: &'static str = "shelf";

    fn check(&self, options: &ShelfOptions) -> Result<()> {
        match options.max_entries {
            Some(0) => Err(Error::invalid("max_entries must be 1 or more").with_detail("key", "max_entries")),
            _ => Ok(()),
        }
    }

    async fn open(&self, options: &ShelfOptions, cx: OpenContext) -> Result<Arc<dyn Store>> {
        Ok(Arc::new(Shelf {
            entries: Mutex::default(),
            max_entries: options.max_entries,
            clock: cx.clock,
            closed: AtomicBool::new(false),
        }))
    }
}

/// Step 2: the store, and how an entry is kept. Time to live is kept as a deadline, never as "seconds left".
#[derive(Debug)]
pub struct Shelf {
    entries: Mutex<Entries>,
    max_entries: Option<u64>,
    clock: Arc<dyn Clock>,
    closed: AtomicBool,
}

#[derive(Debug)]
struct Entries {
    map: BTreeMap<Box<[u8]>, Record>,
    /// Versions come from a counter that never goes back, so none is ever used twice, not even after a delete. The cipher
    /// hides their order.
    writes: u64,
    cipher: VersionCipher,
}

impl Default for Entries {
    fn default() -> Entries {
        Entries { map: BTreeMap::new(), writes: 0, cipher: VersionCipher::random() }
    }
}

#[derive(Clone, Debug)]
struct Record {
    value: Payload,
    version: u64,
    deadline: Deadline,
}

/// Step 3: one place that knows what "live" means. Every operation goes through it, so none can see an expired entry.
impl Entries {
    fn live(&mut self, key: &[u8], now: Time) -> Option<&mut Record> {
        self.map.get_mut(key).filter(|record| !record.deadline.has_passed(now))
    }

    /// The live entry, if it has this version.
    fn checked(&mut self, key: &[u8], now: Time, if_version: Option<&Version>) -> Result<Option<&mut Record>> {
        match (self.live(key, now), if_version) {
            (Some(record), Some(version)) if Version::from_u64(record.version) != *version => {
                Err(Error::version_conflict())
            }
            (record, _) => Ok(record),
        }
    }

    fn write(&mut self, key: &[u8], value: &[u8], deadline: Deadline) -> u64 {
        self.writes += 1;
        let version = self.cipher.version(self.writes).get();
        self.map.insert(key.into(), Record { value: value.into(), version, deadline });
        version
    }

    fn put(&mut self, key: &[u8], value: &[u8], put: Put<'_>, now: Time, room: Option<u64>) -> Result<Written> {
        let live = self.live(key, now);
        match (put.condition, &live) {
            (Condition::IfAbsent, Some(_)) => return Err(Error::already_exists()),
            (Condition::IfPresent | Condition::IfVersion(_), None) => return Err(Error::absent()),
            (Condition::IfVersion(version), Some(record)) if Version::from_u64(record.version) != *version => {
                return Err(Error::version_conflict());
            }
            _ => {}
        }
        // A new time to live, unless it was asked to keep the old one.
        let deadline = match &live {
            Some(record) if put.keep_ttl => record.deadline,
            _ => Deadline::after(now, put.lifetime),
        };
        if live.is_none() {
            self.make_room(now, room)?;
        }
        let version = Version::from_u64(self.write(key, value, deadline));
        Ok(Written { version, ttl: deadline.left(now).unwrap_or(Ttl::Never) })
    }

    /// Only live entries count against the limit.
    fn make_room(&mut self, now: Time, room: Option<u64>) -> Result<()> {
        let Some(room) = room else { return Ok(()) };
        if self.map.len() as u64 >= room {
            self.map.retain(|_, record| !record.deadline.has_passed(now));
        }
        if self.map.len() as u64 >= room { Err(Error::capacity("the shelf is full")) } else { Ok(()) }
    }

    fn delete(&mut self, key: &[u8], now: Time, if_version: Option<&Version>) -> Result<bool> {
        let live = self.checked(key, now, if_version)?.is_some();
        self.map.remove(key);
        Ok(live)
    }

    /// Live entries after a position, in byte order.
    fn page(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize, want: Want, now: Time) -> ListPage {
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let mut page = ListPage::default();
        let range = self.map.range::<[u8], _>((from, Bound::Unbounded));
        for (key, record) in range.take_while(|(key, _)| key.starts_with(prefix)) {
            let Some(ttl) = record.deadline.left(now) else { continue };
            if page.items.len() == limit {
                page.resume = page.items.last().map(|item| Box::from(&*item.key));
                break;
            }
            let entry = Entry { value: record.value.clone(), version: Version::from_u64(record.version), ttl };
            page.items.push(Item { key: KeyBuf::from(&key[..]), entry: (want == Want::Entries).then_some(entry) });
        }
        page
    }
}

impl Shelf {
    /// What every operation begins with: refuse when closed, take the lock, and only then ask for the time.
    fn open(&self) -> Result<(MutexGuard<'_, Entries>, Time)> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::closed());
        }
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        Ok((entries, now))
    }
}

/// Step 4: the trait. A backend that answers at once could offer the synchronous path ([`TryStore`]) as well; waiting methods
/// alone are enough.
#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for Shelf {
    fn info(&self) -> BackendInfo {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        BackendInfo {
            backend: ShelfBackend::NAME,
            consistency: Consistency::Linearizable,
            durable: false,
            capabilities: Capabilities::ALL,
            entries: Some(entries.map.len() as u64),
            max_entries: self.max_entries,
        }
    }

    fn stats(&self) -> BackendStats {
        BackendStats { entries: self.info().entries, ..BackendStats::default() }
    }

    fn immediate(self: Arc<Self>) -> Option<Arc<dyn TryStore>> {
        None
    }

    async fn get(&self, _: &Context, key: Key<'_>) -> Result<Option<Payload>> {
        let (mut entries, now) = self.open()?;
        Ok(entries.live(key.as_bytes(), now).map(|record| record.value.clone()))
    }

    async fn has(&self, _: &Context, key: Key<'_>) -> Result<bool> {
        let (mut entries, now) = self.open()?;
        Ok(entries.live(key.as_bytes(), now).is_some())
    }

    async fn entry(&self, _: &Context, key: Key<'_>) -> Result<Option<Entry>> {
        let (mut entries, now) = self.open()?;
        Ok(entries.live(key.as_bytes(), now).and_then(|record| {
            let (value, version) = (record.value.clone(), Version::from_u64(record.version));
            record.deadline.left(now).map(|ttl| Entry { value, version, ttl })
        }))
    }

    async fn ttl(&self, _: &Context, key: Key<'_>) -> Result<Option<Ttl>> {
        let (mut entries, now) = self.open()?;
        Ok(entries.live(key.as_bytes(), now).and_then(|record| record.deadline.left(now)))
    }

    async fn put(&self, _: &Context, key: Key<'_>, value: &[u8], put: Put<'_>) -> Result<Written> {
        let (mut entries, now) = self.open()?;
        entries.put(key.as_bytes(), value, put, now, self.max_entries)
    }

    async fn delete(&self, _: &Context, key: Key<'_>, if_version: Option<&Version>) -> Result<bool> {
        let (mut entries, now) = self.open()?;
        entries.delete(key.as_bytes(), now, if_version)
    }

    async fn touch(&self, _: &Context, key: Key<'_>, lifetime: Lifetime, if_version: Option<&Version>) -> Result<bool> {
        let (mut entries, now) = self.open()?;
        let record = entries.checked(key.as_bytes(), now, if_version)?;
        Ok(record.map(|record| record.deadline = Deadline::after(now, lifetime)).is_some())
    }

    async fn get_and_touch(&self, _: &Context, key: Key<'_>, lifetime: Lifetime) -> Result<Option<Payload>> {
        let (mut entries, now) = self.open()?;
        Ok(entries.live(key.as_bytes(), now).map(|record| {
            record.deadline = Deadline::after(now, lifetime);
            record.value.clone()
        }))
    }

    async fn take(&self, _: &Context, key: Key<'_>) -> Result<Option<Payload>> {
        let (mut entries, now) = self.open()?;
        match entries.map.entry(key.as_bytes().into()) {
            Place::Occupied(place) => {
                let record = place.remove();
                Ok((!record.deadline.has_passed(now)).then_some(record.value))
            }
            Place::Vacant(_) => Ok(None),
        }
    }

    async fn increment(&self, _: &Context, key: Key<'_>, by: Increment) -> Result<i64> {
        let (mut entries, now) = self.open()?;
        // A live counter keeps its deadline; only a new one gets the lifetime of the call.
        let (start, deadline) = match entries.live(key.as_bytes(), now) {
            Some(record) => match codec::integer(&record.value) {
                Some(number) => (number, record.deadline),
                None => return Err(Error::invalid("the value is not an integer")),
            },
            None => {
                entries.make_room(now, self.max_entries)?;
                (by.initial, Deadline::after(now, by.lifetime))
            }
        };
        let sum = start.checked_add(by.delta).ok_or_else(|| Error::invalid("the sum does not fit 64 bits"))?;
        entries.write(key.as_bytes(), &codec::encode_integer(sum), deadline);
        Ok(sum)
    }

    async fn get_many(&self, _: &Context, keys: &[Key<'_>]) -> Result<Vec<Option<Payload>>> {
        let (mut entries, now) = self.open()?;
        let value = |key: &Key<'_>| entries.live(key.as_bytes(), now).map(|record| record.value.clone());
        Ok(keys.iter().map(value).collect())
    }

    async fn set_many(&self, _: &Context, items: &[BatchWrite<'_>]) -> Result<()> {
        let (mut entries, now) = self.open()?;
        for (index, item) in items.iter().enumerate() {
            let put = Put::always(item.lifetime);
            let written = entries.put(item.key.as_bytes(), item.value, put, now, self.max_entries);
            written.map_err(|error| {
                let missing = (index..items.len()).map(store_core::Value::from).collect::<Vec<_>>();
                error.with_detail("not_applied", missing)
            })?;
        }
        Ok(())
    }

    async fn delete_many(&self, _: &Context, keys: &[Key<'_>]) -> Result<Vec<bool>> {
        let (mut entries, now) = self.open()?;
        keys.iter().map(|key| entries.delete(key.as_bytes(), now, None)).collect()
    }

    async fn list(&self, _: &Context, list: List<'_>) -> Result<ListPage> {
        let (entries, now) = self.open()?;
        Ok(entries.page(list.prefix, list.after, list.limit, list.want, now))
    }

    async fn scan(&self, _: &Context, scan: Scan<'_>) -> Result<ScanPage> {
        let (entries, now) = self.open()?;
        let after = scan.cursor.map(|cursor| &*cursor.0);
        let page = entries.page(scan.prefix, after, scan.limit, scan.want, now);
        Ok(ScanPage { items: page.items, next: page.resume.map(ScanCursor) })
    }

    async fn clear(&self, _: &Context, prefix: &[u8], _: Option<&ScanCursor>) -> Result<ClearStep> {
        let (mut entries, now) = self.open()?;
        // A bounded step: others get the lock in between.
        let page = entries.page(prefix, None, 500, Want::Keys, now);
        for item in &page.items {
            entries.map.remove(&*item.key);
        }
        Ok(ClearStep { deleted: page.items.len() as u64, next: page.resume.map(ScanCursor) })
    }

    async fn purge_expired(&self, max: usize) -> Result<usize> {
        let (mut entries, now) = self.open()?;
        let passed = |(_, record): &(_, &Record)| record.deadline.has_passed(now);
        let keys: Vec<_> = entries.map.iter().filter(passed).take(max).map(|(key, _)| key.clone()).collect();
        for key in &keys {
            entries.map.remove(key);
        }
        Ok(keys.len())
    }

    async fn ping(&self) -> Result<()> {
        self.open().map(drop)
    }

    async fn flush(&self) -> Result<()> {
        Ok(())
    }

    async fn close(&self) -> Result<()> {
        self.closed.store(true, Ordering::Release);
        Ok(())
    }
}
