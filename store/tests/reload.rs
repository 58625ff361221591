//! A configuration file that changes under a registry in use: data and handles survive, mistakes change nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use store::{Actor, ConfigFile, Context, Error, Expiry, Handle, Kind, Registry, Reloaded, Result, Ttl, block_on};
use store_testkit::RedisServer;
use tempfile::TempDir;

/// A configuration file, and the registry that was opened from it.
struct Service {
    folder: TempDir,
    file: ConfigFile,
    registry: Registry,
}

impl Service {
    fn start(text: &str) -> Service {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.toml");
        std::fs::write(&path, text).unwrap();
        let file = ConfigFile::new(&path, None);
        let registry = file.open().unwrap();
        Service { folder, file, registry }
    }

    fn write(&self, text: &str) {
        std::fs::write(self.file.path(), text).unwrap();
    }

    fn reload(&self, text: &str) -> Result<Reloaded> {
        self.write(text);
        block_on(self.file.reload(&self.registry))
    }
}

const MEMORY: &str = "[stores.a]\nbackend = 'memory'\n";

/// The time that a key has left; `None` for ever.
fn left(handle: &Handle, key: &str) -> Option<Duration> {
    match block_on(handle.ttl(key)).unwrap().unwrap() {
        Ttl::Never => None,
        Ttl::Left(left) => Some(left),
    }
}

fn ids(ids: &[std::sync::Arc<str>]) -> Vec<&str> {
    ids.iter().map(|id| &**id).collect()
}

#[test]
fn new_settings_hold_for_handles_that_are_out_and_data_survive() {
    let service = Service::start(MEMORY);
    let handle = block_on(service.registry.get("a")).unwrap();
    block_on(handle.set("old", "value", Expiry::Default)).unwrap();
    assert_eq!(left(&handle, "old"), None);

    let changed = format!("{MEMORY}default_ttl = '1h'\nmax_value_size = 10\n");
    assert!(!service.registry.was_reloaded());
    let reloaded = service.reload(&changed).unwrap();
    assert!(service.registry.was_reloaded());
    assert_eq!((ids(&reloaded.changed), reloaded.added.len(), reloaded.removed.len()), (vec!["a"], 0, 0));
    assert_eq!(reloaded.to_string(), "changed a");
    assert_eq!(block_on(handle.get::<String>("old")).unwrap().as_deref(), Some("value"));
    assert_eq!(left(&handle, "old"), None, "what is there stays as it is");
    block_on(handle.set("new", "v", Expiry::Default)).unwrap();
    assert!(left(&handle, "new").unwrap() > Duration::from_secs(3500));
    let large = block_on(handle.set("large", "more than ten bytes", Expiry::Default)).unwrap_err();
    assert_eq!((large.kind(), handle.settings().limits.max_value_size), (Kind::Invalid, 10));

    for minutes in 1..50 {
        service.reload(&format!("{MEMORY}default_ttl = '{minutes}m'\n")).unwrap();
    }
    assert_eq!(handle.settings().ttl, block_on(service.registry.get("a")).unwrap().settings().ttl);
    let same = service.reload(&format!("{MEMORY}default_ttl = '49m'\n")).unwrap();
    assert!(same.is_same() && same.to_string() == "no store changed");
    let others = "[stores.b]\nbackend = 'memory'\n[stores.c]\nbackend = 'memory'\n";
    assert_eq!(service.reload(&format!("{MEMORY}{others}")).unwrap().to_string(), "changed a; added b, c");
    assert_eq!(
        service.reload(&format!("{MEMORY}default_ttl = '49m'\n")).unwrap().to_string(),
        "changed a; removed b, c"
    );
    assert_eq!(service.registry.handles_out(Some("a")), 1, "the same handles are out");
    drop(handle);
    assert_eq!(service.registry.handles_out(None), 0);
}

#[test]
fn a_file_with_mistakes_changes_nothing_and_says_why() {
    let service = Service::start(&format!("{MEMORY}default_ttl = '1h'\n"));
    let handle = block_on(service.registry.get("a")).unwrap();
    let before = *handle.settings();
    let wrong = "[stores.a]\nbackend = 'memory'\ndefault_ttl = '2h'\n[stores.b]\nbackend = 'memry'\n[stores.c]\nbackend = 'memory'\n";
    let error = service.reload(wrong).unwrap_err();
    assert!(error.kind() == Kind::Invalid && error.message().contains("store.toml:5: stores.b.backend"), "{error}");
    let error = service.reload("[stores.a\n").unwrap_err();
    assert!(error.message().contains("store.toml:1: not TOML"), "{error}");
    std::fs::remove_file(service.file.path()).unwrap();
    let error = block_on(service.file.reload(&service.registry)).unwrap_err();
    assert!(error.message().contains("cannot be read"), "{error}");
    assert_eq!(*handle.settings(), before);
    assert_eq!(block_on(service.registry.get("c")).unwrap_err().kind(), Kind::NotFound);
}

#[test]
fn stores_come_and_go_and_policies_change_with_them() {
    let service = Service::start(&format!("{MEMORY}[stores.b]\nbackend = 'memory'\n"));
    let (stays, goes) = (block_on(service.registry.get("a")).unwrap(), block_on(service.registry.get("b")).unwrap());
    let policies = "[security]\nstrict = true\n[[security.policies]]\nid = 'all'\nactions = ['*']\nresources = ['*']\neffect = 'allow'\n";
    let stores = format!("{MEMORY}[stores.c]\nbackend = 'memory'\n");
    let reloaded = service.reload(&stores).unwrap();
    assert_eq!((ids(&reloaded.added), ids(&reloaded.removed)), (vec!["c"], vec!["b"]));
    let gone = block_on(goes.get::<String>("k")).unwrap_err();
    assert_eq!((gone.kind(), gone.is_retryable()), (Kind::Unavailable, false), "E5: {gone}");
    assert_eq!(block_on(stays.get::<String>("k")).unwrap(), None);
    assert!(service.reload(&format!("{stores}{policies}")).unwrap().is_same());
    assert_eq!(block_on(stays.get::<String>("k")).unwrap_err().kind(), Kind::PermissionDenied, "strict holds at once");
    let alice = Context::new(Some(Actor::new("alice")), Some(Vec::new()));
    assert_eq!(block_on(service.registry.get_as("b", &alice)).unwrap_err().kind(), Kind::NotFound);
    assert!(block_on(service.registry.get_as("c", &alice)).is_ok());
}

/// LuaJIT relies on it: what it calls from compiled code must not turn out to be the code of another backend.
#[test]
fn a_pinned_handle_stays_on_its_store_and_ends_with_it() {
    let sled = |path: &str| format!("[stores.a]\nbackend = 'sled'\noptions = {{ path = '{path}' }}\n");
    let service = Service::start(&sled("one"));
    let handle = block_on(service.registry.get("a")).unwrap();
    let pinned = handle.pinned();
    block_on(pinned.set("k", "one", Expiry::Default)).unwrap();
    assert_eq!(block_on(handle.get::<String>("k")).unwrap().as_deref(), Some("one"));

    service.reload(&format!("{}default_ttl = '1h'\n", sled("one"))).unwrap();
    block_on(pinned.set("k", "still", Expiry::Default)).unwrap();
    assert_eq!((left(&pinned, "k"), handle.settings() == pinned.settings()), (None, false), "as it was");
    assert_eq!(handle.pinned().settings(), handle.settings(), "as it is when it is pinned");

    service.reload(&sled("two")).unwrap();
    block_on(handle.set("k", "two", Expiry::Default)).unwrap();
    for _ in 0..2 {
        let gone = pinned.try_get::<String>("k").unwrap_or_else(|| block_on(pinned.get::<String>("k")));
        assert_eq!(gone.unwrap_err().kind(), Kind::Unavailable, "it is closed, and the other is not asked");
    }
    assert_eq!(block_on(handle.get::<String>("k")).unwrap().as_deref(), Some("two"));
    assert_eq!(service.registry.handles_out(Some("a")), 1, "it is the same handle");
    assert!(pinned.release() && handle.is_released());
}

#[test]
fn what_would_lose_entries_is_refused_by_name_and_the_rest_of_the_file_with_it() {
    let service = Service::start(MEMORY);
    let limited = format!("{MEMORY}options = {{ max_entries = 5 }}\n[stores.z]\nbackend = 'memory'\n");
    assert_eq!(ids(&service.reload(&limited).unwrap().changed), ["a"], "nobody has opened it: nothing can be lost");
    let handle = block_on(service.registry.get("a")).unwrap();
    assert_eq!(handle.info().unwrap().backend.max_entries, Some(5));
    block_on(handle.set("k", "v", Expiry::Default)).unwrap();
    let error = service
        .reload(&format!("{MEMORY}options = {{ max_entries = 6 }}\n[stores.y]\nbackend = 'memory'\n"))
        .unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::Invalid, Some("reload")));
    assert!(error.message().contains("changed of a, which is open"), "{error}");
    assert_eq!(block_on(handle.get::<String>("k")).unwrap().as_deref(), Some("v"));
    assert_eq!(handle.info().unwrap().backend.max_entries, Some(5));
    assert_eq!(block_on(service.registry.get("y")).unwrap_err().kind(), Kind::NotFound);
}

#[test]
fn handles_follow_to_another_server_and_operations_in_flight_end() {
    let (first, second) = (RedisServer::start(), RedisServer::start());
    let config =
        |server: &RedisServer| format!("[stores.a]\nbackend = 'redis'\noptions = {{ url = '{}' }}\n", server.url());
    let service = Service::start(&config(&first));
    let handle = block_on(service.registry.get("a")).unwrap();
    block_on(handle.set("where", "first", Expiry::Default)).unwrap();

    // Callers that never stop see no error but one that says to try again.
    let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for number in 0..4 {
            let (handle, stop, done) = (handle.clone(), &stop, &done);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    match block_on(handle.increment(format!("counter:{number}"), 1)) {
                        Ok(_) => done.fetch_add(1, Ordering::Relaxed),
                        Err(error) if error.reason() == Some("reloaded") && error.is_retryable() => 0,
                        Err(error) => panic!("{error}"),
                    };
                }
            });
        }
        let enough = |count: u64| {
            let from = done.load(Ordering::Relaxed);
            while done.load(Ordering::Relaxed) < from + count {
                thread::yield_now();
            }
        };
        enough(100);
        let reloaded = service.reload(&config(&second)).unwrap();
        assert_eq!(ids(&reloaded.reopened), ["a"]);
        assert!(reloaded.not_closed.is_empty(), "{:?}", reloaded.not_closed);
        enough(100);
        stop.store(true, Ordering::Relaxed);
    });
    let counted = |server: &RedisServer| -> i64 {
        let registry = Service::start(&config(server));
        let handle = block_on(registry.registry.get("a")).unwrap();
        (0..4).map(|number| block_on(handle.get::<i64>(format!("counter:{number}"))).unwrap().unwrap_or(0)).sum()
    };
    let total = i64::try_from(done.load(Ordering::Relaxed)).unwrap();
    assert_eq!(counted(&first) + counted(&second), total, "what was acknowledged is on one server or the other");
    assert_eq!(block_on(handle.get::<String>("where")).unwrap(), None);
    assert_eq!(service.registry.stats()[0].handles, 1);
}

#[test]
fn options_on_disk_change_without_losing_anything() {
    let config = |durability: &str| {
        format!("[stores.a]\nbackend = 'sled'\noptions = {{ path = 'data', durability = '{durability}' }}\n")
    };
    let service = Service::start(&config("sync"));
    let handle = block_on(service.registry.get("a")).unwrap();
    block_on(handle.set("k", "v", Expiry::After(Duration::from_secs(3600)))).unwrap();
    let reloaded = service.reload(&config("interval")).unwrap();
    assert_eq!(ids(&reloaded.reopened), ["a"]);
    assert_eq!(block_on(handle.get::<String>("k")).unwrap().as_deref(), Some("v"));
    block_on(handle.set("k", "w", Expiry::Default)).unwrap();
    assert!(handle.try_set("l", "at once", Expiry::Default).is_some(), "interval answers at once");

    // A folder that cannot be opened: nothing changes.
    std::fs::write(service.folder.path().join("file"), "not a folder").unwrap();
    let elsewhere = config("interval").replace("'data'", "'file'");
    let error: Error = service.reload(&elsewhere).unwrap_err();
    assert!(error.detail("store").is_some(), "{error:?}");
    assert_eq!(block_on(handle.get::<String>("k")).unwrap().as_deref(), Some("w"));
    block_on(service.registry.close()).unwrap();
    let again = ConfigFile::new(service.file.path(), None);
    service.write(&config("sync"));
    let registry = again.open().unwrap();
    let handle = block_on(registry.get("a")).unwrap();
    assert_eq!(block_on(handle.get::<String>("k")).unwrap().as_deref(), Some("w"));
    block_on(registry.close()).unwrap();
}

#[test]
fn a_closed_registry_is_not_loaded_anew() {
    let service = Service::start(MEMORY);
    block_on(service.registry.close()).unwrap();
    assert_eq!(service.reload(MEMORY).unwrap_err().kind(), Kind::Unavailable);
}

#[test]
fn a_watched_file_is_loaded_when_it_changes_and_mistakes_are_told() {
    let service = Service::start(MEMORY);
    let handle = block_on(service.registry.get("a")).unwrap();
    let (file, registry) = (service.file.clone(), service.registry.clone());
    let (tell, told) = mpsc::channel();
    let (begin, begun) = mpsc::channel();
    // Ends with the process, as a service's does.
    thread::spawn(move || {
        let watching = file.watch(&registry, Duration::from_millis(5), |result| drop(tell.send(result)));
        begin.send(()).unwrap();
        block_on(watching);
    });
    begun.recv().unwrap();
    let next = |text: &str| {
        let draft = service.folder.path().join("draft");
        std::fs::write(&draft, text).unwrap();
        std::fs::rename(&draft, service.file.path()).unwrap();
        told.recv_timeout(Duration::from_secs(30)).expect("the change is seen")
    };
    assert_eq!(ids(&next(&format!("{MEMORY}default_ttl = '5m'\n")).unwrap().changed), ["a"]);
    let settings = *handle.settings();
    assert_ne!(settings.ttl, store::TtlRules::NONE);
    assert!(next(&format!("{MEMORY}default_ttl = 5 # minutes?\n")).unwrap_err().message().contains("default_ttl"));
    assert_eq!(*handle.settings(), settings);
    assert!(next(&format!("{MEMORY}default_ttl = '10m'\n")).is_ok());
    assert_ne!(*handle.settings(), settings);
}
