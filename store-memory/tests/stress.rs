//! Many threads, one store (rules C1, C2, C3).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::collections::HashSet;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use common::{NEVER, Short, millis};
use store_core::{Condition, Context, Key, Kind, Put, TryStore, Version};
use store_memory::MemoryStore;

const THREADS: usize = 4;

fn together(work: impl Fn(usize) + Sync) {
    let barrier = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (barrier, work) = (&barrier, &work);
            scope.spawn(move || {
                barrier.wait();
                work(thread);
            });
        }
    });
}

#[test]
fn c1_increments_are_not_lost() {
    let store = MemoryStore::new();
    together(|_| (0..10_000).for_each(|_| assert!(store.count("n", 1).is_ok())));
    assert_eq!(store.count("n", 0).unwrap(), 40_000);
}

#[test]
fn c1_one_of_many_adds_wins() {
    let store = MemoryStore::new();
    for round in 0..500 {
        let key = format!("lock{round}");
        let wins = AtomicUsize::new(0);
        together(|thread| match store.add(&key, &thread.to_string()) {
            Ok(()) => assert!(wins.fetch_add(1, Relaxed) == 0),
            Err(error) => assert_eq!(error.kind(), Kind::AlreadyExists),
        });
        assert_eq!(wins.into_inner(), 1);
    }
}

#[test]
fn c1_compare_and_set_loses_no_update() {
    let store = MemoryStore::new();
    let (cx, key) = (Context::none(), Key::new("n").unwrap());
    store.set("n", "0", NEVER).unwrap();
    together(|_| {
        for _ in 0..1000 {
            loop {
                let entry = store.try_entry(&cx, key).unwrap().unwrap().unwrap();
                let next: u64 = std::str::from_utf8(&entry.value).unwrap().parse::<u64>().unwrap() + 1;
                let condition = Condition::IfVersion(&entry.version);
                let put = Put { lifetime: NEVER, keep_ttl: false, condition };
                match store.try_put(&cx, key, next.to_string().as_bytes(), put).unwrap() {
                    Ok(_) => break,
                    Err(error) => assert_eq!(error.kind(), Kind::Conflict),
                }
            }
        }
    });
    assert_eq!(store.read("n").as_deref(), Some("4000"));
}

#[test]
fn c2_versions_never_repeat_across_delete_and_expiry() {
    let store = MemoryStore::new();
    let (cx, key) = (Context::none(), Key::new("k").unwrap());
    let mut seen: HashSet<Version> = HashSet::new();
    for round in 0..30_000 {
        let lifetime = if round % 3 == 0 { millis(1) } else { NEVER };
        let written = store.try_put(&cx, key, b"v", Put::always(lifetime)).unwrap().unwrap();
        assert!(seen.insert(written.version));
        if round % 5 == 0 {
            store.del("k");
        }
    }
}

/// Every value names its key and fills itself with one letter: a torn or misplaced one would show.
#[test]
fn c3_reads_see_whole_values_of_their_own_key() {
    let store = MemoryStore::builder().shards(2).build();
    together(|thread| {
        let mut random = fastrand::Rng::with_seed(thread as u64);
        let mut held = Vec::new();
        for _ in 0..40_000 {
            let name = format!("key-{}", random.u32(0..300));
            let (cx, key) = (Context::none(), Key::new(&name).unwrap());
            match random.u8(0..8) {
                0 => assert!(matches!(store.del(&name), true | false)),
                1 => drop(store.retouch(&name, millis(random.u64(1..20)))),
                2..5 => {
                    let letter = char::from(random.u8(b'a'..=b'z'));
                    let body: String = std::iter::repeat_n(letter, random.usize(0..60) * 4).collect();
                    let lifetime = if random.bool() { NEVER } else { millis(random.u64(1..20)) };
                    store.set(&name, &format!("{name}={body}"), lifetime).unwrap();
                }
                _ => {
                    if let Some(payload) = store.try_get(&cx, key).unwrap().unwrap() {
                        held.push((name, payload));
                    }
                }
            }
            if held.len() > 100 {
                // What was read long ago is still what it was.
                for (name, payload) in held.drain(..) {
                    let text = std::str::from_utf8(&payload).unwrap();
                    let (key, body) = text.split_once('=').unwrap();
                    assert_eq!(key, name);
                    assert!(body.bytes().all(|byte| byte == body.as_bytes()[0]));
                }
            }
        }
    });
}

#[test]
fn dropping_a_store_ends_its_thread() {
    let threads = || {
        std::fs::read_dir("/proc/self/task")
            .map(|tasks| {
                let names = tasks.flatten().map(|task| std::fs::read_to_string(task.path().join("comm")));
                names.flatten().filter(|name| name.starts_with("store-memory-sw")).count()
            })
            .unwrap_or(0)
    };
    let stores: Vec<_> = (0..20).map(|_| MemoryStore::new()).collect();
    for store in &stores {
        store.set("k", "v", millis(60_000)).unwrap();
    }
    drop(stores);
    let start = std::time::Instant::now();
    // Other tests of this file have threads of their own meanwhile.
    while threads() >= 15 {
        assert!(start.elapsed() < std::time::Duration::from_secs(30));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
