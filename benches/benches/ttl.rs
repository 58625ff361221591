//! What expiry costs: setting and moving deadlines, sets while many entries are expired, and freeing them. The raw engine in memory is a map with an
//! `Instant` in each value, under one lock; sled knows no expiry, there it is what a write without any costs.

mod common;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::backends::{self, Backends};
use common::{COUNT, VALUE, around, filled, lifetime, set};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use foldhash::fast::RandomState;
use parking_lot::RwLock;
use store_benches::Keys;
use store_core::{Clock, Context, Key, Lifetime, ManualClock, Store, TryStore, block_on};
use store_memory::MemoryStore;

/// How many are expired.
const EXPIRED: [usize; 3] = if cfg!(debug_assertions) { [10, 100, 1_000] } else { [1_000, 10_000, 100_000] };

/// A store with so many entries, all expired, none freed.
fn expired(count: usize) -> MemoryStore {
    let clock = ManualClock::new();
    let shared: Arc<dyn Clock> = Arc::new(clock.clone());
    let store = MemoryStore::builder().clock(shared).background(false).build();
    for key in Keys::new(count).all() {
        set(&store, key, &VALUE, lifetime());
    }
    clock.advance(2 * common::HOUR);
    store
}

/// The raw engine.
type Map = RwLock<HashMap<Box<[u8]>, (Arc<[u8]>, Instant), RandomState>>;

fn map(keys: &Keys, deadline: Instant) -> Map {
    RwLock::new(keys.all().iter().map(|key| (key[..].into(), (VALUE[..].into(), deadline))).collect())
}

fn ttl(criterion: &mut Criterion) {
    let keys = Keys::new(COUNT);
    let store = filled(&keys, lifetime());
    let mut next = around(&keys);
    let mut group = criterion.benchmark_group("ttl");
    let raw = map(&keys, Instant::now() + common::HOUR);
    group.bench_function("raw map, another deadline", |b| {
        b.iter(|| raw.write().get_mut(next()).map(|entry| entry.1 = Instant::now() + common::HOUR));
    });
    group.bench_function("touch to a later deadline", |b| {
        b.iter(|| Key::new(next()).ok().and_then(|key| store.try_touch(&Context::none(), key, lifetime(), None)));
    });
    let mut turn = false;
    group.bench_function("touch to an earlier or later deadline", |b| {
        b.iter(|| {
            turn = !turn;
            let lifetime = if turn { Lifetime::after(Duration::from_secs(60)).ok() } else { Some(lifetime()) };
            let key = Key::new(next()).ok();
            key.zip(lifetime).and_then(|(key, life)| store.try_touch(&Context::none(), key, life, None))
        });
    });
    for count in EXPIRED {
        let store = expired(count);
        let raw = map(&Keys::new(count), Instant::now());
        group.bench_function(format!("raw map, set while {count} others are expired"), |b| {
            b.iter(|| {
                let entry = (VALUE[..].into(), Instant::now() + common::HOUR);
                raw.write().insert(b"other"[..].into(), entry)
            });
        });
        group.bench_function(format!("set while {count} others are expired"), |b| {
            b.iter(|| set(&store, b"other", &VALUE, lifetime()));
        });
    }
    group.bench_function("raw map, free 1,000 expired entries", |b| {
        let keys = Keys::new(1000);
        let free = |map: Map| {
            let now = Instant::now();
            map.write().retain(|_, (_, deadline)| *deadline > now);
            map
        };
        b.iter_batched(|| map(&keys, Instant::now()), free, BatchSize::LargeInput);
    });
    group.bench_function("free 1,000 expired entries", |b| {
        let free = |store: MemoryStore| block_on(store.purge_expired(1000));
        b.iter_batched(|| expired(1000), free, BatchSize::LargeInput);
    });
    group.finish();
}

fn others(criterion: &mut Criterion) {
    let keys = Keys::new(backends::COUNT);
    let backends = Backends::open(&keys);
    let mut next = around(&keys);
    backends.beside(criterion, "move a deadline", |subject| {
        let key = next();
        if !subject.touch(key) {
            subject.set(key);
        }
    });
}

criterion_group!(benches, ttl, others);
criterion_main!(benches);
