//! Full stores (rule E6).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use common::{NEVER, Short, millis, still};
use store_core::{BatchWrite, Condition, Context, Key, Kind, Put, TryStore, Value};
use store_memory::{MemoryStore, OnFull};

fn assert_full(result: store_core::Result<()>) {
    let error = result.unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::Unavailable, Some("capacity")));
    assert!(error.is_retryable());
}

#[test]
fn e6_a_full_store_refuses_new_keys_and_not_overwrites() {
    let (store, _) = still(|builder| builder.max_entries(3).shards(4));
    for key in ["a", "b", "c"] {
        store.set(key, "1", NEVER).unwrap();
    }
    assert_full(store.set("d", "1", NEVER));
    assert_full(store.add("d", "1"));
    assert_full(store.count("d", 1).map(drop));
    store.set("a", "2", NEVER).unwrap();
    assert!(store.del("b"));
    store.set("d", "1", NEVER).unwrap();
    assert_full(store.set("b", "1", NEVER));
    assert_eq!(store.stats().entries, 3);
}

#[test]
fn e6_expired_entries_never_count_in_whichever_shard() {
    let (store, clock) = still(|builder| builder.max_entries(64).shards(16));
    for n in 0..64 {
        store.set(&format!("old{n}"), "v", millis(10)).unwrap();
    }
    assert_full(store.set("new", "v", NEVER));
    clock.advance(Duration::from_millis(10));
    for n in 0..64 {
        store.set(&format!("new{n}"), "v", NEVER).unwrap();
    }
    assert_full(store.set("one more", "v", NEVER));
    assert_eq!(store.stats().swept_by_writes, 64);
}

#[test]
fn e6_an_expired_key_can_be_written_again_in_a_full_store() {
    let (store, clock) = still(|builder| builder.max_entries(1));
    store.set("k", "1", millis(10)).unwrap();
    clock.advance(Duration::from_millis(10));
    store.add("k", "2").unwrap();
    assert_eq!(store.read("k").as_deref(), Some("2"));
    assert_full(store.set("other", "v", NEVER));
}

#[test]
fn e6_bytes_are_counted_exactly() {
    let (store, clock) = still(|builder| builder.max_bytes(3 * (96 + 1 + 100)).shards(4));
    let value = "x".repeat(100);
    for key in ["a", "b", "c"] {
        store.set(key, &value, NEVER).unwrap();
    }
    assert_full(store.set("d", "", NEVER));
    assert_full(store.set("a", &"x".repeat(101), NEVER));
    assert_eq!(store.read("a").as_deref(), Some(&*value));
    store.set("a", &"x".repeat(50), NEVER).unwrap();
    store.set("b", &"x".repeat(150), NEVER).unwrap();
    assert_full(store.set("b", &"x".repeat(151), NEVER));
    store.set("b", "", millis(1)).unwrap();
    clock.advance(Duration::from_millis(1));
    assert!(!store.del("b"));
    store.set("d", &"x".repeat(150), NEVER).unwrap();
    assert_full(store.set("d", &"x".repeat(151), NEVER));
    assert_full(store.set("huge", &"x".repeat(10_000), NEVER));
}

#[test]
fn e6_a_batch_names_what_was_not_applied() {
    let (store, _) = still(|builder| builder.max_entries(2));
    let keys: Vec<Key<'_>> = ["a", "b", "c", "a", "d"].into_iter().map(|key| Key::new(key).unwrap()).collect();
    let items: Vec<_> = keys.iter().map(|&key| BatchWrite { key, value: b"v", lifetime: NEVER }).collect();
    let error = store.try_set_many(&Context::none(), &items).unwrap().unwrap_err();
    assert_eq!(error.reason(), Some("capacity"));
    assert_eq!(error.detail("not_applied"), Some(&Value::Array(vec![Value::Integer(2), Value::Integer(4)])));
}

#[test]
fn lru_drops_what_was_not_used_for_longest() {
    let (store, _) = still(|builder| builder.max_entries(3).on_full(OnFull::Lru));
    for key in ["a", "b", "c"] {
        store.set(key, "1", NEVER).unwrap();
    }
    store.read("a");
    store.set("b", "2", NEVER).unwrap();
    store.set("d", "1", NEVER).unwrap();
    assert_eq!(store.read("c"), None);
    store.set("e", "1", NEVER).unwrap();
    assert_eq!(["a", "b", "d", "e"].map(|key| store.read(key).is_some()), [false, true, true, true]);
    assert_eq!(store.stats().evicted, 2);
}

#[test]
fn lfu_drops_what_is_seldom_used() {
    let (store, _) = still(|builder| builder.max_entries(10).on_full(OnFull::Lfu));
    for n in 0..10 {
        store.set(&format!("k{n}"), "v", NEVER).unwrap();
        (0..n % 5 * 3).for_each(|_| drop(store.read(&format!("k{n}"))));
    }
    store.set("new", "v", NEVER).unwrap();
    assert_eq!(store.stats().evicted, 1);
    assert!(store.read("k0").is_none() != store.read("k5").is_none());
    assert!((1..5).all(|n| store.read(&format!("k{n}")).is_some()));
}

#[test]
fn evicting_stores_drop_expired_entries_first() {
    for on_full in [OnFull::Lru, OnFull::Lfu] {
        let (store, clock) = still(|builder| builder.max_entries(20).on_full(on_full).shards(4));
        for n in 0..20 {
            store.set(&format!("k{n}"), "v", if n == 13 { millis(5) } else { NEVER }).unwrap();
        }
        clock.advance(Duration::from_millis(5));
        store.set("new", "v", NEVER).unwrap();
        assert_eq!((store.stats().evicted, store.stats().reclaimed), (0, 1));
    }
}

#[test]
fn an_evicting_store_never_drops_the_key_it_writes() {
    let (store, _) = still(|builder| builder.max_bytes(3 * (96 + 1 + 100)).on_full(OnFull::Lru).shards(1));
    for key in ["a", "b", "c"] {
        store.set(key, &"x".repeat(100), NEVER).unwrap();
    }
    let present = Put { lifetime: NEVER, keep_ttl: true, condition: Condition::IfPresent };
    store.put_if("a", &"x".repeat(250), present).unwrap();
    assert_eq!(store.read("a").map(|value| value.len()), Some(250));
    assert_eq!(store.stats().entries, 1 + u64::from(store.read("b").is_some()) + u64::from(store.read("c").is_some()));
    assert_full(store.set("a", &"x".repeat(10_000), NEVER));
}

/// About zipf: the logarithm of the rank is uniform.
fn popular(random: &mut fastrand::Rng) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 20,000")]
    let rank = 20_000f64.powf(random.f64()) as u32;
    rank
}

/// Hits of an exact LRU.
fn exact_lru(room: usize, reads: u64) -> usize {
    let mut random = fastrand::Rng::with_seed(5);
    let (mut used, mut order, mut hits) = (HashMap::new(), BTreeMap::new(), 0);
    for now in 0..reads {
        let key = popular(&mut random);
        if let Some(before) = used.insert(key, now) {
            order.remove(&before);
            hits += 1;
        } else if used.len() > room {
            let (_, oldest) = order.pop_first().unwrap();
            used.remove(&oldest);
        }
        order.insert(now, key);
    }
    hits
}

#[test]
fn eviction_by_sample_comes_near_to_an_exact_lru_and_lfu_is_better() {
    const READS: u64 = 100_000;
    let hits = |on_full| {
        let (store, _) = still(|builder| builder.max_entries(2000).on_full(on_full).shards(2));
        let mut random = fastrand::Rng::with_seed(5);
        let mut hits = 0;
        for _ in 0..READS {
            let key = popular(&mut random).to_string();
            if store.read(&key).is_some() {
                hits += 1;
            } else {
                store.set(&key, "v", NEVER).unwrap();
            }
        }
        hits
    };
    let (exact, lru, lfu) = (exact_lru(2000, READS), hits(OnFull::Lru), hits(OnFull::Lfu));
    assert!(lru * 100 > exact * 97, "{lru} of {exact}");
    assert!(lfu > exact, "{lfu} against {exact}");
}

#[test]
fn limits_hold_under_many_writers() {
    for (on_full, shards) in [(OnFull::Reject, 1), (OnFull::Reject, 8), (OnFull::Lru, 1), (OnFull::Lfu, 8)] {
        let builder = MemoryStore::builder().max_entries(100).max_bytes(60_000).on_full(on_full);
        let store = builder.shards(shards).build();
        std::thread::scope(|scope| {
            for thread in 0..4u64 {
                let store = &store;
                scope.spawn(move || {
                    let mut random = fastrand::Rng::with_seed(thread);
                    for _ in 0..5000 {
                        let key = format!("k{}", random.u8(..));
                        let lifetime = if random.bool() { NEVER } else { millis(random.u64(1..5)) };
                        match random.u8(0..4) {
                            0 => assert!(matches!(store.del(&key), true | false)),
                            _ => drop(store.set(&key, &"x".repeat(random.usize(0..900)), lifetime)),
                        }
                        // The sum over several shards is not of one moment.
                        assert!(shards > 1 || store.stats().entries <= 100);
                    }
                });
            }
        });
        // Every key goes, and nothing is left booked.
        for n in 0..256 {
            store.del(&format!("k{n}"));
        }
        for n in 0..100 {
            store.set(&format!("k{n}"), &"x".repeat(400), NEVER).unwrap();
        }
        assert_eq!(store.stats().entries, 100);
    }
}
