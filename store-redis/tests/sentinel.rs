//! A primary that Sentinels name, and that is replaced.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use store_core::config::HumanDuration;
use store_core::{Consistency, Expiry, Handle, Kind, Outcome, Store};
use store_redis::RedisOptions;
use store_testkit::{RedisServer, Reply};

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

/// What a failover costs: counted, for the documentation. Asynchronous replication loses the end of what was acknowledged, and nothing
/// before it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinel_failover_loses_only_the_end_of_what_was_acknowledged() {
    for how in ["killed", "frozen", "killed just after its replica was synced"] {
        let rig = Rig::start();
        let (_, cache) = support::open(&rig.options());
        until_well(&cache, Duration::from_secs(5)).await;
        // A replica that has just been synced is sent nothing more until it has acknowledged that, once a second.
        let fresh = how.ends_with("synced");
        if !fresh {
            rig.wait("writes are replicated", || rig.replica.cli(&["DBSIZE"]).integer() == 1);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let (cache, stop) = (cache.clone(), Arc::clone(&stop));
                tokio::spawn(async move {
                    // When each number was acknowledged.
                    let (mut acknowledged, mut unknown) = (Vec::new(), 0);
                    for n in 0_u64.. {
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                        match cache.set(format!("{writer}/{n}"), &n, Expiry::Never).await {
                            Ok(()) => acknowledged.push((n, Instant::now())),
                            Err(error) if error.outcome() == Outcome::Unknown => unknown += 1,
                            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                        }
                    }
                    (writer, acknowledged, unknown)
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(if fresh { 300 } else { 1500 })).await;
        let gone = Instant::now();
        if how == "frozen" {
            rig.primary.freeze()
        } else {
            rig.primary.kill()
        }
        let port = rig.replica.port().to_string();
        rig.wait("the Sentinel names the replica", || {
            let place = rig.sentinel.cli(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"]);
            place.items()[1].text() == port
        });
        let named = Instant::now();
        if how == "frozen" {
            rig.primary.thaw();
        }
        until_well(&cache, Duration::from_secs(15)).await;
        let away = gone.elapsed();
        tokio::time::sleep(Duration::from_secs(1)).await;
        stop.store(true, Ordering::Relaxed);
        let (mut total, mut lost, mut unknowns) = (0, 0, 0);
        let (mut before, mut after) = (Duration::ZERO, Duration::ZERO);
        let mut client = rig.replica.client();
        for writer in writers {
            let (writer, acknowledged, unknown) = writer.await.unwrap();
            unknowns += unknown;
            for (n, at) in acknowledged {
                total += 1;
                let name = format!("store/app:cache/{writer}/{n}");
                if client.call(&["EXISTS", &name]).unwrap() == Reply::Integer(0) {
                    lost += 1;
                    // What the old primary acknowledged long before it went had reached the replica.
                    before = before.max(gone.saturating_duration_since(at));
                    after = after.max(at.saturating_duration_since(named));
                }
            }
        }
        println!(
            "primary {how}: away for {away:?}; of {total} acknowledged writes {lost} lost, none of them acknowledged more than {before:?} before it \
             went, or {after:?} after the Sentinel named another; {unknowns} of unknown outcome"
        );
        assert!(total > 100);
        assert!(before < Duration::from_millis(1500), "{before:?}");
        // A primary that comes back without knowing that it was replaced is left at the next question to a Sentinel.
        assert!(after < Duration::from_secs(2), "{after:?}");
    }
}
