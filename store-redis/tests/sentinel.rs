//! A primary that Sentinels name, and that is replaced.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::{Duration, Instant};

use store_core::config::HumanDuration;
use store_core::{Consistency, Expiry, Handle, Kind, Outcome, Store};
use store_redis::RedisOptions;
use store_testkit::RedisServer;

/// A primary, its replica, and a Sentinel that knows both.
struct Rig {
    primary: RedisServer,
    replica: RedisServer,
    sentinel: RedisServer,
}

impl Rig {
    fn start() -> Rig {
        let primary = RedisServer::start();
        let replica = RedisServer::builder().config(format!("replicaof 127.0.0.1 {}", primary.port())).start();
        let sentinel = RedisServer::builder().sentinel("mymaster", primary.port()).start();
        let rig = Rig { primary, replica, sentinel };
        rig.wait("the replica is in sync", || {
            let info = rig.replica.cli(&["INFO", "replication"]).text();
            info.contains("master_link_status:up")
        });
        rig.wait("the Sentinel knows the replica", || {
            !rig.sentinel.cli(&["SENTINEL", "REPLICAS", "mymaster"]).items().is_empty()
        });
        rig
    }

    fn wait(&self, what: &str, condition: impl Fn() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < Duration::from_secs(20), "never: {what}\n{}", self.sentinel.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn options(&self) -> RedisOptions {
        // The first Sentinel is down, as one of several may be.
        let nodes = ["127.0.0.1:1".to_owned(), format!("127.0.0.1:{}", self.sentinel.port())];
        let mut options = RedisOptions::sentinel("mymaster", nodes);
        options.timeout = HumanDuration(Duration::from_millis(300));
        options
    }
}

/// Counts until the first success after failures; every call ends by its deadline.
async fn until_well(cache: &Handle, within: Duration) -> Duration {
    let start = Instant::now();
    loop {
        let call = Instant::now();
        let result = cache.set("well", &1, Expiry::Never).await;
        assert!(call.elapsed() < Duration::from_millis(1000), "{:?}", call.elapsed());
        match result {
            Ok(()) => return start.elapsed(),
            Err(error) => assert!(start.elapsed() < within, "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn sentinel_failover_is_followed_when_the_primary_is_killed() {
    let rig = Rig::start();
    let (store, cache) = support::open(&rig.options());
    assert_eq!(store.info().consistency, Consistency::Failover);
    cache.set("k", &1, Expiry::Never).await.unwrap();
    assert_eq!(rig.primary.cli(&["DBSIZE"]).integer(), 1);
    rig.wait("the write is replicated", || rig.replica.cli(&["DBSIZE"]).integer() == 1);
    rig.primary.kill();
    let away = until_well(&cache, Duration::from_secs(15)).await;
    assert_eq!(cache.get::<i32>("k").await.unwrap(), Some(1));
    println!("away for {away:?}");
}

/// A frozen primary is replaced; when it thaws it must not go on taking our writes.
#[tokio::test]
async fn sentinel_failover_leaves_a_primary_that_does_not_know_it_was_replaced() {
    let rig = Rig::start();
    let (_, cache) = support::open(&rig.options());
    cache.set("k", &0, Expiry::Never).await.unwrap();
    rig.primary.freeze();
    until_well(&cache, Duration::from_secs(15)).await;
    assert!(rig.replica.cli(&["ROLE"]).items()[0].text() == "master");
    rig.primary.thaw();
    // What is acknowledged from now on is acknowledged by the new primary.
    for n in 0..200 {
        match cache.set("k", &n, Expiry::Never).await {
            Ok(()) => {
                let held = rig.replica.cli(&["GET", "store/app:cache/k"]);
                assert_eq!(held.bytes()[10..], *n.to_string().as_bytes());
            }
            Err(error) => assert_ne!(error.kind(), Kind::Internal, "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn sentinel_mistakes_are_named() {
    let rig = Rig::start();
    let mut options = rig.options();
    options.sentinel.as_mut().unwrap().master = "nobody".to_owned();
    let (_, cache) = support::open(&options);
    let error = cache.get::<i32>("k").await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (Kind::Unavailable, Outcome::NotApplied));
    assert!(error.to_string().contains("nobody"), "{error}");

    let toml = |text: &str| toml::from_str::<RedisOptions>(text).map_err(|error| error.to_string());
    let options = toml("sentinel = { master = \"m\", nodes = [\"a:1\", \"redis://:sesame@b:2\"] }").unwrap();
    options.check().unwrap();
    assert!(!format!("{options:?}").contains("sesame"));
    for text in [
        "",
        "prefix = \"x\"",
        "url = \"redis://h\"\nsentinel = { master = \"m\", nodes = [\"a:1\"] }",
        "sentinel = { master = \"\", nodes = [\"a:1\"] }",
        "sentinel = { master = \"m\", nodes = [] }",
        "sentinel = { master = \"m\", nodes = [\"http://:sesame@a\"] }",
        "url = \"redis://h\"\ndatabase = -1",
        "url = \"redis://h\"\nconnections = 0",
        "url = \"redis://h\"\ntimeout = \"0s\"",
    ] {
        let error = toml(text).unwrap().check().unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{text}");
        assert!(error.detail("key").is_some(), "{text}: {error:?}");
        assert!(!format!("{error:?}").contains("sesame"));
    }
    for text in [
        "url = \"redis://h\"\ntimout = \"1s\"",
        "sentinel = { master = \"m\", node = [] }",
        "url = \"redis://h\"\ntimeout = 5",
    ] {
        assert!(toml(text).is_err(), "{text}");
    }
}
