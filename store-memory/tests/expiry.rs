//! What expiry costs, and that it gives back what it took.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::time::{Duration, Instant};

use common::{NEVER, Short, millis, still};
use store_core::{Context, Kind, Store, block_on};
use store_memory::MemoryStore;

#[test]
fn t6_an_entry_is_there_until_its_deadline_and_gone_from_then_on() {
    let (store, clock) = still(|builder| builder);
    store.set("k", "v", millis(5)).unwrap();
    clock.advance(Duration::from_nanos(4_999_999));
    assert_eq!(store.read("k").as_deref(), Some("v"));
    clock.advance(Duration::from_nanos(1));
    assert_eq!(store.read("k"), None);
    assert!(!store.retouch("k", NEVER));
    assert!(!store.del("k"));
    assert_eq!(store.page("", None, 10).items, []);
}

#[test]
fn t7_a_set_never_sweeps() {
    let (store, clock) = still(|builder| builder);
    for n in 0..10_000 {
        store.set(&format!("old{n}"), "v", millis(1)).unwrap();
    }
    clock.advance(Duration::from_secs(1));
    for n in 0..10_000 {
        store.set(&format!("new{n}"), "v", millis(1000)).unwrap();
        store.read(&format!("old{n}"));
    }
    let stats = store.stats();
    assert_eq!((stats.reclaimed, stats.swept_by_writes, stats.entries), (0, 0, 20_000));
}

#[test]
fn t7_purge_frees_in_bounded_steps_and_gives_table_memory_back() {
    let (store, clock) = still(|builder| builder.shards(4));
    for n in 0..40_000 {
        store.set(&format!("k{n}"), "v", if n % 20 == 0 { NEVER } else { millis(1 + n % 97) }).unwrap();
    }
    let full = store.stats();
    clock.advance(Duration::from_secs(1));
    let mut freed = 0;
    loop {
        let step = block_on(store.purge_expired(1000)).unwrap();
        assert!(step <= 1000);
        freed += step;
        if step == 0 {
            break;
        }
    }
    let empty = store.stats();
    assert_eq!((freed, empty.entries, empty.reclaimed), (38_000, 2_000, 38_000));
    assert!(empty.table_bytes * 8 < full.table_bytes, "{} of {}", empty.table_bytes, full.table_bytes);
    for n in (0..40_000).step_by(20) {
        assert_eq!(store.read(&format!("k{n}")).as_deref(), Some("v"));
    }
    assert_eq!(store.page("", None, 1000).items.len(), 1000);
}

#[test]
fn t7_a_purge_looks_at_no_entry_whose_deadline_is_far() {
    let (store, clock) = still(|builder| builder.shards(1));
    for n in 0..10_000 {
        store.set(&format!("k{n}"), "v", millis(3_600_000)).unwrap();
    }
    store.set("soon", "v", millis(10)).unwrap();
    clock.advance(Duration::from_millis(10));
    assert_eq!(block_on(store.purge_expired(1)).unwrap(), 1);
}

#[test]
fn t5_overwriting_lengthens_shortens_and_lifts_a_deadline() {
    let (store, clock) = still(|builder| builder);
    for (first, second) in [(10, 100), (100, 10)] {
        store.set("k", "1", millis(first)).unwrap();
        store.set("k", "2", millis(second)).unwrap();
        clock.advance(Duration::from_millis(second - 1));
        block_on(store.purge_expired(99)).unwrap();
        assert_eq!(store.read("k").as_deref(), Some("2"));
        clock.advance(Duration::from_millis(1));
        assert_eq!(block_on(store.purge_expired(99)).unwrap(), 1);
    }
    store.set("k", "1", millis(10)).unwrap();
    store.retouch("k", NEVER);
    clock.advance(Duration::from_secs(1));
    assert_eq!(block_on(store.purge_expired(99)).unwrap(), 0);
    store.retouch("k", millis(5));
    clock.advance(Duration::from_millis(5));
    assert_eq!(block_on(store.purge_expired(99)).unwrap(), 1);
    assert_eq!(store.stats().entries, 0);
}

#[test]
fn t7_the_background_thread_frees_what_expires_while_nobody_looks() {
    let store = MemoryStore::new();
    for n in 0..20_000 {
        store.set(&format!("k{n}"), "v", millis(20 + n % 50)).unwrap();
    }
    store.set("stays", "v", NEVER).unwrap();
    let start = Instant::now();
    while store.stats().entries > 1 {
        assert!(start.elapsed() < Duration::from_secs(30), "{:?}", store.stats());
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(store.stats().reclaimed, 20_000);
    assert_eq!(store.read("stays").as_deref(), Some("v"));
}

#[test]
fn t7_a_shorter_deadline_wakes_the_background_thread_early() {
    let store = MemoryStore::new();
    store.set("long", "v", millis(3_600_000)).unwrap();
    std::thread::sleep(Duration::from_millis(30));
    store.set("short", "v", millis(30)).unwrap();
    let start = Instant::now();
    while store.stats().entries > 1 {
        assert!(start.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn e5_a_closed_store_refuses_everything_and_holds_nothing() {
    let store = MemoryStore::new();
    store.set("k", "v", millis(1000)).unwrap();
    block_on(store.close()).unwrap();
    block_on(store.close()).unwrap();
    let error = store.set("k", "v", NEVER).unwrap_err();
    assert_eq!((error.kind(), error.reason(), error.is_retryable()), (Kind::Unavailable, Some("closed"), false));
    assert!(block_on(Store::get(&store, &Context::none(), store_core::Key::new("k").unwrap())).is_err());
    assert!(block_on(store.ping()).is_err());
    assert_eq!(store.stats().entries, 0);
}
