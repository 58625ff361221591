//! The near cache against real servers: what it saves, and how stale it can be.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use store_core::config::HumanDuration;
use store_core::{Consistency, Context, Expiry, Handle, Kind, ListOptions, Outcome, Store};
use store_redis::{NearCache, RedisOptions, RedisStore};
use store_testkit::{Fault, FaultProxy, RedisServer};
use support::{key, open, with_timeout};

static CX: Context = Context::none();

fn near(url: impl Into<String>, ttl: Duration) -> RedisOptions {
    let mut options = with_timeout(url, 1000);
    let mut near = NearCache::new(1 << 20);
    near.ttl = HumanDuration(ttl);
    options.near_cache = Some(near);
    options
}

/// Longer than any test: what is no longer answered was invalidated.
const LONG: Duration = Duration::from_secs(600);

/// Whether a read is answered without asking the server.
fn is_near(store: &Arc<RedisStore>, name: &str) -> bool {
    Arc::clone(store).immediate().unwrap().try_get(&CX, key(name)).is_some()
}

/// Reads until a value is seen, and says how long that took.
async fn until(cache: &Handle, name: &str, value: Option<i64>) -> Duration {
    let start = Instant::now();
    loop {
        if cache.get::<i64>(name).await.is_ok_and(|found| found == value) {
            return start.elapsed();
        }
        assert!(start.elapsed() < Duration::from_secs(5), "{name} never becomes {value:?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_hit_asks_no_server() {
    let server = RedisServer::start();
    let (store, cache) = open(&near(server.url(), LONG));
    assert_eq!(store.info().consistency, Consistency::Bounded);
    cache.set("k", &1, Expiry::seconds(60)).await.unwrap();
    assert_eq!(cache.get::<i64>("k").await.unwrap(), Some(1));
    server.cli(&["CONFIG", "RESETSTAT"]);
    for _ in 0..1000 {
        assert_eq!(cache.get::<i64>("k").await.unwrap(), Some(1));
        assert!(cache.has("k").await.unwrap());
        assert_eq!(cache.try_get::<i64>("k").unwrap().unwrap(), Some(1));
        assert_eq!(cache.get_many::<i64>(&["k", "k"]).await.unwrap(), [Some(1), Some(1)]);
    }
    let stats = server.cli(&["INFO", "commandstats"]).text();
    assert!(!stats.contains("cmdstat_get:") && !stats.contains("cmdstat_exists:"), "{stats}");
    // Of a batch only what is not here is asked for.
    cache.set("other", &2, Expiry::Never).await.unwrap();
    assert_eq!(cache.get_many::<i64>(&["k", "none", "other"]).await.unwrap(), [Some(1), None, Some(2)]);
    assert!(server.cli(&["INFO", "commandstats"]).text().contains("cmdstat_get:calls=2,"));
    // Absence is not kept: a key that comes to be is seen at once.
    assert!(cache.get::<i64>("new").await.unwrap().is_none() && !is_near(&store, "new"));
}

#[tokio::test]
async fn what_another_client_does_is_seen_within_a_trip_of_the_network() {
    let server = RedisServer::start();
    let (store, cache) = open(&near(server.url(), LONG));
    let (_, other) = open(&with_timeout(server.url(), 1000));
    let mut lags = Vec::new();
    for round in 0..300 {
        other.set("k", &round, Expiry::Never).await.unwrap();
        lags.push(until(&cache, "k", Some(round)).await);
        assert!(is_near(&store, "k"));
    }
    lags.sort();
    println!("seen after: median {:?}, worst {:?} of {}", lags[lags.len() / 2], lags[lags.len() - 1], lags.len());
    assert!(lags[lags.len() / 2] < Duration::from_millis(50), "{lags:?}");
    for remove in [&["DEL", "store/app:cache/k"][..], &["PEXPIRE", "store/app:cache/k", "1"], &["FLUSHALL"]] {
        other.set("k", &1, Expiry::Never).await.unwrap();
        until(&cache, "k", Some(1)).await;
        server.cli(remove);
        until(&cache, "k", None).await;
    }
}

/// Whatever a call has shown of a key, no later one shows an older value.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_read_goes_back_behind_what_was_acknowledged_or_seen() {
    let server = RedisServer::start();
    let (_, cache) = open(&near(server.url(), LONG));
    let (_, other) = open(&with_timeout(server.url(), 1000));
    let (acknowledged, stop) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicBool::new(false)));
    let readers: Vec<_> = (0..6)
        .map(|reader| {
            let (cache, acknowledged, stop) = (cache.clone(), Arc::clone(&acknowledged), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut reads = 0_u32;
                while !stop.load(Ordering::Relaxed) {
                    let least = acknowledged.load(Ordering::SeqCst);
                    let found = match reader % 3 {
                        0 => cache.get::<i64>("n").await.unwrap(),
                        1 => cache.get_many::<i64>(&["n"]).await.unwrap()[0],
                        // Past the near cache: what it shows counts as seen.
                        _ => cache.entry::<i64>("n").await.unwrap().map(|entry| entry.value),
                    };
                    let found = found.unwrap_or(0);
                    assert!(found >= least, "{found} after {least}");
                    acknowledged.fetch_max(found, Ordering::SeqCst);
                    reads += 1;
                    if reads.is_multiple_of(64) {
                        tokio::task::yield_now().await;
                    }
                }
                reads
            })
        })
        .collect();
    let writers: Vec<_> = (0..3)
        .map(|_| {
            let (writer, acknowledged) = (cache.clone(), Arc::clone(&acknowledged));
            tokio::spawn(async move {
                for _ in 0..1500 {
                    let sum = writer.increment("n", 1).await.unwrap();
                    acknowledged.fetch_max(sum, Ordering::SeqCst);
                }
            })
        })
        .collect();
    // Of another process' writes this one learns by reading.
    let foreign = tokio::spawn(async move {
        for _ in 0..1500 {
            other.increment("n", 1).await.unwrap();
        }
    });
    for writer in writers {
        writer.await.unwrap();
    }
    foreign.await.unwrap();
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        assert!(reader.await.unwrap() > 0);
    }
    assert_eq!(cache.get::<i64>("n").await.unwrap(), Some(6000));
}

#[tokio::test]
async fn a_lost_connection_empties_it() {
    let server = RedisServer::start();
    let proxy = FaultProxy::start(server.port());
    let (store, cache) = open(&near(proxy.url(), LONG));
    let (_, other) = open(&with_timeout(server.url(), 1000));
    for round in 0..10 {
        other.set("k", &round, Expiry::Never).await.unwrap();
        until(&cache, "k", Some(round)).await;
        assert!(is_near(&store, "k"));
        proxy.cut();
        // Nobody tells this client of the change.
        other.set("k", &(round + 100), Expiry::Never).await.unwrap();
        let lag = until(&cache, "k", Some(round + 100)).await;
        assert!(lag < Duration::from_secs(2), "{lag:?}");
    }
    server.kill();
    let start = Instant::now();
    while is_near(&store, "k") {
        assert!(start.elapsed() < Duration::from_secs(2), "a server that is gone cannot say what has changed");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// The worst case: the connection seems well, and nothing that the server says arrives.
#[tokio::test]
async fn staleness_is_bounded_even_if_the_server_cannot_be_heard() {
    let server = RedisServer::start();
    let proxy = FaultProxy::start(server.port());
    let bound = Duration::from_millis(400);
    let (_, cache) = open(&near(proxy.url(), bound));
    let (_, other) = open(&with_timeout(server.url(), 1000));
    other.set("k", &1, Expiry::Never).await.unwrap();
    until(&cache, "k", Some(1)).await;
    proxy.set(Fault::SwallowReplies);
    let changed = Instant::now();
    other.set("k", &2, Expiry::Never).await.unwrap();
    let mut stale = Duration::ZERO;
    loop {
        let asked = changed.elapsed();
        let Some(answer) = cache.try_get::<i64>("k") else { break };
        assert_eq!(answer.unwrap(), Some(1));
        stale = asked;
        assert!(stale <= bound, "{stale:?}");
    }
    println!("stale for {stale:?} of at most {bound:?}");
    assert!(cache.get::<i64>("k").await.is_err(), "it does not know, and says so");
    proxy.set(Fault::None);
    // What was swallowed is missing from the stream: no connection comes back from that.
    proxy.cut();
    until(&cache, "k", Some(2)).await;
}

/// T6: never beyond its deadline by more than the contract's millisecond, and never absent before it.
#[tokio::test]
async fn t6_deadlines_hold_here_as_they_do_there() {
    let server = RedisServer::start();
    let (_, cache) = open(&near(server.url(), LONG));
    for ttl in [5, 20, 60] {
        for _ in 0..10 {
            let begin = Instant::now();
            cache.set("k", &1, Expiry::millis(ttl)).await.unwrap();
            let written = begin.elapsed();
            let (mut seen, mut gone);
            loop {
                seen = begin.elapsed();
                let found = cache.get::<i64>("k").await.unwrap();
                gone = begin.elapsed();
                if found.is_none() {
                    break;
                }
                // The read began in time; the server keeps a key through the millisecond of its deadline.
                assert!(seen <= written + Duration::from_millis(ttl + 2), "{seen:?}");
            }
            assert!(gone >= Duration::from_millis(ttl), "gone after {gone:?} of {ttl} ms");
        }
    }
    // A TTL that is shortened counts at once, whoever shortens it.
    cache.set("k", &1, Expiry::seconds(60)).await.unwrap();
    assert_eq!(cache.get::<i64>("k").await.unwrap(), Some(1));
    cache.touch("k", Expiry::millis(1)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(cache.get::<i64>("k").await.unwrap(), None);
}

#[tokio::test]
async fn own_writes_of_every_kind_are_seen() {
    let (store, cache) = open(&near(RedisServer::shared().url(), LONG));
    let warm = async || {
        cache.set("k", &1, Expiry::Never).await.unwrap();
        assert_eq!(cache.get::<i64>("k").await.unwrap(), Some(1));
        assert!(is_near(&store, "k"));
    };
    warm().await;
    cache.set_many(&[("k", 2, Expiry::Never)]).await.unwrap();
    assert_eq!(cache.get::<i64>("k").await.unwrap(), Some(2));
    warm().await;
    assert_eq!(cache.take::<i64>("k").await.unwrap(), Some(1));
    assert_eq!(cache.get::<i64>("k").await.unwrap(), None);
    warm().await;
    assert_eq!(cache.delete_many(&["k"]).await.unwrap(), [true]);
    assert!(!cache.has("k").await.unwrap());
    warm().await;
    assert_eq!(cache.increment("k", 5).await.unwrap(), 6);
    assert_eq!(cache.get::<i64>("k").await.unwrap(), Some(6));
    warm().await;
    cache.get_and_touch::<i64>("k", Expiry::millis(1)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(cache.get::<i64>("k").await.unwrap(), None);
    warm().await;
    assert!(cache.clear("").await.unwrap() >= 1);
    assert_eq!(cache.get::<i64>("k").await.unwrap(), None);
    assert!(cache.list(&ListOptions::default()).await.unwrap().items.is_empty());
    warm().await;
    store.close().await.unwrap();
    assert_eq!(cache.get::<i64>("k").await.unwrap_err().reason(), Some("closed"));
}

/// Of a write that may have happened the old value must not be told any more.
#[tokio::test]
async fn a_write_of_unknown_outcome_spoils_its_key() {
    let server = RedisServer::start();
    let proxy = FaultProxy::start(server.port());
    let mut options = near(proxy.url(), LONG);
    options.timeout = HumanDuration(Duration::from_millis(200));
    let (store, cache) = open(&options);
    cache.set("k", &1, Expiry::Never).await.unwrap();
    assert_eq!(cache.get::<i64>("k").await.unwrap(), Some(1));
    proxy.set(Fault::SwallowReplies);
    let error = cache.set("k", &2, Expiry::Never).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (Kind::Timeout, Outcome::Unknown));
    assert!(!is_near(&store, "k"));
    proxy.set(Fault::None);
    proxy.cut();
    until(&cache, "k", Some(2)).await;
}

/// A write whose caller went away counts as ended: what comes of it the server says.
#[tokio::test]
async fn abandoned_writes_leave_nothing_stale() {
    let server = RedisServer::start();
    let (_, cache) = open(&near(server.url(), LONG));
    let (_, other) = open(&with_timeout(server.url(), 1000));
    for round in 0..200 {
        let patience = Duration::from_micros(fastrand::u64(0..300));
        let _ = tokio::time::timeout(patience, cache.set("k", &round, Expiry::Never)).await;
        let _ = tokio::time::timeout(patience, cache.get::<i64>("k")).await;
        let there = other.get::<i64>("k").await.unwrap();
        // A write that was still on its way may come; then both see it.
        let start = Instant::now();
        while cache.get::<i64>("k").await.unwrap() != other.get::<i64>("k").await.unwrap() {
            assert!(start.elapsed() < Duration::from_secs(2), "{there:?}");
        }
    }
}

#[tokio::test]
async fn many_connections_are_fine_and_a_cluster_is_not() {
    let mut options = near(RedisServer::shared().url(), LONG);
    options.connections = 4;
    options.prefix = support::unique();
    let (store, cache) = open(&options);
    for n in 0..100 {
        cache.set(format!("k{n}"), &n, Expiry::Never).await.unwrap();
        cache.get::<i64>(format!("k{n}")).await.unwrap();
    }
    assert!((0..100).all(|n| is_near(&store, &format!("k{n}"))));
    RedisServer::shared().cli(&["SET", &format!("{}/app:cache/k50", options.prefix), "gone"]);
    let start = Instant::now();
    while cache.get::<i64>("k50").await.is_ok() {
        assert!(start.elapsed() < Duration::from_secs(2));
        // Hits never wait: without this, the connection would never be heard on this runtime of one thread.
        tokio::task::yield_now().await;
    }
    let toml = |text: &str| toml::from_str::<RedisOptions>(text).unwrap().check();
    toml("url = \"redis://h\"\nnear_cache = { max_bytes = \"64 MiB\", ttl = \"5s\" }").unwrap();
    toml("sentinel = { master = \"m\", nodes = [\"h:1\"] }\nnear_cache = { max_bytes = 1000000 }").unwrap();
    for (text, option) in [
        ("cluster = [\"redis://h\"]\nnear_cache = { max_bytes = \"1 MiB\" }", "near_cache"),
        ("url = \"redis://h\"\nnear_cache = { max_bytes = 1 }", "near_cache.max_bytes"),
        ("url = \"redis://h\"\nnear_cache = { max_bytes = \"1 MiB\", ttl = \"0s\" }", "near_cache.ttl"),
    ] {
        let error = toml(text).unwrap_err();
        assert_eq!((error.kind(), error.detail("key").and_then(|key| key.as_str())), (Kind::Invalid, Some(option)));
    }
    assert!(toml::from_str::<RedisOptions>("url = \"redis://h\"\nnear_cache = { max_byte = 1 }").is_err());
}

#[tokio::test]
async fn a_user_who_may_not_track_is_told_so() {
    let server = RedisServer::start();
    // What the documentation says is the least, without what the near cache needs.
    let rules = "ACL SETUSER app on >secret ~store/* +get +set +del +unlink +exists +pttl +pexpire +persist +getex +getrange +incrby +scan \
                 +eval +evalsha +multi +exec +ping";
    server.cli(&rules.split_ascii_whitespace().collect::<Vec<_>>());
    let url = format!("redis://app:secret@127.0.0.1:{}", server.port());
    let (_, cache) = open(&near(url.clone(), LONG));
    assert_eq!(cache.get::<i64>("k").await.unwrap_err().kind(), Kind::PermissionDenied);
    server.cli(&["ACL", "SETUSER", "app", "+hello", "+client|tracking"]);
    let (store, cache) = open(&near(url, LONG));
    cache.set("k", &1, Expiry::Never).await.unwrap();
    assert_eq!(cache.get::<i64>("k").await.unwrap(), Some(1));
    assert!(is_near(&store, "k"));
}
