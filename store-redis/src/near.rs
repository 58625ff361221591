//! The near cache: hot keys answered from this process, kept right by the server.
//!
//! The connections of a store with a near cache speak RESP3 with `CLIENT TRACKING` on: the server remembers which keys it has
//! answered, and says so (`invalidate`) when one of them changes, expires or is evicted. It says so in the stream of answers: before
//! the answer to anything that it executes after the change. Hence, whatever an answer has shown of a key, no later read of it
//! shows an older value, and neither does a read after an acknowledged write of this process.
//!
//! What could go wrong, and what is done about it:
//!
//! - **A value on its way while its key changes.** A fill takes a [`Ticket`] before it asks. Whatever invalidates the key
//!   spoils the tickets out for it, and a spoilt fill is not kept. Check and insertion are one step under the lock that
//!   invalidations take too.
//! - **A lost connection.** What the server says meanwhile is lost with it. The cache is emptied and all tickets are spoilt.
//! - **A connection that is dead without anyone knowing.** No entry is answered for longer than `near_cache.ttl`, counted from
//!   before the server was asked: that is the bound on staleness, whatever happens.
//! - **Time to live.** Value and time left come in one trip, and the time left is counted from before the server was asked. So an entry
//!   here ends before the server's does, and the last moments are the server's to judge.
//! - **Own writes.** Each spoils its key when it ends, however it ends: answered, failed or dropped.

use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use parking_lot::Mutex;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};
use redis::{PushInfo, PushKind, Value};
use store_core::{
    BatchWrite, Clock, Context, Entry, Increment, Key, Lifetime, List, ListPage, Payload, Put, Result, SystemClock,
    Time, TryStore, Ttl, Version, Written,
};

use crate::keys::Keys;

/// Tickets of keys are told apart by as many bits of their hash: others' invalidations rarely spoil a fill.
const STRIPES: usize = 256;
/// What an entry costs beside its key and value: two allocations, their headers, and its place in the tables.
pub(crate) const OVERHEAD: usize = 200;
/// Bytes for each part of the cache, at least: an entry is never larger than a part.
const PART: u64 = 4 << 20;

/// An entry, and until when it may be answered.
#[derive(Clone)]
struct Held {
    value: Arc<[u8]>,
    until: Time,
}

#[derive(Clone)]
struct Weight;

impl Weighter<Box<[u8]>, Held> for Weight {
    fn weight(&self, key: &Box<[u8]>, held: &Held) -> u64 {
        (key.len() + held.value.len() + OVERHEAD) as u64
    }
}

type HeldByKey = Cache<Box<[u8]>, Held, Weight, RandomState, DefaultLifecycle<Box<[u8]>, Held>>;

/// The near cache of one store.
pub(crate) struct Near {
    keys: Keys,
    ttl: Duration,
    clock: SystemClock,
    hasher: RandomState,
    cache: HeldByKey,
    /// How many invalidations there have been, by part of the hash. Held while one is carried out, and while a fill is kept.
    stripes: Box<[Mutex<u64>]>,
}

/// The right to keep a value, until its key is invalidated.
#[derive(Clone, Copy)]
pub(crate) struct Ticket {
    stripe: usize,
    count: u64,
    taken: Time,
}

/// Invalidates a key when it goes.
pub(crate) struct Writing<'a>(Option<(&'a Near, Key<'a>)>);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if let Some((near, key)) = self.0 {
            near.invalidate(key.as_bytes());
        }
    }
}

impl Near {
    pub(crate) fn new(keys: Keys, max_bytes: u64, ttl: Duration) -> Near {
        let hasher = RandomState::default();
        let parts = usize::try_from((max_bytes / PART).clamp(1, 16)).unwrap_or(1);
        let entries = usize::try_from(max_bytes / 1024).unwrap_or(usize::MAX).clamp(64, 1 << 20);
        let mut options = OptionsBuilder::new();
        options.shards(parts).estimated_items_capacity(entries).weight_capacity(max_bytes);
        let cache = match options.build() {
            Ok(options) => Cache::with_options(options, Weight, hasher.clone(), DefaultLifecycle::default()),
            // Only where an option is missing.
            Err(_) => Cache::with(entries, max_bytes, Weight, hasher.clone(), DefaultLifecycle::default()),
        };
        let stripes = (0..STRIPES).map(|_| Mutex::new(0)).collect();
        Near { keys, ttl, clock: SystemClock::new(), hasher, cache, stripes }
    }

    /// A value, if it is here and may be answered.
    pub(crate) fn get(&self, key: Key<'_>) -> Option<Payload> {
        let held = self.cache.get(key.as_bytes())?;
        if self.clock.now() >= held.until {
            return None;
        }
        let len = held.value.len();
        Some(Payload::shared(held.value, 0..len))
    }

    fn stripe(&self, key: &[u8]) -> usize {
        // The cache chooses by other bits of the same hash.
        usize::try_from(self.hasher.hash_one(key) >> 40).unwrap_or(0) % STRIPES
    }

    /// To be taken before the server is asked for the value.
    pub(crate) fn ticket(&self, key: Key<'_>) -> Ticket {
        let stripe = self.stripe(key.as_bytes());
        Ticket { stripe, count: *self.stripes[stripe].lock(), taken: self.clock.now() }
    }

    /// Keeps a value that has this long to live, unless its key was invalidated since the ticket was taken.
    pub(crate) fn fill(&self, ticket: Ticket, key: Key<'_>, value: &[u8], ttl: Ttl) {
        let left = match ttl {
            Ttl::Never => self.ttl,
            Ttl::Left(left) => left.min(self.ttl),
        };
        let held = Held { value: value.into(), until: ticket.taken + left };
        let count = self.stripes[ticket.stripe].lock();
        if *count == ticket.count {
            self.cache.insert(key.as_bytes().into(), held);
        }
    }

    fn invalidate(&self, key: &[u8]) {
        let mut count = self.stripes[self.stripe(key)].lock();
        *count += 1;
        self.cache.remove(key);
    }

    /// Forgets everything, and whatever is on its way.
    pub(crate) fn clear(&self) {
        for stripe in &self.stripes {
            *stripe.lock() += 1;
        }
        // What is kept from now on was asked for from now on.
        self.cache.clear();
    }

    /// Invalidates a key of ours when the write that begins now has ended.
    pub(crate) fn writing<'a>(near: Option<&'a Arc<Near>>, key: Key<'a>) -> Writing<'a> {
        Writing(near.map(|near| (&**near, key)))
    }

    /// What the server says without being asked.
    pub(crate) fn pushed(&self, info: &PushInfo) {
        if info.kind != PushKind::Invalidate {
            return;
        }
        match info.data.first() {
            Some(Value::Array(keys)) => {
                for key in keys {
                    match key {
                        Value::BulkString(key) => {
                            if let Some(key) = self.keys.strip(key) {
                                self.invalidate(key);
                            }
                        }
                        _ => self.clear(),
                    }
                }
            }
            // Everything: FLUSHALL and its kin. Or what nobody knows.
            _ => self.clear(),
        }
    }

    #[cfg(test)]
    fn weight(&self) -> u64 {
        self.cache.weight()
    }
}

impl fmt::Debug for Near {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Near")
            .field("ttl", &self.ttl)
            .field("max_bytes", &self.cache.capacity())
            .finish_non_exhaustive()
    }
}

/// Empties the cache when it goes: with the connection that feeds it, or at the end of a clear.
pub(crate) struct Emptied(pub(crate) Arc<Near>);

impl Drop for Emptied {
    fn drop(&mut self) {
        self.0.clear();
    }
}

/// What is here is answered at once; everything else has to wait.
impl TryStore for Near {
    fn try_get(&self, _: &Context, key: Key<'_>) -> Option<Result<Option<Payload>>> {
        self.get(key).map(|value| Ok(Some(value)))
    }

    fn try_has(&self, _: &Context, key: Key<'_>) -> Option<Result<bool>> {
        self.get(key).map(|_| Ok(true))
    }

    fn try_entry(&self, _: &Context, _: Key<'_>) -> Option<Result<Option<Entry>>> {
        None
    }

    fn try_ttl(&self, _: &Context, _: Key<'_>) -> Option<Result<Option<Ttl>>> {
        None
    }

    fn try_put(&self, _: &Context, _: Key<'_>, _: &[u8], _: Put<'_>) -> Option<Result<Written>> {
        None
    }

    fn try_delete(&self, _: &Context, _: Key<'_>, _: Option<&Version>) -> Option<Result<bool>> {
        None
    }

    fn try_touch(&self, _: &Context, _: Key<'_>, _: Lifetime, _: Option<&Version>) -> Option<Result<bool>> {
        None
    }

    fn try_get_and_touch(&self, _: &Context, _: Key<'_>, _: Lifetime) -> Option<Result<Option<Payload>>> {
        None
    }

    fn try_take(&self, _: &Context, _: Key<'_>) -> Option<Result<Option<Payload>>> {
        None
    }

    fn try_increment(&self, _: &Context, _: Key<'_>, _: Increment) -> Option<Result<i64>> {
        None
    }

    fn try_get_many(&self, _: &Context, keys: &[Key<'_>]) -> Option<Result<Vec<Option<Payload>>>> {
        let found: Option<Vec<_>> = keys.iter().map(|&key| self.get(key).map(Some)).collect();
        found.map(Ok)
    }

    fn try_set_many(&self, _: &Context, _: &[BatchWrite<'_>]) -> Option<Result<()>> {
        None
    }

    fn try_delete_many(&self, _: &Context, _: &[Key<'_>]) -> Option<Result<Vec<bool>>> {
        None
    }

    fn try_list(&self, _: &Context, _: List<'_>) -> Option<Result<ListPage>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::thread;

    const LONG: Duration = Duration::from_secs(60);

    fn near(max_bytes: u64) -> Near {
        Near::new(Keys::new("p", "i"), max_bytes, LONG)
    }

    fn key(text: &str) -> Key<'_> {
        Key::new(text).unwrap()
    }

    fn invalidate(near: &Near, keys: &[&str]) {
        let keys = keys.iter().map(|key| Value::BulkString(format!("p/i/{key}").into_bytes())).collect();
        near.pushed(&PushInfo { kind: PushKind::Invalidate, data: vec![Value::Array(keys)] });
    }

    #[test]
    fn a_fill_whose_key_was_invalidated_meanwhile_is_not_kept() {
        let near = near(1 << 20);
        let ticket = near.ticket(key("k"));
        invalidate(&near, &["k"]);
        near.fill(ticket, key("k"), b"old", Ttl::Never);
        assert_eq!(near.get(key("k")), None);
        let ticket = near.ticket(key("k"));
        near.clear();
        near.fill(ticket, key("k"), b"old", Ttl::Never);
        assert_eq!(near.get(key("k")), None, "the connection was lost meanwhile");
        near.fill(near.ticket(key("k")), key("k"), b"new", Ttl::Never);
        assert_eq!(near.get(key("k")).as_deref(), Some(&b"new"[..]));
        invalidate(&near, &["x", "k"]);
        assert_eq!(near.get(key("k")), None);
        near.fill(near.ticket(key("k")), key("k"), b"new", Ttl::Never);
        near.pushed(&PushInfo { kind: PushKind::Invalidate, data: vec![Value::Nil] });
        assert_eq!(near.get(key("k")), None, "everything was flushed");
    }

    #[test]
    fn no_entry_is_answered_beyond_its_own_time_or_the_bound() {
        let near = Near::new(Keys::new("p", "i"), 1 << 20, Duration::from_millis(60));
        for (ttl, least, most) in [(Ttl::Left(Duration::from_millis(20)), 0, 20), (Ttl::Never, 20, 60)] {
            let before = std::time::Instant::now();
            let ticket = near.ticket(key("k"));
            thread::sleep(Duration::from_millis(5));
            near.fill(ticket, key("k"), b"v", ttl);
            let mut last = Duration::ZERO;
            loop {
                let asked = before.elapsed();
                if near.get(key("k")).is_none() {
                    break;
                }
                last = asked;
            }
            assert!((least..=most).contains(&last.as_millis()), "{last:?}");
        }
    }

    #[test]
    fn memory_is_bounded() {
        for max in [64 << 10, 8 << 20] {
            let near = near(max);
            for number in 0..100_000 {
                let name = format!("key:{number}");
                near.fill(near.ticket(key(&name)), key(&name), &[7; 300], Ttl::Never);
                if number % 1000 == 0 {
                    assert!(near.weight() <= max, "{} of {max}", near.weight());
                }
            }
            assert!(near.weight() > max / 2, "{} of {max}", near.weight());
            // What is larger than everything is not kept, and does no harm.
            near.fill(near.ticket(key("large")), key("large"), &vec![0; 16 << 20], Ttl::Never);
            assert!(near.get(key("large")).is_none() && near.weight() <= max);
        }
    }

    /// A value that was current when a read began is never found after an invalidation of its key has ended.
    #[test]
    fn fills_and_invalidations_race() {
        let near = near(1 << 20);
        let (server, stop) = (AtomicU64::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        let ticket = near.ticket(key("k"));
                        let value = server.load(Ordering::SeqCst);
                        near.fill(ticket, key("k"), &value.to_be_bytes(), Ttl::Never);
                    }
                });
            }
            for next in 1..50_000_u64 {
                server.store(next, Ordering::SeqCst);
                near.invalidate(b"k");
                if let Some(found) = near.get(key("k")) {
                    assert_eq!(*found, next.to_be_bytes());
                }
            }
            stop.store(true, Ordering::Relaxed);
        });
    }
}
