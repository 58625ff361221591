//! Batches of 100, beside the same by single operations and in a plain map; of the other stores beside those of their raw engines.

mod common;

use std::hint::black_box;

use common::backends::{self, Backends};
use common::{COUNT, VALUE, around, filled, get, lifetime, raw, set};
use criterion::{Criterion, criterion_group, criterion_main};
use store_benches::Keys;
use store_core::{BatchWrite, Context, Key, TryStore};

fn batch(criterion: &mut Criterion) {
    let keys = Keys::new(COUNT);
    let store = filled(&keys, lifetime());
    let mut next = around(&keys);
    let names: Vec<&[u8]> = (0..100).map(|_| next()).collect();
    let batch: Vec<Key<'_>> = names.iter().filter_map(|name| Key::new(name).ok()).collect();
    let lifetime = lifetime();
    let writes: Vec<_> = batch.iter().map(|&key| BatchWrite { key, value: &VALUE, lifetime }).collect();
    let map = raw(&keys);
    let mut group = criterion.benchmark_group("batch of 100");
    group.bench_function("get, raw map", |b| {
        b.iter(|| {
            let map = map.read();
            black_box(names.iter().map(|name| map.get(*name).cloned()).collect::<Vec<_>>())
        });
    });
    group.bench_function("set, raw map", |b| {
        b.iter(|| {
            let mut map = map.write();
            names.iter().for_each(|name| drop(map.insert((*name).into(), VALUE[..].into())));
        });
    });
    group.bench_function("get, one by one", |b| {
        b.iter(|| black_box(names.iter().map(|name| get(&store, name)).collect::<Vec<_>>()));
    });
    group.bench_function("get_many", |b| b.iter(|| black_box(store.try_get_many(&Context::none(), &batch))));
    group.bench_function("set, one by one", |b| {
        b.iter(|| names.iter().for_each(|name| set(&store, name, &VALUE, lifetime)));
    });
    group.bench_function("set_many", |b| b.iter(|| black_box(store.try_set_many(&Context::none(), &writes))));
    group.finish();
}

fn others(criterion: &mut Criterion) {
    let keys = Keys::new(backends::COUNT);
    let backends = Backends::open(&keys);
    let mut next = around(&keys);
    let names: Vec<&[u8]> = (0..100).map(|_| next()).collect();
    backends.beside(criterion, "get 100", |subject| subject.get_many(&names));
    backends.beside(criterion, "set 100", |subject| subject.set_many(&names));
}

criterion_group!(benches, batch, others);
criterion_main!(benches);
