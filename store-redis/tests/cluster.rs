//! A Redis Cluster of three, while its slots move and its nodes go.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use store_core::config::HumanDuration;
use store_core::{Consistency, Expiry, Handle, Kind, ListOptions, Outcome, Store};
use store_redis::RedisOptions;
use store_testkit::RedisCluster;

fn options(cluster: &RedisCluster) -> RedisOptions {
    // The first node is down, as one of those in a configuration may be.
    let nodes = ["redis://127.0.0.1:1".to_owned()].into_iter().chain(cluster.urls().into_iter().take(1));
    let mut options = RedisOptions::cluster(nodes);
    options.prefix = support::unique();
    options
}

async fn until_well(cache: &Handle, key: &str, within: Duration) {
    let start = Instant::now();
    while let Err(error) = cache.set(key, &1, Expiry::Never).await {
        assert!(start.elapsed() < within, "{error:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn cluster_serves_every_operation_over_all_slots() {
    let (store, cache) = support::open(&options(RedisCluster::shared()));
    assert_eq!(store.info().consistency, Consistency::Failover);
    store.ping().await.unwrap();
    let keys: Vec<String> = (0..300).map(|n| format!("k{n:03}")).collect();
    let items: Vec<_> = keys.iter().enumerate().map(|(n, key)| (key, n, Expiry::seconds(60))).collect();
    cache.set_many(&items).await.unwrap();
    let found = cache.get_many::<usize>(&keys).await.unwrap();
    assert!(found.iter().enumerate().all(|(n, value)| *value == Some(n)));
    for key in &keys[..30] {
        assert!(cache.touch(key, Expiry::Never).await.unwrap());
        let entry = cache.entry::<i64>(key).await.unwrap().unwrap();
        assert!(cache.touch_if(key, Expiry::seconds(9), &entry.version).await.unwrap());
        assert_eq!(cache.increment(key, 1).await.unwrap(), entry.value + 1);
        assert!(cache.delete_if(key, &entry.version).await.is_err());
    }
    let mut list = ListOptions::default();
    list.limit = 70;
    let mut listed = Vec::new();
    loop {
        let page = cache.list(&list).await.unwrap();
        listed.extend(page.items.into_iter().map(|item| String::from_utf8(item.key.into()).unwrap()));
        match page.cursor {
            Some(cursor) => list.after = Some(cursor),
            None => break,
        }
    }
    assert_eq!(listed, keys);
    assert_eq!(cache.take::<usize>("k299").await.unwrap(), Some(299));
    assert_eq!(cache.delete_many(&["k298", "k298", "none"]).await.unwrap(), [true, false, false]);
    assert_eq!(cache.clear(b"k2").await.unwrap(), 98);
    assert_eq!(cache.clear(b"").await.unwrap(), 200);
}

#[tokio::test]
async fn cluster_slots_move_under_load_and_nothing_is_lost_or_counted_twice() {
    let cluster = Arc::new(RedisCluster::start());
    let options = options(&cluster);
    let (_, cache) = support::open(&options);
    let full = format!("{}/app:cache/n", options.prefix);
    let slot = cluster.slot(&full);
    cache.set("n", &0, Expiry::Never).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let worker = {
        let (cache, stop) = (cache.clone(), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut counted = 0;
            while !stop.load(Ordering::Relaxed) {
                let sum = cache.increment("n", 1).await.unwrap();
                counted += 1;
                assert_eq!(sum, counted);
                assert_eq!(cache.get::<i64>("n").await.unwrap(), Some(counted));
            }
            counted
        })
    };
    let mover = {
        let (cluster, slot) = (Arc::clone(&cluster), slot.clone());
        tokio::task::spawn_blocking(move || {
            for _ in 0..4 {
                let from = cluster.owner(&slot);
                let to = (from + 1) % 3;
                cluster.begin_move(&slot, from, to);
                std::thread::sleep(Duration::from_millis(100));
                cluster.move_keys(&slot, from, to);
                std::thread::sleep(Duration::from_millis(100));
                cluster.end_move(&slot, to);
                std::thread::sleep(Duration::from_millis(100));
            }
        })
    };
    mover.await.unwrap();
    stop.store(true, Ordering::Relaxed);
    let counted = worker.await.unwrap();
    assert!(counted > 50, "{counted}");
    assert_eq!(cache.get::<i64>("n").await.unwrap(), Some(counted));
    // With a key that is on its way, an absent neighbour in the same slot is asked for elsewhere.
    let from = cluster.owner(&slot);
    let to = (from + 1) % 3;
    cluster.begin_move(&slot, from, to);
    cluster.move_keys(&slot, from, to);
    assert_eq!(cache.increment("n", 1).await.unwrap(), counted + 1);
    assert!(cache.delete("n").await.unwrap());
    cluster.end_move(&slot, to);
    assert!(!cache.has("n").await.unwrap());
}

#[tokio::test]
async fn cluster_survives_the_restart_of_a_node_and_says_when_it_is_down() {
    let cluster = RedisCluster::start();
    let mut options = options(&cluster);
    options.timeout = HumanDuration(Duration::from_millis(400));
    let (_, cache) = support::open(&options);
    cache.set("k", &1, Expiry::Never).await.unwrap();
    let owner = cluster.owner(&cluster.slot(&format!("{}/app:cache/k", options.prefix)));
    cluster.nodes()[owner].kill();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(3) {
        let call = Instant::now();
        let error = cache.set("k", &2, Expiry::Never).await.unwrap_err();
        assert!(call.elapsed() < Duration::from_millis(800), "{:?}", call.elapsed());
        assert!(matches!(error.kind(), Kind::Unavailable | Kind::Timeout), "{error:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    cluster.nodes()[owner].revive();
    until_well(&cache, "k", Duration::from_secs(10)).await;
    assert_eq!(cache.get::<i32>("k").await.unwrap(), Some(1));
}

#[tokio::test]
async fn cluster_mistakes_are_named() {
    let toml = |text: &str| toml::from_str::<RedisOptions>(text).unwrap();
    for text in
        ["cluster = []", "cluster = [\"redis://h/1\"]", "cluster = [\"redis+unix:///x\"]", "cluster = [\"h:1\"]"]
    {
        let error = toml(text).check().unwrap_err();
        assert_eq!((error.kind(), error.detail("key").and_then(|key| key.as_str())), (Kind::Invalid, Some("cluster")));
    }
    // A server that is no cluster.
    let options = RedisOptions::cluster([store_testkit::RedisServer::shared().url()]);
    let (_, cache) = support::open(&options);
    let error = cache.set("k", &1, Expiry::Never).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (Kind::Invalid, Outcome::NotApplied), "{error:?}");
}
