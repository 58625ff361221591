//! Every operation of the blocking front, on every backend, without a runtime and inside of one.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::cell::Cell;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use store::blocking::{Handle, Registry};
use store::config::Document;
use store::{
    Actor, Context, Error, Expiry, IncrementOptions, Kind, ListOptions, LoadOptions, Loaded, Outcome, PutOptions, Ttl,
    Value,
};
use store_testkit::RedisServer;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    name: String,
    visits: u32,
}

fn alice() -> User {
    User { name: "Alice".into(), visits: 3 }
}

fn registry(store: &str) -> Registry {
    let text = format!("[stores.s]\n{store}");
    Registry::from_document(&Document::parse(&text, "test.toml").unwrap(), None).unwrap()
}

fn kind<T: std::fmt::Debug>(result: Result<T, Error>) -> Kind {
    result.unwrap_err().kind()
}

fn near(ttl: Option<Ttl>, expected: Duration) -> bool {
    let left = ttl.and_then(Ttl::left).unwrap();
    // Deadlines are rounded up to a whole millisecond.
    left <= expected + Duration::from_millis(1) && left > expected - Duration::from_secs(30)
}

fn every_operation(registry: &Registry, backend: &str) {
    assert_eq!(registry.ids().map(|id| id.to_string()).collect::<Vec<_>>(), ["s"]);
    registry.open_all().unwrap();
    let store = registry.get("s").unwrap();
    assert_eq!((store.id(), store.info().unwrap().backend.backend), ("s", backend));
    single_keys(&store);
    conditions(&store);
    batches_and_lists(&store);
    loading(&store);
    handles(registry, &store);
    registry.close().unwrap();
    assert_eq!(kind(store.get::<User>("k")), Kind::Unavailable, "closed");
    assert_eq!(kind(registry.get("s")), Kind::Unavailable);
}

fn single_keys(store: &Handle) {
    let hour = Duration::from_secs(3600);
    assert_eq!(store.get::<User>("user").unwrap(), None);
    store.set("user", &alice(), hour).unwrap();
    assert_eq!(store.get("user").unwrap(), Some(alice()));
    assert!(store.has("user").unwrap() && !store.has("nobody").unwrap());
    assert!(near(store.ttl("user").unwrap(), hour));
    assert!(store.touch("user", Expiry::Never).unwrap());
    assert_eq!(store.ttl("user").unwrap(), Some(Ttl::Never));
    assert_eq!(store.get_and_touch("user", hour).unwrap(), Some(alice()));
    assert!(near(store.ttl("user").unwrap(), hour));
    assert_eq!(store.take("user").unwrap(), Some(alice()));
    assert!(!store.delete("user").unwrap() && !store.touch("user", hour).unwrap());
    store.set("user", &alice(), Expiry::Never).unwrap();
    assert!(store.delete("user").unwrap());
    assert_eq!(store.increment("hits", 2).unwrap(), 2);
    assert_eq!(store.increment("hits", -3).unwrap(), -1);
    let options = IncrementOptions::by(1).initial(10).expiry(hour);
    assert_eq!(store.increment_with("visits", &options).unwrap(), 11);
    assert!(near(store.ttl("visits").unwrap(), hour));
    assert_eq!(kind(store.get::<u8>("")), Kind::Invalid);
    assert_eq!(kind(store.set("k", &1, Duration::ZERO)), Kind::Invalid);
    assert_eq!(store.clear("").unwrap(), 2);
}

fn conditions(store: &Handle) {
    let written = store.put("k", &1, &PutOptions::new().only_if_absent()).unwrap();
    assert_eq!(kind(store.put("k", &2, &PutOptions::new().only_if_absent())), Kind::AlreadyExists);
    let entry = store.entry::<i64>("k").unwrap().unwrap();
    assert_eq!((entry.value, &entry.version, entry.ttl), (1, &written.version, Ttl::Never));
    store.put("k", &2, &PutOptions::new().if_version(written.version.clone())).unwrap();
    assert_eq!(kind(store.delete_if("k", &written.version)), Kind::Conflict);
    assert_eq!(kind(store.touch_if("k", Expiry::Never, &written.version)), Kind::Conflict);
    let version = store.entry::<i64>("k").unwrap().unwrap().version;
    assert!(store.touch_if("k", Duration::from_secs(60), &version).unwrap());
    assert!(store.delete_if("k", &version).unwrap());
    assert!(!store.delete_if("k", &version).unwrap());
    let error = store.put("k", &1, &PutOptions::new().only_if_present()).unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (Kind::NotFound, Outcome::NotApplied));
}

fn batches_and_lists(store: &Handle) {
    let items = (0..25).map(|n| (format!("item:{n:02}"), n, Expiry::Never)).collect::<Vec<_>>();
    store.set_many(&items).unwrap();
    assert_eq!(store.get_many::<i32>(&["item:03", "none", "item:03"]).unwrap(), [Some(3), None, Some(3)]);
    let mut options = ListOptions::prefix("item:").limit(10);
    let mut seen = Vec::new();
    loop {
        let page = store.list(&options).unwrap();
        seen.extend(page.items.into_iter().map(|item| String::from_utf8(item.key.into()).unwrap()));
        match page.cursor {
            Some(cursor) => options = options.after(cursor),
            None => break,
        }
    }
    let keys = items.iter().map(|(key, ..)| key.clone()).collect::<Vec<_>>();
    assert_eq!(seen, keys);
    let each = store.each("item:").map(|entry| entry.unwrap().0.into_vec()).collect::<Vec<_>>();
    assert_eq!(each, keys.iter().map(|key| key.clone().into_bytes()).collect::<Vec<_>>());
    assert_eq!(store.delete_many(&["item:00", "item:00", "none"]).unwrap(), [true, false, false]);
    assert_eq!(store.clear("item:").unwrap(), 24);
    assert_eq!(store.each("").count(), 0);
    assert_eq!(kind(store.list(&ListOptions::default().limit(0))), Kind::Invalid);
}

fn loading(store: &Handle) {
    let runs = Cell::new(0);
    let load = || {
        runs.set(runs.get() + 1);
        Ok(Loaded::value(alice()))
    };
    let options = LoadOptions::new(Duration::from_secs(60));
    assert_eq!(store.get_or_set("loaded", options, load).unwrap(), Some(alice()));
    assert_eq!(store.get_or_set("loaded", options, load).unwrap(), Some(alice()));
    assert_eq!(runs.get(), 1);
    let failed = store.get_or_set::<User>("failed", options, || Err(Error::unavailable("no source")));
    assert_eq!(kind(failed), Kind::Unavailable);
    assert_eq!(store.get_or_set::<User>("none", options, || Ok(Loaded::nothing())).unwrap(), None);
    // A loader may use the store, also through another blocking call.
    let nested = store.get_or_set("outer", options, || {
        store.set("inner", &1, Expiry::Never)?;
        let inner = store.get_or_set("inner-loaded", options, || Ok(Loaded::value(2)))?;
        Ok(Loaded { value: inner, expiry: None })
    });
    assert_eq!(nested.unwrap(), Some(2));
    let recursive = store.get_or_set::<i32>("same", options, || {
        store.get_or_set("same", options, || Ok(Loaded::value(1))).map(Loaded::from)
    });
    assert_eq!(kind(recursive), Kind::Conflict);
}

fn handles(registry: &Registry, store: &Handle) {
    let other = registry.get_as("s", &Context::new(Some(Actor::new("alice")), None)).unwrap();
    assert_eq!(other.context().actor().map(|actor| actor.id.as_str()), Some("alice"));
    assert!(other.with_context(&Context::none()).context().actor().is_none());
    assert!(other.release() && other.is_released() && !store.is_released());
    assert_eq!(other.get::<User>("k").unwrap_err().message(), "store is released");
    assert_eq!(store.settings().limits.max_depth, 100);
    assert_eq!(kind(registry.get("")), Kind::Invalid);
    let unknown = registry.get("unknown").unwrap_err();
    assert_eq!(unknown.kind(), Kind::NotFound);
    assert_eq!(registry.as_async().handles_out(Some("s")), 1);
    assert_eq!(store.as_async().id(), "s");
    store.set("short", &1, Duration::from_millis(1)).unwrap();
    registry.purge_expired("s", 100).unwrap();
}

#[test]
fn memory() {
    every_operation(&registry("backend = 'memory'"), "memory");
}

#[test]
fn sled() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data").display().to_string();
    every_operation(&registry(&format!("backend = 'sled'\noptions.path = '{path}'")), "sled");
    let again = registry(&format!("backend = 'sled'\noptions.path = '{path}'"));
    assert_eq!(
        again.get("s").unwrap().get("loaded").unwrap(),
        Some(alice()),
        "what was written is there after a restart"
    );
    again.close().unwrap();
}

#[test]
fn redis() {
    let server = RedisServer::start();
    every_operation(&registry(&format!("backend = 'redis'\noptions.url = '{}'", server.url())), "redis");
}

#[test]
fn redis_inside_of_a_runtime_whose_only_thread_is_blocked() {
    let server = RedisServer::start();
    let registry = registry(&format!("backend = 'redis'\noptions.url = '{}'", server.url()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = registry.get("s").unwrap();
        store.set("k", &1, Expiry::Never).unwrap();
        assert_eq!(store.get("k").unwrap(), Some(1));
    });
    registry.close().unwrap();
}

#[test]
fn many_threads_share_a_handle() {
    let registry = registry("backend = 'memory'");
    let store = registry.get("s").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..1000).for_each(|_| assert!(store.increment("n", 1).unwrap() > 0)));
        }
    });
    assert_eq!(store.get("n").unwrap(), Some(4000));
    let slow = LoadOptions::new(Expiry::Never);
    let runs = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let loaded = store.get_or_set("slow", slow, || {
                    runs.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(50));
                    Ok(Loaded::value(7))
                });
                assert_eq!(loaded.unwrap(), Some(7));
            });
        }
    });
    assert_eq!(runs.into_inner(), 1, "one loader for all threads");
}

#[test]
fn open_reads_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.toml");
    std::fs::write(
        &path,
        "[stores.s]\nbackend = 'memory'\n[env.disk.stores.s]\nbackend = 'sled'\noptions.path = 'here'\n",
    )
    .unwrap();
    let registry = Registry::open(&path, Some("disk")).unwrap();
    let store = registry.get("s").unwrap();
    store.set("k", &1, Expiry::Default).unwrap();
    registry.close().unwrap();
    assert!(folder.path().join("here").is_dir());
    let error = Registry::open(&path, Some("dsik")).unwrap_err();
    let problems = error.detail("problems").cloned();
    assert!(matches!(problems, Some(Value::Array(problems)) if problems.len() == 1), "{error:?}");
    let registry: Registry = store::open(&path, None).unwrap().into();
    assert_eq!(registry.get("s").unwrap().info().unwrap().backend.backend, "memory");
}
