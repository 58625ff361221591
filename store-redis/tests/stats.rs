//! What a store says of its server.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use store_core::{Expiry, Kind};
use store_testkit::RedisServer;
use support::open;

#[tokio::test]
async fn what_was_done_is_counted_by_the_server() {
    let server = RedisServer::start();
    let (store, cache) = open(&store_redis::RedisOptions::new(server.url()));
    let before = store.server_stats().await.unwrap();
    for number in 0..10 {
        cache.set(format!("k{number}"), "x", Expiry::Never).await.unwrap();
        assert!(cache.get::<String>(format!("k{number}")).await.unwrap().is_some());
    }
    assert!(cache.get::<String>("absent").await.unwrap().is_none());
    let after = store.server_stats().await.unwrap();
    assert_eq!((after.servers, after.keys, after.hits - before.hits, after.misses - before.misses), (1, 10, 10, 1));
    let calls = |name: &str| after.calls[name].calls - before.calls.get(name).map_or(0, |stats| stats.calls);
    assert_eq!((calls("set"), calls("get")), (10, 11));
    assert!(after.commands > before.commands + 20 && after.used_memory > 0 && after.clients >= 1);
    assert!(after.version.contains('.'), "{}", after.version);
}

#[tokio::test]
async fn who_may_not_ask_is_told() {
    let server = RedisServer::start();
    server.cli(&["ACL", "SETUSER", "app", "on", ">pass", "~*", "+@all", "-@dangerous"]);
    let mut options = store_redis::RedisOptions::new(server.url());
    options.username = Some("app".to_owned());
    options.password = Some(store_core::config::Secret::new("pass"));
    let (store, cache) = open(&options);
    cache.set("k", "x", Expiry::Never).await.unwrap();
    assert_eq!(store.server_stats().await.unwrap_err().kind(), Kind::PermissionDenied);
}
