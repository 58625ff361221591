//! Several threads, beside a map under one lock: on keys of their own, and all on one; on the other stores beside their raw engines.

mod common;

use std::hint::black_box;
use std::time::{Duration, Instant};

use common::backends::{self, Backends};
use common::{COUNT, VALUE, filled, get, lifetime, raw, set};
use criterion::{Criterion, criterion_group, criterion_main};
use store_benches::{Keys, Workload};

/// Every thread does `count` operations; the time of all.
fn run(threads: usize, count: u64, operation: impl Fn(usize, u64) + Sync) -> Duration {
    let start = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let operation = &operation;
            scope.spawn(move || (0..count).for_each(|turn| operation(thread, turn)));
        }
    });
    start.elapsed()
}

fn contention(criterion: &mut Criterion) {
    let keys = Keys::new(COUNT);
    let store = filled(&keys, lifetime());
    let map = raw(&keys);
    let work: Vec<Workload> = (0..4).map(|seed| Workload::zipf(COUNT, 0.99, 1 << 16, seed)).collect();
    let key = |thread: usize, turn: u64| keys.get(work[thread].numbers()[(turn % (1 << 16)) as usize]);
    let mut group = criterion.benchmark_group("contention");
    for threads in [1, 2, 4] {
        group.bench_function(format!("95 % reads, {threads} threads, raw map"), |b| {
            b.iter_custom(|count| {
                run(threads, count, |thread, turn| {
                    let key = &key(thread, turn)[..];
                    if turn % 20 == 0 {
                        map.write().insert(key.into(), VALUE[..].into());
                    } else {
                        black_box(map.read().get(key).cloned());
                    }
                })
            });
        });
        group.bench_function(format!("95 % reads, {threads} threads, memory"), |b| {
            b.iter_custom(|count| {
                run(threads, count, |thread, turn| {
                    if turn % 20 == 0 {
                        set(&store, key(thread, turn), &VALUE, lifetime());
                    } else {
                        black_box(get(&store, key(thread, turn)));
                    }
                })
            });
        });
        group.bench_function(format!("one key, {threads} threads, raw map"), |b| {
            b.iter_custom(|count| {
                run(threads, count, |_, _| drop(black_box(map.read().get(&keys.get(7)[..]).cloned())))
            });
        });
        group.bench_function(format!("one key, {threads} threads, memory"), |b| {
            b.iter_custom(|count| run(threads, count, |_, _| drop(black_box(get(&store, keys.get(7))))));
        });
    }
    group.finish();
}

fn others(criterion: &mut Criterion) {
    let keys = Keys::new(backends::COUNT);
    let backends = Backends::open(&keys);
    let work: Vec<Workload> = (0..4).map(|seed| Workload::zipf(backends::COUNT, 0.99, 1 << 16, seed)).collect();
    for threads in [1, 2, 4] {
        for (backend, name, subject) in backends.each() {
            let mut group = criterion.benchmark_group(format!("contention, {backend}"));
            group.bench_function(format!("95 % reads, {threads} threads, {name}"), |b| {
                b.iter_custom(|count| {
                    run(threads, count, |thread, turn| {
                        let key = keys.get(work[thread].numbers()[(turn % (1 << 16)) as usize]);
                        if turn % 20 == 0 { subject.set(key) } else { subject.get(key) }
                    })
                });
            });
            group.finish();
        }
    }
}

criterion_group!(benches, contention, others);
criterion_main!(benches);
