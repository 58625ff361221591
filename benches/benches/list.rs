//! Pages of 100, beside those of a sorted map that needs no lock and no merging; of the other stores beside their raw engines.

mod common;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::ops::Bound::{Included, Unbounded};

use common::backends::{self, Backends};
use common::{COUNT, VALUE, around, filled, lifetime};
use criterion::{Criterion, criterion_group, criterion_main};
use store_benches::Keys;
use store_core::{Context, List, TryStore, Want};

fn list(criterion: &mut Criterion) {
    let keys = Keys::new(COUNT);
    let store = filled(&keys, lifetime());
    let sorted: BTreeMap<Box<[u8]>, [u8; 100]> = keys.all().iter().map(|key| (Box::from(&key[..]), VALUE)).collect();
    let mut next = around(&keys);
    let mut group = criterion.benchmark_group("list");
    group.bench_function("raw sorted map", |b| {
        b.iter(|| {
            let page = sorted.range::<[u8], _>((Included(next()), Unbounded)).take(100);
            black_box(page.map(|(key, value)| (key.clone(), value.to_vec())).collect::<Vec<_>>())
        });
    });
    for (name, want) in [("memory", Want::Entries), ("memory, keys only", Want::Keys)] {
        group.bench_function(name, |b| {
            b.iter(|| {
                let list = List { prefix: b"", after: Some(next()), limit: 100, want };
                black_box(store.try_list(&Context::none(), list))
            });
        });
    }
    group.bench_function("memory, one prefix of 100", |b| {
        b.iter(|| {
            let list = List { prefix: b"key:0000000500", after: None, limit: 100, want: Want::Entries };
            black_box(store.try_list(&Context::none(), list))
        });
    });
    group.finish();
}

fn others(criterion: &mut Criterion) {
    let keys = Keys::new(backends::COUNT);
    let backends = Backends::open(&keys);
    // The half of the keys with a full page after each.
    let mut next = around(&keys);
    let mut after = move || std::iter::repeat_with(&mut next).find(|key| *key < &b"key:000000005000"[..]);
    backends.beside(criterion, "page of 100", |subject| {
        assert_eq!(subject.page(after().unwrap_or_default()), 100);
    });
}

criterion_group!(benches, list, others);
criterion_main!(benches);
