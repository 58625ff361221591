//! Whether stores can serve, and why not, on real backends.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::thread;
use std::time::{Duration, Instant};

use store::observe::Meter;
use store::{Context, Health, Kind, Registry, RegistryBuilder, StoreHealth, block_on};
use store_testkit::RedisServer;

const PATIENCE: Duration = Duration::from_secs(30);

fn builder(config: &str) -> RegistryBuilder {
    let document = store::config::Document::parse(config, "test.toml").unwrap();
    Registry::builder(document.resolve(None, &store::backends(), &|_| None).unwrap())
}

fn of<'a>(health: &'a Health, id: &str) -> &'a StoreHealth {
    health.stores.iter().find(|store| &*store.id == id).unwrap()
}

/// Kind and details of why a store cannot serve.
fn why(store: &StoreHealth) -> (Kind, Option<&str>, Option<&str>) {
    let error = store.error.as_ref().unwrap();
    let word = |name| error.detail(name).and_then(store::Value::as_str);
    (error.kind(), word("store"), word("backend"))
}

#[test]
fn every_store_is_asked_and_each_says_what_is_wrong_with_it() {
    let (redis, folder) = (RedisServer::start(), tempfile::tempdir().unwrap());
    let occupied = folder.path().join("occupied");
    std::fs::write(&occupied, "a file where the folder should be").unwrap();
    let registry = builder(&format!(
        "[stores.disk]\nbackend = 'sled'\noptions = {{ path = '{path}/data' }}\n\
         [stores.here]\nbackend = 'memory'\n\
         [stores.lost]\nbackend = 'sled'\noptions = {{ path = '{path}/occupied' }}\n\
         [stores.near]\nbackend = 'redis'\noptions = {{ url = '{url}' }}\n\
         [stores.nowhere]\nbackend = 'redis'\noptions = {{ url = 'redis://:hushhush@127.0.0.1:{port}' }}\n",
        path = folder.path().display(),
        url = redis.url(),
        port = RedisServer::free_port(),
    ))
    .build();
    let health = block_on(registry.health(PATIENCE));
    let ids: Vec<&str> = health.stores.iter().map(|store| &*store.id).collect();
    assert_eq!(ids, ["disk", "here", "lost", "near", "nowhere"]);
    assert!(!health.is_healthy());
    let failing: Vec<&str> = health.failing().map(|store| &*store.id).collect();
    assert_eq!(failing, ["lost", "nowhere"], "{health:?}");
    assert_eq!(why(of(&health, "nowhere")), (Kind::Unavailable, Some("nowhere"), Some("redis")));
    assert_eq!(why(of(&health, "lost")).1, Some("lost"));
    assert_eq!(of(&health, "disk").backend, Some("sled"));
    assert!(!format!("{health:?}").contains("hushhush"));
    assert_eq!(registry.handles_out(None), 0);

    // A server that goes away and comes back.
    assert!(of(&health, "near").latency > Duration::ZERO);
    redis.kill();
    let health = block_on(registry.health(PATIENCE));
    assert_eq!(why(of(&health, "near")), (Kind::Unavailable, Some("near"), Some("redis")));
    redis.revive();
    let start = Instant::now();
    while !of(&block_on(registry.health(PATIENCE)), "near").is_healthy() {
        assert!(start.elapsed() < PATIENCE, "it does not recover");
        thread::sleep(Duration::from_millis(20));
    }

    block_on(registry.close()).unwrap();
    let health = block_on(registry.health(PATIENCE));
    assert_eq!(health.failing().count(), 5, "closed");
    assert_eq!(why(of(&health, "here")), (Kind::Unavailable, Some("here"), Some("memory")));
}

#[test]
fn one_that_does_not_answer_costs_the_others_nothing_and_ends_in_time() {
    // It accepts, and never says a word; its own deadlines are longer than ours.
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("redis://{}", silent.local_addr().unwrap());
    let options = format!("options = {{ url = '{url}', timeout = '60s', connect_timeout = '60s' }}");
    let registry = builder(&format!(
        "[stores.a]\nbackend = 'redis'\n{options}\n[stores.b]\nbackend = 'memory'\n[stores.c]\nbackend = 'redis'\n{options}\n"
    ))
    .build();
    let patience = Duration::from_millis(300);
    let start = Instant::now();
    let health = block_on(registry.health(patience));
    let took = start.elapsed();
    assert!(took >= patience && took < Duration::from_secs(10), "{took:?}");
    for id in ["a", "c"] {
        let store = of(&health, id);
        assert_eq!(why(store), (Kind::Timeout, Some(id), Some("redis")));
        assert!(store.latency >= patience && store.error.as_ref().unwrap().is_retryable());
        assert_eq!(store.error.as_ref().unwrap().message(), "no answer within 300ms");
    }
    assert!(of(&health, "b").is_healthy() && of(&health, "b").latency < patience, "{health:?}");
    block_on(registry.close()).unwrap();
}

#[test]
fn a_host_asks_past_its_policies_and_a_caller_does_not() {
    let meter = Meter::new();
    let registry = builder(
        "[security]\nstrict = true\n[stores.a]\nbackend = 'memory'\n[stores.b]\nbackend = 'memory'\n\
         [[security.policies]]\nid = 'ops'\nactions = ['store.get', 'store.info']\nresources = ['a']\neffect = 'allow'\ngroups = ['ops']\n",
    )
    .observer(meter.clone())
    .build();
    assert!(block_on(registry.health(PATIENCE)).is_healthy());
    assert!(meter.operations().iter().all(|store| store.operations.is_empty()), "nobody's traffic");

    let ops = Context::new(None, Some(vec!["ops".to_owned()]));
    let health = block_on(registry.health_as(&["b", "a", "c", "", "a"], &ops, PATIENCE));
    let said: Vec<_> = health.stores.iter().map(|store| store.error.as_ref().map(store::Error::kind)).collect();
    let denied = Some(Kind::PermissionDenied);
    assert_eq!(said, [denied, None, denied, Some(Kind::Invalid), None], "{health:?}");
    let health = block_on(registry.health_as(&["a"], &Context::none(), PATIENCE));
    assert_eq!(why(&health.stores[0]).0, Kind::PermissionDenied);
}

#[test]
fn handles_on_the_blocking_front_are_asked_the_same_way() {
    let document = store::config::Document::default_memory();
    let registry = store::blocking::Registry::from_document(&document, None).unwrap();
    let health = registry.health(PATIENCE).unwrap();
    assert_eq!(health.stores.len(), 1);
    assert!(health.is_healthy() && &*health.stores[0].id == "app:cache");
}
