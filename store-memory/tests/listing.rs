//! Listing, scanning, clearing.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use common::{NEVER, Short, keys, millis, still};
use store_core::{Context, Kind, Scan, ScanCursor, Store, Want, block_on};
use store_memory::MemoryStore;

fn all(store: &MemoryStore, prefix: &str, limit: usize) -> Vec<String> {
    let mut found = Vec::new();
    let mut after: Option<Box<[u8]>> = None;
    loop {
        let page = store.page(prefix, after.as_deref(), limit);
        assert!(page.items.len() <= limit);
        found.extend(keys(&page));
        let Some(resume) = page.resume else { return found };
        assert!(after.is_none_or(|after| resume > after));
        after = Some(resume);
    }
}

#[test]
fn pages_are_sorted_complete_and_know_whether_more_follows() {
    let (store, _) = still(|builder| builder.shards(8));
    let expected: BTreeSet<String> = (0..1000).map(|n| format!("user:{:03}", n * 7 % 1000)).collect();
    for key in &expected {
        store.set(key, "v", NEVER).unwrap();
    }
    store.set("a", "v", NEVER).unwrap();
    store.set("z", "v", NEVER).unwrap();
    for limit in [1, 7, 100, 999, 1000] {
        assert!(all(&store, "user:", limit).iter().eq(&expected), "{limit}");
    }
    assert_eq!(all(&store, "user:00", 3).len(), 10);
    assert_eq!(all(&store, "nobody", 3), [""; 0]);
    let exact = store.page("user:", None, 1000);
    assert_eq!((exact.items.len(), exact.resume), (1000, None));
    assert!(store.page("user:", None, 999).resume.is_some());
    assert_eq!(keys(&store.page("user:", Some(b"user:998x"), 10)), ["user:999"]);
    assert_eq!(keys(&store.page("user:", Some(b"a"), 1)), ["user:000"]);
    assert_eq!(keys(&store.page("user:", Some(b"v"), 1)), [""; 0]);
}

#[test]
fn a_page_examines_what_it_brings_and_little_more() {
    let (store, _) = still(|builder| builder.shards(32));
    for n in 0..100_000 {
        store.set(&format!("k{n:06}"), "v", NEVER).unwrap();
    }
    let before = store.stats().examined;
    assert_eq!(store.page("k05", None, 100).items.len(), 100);
    let examined = store.stats().examined - before;
    assert!(examined <= 100 + 2 * 32 * 7, "{examined}");
}

#[test]
fn t7_expired_entries_do_not_stall_a_listing() {
    let count = if std::env::var_os("STORE_DEEP").is_some() { 1_000_000 } else { 60_000 };
    let (store, clock) = still(|builder| builder.shards(32));
    for n in 0..count {
        store.set(&format!("a{n:06}"), "v", millis(1)).unwrap();
    }
    for n in 0..10 {
        store.set(&format!("b{n}"), "v", NEVER).unwrap();
    }
    clock.advance(Duration::from_millis(1));
    let mut pages = 0;
    let mut after: Option<Box<[u8]>> = None;
    let mut found = Vec::new();
    loop {
        let before = store.stats().examined;
        let page = store.page("", after.as_deref(), 100);
        assert!(store.stats().examined - before <= 11_000);
        found.extend(keys(&page));
        pages += 1;
        let Some(resume) = page.resume else { break };
        after = Some(resume);
    }
    assert_eq!(found.len(), 10);
    assert!((count / 12_000..count / 3000).contains(&pages), "{pages}");
}

#[test]
fn scan_and_clear_take_one_pass_in_bounded_steps() {
    let (store, clock) = still(|builder| builder.shards(8));
    for n in 0..20_000 {
        store.set(&format!("k{n}"), "v", if n % 2 == 0 { NEVER } else { millis(5) }).unwrap();
    }
    store.set("other", "v", NEVER).unwrap();
    clock.advance(Duration::from_millis(5));
    let mut seen = BTreeMap::new();
    let mut cursor: Option<ScanCursor> = None;
    loop {
        let scan = Scan { prefix: b"k", cursor: cursor.as_ref(), limit: 100, want: Want::Entries };
        let page = block_on(store.scan(&Context::none(), scan)).unwrap();
        assert!(page.items.len() <= 100);
        for item in page.items {
            assert!(item.entry.is_some());
            *seen.entry(item.key).or_insert(0) += 1;
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 10_000);
    assert!(seen.values().all(|&times| times == 1));
    let (mut deleted, mut steps) = (0, 0);
    loop {
        let step = block_on(store.clear(&Context::none(), b"k", cursor.as_ref())).unwrap();
        deleted += step.deleted;
        steps += 1;
        cursor = step.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!((deleted, store.stats().entries), (10_000, 1));
    assert!(steps > 4);
    assert!(store.stats().table_bytes < 200_000, "{}", store.stats().table_bytes);
    assert_eq!(store.read("other").as_deref(), Some("v"));
}

#[test]
fn a_foreign_scan_cursor_is_invalid_or_at_the_end() {
    let (store, _) = still(|builder| builder);
    store.set("k", "v", NEVER).unwrap();
    let scan = |bytes: &[u8]| {
        let cursor = ScanCursor(bytes.into());
        let scan = Scan { prefix: b"", cursor: Some(&cursor), limit: 10, want: Want::Keys };
        block_on(store.scan(&Context::none(), scan))
    };
    assert_eq!(scan(b"abc").unwrap_err().kind(), Kind::Invalid);
    assert_eq!(scan(b"\xff\xff\xff\xff").unwrap().items, []);
}

#[test]
fn entries_that_stay_are_listed_exactly_once_while_others_come_and_go() {
    let store = MemoryStore::builder().shards(8).build();
    let fixed: BTreeSet<String> = (0..3000).map(|n| format!("k{:05}", n * 10)).collect();
    for key in &fixed {
        store.set(key, "v", NEVER).unwrap();
    }
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = fastrand::Rng::with_seed(1);
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let key = format!("k{:05}", random.u32(0..3000) * 10 + random.u32(1..10));
                match random.u8(0..3) {
                    0 => assert!(matches!(store.del(&key), true | false)),
                    1 => store.set(&key, "v", millis(2)).unwrap(),
                    _ => store.set(&key, "v", NEVER).unwrap(),
                }
                // The entries that stay are written all the time.
                store.set(&format!("k{:05}", random.u32(0..3000) * 10), "w", NEVER).unwrap();
            }
        });
        for limit in [3, 50, 1000].into_iter().cycle().take(9) {
            let listed = all(&store, "k", limit);
            assert!(listed.windows(2).all(|pair| pair[0] < pair[1]));
            assert!(listed.into_iter().filter(|key| key.ends_with('0')).eq(fixed.iter().cloned()));
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}
