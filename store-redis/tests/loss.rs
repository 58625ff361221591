//! What an acknowledged write is worth on one server, counted: the figures of `docs/redis.md`. (Failovers: `sentinel.rs`.)

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use store_core::{Expiry, Handle};
use store_testkit::RedisServer;
use support::{open, with_timeout};

/// Writes, half of them with a TTL, and says how many were acknowledged.
async fn write(cache: &Handle, writes: usize, value: &str) -> usize {
    let mut acknowledged = 0;
    for n in 0..writes {
        let expiry = if n % 2 == 0 { Expiry::Never } else { Expiry::After(Duration::from_secs(3600)) };
        acknowledged += usize::from(cache.set(format!("k{n:05}"), value, expiry).await.is_ok());
    }
    acknowledged
}

/// How many entries without a TTL, and with one, are there.
async fn there(cache: &Handle, writes: usize) -> (usize, usize) {
    let mut found = [0, 0];
    for n in 0..writes {
        found[n % 2] += usize::from(cache.has(format!("k{n:05}")).await.unwrap());
    }
    (found[0], found[1])
}

#[tokio::test]
async fn a_killed_process_loses_what_its_persistence_lets_it_lose() {
    const WRITES: usize = 1000;
    for (mode, lines) in [
        ("no persistence", &["appendonly no"][..]),
        ("appendonly, appendfsync everysec", &["appendonly yes", "appendfsync everysec"]),
        ("appendonly, appendfsync always", &["appendonly yes", "appendfsync always"]),
    ] {
        let server = lines.iter().fold(RedisServer::builder(), |server, line| server.config(*line)).start();
        let (_, cache) = open(&with_timeout(server.url(), 5000));
        let acknowledged = write(&cache, WRITES, "v").await;
        assert_eq!(acknowledged, WRITES);
        server.restart();
        let (forever, expiring) = there(&cache, WRITES).await;
        let lost = acknowledged - forever - expiring;
        println!("kill -9, {mode}: of {acknowledged} acknowledged writes {lost} lost");
        assert_eq!(lost, if mode == "no persistence" { WRITES } else { 0 });
    }
}

#[tokio::test]
async fn a_full_server_evicts_what_its_policy_lets_it_evict() {
    const WRITES: usize = 6000;
    let value = "x".repeat(1000);
    for policy in ["noeviction", "allkeys-lru", "volatile-lru"] {
        let server =
            RedisServer::builder().config("maxmemory 5mb").config(format!("maxmemory-policy {policy}")).start();
        let (_, cache) = open(&with_timeout(server.url(), 5000));
        let acknowledged = write(&cache, WRITES, &value).await;
        let (forever, expiring) = there(&cache, WRITES).await;
        let lost = acknowledged - forever - expiring;
        println!(
            "maxmemory, {policy}: {acknowledged} of {WRITES} writes acknowledged, {lost} of these lost; there are {forever} without a TTL \
             and {expiring} with one"
        );
        match policy {
            "noeviction" => assert!(lost == 0 && acknowledged < WRITES, "refused instead (reason capacity)"),
            "allkeys-lru" => assert!(lost > 0 && acknowledged == WRITES),
            // Those without a TTL are safe, until nothing else is left to evict: then writes are refused.
            _ => assert!(lost > 0 && expiring < forever),
        }
    }
}
