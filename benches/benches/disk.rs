//! store-sled against raw sled in the same mode, interleaved in one process.
//!
//! `cargo bench -p store-benches --bench disk` prints, for each row, the median of 5 rounds and the ratio to raw sled.
//! `STORE_BENCH_KEYS` (default 1000000) says how many entries there are, `STORE_BENCH_DIR` where the files go,
//! `STORE_BENCH_ONLY` a part of a row's title.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark may fail loudly")]

use std::fs::File;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use store_core::{Backend, Context, Key, Lifetime, List, OpenContext, Put, Store, TryStore, Want};
use store_sled::{Durability, Options, SledBackend};

const ROUNDS: usize = 5;

/// 100 bytes that never come twice: sled does nothing when a value is written that is there already.
fn value() -> [u8; 100] {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut value = [0x61; 100];
    value[..8].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    value
}

fn name(number: u64) -> [u8; 16] {
    // Spread over the key space, as users' keys are.
    let hash = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut key = *b"k:0000000:000000";
    for (at, place) in key.iter_mut().skip(2).enumerate() {
        *place = b'a' + u8::try_from(hash >> (at * 4) & 15).expect("below 16");
    }
    key
}

/// One contender: does `count` operations with numbers from the iterator.
type Contender<'a> = (&'static str, Box<dyn FnMut(&mut dyn Iterator<Item = u64>) -> u64 + 'a>);

/// Runs the contenders in rotating order, and prints medians and ratios to the first.
fn compare(title: &str, keys: u64, count: usize, contenders: &mut [Contender<'_>]) {
    let only = std::env::var("STORE_BENCH_ONLY").unwrap_or_default();
    if !title.contains(&only) {
        return;
    }
    let mut rates = vec![Vec::new(); contenders.len()];
    for round in 0..ROUNDS {
        for turn in 0..contenders.len() {
            let which = (turn + round) % contenders.len();
            let mut random = fastrand::Rng::with_seed((round * 31 + turn) as u64);
            let mut numbers = std::iter::repeat_with(move || random.u64(..keys)).take(count);
            let started = Instant::now();
            let done = (contenders[which].1)(&mut numbers);
            rates[which].push(done as f64 / started.elapsed().as_secs_f64());
        }
    }
    let medians: Vec<f64> = rates
        .iter_mut()
        .map(|rates| {
            rates.sort_by(f64::total_cmp);
            rates[rates.len() / 2]
        })
        .collect();
    for ((name, _), median) in contenders.iter().zip(&medians) {
        println!("{title:28} {name:34} {:10.2} k/s  {:6.2}x", median / 1000.0, median / medians[0]);
    }
}

fn open(path: &Path, id: &str, durability: Durability) -> Arc<dyn Store> {
    let options = Options::new(path).with_durability(durability).with_cache(1 << 30);
    let store = store_core::block_on(SledBackend::new().open(&options, OpenContext::new(id)));
    store.expect("opens")
}

fn set(store: &dyn TryStore, number: u64, lifetime: Lifetime) {
    let key = name(number);
    let put = Put::always(lifetime);
    store.try_put(&Context::none(), Key::new(&key).unwrap(), &value(), put).expect("immediate").unwrap();
}

fn main() {
    let keys: u64 = std::env::var("STORE_BENCH_KEYS").ok().and_then(|keys| keys.parse().ok()).unwrap_or(1_000_000);
    let base = std::env::var("STORE_BENCH_DIR").unwrap_or_else(|_| std::env::temp_dir().to_string_lossy().into_owned());
    let folder = tempfile::tempdir_in(base).unwrap();
    let folder = folder.path();
    let cx = Context::none();

    let raw = sled::Config::new().path(folder.join("raw")).cache_capacity(1 << 30).open().unwrap();
    let ours = open(&folder.join("ours"), "bench", Durability::Interval);
    let fast = ours.immediate().unwrap();
    // Entries that expire are in a store of their own, so that each row overwrites its like.
    let mortal = open(&folder.join("mortal"), "bench", Durability::Interval);
    let refresh = mortal.immediate().unwrap();
    let hour = Lifetime::after(Duration::from_secs(3600)).unwrap();
    for number in 0..keys {
        raw.insert(name(number), &value()[..]).unwrap();
        set(fast, number, Lifetime::NEVER);
        set(refresh, number, hour);
    }

    compare(
        "get",
        keys,
        200_000,
        &mut [
            (
                "sled",
                Box::new(|numbers| numbers.map(|n| u64::from(black_box(raw.get(name(n)).unwrap()).is_some())).sum()),
            ),
            (
                "store-sled, synchronous path",
                Box::new(|numbers| {
                    let get = |n| fast.try_get(&cx, Key::new(&name(n)).unwrap()).unwrap().unwrap();
                    numbers.map(|n| u64::from(black_box(get(n)).is_some())).sum()
                }),
            ),
            (
                "store-sled, future",
                Box::new(|numbers| {
                    store_core::block_on(async {
                        let mut found = 0;
                        for n in numbers {
                            let value = ours.get(&cx, Key::new(&name(n)).unwrap()).await.unwrap();
                            found += u64::from(black_box(value).is_some());
                        }
                        found
                    })
                }),
            ),
        ],
    );

    compare(
        "set, no wait",
        keys,
        100_000,
        &mut [
            ("sled", Box::new(|numbers| numbers.map(|n| raw.insert(name(n), &value()[..]).map(|_| 1).unwrap()).sum())),
            ("store-sled interval", Box::new(|numbers| numbers.map(|n| set(fast, n, Lifetime::NEVER)).count() as u64)),
            (
                "store-sled interval, with TTL",
                Box::new(|numbers| numbers.map(|n| set(refresh, n, hour)).count() as u64),
            ),
        ],
    );

    // Numbers that were never used before, and the same for all contenders.
    let mut next = [keys; 3];
    let [first, second, third] = &mut next;
    let fresh = |next: &mut u64, numbers: &mut dyn Iterator<Item = u64>| {
        let start = *next;
        *next += numbers.count() as u64;
        start..*next
    };
    compare(
        "set of new keys, no wait",
        keys,
        20_000,
        &mut [
            (
                "sled",
                Box::new(|numbers| {
                    fresh(first, numbers).map(|n| raw.insert(name(n), &value()[..]).map(|_| 1).unwrap()).sum()
                }),
            ),
            (
                "store-sled interval",
                Box::new(|numbers| fresh(second, numbers).map(|n| set(fast, n, Lifetime::NEVER)).count() as u64),
            ),
            (
                "store-sled interval, with TTL",
                Box::new(|numbers| fresh(third, numbers).map(|n| set(refresh, n, hour)).count() as u64),
            ),
        ],
    );

    let page = |after: u64, limit: usize| {
        let after = name(after);
        let list = List { prefix: b"k:", after: Some(&after), limit, want: Want::Entries };
        fast.try_list(&cx, list).unwrap().unwrap().items.len() as u64
    };
    let range = |after: u64, limit: usize| {
        let items: Vec<_> = raw.range(name(after)..).take(limit).map(|item| item.unwrap()).collect();
        items.len() as u64
    };
    for limit in [100, 1000] {
        compare(
            &format!("entries in pages of {limit}"),
            keys,
            100_000 / limit,
            &mut [
                ("sled", Box::new(move |numbers| numbers.map(|n| range(n, limit)).sum())),
                ("store-sled", Box::new(move |numbers| numbers.map(|n| page(n, limit)).sum())),
            ],
        );
    }

    store_core::block_on(ours.close()).unwrap();
    store_core::block_on(mortal.close()).unwrap();
    synced(folder, keys.min(100_000), &raw);
}

/// Writes that are acknowledged when they are durable.
fn synced(folder: &Path, keys: u64, raw: &sled::Db) {
    let ours = open(&folder.join("sync"), "bench", Durability::Sync);
    let put = |n: u64| {
        let ours = Arc::clone(&ours);
        async move {
            let key = name(n);
            let put = Put::always(Lifetime::NEVER);
            ours.put(&Context::none(), Key::new(&key).unwrap(), &value(), put).await.unwrap();
        }
    };
    for n in 0..keys.min(1000) {
        store_core::block_on(put(n));
    }
    let data = File::open(folder.join("raw/db")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    compare(
        "set, durable, 1 writer",
        keys,
        2000,
        &mut [
            (
                "sled + flush (not durable)",
                Box::new(|numbers| {
                    numbers
                        .map(|n| {
                            raw.insert(name(n), &value()[..]).unwrap();
                            raw.flush().map(|_| 1).unwrap()
                        })
                        .sum()
                }),
            ),
            (
                "sled + flush + fdatasync",
                Box::new(|numbers| {
                    numbers
                        .map(|n| {
                            raw.insert(name(n), &value()[..]).unwrap();
                            raw.flush().unwrap();
                            data.sync_data().map(|()| 1).unwrap()
                        })
                        .sum()
                }),
            ),
            (
                "store-sled sync, own thread",
                Box::new(|numbers| numbers.map(|n| store_core::block_on(put(n))).count() as u64),
            ),
            (
                "store-sled sync, tokio task",
                Box::new(|numbers| {
                    let numbers: Vec<u64> = numbers.collect();
                    let count = numbers.len() as u64;
                    let ours = Arc::clone(&ours);
                    let writer = async move {
                        for n in numbers {
                            let key = name(n);
                            let put = Put::always(Lifetime::NEVER);
                            ours.put(&Context::none(), Key::new(&key).unwrap(), &value(), put).await.unwrap();
                        }
                    };
                    runtime.block_on(async { tokio::spawn(writer).await.unwrap() });
                    count
                }),
            ),
        ],
    );
    compare(
        "set, durable, 64 writers",
        keys,
        64 * 500,
        &mut [
            (
                "sled + flush, 64 threads",
                Box::new(|numbers| {
                    let numbers: Vec<u64> = numbers.take(6400).collect();
                    let next = AtomicU64::new(0);
                    std::thread::scope(|scope| {
                        for _ in 0..64 {
                            scope.spawn(|| {
                                while let Some(n) = numbers
                                    .get(usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap_or(usize::MAX))
                                {
                                    raw.insert(name(*n), &value()[..]).unwrap();
                                    raw.flush().unwrap();
                                }
                            });
                        }
                    });
                    numbers.len() as u64
                }),
            ),
            (
                "store-sled sync, 64 tasks",
                Box::new(|numbers| {
                    let numbers: Arc<[u64]> = numbers.collect();
                    let next = Arc::new(AtomicU64::new(0));
                    runtime.block_on(async {
                        let writers: Vec<_> = (0..64)
                            .map(|_| {
                                let (ours, numbers, next) =
                                    (Arc::clone(&ours), Arc::clone(&numbers), Arc::clone(&next));
                                tokio::spawn(async move {
                                    while let Some(n) = numbers.get(
                                        usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap_or(usize::MAX),
                                    ) {
                                        let key = name(*n);
                                        let put = Put::always(Lifetime::NEVER);
                                        ours.put(&Context::none(), Key::new(&key).unwrap(), &value(), put)
                                            .await
                                            .unwrap();
                                    }
                                })
                            })
                            .collect();
                        for writer in writers {
                            writer.await.unwrap();
                        }
                    });
                    numbers.len() as u64
                }),
            ),
        ],
    );
    store_core::block_on(ours.close()).unwrap();
}
