//! Every condition of a real server, provoked, and what it is called.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::{Duration, Instant};

use store_core::{Context, Error, Expiry, Handle, Kind, Outcome, Store};
use store_redis::RedisOptions;
use store_testkit::{RedisServer, Reply};
use support::{key, open, with_timeout};

static CX: Context = Context::none();

fn is(error: &Error, kind: Kind, reason: Option<&str>, retryable: bool) {
    let found = (error.kind(), error.reason(), error.is_retryable(), error.outcome());
    assert_eq!(found, (kind, reason, retryable, Outcome::NotApplied), "{error:?}");
}

fn unavailable(error: &Error, reason: &str) {
    is(error, Kind::Unavailable, Some(reason), true);
}

async fn well(options: &RedisOptions) -> Handle {
    let (_, cache) = open(options);
    cache.set("k", &1, Expiry::Never).await.unwrap();
    cache
}

#[tokio::test]
async fn oom_is_capacity_and_reads_and_deletes_go_on() {
    let server = RedisServer::start();
    let cache = well(&with_timeout(server.url(), 1000)).await;
    cache.set("n", &1, Expiry::Never).await.unwrap();
    assert_eq!(cache.increment("n", 1).await.unwrap(), 2);
    server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    is(&cache.set("k", &2, Expiry::Never).await.unwrap_err(), Kind::Unavailable, Some("capacity"), true);
    is(&cache.increment("n", 1).await.unwrap_err(), Kind::Unavailable, Some("capacity"), true);
    let items = [("a", 1, Expiry::Never), ("b", 2, Expiry::Never)];
    let error = cache.set_many(&items).await.unwrap_err();
    is(&error, Kind::Unavailable, Some("capacity"), true);
    assert_eq!(format!("{:?}", error.detail("not_applied").unwrap()), "[0, 1]");
    assert_eq!(cache.get::<i32>("k").await.unwrap(), Some(1));
    assert_eq!(cache.get::<i32>("n").await.unwrap(), Some(2), "a refused count changes nothing");
    assert!(cache.delete("k").await.unwrap());
}

#[tokio::test]
async fn a_failing_save_is_misconf() {
    let server = RedisServer::builder().config("stop-writes-on-bgsave-error yes").start();
    let cache = well(&with_timeout(server.url(), 1000)).await;
    let folder = server.folder().join("folder");
    std::fs::create_dir(&folder).unwrap();
    server.cli(&["CONFIG", "SET", "save", "1 1"]);
    server.cli(&["CONFIG", "SET", "dbfilename", "folder"]);
    server.cli(&["BGSAVE"]);
    let start = Instant::now();
    let error = loop {
        assert!(start.elapsed() < Duration::from_secs(10));
        if let Err(error) = cache.set("k", &2, Expiry::Never).await {
            break error;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    unavailable(&error, "misconf");
    assert!(cache.has("k").await.unwrap());
}

#[tokio::test]
async fn too_few_replicas() {
    let server = RedisServer::start();
    let cache = well(&with_timeout(server.url(), 1000)).await;
    server.cli(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    unavailable(&cache.set("k", &2, Expiry::Never).await.unwrap_err(), "replicas");
    unavailable(&cache.increment("n", 2).await.unwrap_err(), "replicas");
}

#[tokio::test]
async fn a_demoted_server_is_left_for_the_right_one() {
    let server = RedisServer::start();
    let cache = well(&with_timeout(server.url(), 1000)).await;
    let before = connections(&server);
    // A primary that does not exist: the link stays down, and the data stays.
    server.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    unavailable(&cache.set("k", &2, Expiry::Never).await.unwrap_err(), "failover");
    unavailable(&cache.increment("n", 1).await.unwrap_err(), "failover");
    assert!(connections(&server) > before, "a new connection looks for the primary anew");
    server.cli(&["CONFIG", "SET", "replica-serve-stale-data", "no"]);
    unavailable(&cache.get::<i32>("k").await.unwrap_err(), "failover");
    server.cli(&["REPLICAOF", "NO", "ONE"]);
    let start = Instant::now();
    while cache.set("k", &3, Expiry::Never).await.is_err() {
        assert!(start.elapsed() < Duration::from_secs(2));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn connections(server: &RedisServer) -> u64 {
    let info = server.cli(&["INFO", "stats"]).text();
    let line = info.lines().find_map(|line| line.strip_prefix("total_connections_received:")).unwrap();
    line.trim().parse().unwrap()
}

#[tokio::test]
async fn a_busy_script_is_overload() {
    let server = RedisServer::builder().config("lua-time-limit 50").start();
    let cache = well(&with_timeout(server.url(), 1000)).await;
    let mut client = server.client();
    client.send(&["EVAL", "while true do end", "0"]).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    unavailable(&cache.set("k", &2, Expiry::Never).await.unwrap_err(), "overloaded");
    unavailable(&cache.get::<i32>("k").await.unwrap_err(), "overloaded");
    unavailable(&cache.increment("k", 1).await.unwrap_err(), "overloaded");
    // A connection made meanwhile waits for the script's end.
    let (_, late) = open(&with_timeout(server.url(), 200));
    unavailable(&late.get::<i32>("k").await.unwrap_err(), "overloaded");
    assert_eq!(server.cli(&["SCRIPT", "KILL"]), Reply::Simple("OK".into()));
    let start = Instant::now();
    while cache.get::<i32>("k").await.is_err() {
        assert!(start.elapsed() < Duration::from_secs(2));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_loading_server_is_waited_for() {
    let server = RedisServer::builder()
        .config("key-load-delay 200")
        .config("loading-process-events-interval-bytes 1024")
        .start();
    let cache = well(&with_timeout(server.url(), 300)).await;
    server.cli(&["DEBUG", "POPULATE", "10000"]);
    let mut client = server.client();
    client.send(&["DEBUG", "RELOAD"]).unwrap();
    let start = Instant::now();
    let error = loop {
        assert!(start.elapsed() < Duration::from_secs(5), "never seen loading");
        match cache.get::<i32>("k").await {
            Err(error) if error.reason() == Some("loading") => break error,
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    unavailable(&error, "loading");
    while cache.get::<i32>("k").await.is_err() {
        assert!(start.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_full_server_is_overload_and_poisons_nothing() {
    let server = RedisServer::builder().password("sesame").config("maxclients 2").start();
    let hog = server.client();
    let other = server.client();
    // With a password, redis-rs alone would call this a wrong password.
    let (_, cache) = open(&with_timeout(server.url(), 300));
    for _ in 0..3 {
        unavailable(&cache.get::<i32>("k").await.unwrap_err(), "overloaded");
    }
    drop((hog, other));
    let start = Instant::now();
    while cache.get::<i32>("k").await.is_err() {
        assert!(start.elapsed() < Duration::from_secs(2), "recovers without a new handle");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn what_the_acl_denies_is_permission_denied() {
    let server = RedisServer::start();
    // The minimal ACL of the documentation.
    let reply = server.cli(&[
        "ACL",
        "SETUSER",
        "app",
        "on",
        ">sesame",
        "~store/*",
        "+get",
        "+set",
        "+del",
        "+unlink",
        "+exists",
        "+pttl",
        "+pexpire",
        "+persist",
        "+getex",
        "+getrange",
        "+incrby",
        "+scan",
        "+eval",
        "+evalsha",
        "+multi",
        "+exec",
        "+ping",
    ]);
    assert_eq!(reply, Reply::Simple("OK".into()));
    let url = format!("redis://app:sesame@127.0.0.1:{}", server.port());
    let (store, cache) = open(&with_timeout(&url, 1000));
    // Everything works with it.
    cache.set("k", &1, Expiry::seconds(9)).await.unwrap();
    assert_eq!(cache.increment("k", 1).await.unwrap(), 2);
    assert_eq!(cache.increment("k", i64::MAX - 2).await.unwrap(), i64::MAX);
    assert!(cache.touch("k", Expiry::Never).await.unwrap());
    let entry = cache.entry::<i64>("k").await.unwrap().unwrap();
    assert!(cache.touch_if("k", Expiry::seconds(9), &entry.version).await.unwrap());
    assert!(cache.touch_if("k", Expiry::Never, &entry.version).await.unwrap());
    assert_eq!(cache.get_and_touch::<i64>("k", Expiry::seconds(9)).await.unwrap(), Some(i64::MAX));
    assert_eq!(cache.get_many::<i64>(&["k", "l"]).await.unwrap(), [Some(i64::MAX), None]);
    assert_eq!(cache.list(&Default::default()).await.unwrap().items.len(), 1);
    assert_eq!(cache.take::<i64>("k").await.unwrap(), Some(i64::MAX));
    cache.set_many(&[("a", 1, Expiry::Never)]).await.unwrap();
    assert_eq!(cache.clear(b"").await.unwrap(), 1);
    store.ping().await.unwrap();

    // Another prefix is not ours to use.
    let mut options = with_timeout(&url, 1000);
    options.prefix = "theirs".to_owned();
    let (_, denied) = open(&options);
    let errors = [
        denied.get::<i32>("k").await.unwrap_err(),
        denied.set("k", &1, Expiry::Never).await.unwrap_err(),
        denied.increment("k", 1).await.unwrap_err(),
        denied.entry::<i32>("k").await.map(drop).unwrap_err(),
        denied.take::<i32>("k").await.unwrap_err(),
        denied.get_many::<i32>(&["k"]).await.unwrap_err(),
        denied.set_many(&[("k", 1, Expiry::Never)]).await.unwrap_err(),
    ];
    for error in errors {
        is(&error, Kind::PermissionDenied, None, false);
        assert!(!format!("{error:?}").contains("sesame"));
    }
    // A command that is denied inside of a script is not called NOPERM by Redis 7.0.
    server.cli(&["ACL", "SETUSER", "app", "-set"]);
    is(&cache.increment("k", 1).await.unwrap_err(), Kind::PermissionDenied, None, false);
    is(&cache.set("k", &1, Expiry::Never).await.unwrap_err(), Kind::PermissionDenied, None, false);

    // A user who is deleted loses the connection, and is refused the next one.
    server.cli(&["ACL", "DELUSER", "app"]);
    let start = Instant::now();
    let error = loop {
        assert!(start.elapsed() < Duration::from_secs(3));
        match cache.get::<i32>("k").await {
            Err(error) if error.reason() == Some("auth") => break error,
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    is(&error, Kind::Unavailable, Some("auth"), false);
}

#[tokio::test]
async fn databases_that_do_not_exist_are_invalid() {
    let server = RedisServer::builder().config("databases 4").start();
    let cache = well(&with_timeout(format!("{}/3", server.url()), 1000)).await;
    assert_eq!(cache.get::<i32>("k").await.unwrap(), Some(1));
    assert_eq!(server.cli(&["DBSIZE"]), Reply::Integer(0), "it went to database 3");
    let (_, cache) = open(&with_timeout(format!("{}/9", server.url()), 1000));
    is(&cache.get::<i32>("k").await.unwrap_err(), Kind::Invalid, None, false);
}

/// A value over the server's limit: Redis closes the connection, and everybody on it has to come back.
#[tokio::test]
async fn an_oversize_value_is_refused_and_the_neighbours_live() {
    let server = RedisServer::builder().config("proto-max-bulk-len 1mb").start();
    let (store, cache) = open(&with_timeout(server.url(), 2000));
    cache.set("k", &1, Expiry::Never).await.unwrap();
    let big = vec![0xc0; 2 << 20];
    let (refused, neighbour) = tokio::join!(store.put(&CX, key("big"), &big, support::always()), cache.get::<i32>("k"));
    let error = refused.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable, "{error:?}");
    assert_eq!(neighbour.unwrap(), Some(1));
    assert_eq!(cache.get::<i32>("k").await.unwrap(), Some(1));
    assert!(!cache.has("big").await.unwrap());
}

#[tokio::test]
async fn a_cluster_that_is_down_and_what_it_does_not_allow() {
    let server = RedisServer::builder().config("cluster-enabled yes").start();
    let (_, cache) = open(&with_timeout(server.url(), 500));
    unavailable(&cache.set("k", &1, Expiry::Never).await.unwrap_err(), "cluster");
    let (_, other) = open(&with_timeout(format!("{}/1", server.url()), 500));
    is(&other.get::<i32>("k").await.unwrap_err(), Kind::Invalid, Some("unsupported"), false);
    let words = ["CLUSTER", "ADDSLOTS"].map(str::to_owned).into_iter();
    let words: Vec<String> = words.chain((0..16384).map(|slot| slot.to_string())).collect();
    assert_eq!(server.cli(&words), Reply::Simple("OK".into()));
    let start = Instant::now();
    while cache.set("k", &1, Expiry::Never).await.is_err() {
        assert!(start.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_server_that_is_no_redis_is_unavailable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nsesame: x\r\n\r\n");
        }
    });
    let (_, cache) = open(&with_timeout(format!("redis://:sesame@127.0.0.1:{port}"), 300));
    let error = cache.get::<i32>("k").await.unwrap_err();
    assert!(error.to_string().contains("no Redis"), "{error}");
    assert!(!format!("{error:?}").contains("sesame"));
}
