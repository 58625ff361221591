//! Single-key operations of the store in memory, beside a plain map under one lock; of the other stores beside their raw engines.

mod common;

use std::collections::HashMap;
use std::hint::black_box;

use common::backends::{self, Backends};
use common::{COUNT, VALUE, around, filled, get, lifetime, raw, set};
use criterion::{Criterion, criterion_group, criterion_main};
use foldhash::fast::RandomState;
use parking_lot::RwLock;
use store_benches::Keys;
use store_core::{Context, Increment, Key, Lifetime, TryStore};

type Counters = RwLock<HashMap<Box<[u8]>, i64, RandomState>>;

fn ops(criterion: &mut Criterion) {
    let keys = Keys::new(COUNT);
    let cx = Context::none();
    let map = raw(&keys);
    let forever = filled(&keys, Lifetime::NEVER);
    let expiring = filled(&keys, lifetime());

    let mut group = criterion.benchmark_group("get");
    let mut next = around(&keys);
    group.bench_function("raw map", |b| b.iter(|| black_box(map.read().get(next()).cloned())));
    group.bench_function("memory", |b| b.iter(|| black_box(get(&forever, next()))));
    group.bench_function("memory, with ttl", |b| b.iter(|| black_box(get(&expiring, next()))));
    group.bench_function("memory, absent", |b| b.iter(|| black_box(get(&forever, b"absent"))));
    group.finish();

    let mut group = criterion.benchmark_group("set");
    group.bench_function("raw map", |b| {
        b.iter(|| map.write().insert(next().into(), VALUE[..].into()));
    });
    group.bench_function("memory", |b| b.iter(|| set(&forever, next(), &VALUE, Lifetime::NEVER)));
    group.bench_function("memory, with ttl", |b| b.iter(|| set(&expiring, next(), &VALUE, lifetime())));
    group.bench_function("memory, 1 KiB", |b| b.iter(|| set(&forever, next(), &[b'x'; 1024], Lifetime::NEVER)));
    group.finish();

    let mut group = criterion.benchmark_group("has");
    group.bench_function("raw map", |b| b.iter(|| map.read().contains_key(next())));
    let mut key = || Key::new(next()).ok();
    group.bench_function("memory", |b| b.iter(|| key().and_then(|key| expiring.try_has(&cx, key))));
    group.bench_function("memory, entry", |b| b.iter(|| key().and_then(|key| expiring.try_entry(&cx, key))));
    group.finish();

    let mut group = criterion.benchmark_group("increment");
    let counters: Counters = RwLock::default();
    group.bench_function("raw map", |b| {
        counters.write().insert(b"counter"[..].into(), 0);
        b.iter(|| counters.write().get_mut(&b"counter"[..]).map(|count| *count += 1));
    });
    group.bench_function("memory", |b| {
        let by = Increment { delta: 1, initial: 0, lifetime: Lifetime::NEVER };
        b.iter(|| Key::new("counter").ok().and_then(|key| forever.try_increment(&cx, key, by)));
    });
    group.finish();

    let mut group = criterion.benchmark_group("new key and delete");
    group.bench_function("raw map", |b| {
        b.iter(|| {
            map.write().insert(b"key:000000050000x"[..].into(), VALUE[..].into());
            map.write().remove(&b"key:000000050000x"[..])
        });
    });
    group.bench_function("memory", |b| {
        b.iter(|| {
            set(&forever, b"key:000000050000x", &VALUE, lifetime());
            Key::new("key:000000050000x").ok().and_then(|key| forever.try_delete(&cx, key, None))
        });
    });
    group.finish();
}

fn others(criterion: &mut Criterion) {
    let keys = Keys::new(backends::COUNT);
    let backends = Backends::open(&keys);
    let mut next = around(&keys);
    backends.beside(criterion, "get", |subject| subject.get(next()));
    backends.beside(criterion, "set", |subject| subject.set(next()));
    backends.beside(criterion, "new key and delete", |subject| {
        subject.set(b"key:000000005000x");
        subject.delete(b"key:000000005000x");
    });
}

criterion_group!(benches, ops, others);
criterion_main!(benches);
