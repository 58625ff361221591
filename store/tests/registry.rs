//! The registry and its handles on real backends: acquiring, releasing, policies in force, closing.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Waker};
use std::thread;
use std::time::{Duration, Instant};

use store::policy::{Action, Authorizer, Decision, PolicySet};
use store::{
    Actor, Audit, Context, Denial, Expiry, Kind, ListOptions, LoadOptions, Loaded, Registry, RegistryBuilder, block_on,
};
use store_testkit::RedisServer;

fn builder(config: &str) -> RegistryBuilder {
    let document = store::config::Document::parse(config, "test.toml").unwrap();
    Registry::builder(document.resolve(None, &store::backends(), &|_| None).unwrap())
}

fn memory() -> Registry {
    builder("[stores.'app:cache']\nbackend = 'memory'\n[stores.other]\nbackend = 'memory'").build()
}

fn alice(groups: &[&str]) -> Context {
    Context::new(Some(Actor::new("alice")), Some(groups.iter().map(ToString::to_string).collect()))
}

#[test]
fn e5_empty_and_unknown_ids() {
    let registry = memory();
    assert_eq!(block_on(registry.get("")).unwrap_err().kind(), Kind::Invalid);
    let unknown = block_on(registry.get("app:cahce")).unwrap_err();
    assert_eq!(unknown.kind(), Kind::NotFound);
    assert!(unknown.message().contains("app:cache, other"), "{unknown}");
    assert!(!unknown.is_retryable());
}

#[test]
fn h1_handles_are_independent_and_counted() {
    let registry = memory();
    let first = block_on(registry.get("app:cache")).unwrap();
    let second = block_on(registry.get("app:cache")).unwrap();
    assert_eq!((registry.handles_out(None), registry.handles_out(Some("app:cache"))), (2, 2));
    assert!(first.release() && first.release());
    assert_eq!(registry.handles_out(None), 1);
    let error = block_on(first.get::<i64>("k")).unwrap_err();
    assert_eq!((error.kind(), error.message()), (Kind::Invalid, "store is released"));
    assert!(block_on(second.has("k")).is_ok());
    let clone = second.clone();
    drop(second);
    assert_eq!(registry.handles_out(None), 1, "a clone is the same handle");
    drop(clone);
    assert_eq!(registry.handles_out(None), 0);
}

#[test]
fn e2_released_comes_before_arguments_and_arguments_before_policy() {
    let config = "[stores.s]\nbackend = 'memory'\n[[security.policies]]\nid = 'acquire'\nactions = ['store.get']\nresources = ['*']\neffect = 'allow'";
    let registry = builder(config).build();
    let handle = block_on(registry.get_as("s", &alice(&[]))).unwrap();
    assert_eq!(block_on(handle.get::<i64>("")).unwrap_err().kind(), Kind::Invalid);
    assert_eq!(block_on(handle.get::<i64>("k")).unwrap_err().kind(), Kind::PermissionDenied);
    assert_eq!(block_on(handle.set("k", &1, Expiry::After(Duration::ZERO))).unwrap_err().kind(), Kind::Invalid);
    handle.release();
    assert_eq!(block_on(handle.get::<i64>("")).unwrap_err().message(), "store is released");
}

#[derive(Debug, Clone, Default)]
struct Recorder(Arc<Mutex<Vec<String>>>);

impl Audit for Recorder {
    fn denied(&self, denial: &Denial<'_>) {
        let key = denial.key.map(|key| key.escape_ascii().to_string());
        let actor = denial.context.actor().map(|actor| actor.id.clone());
        let line = format!("{} {} {key:?} {actor:?} {:?}", denial.action.as_str(), denial.store, denial.policy);
        self.0.lock().unwrap().push(line);
    }
}

const OWN_KEYS: &str = r#"
[stores.s]
backend = "memory"
[[security.policies]]
id = "acquire"
actions = ["store.get"]
resources = ["s"]
effect = "allow"
[[security.policies]]
id = "own-keys"
actions = ["store.key.*"]
resources = ["s"]
keys = ["user:${actor.id}:*"]
effect = "allow"
groups = ["users"]
[[security.policies]]
id = "browse"
actions = ["store.key.list"]
resources = ["s"]
effect = "allow"
groups = ["users"]
"#;

#[test]
fn s4_denials_are_alike_and_audited() {
    let recorder = Recorder::default();
    let registry = builder(OWN_KEYS).audit(recorder.clone()).build();
    let host = block_on(registry.get("s")).unwrap();
    block_on(host.set("user:bob:1", &1, Expiry::Never)).unwrap();
    let handle = block_on(registry.get_as("s", &alice(&["users"]))).unwrap();
    block_on(handle.set("user:alice:1", &1, Expiry::Never)).unwrap();
    let existing = block_on(handle.get::<i64>("user:bob:1")).unwrap_err();
    let missing = block_on(handle.get::<i64>("user:bob:2")).unwrap_err();
    assert_eq!((existing.kind(), existing.to_string()), (Kind::PermissionDenied, missing.to_string()));
    assert_eq!(recorder.0.lock().unwrap()[0], "store.key.get s Some(\"user:bob:1\") Some(\"alice\") None");
}

#[test]
fn s1_listing_and_clearing_neither_show_nor_touch_what_is_denied() {
    let registry = builder(OWN_KEYS).build();
    let host = block_on(registry.get("s")).unwrap();
    for number in 0..50 {
        for user in ["alice", "bob", "carol"] {
            block_on(host.set(format!("user:{user}:{number:02}"), &number, Expiry::Never)).unwrap();
        }
    }
    let handle = block_on(registry.get_as("s", &alice(&["users"]))).unwrap();
    let mut options = ListOptions::default().limit(7);
    let (mut keys, mut pages) = (Vec::new(), 0);
    loop {
        let page = block_on(handle.list(&options)).unwrap();
        pages += 1;
        assert_eq!(page.has_more, page.cursor.is_some());
        keys.extend(page.items.into_iter().map(|item| String::from_utf8(item.key.into()).unwrap()));
        let Some(cursor) = page.cursor else { break };
        for secret in ["bob", "carol"] {
            let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
            assert!(!cursor.contains(secret) && !cursor.contains(&hex), "{cursor}");
        }
        options.after = Some(cursor);
    }
    let expected: Vec<String> = (0..50).map(|number| format!("user:alice:{number:02}")).collect();
    assert_eq!((keys, pages), (expected, 8));
    assert_eq!(block_on(handle.clear("")).unwrap(), 50);
    assert_eq!(block_on(host.list(&ListOptions::default().limit(1000))).unwrap().items.len(), 100);
}

#[test]
fn s3_replaced_policies_hold_for_handles_that_are_out() {
    let registry = builder(OWN_KEYS).build();
    let handle = block_on(registry.get_as("s", &alice(&["users"]))).unwrap();
    assert!(block_on(handle.has("user:alice:1")).is_ok());
    registry.replace_policies(PolicySet::new(true, Vec::new()));
    assert_eq!(block_on(handle.has("user:alice:1")).unwrap_err().kind(), Kind::PermissionDenied);
    registry.replace_policies(PolicySet::permissive());
    assert!(block_on(handle.with_context(&Context::none()).has("x")).is_ok());
}

#[test]
fn s3_replaced_conditions_hold_for_handles_that_are_out() {
    let with = |level: i64| {
        format!(
            "[stores.s]\nbackend = 'memory'\n[[security.policies]]\nid = 'p'\nactions = ['*']\nresources = ['*']\n\
             effect = 'allow'\nconditions = [{{ field = 'actor.meta.level', operator = 'gte', value = {level} }}]"
        )
    };
    let policies = |level: i64| {
        let document = store::config::Document::parse(&with(level), "test.toml").unwrap();
        document.resolve(None, &store::backends(), &|_| None).unwrap().policies
    };
    let registry = builder(&with(3)).build();
    let level = |level: i64| Context::new(Some(Actor::new("alice").with_meta("level", level)), Some(vec![]));
    let handle = block_on(registry.get_as("s", &level(3))).unwrap();
    assert!(block_on(handle.has("k")).is_ok());
    registry.replace_policies(policies(4));
    assert_eq!(block_on(handle.has("k")).unwrap_err().kind(), Kind::PermissionDenied);
    registry.replace_policies(policies(2));
    assert!(block_on(handle.has("k")).is_ok());
    assert_eq!(block_on(handle.with_context(&level(1)).has("k")).unwrap_err().kind(), Kind::PermissionDenied);
}

/// Nobody touches what is named like this.
#[derive(Debug)]
struct NotThis(&'static [u8]);

impl Authorizer for NotThis {
    fn check(&self, cx: &Context, _: Action, store: &str, key: Option<&[u8]>) -> Option<Decision> {
        assert_eq!(store, "s");
        let denied = cx.actor().is_some() && key.is_some_and(|key| key.starts_with(self.0));
        denied.then(|| Decision { allowed: false, policy: Some("engine:not-this".into()) })
    }
}

#[test]
fn s2_an_engine_of_the_host_is_asked_for_every_key() {
    let recorder = Recorder::default();
    let registry = builder("[stores.s]\nbackend = 'memory'").authorizer(NotThis(b"no")).audit(recorder.clone()).build();
    let host = block_on(registry.get("s")).unwrap();
    block_on(host.set_many(&[("a", 1, Expiry::Never), ("no1", 1, Expiry::Never), ("no2", 1, Expiry::Never)])).unwrap();
    let handle = block_on(registry.get_as("s", &Context::new(Some(Actor::new("alice")), None))).unwrap();
    assert!(block_on(handle.set("a", &2, Expiry::Never)).is_ok());
    assert_eq!(block_on(handle.get::<i64>("no1")).unwrap_err().kind(), Kind::PermissionDenied);
    assert_eq!(block_on(handle.get_many::<i64>(&["a", "no1"])).unwrap_err().kind(), Kind::PermissionDenied);
    let seen = block_on(handle.list(&ListOptions::default())).unwrap().items;
    assert_eq!(seen.iter().map(|item| &*item.key).collect::<Vec<_>>(), [b"a"]);
    assert_eq!(block_on(handle.clear("")).unwrap(), 1);
    assert!(block_on(host.has("no2")).unwrap());
    let told = recorder.0.lock().unwrap();
    assert_eq!(told.len(), 2, "what a listing leaves out is not a denied operation: {told:?}");
    assert_eq!(told[0], "store.key.get s Some(\"no1\") Some(\"alice\") Some(\"engine:not-this\")");
}

#[test]
fn s1_a_handle_in_other_hands_is_judged_anew() {
    let registry = builder(OWN_KEYS).build();
    let handle = block_on(registry.get_as("s", &alice(&["users"]))).unwrap();
    let bob = Context::new(Some(Actor::new("bob")), Some(vec!["users".into()]));
    let bobs = handle.with_context(&bob);
    assert_eq!(block_on(bobs.has("user:alice:1")).unwrap_err().kind(), Kind::PermissionDenied);
    assert!(block_on(bobs.has("user:bob:1")).is_ok());
    handle.release();
    assert!(bobs.is_released());
}

#[test]
fn e5_everything_after_close_is_unavailable() {
    let registry = memory();
    let handle = block_on(registry.get("app:cache")).unwrap();
    block_on(registry.close()).unwrap();
    block_on(registry.close()).unwrap();
    for error in [block_on(handle.get::<i64>("k")).unwrap_err(), block_on(registry.get("app:cache")).unwrap_err()] {
        assert_eq!((error.kind(), error.retryable()), (Kind::Unavailable, Some(false)), "{error:?}");
    }
    assert!(handle.release());
}

#[test]
fn h2_nothing_opens_after_close() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let registry =
        builder(&format!("[stores.s]\nbackend = 'sled'\noptions = {{ path = '{}' }}", data.display())).build();
    block_on(registry.close()).unwrap();
    let error = block_on(registry.open_all()).unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::Unavailable, Some("closed")));
    assert!(!data.exists(), "it was not opened");
}

#[test]
fn h2_close_waits_for_operations_in_flight_then_cancels_them() {
    let server = RedisServer::start();
    let config = format!(
        "close_timeout = '300ms'\n[stores.s]\nbackend = 'redis'\noptions = {{ url = '{}', timeout = '20s' }}",
        server.url()
    );
    let registry = builder(&config).build();
    let handle = block_on(registry.get("s")).unwrap();
    block_on(handle.set("k", &1, Expiry::Never)).unwrap();
    server.freeze();
    let (waiter, clone) = (handle.clone(), registry.clone());
    let mut waiting = Box::pin(waiter.get::<i64>("k"));
    let mut late = Box::pin(waiter.get::<i64>("k"));
    // In flight from their first polls on.
    assert!(waiting.as_mut().poll(&mut TaskContext::from_waker(Waker::noop())).is_pending());
    assert!(late.as_mut().poll(&mut TaskContext::from_waker(Waker::noop())).is_pending());
    let started = Instant::now();
    let closing = thread::spawn(move || block_on(clone.close()));
    let error = block_on(waiting).unwrap_err();
    let _ = closing.join().unwrap();
    // Whose thread comes late finds that the backend, closed already, ended it as well, and is told the same.
    thread::sleep(Duration::from_millis(300));
    let late = block_on(late).unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert_eq!((error.kind(), late.kind()), (Kind::Canceled, Kind::Canceled), "{error:?} {late:?}");
    server.thaw();
    assert_eq!(block_on(handle.get::<i64>("k")).unwrap_err().kind(), Kind::Unavailable);
}

#[test]
fn get_or_set_runs_one_loader_for_all_who_wait() {
    let registry = memory();
    let handle = block_on(registry.get("app:cache")).unwrap();
    let runs = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let value = block_on(handle.get_or_set("k", LoadOptions::new(Expiry::seconds(60)), || async {
                    runs.fetch_add(1, Ordering::SeqCst);
                    thread::sleep(Duration::from_millis(50));
                    Ok(Loaded::value(7))
                }));
                assert_eq!(value.unwrap(), Some(7));
            });
        }
    });
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

#[test]
fn get_or_set_recursion_is_a_conflict_and_failures_free_the_key() {
    let registry = memory();
    let handle = block_on(registry.get("app:cache")).unwrap();
    let options = LoadOptions::default();
    let inner = || async {
        let again = handle.get_or_set::<i64, _, _>("k", options, || async { Ok(Loaded::value(1)) });
        again.await.map(Loaded::from)
    };
    let error = block_on(handle.get_or_set("k", options, inner)).unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (Kind::Conflict, false));
    let loaded = block_on(handle.get_or_set("k", options, || async { Ok(Loaded::value(2)) }));
    assert_eq!(loaded.unwrap(), Some(2));
}

#[test]
fn get_or_set_remembers_nothing_and_serves_stale_on_error() {
    let clock = store::ManualClock::new();
    let registry = builder("[stores.s]\nbackend = 'memory'").clock(clock.clone()).build();
    let handle = block_on(registry.get("s")).unwrap();
    let second = Duration::from_secs(1);

    let options = LoadOptions::default().negative_ttl(second);
    let nothing = || block_on(handle.get_or_set::<i64, _, _>("n", options, || async { Ok(Loaded::nothing()) }));
    assert_eq!(nothing().unwrap(), None);
    let unasked = handle.get_or_set::<i64, _, _>("n", options, || async { panic!("remembered") });
    assert_eq!(block_on(unasked).unwrap(), None);
    clock.advance(second);
    let asked = handle.get_or_set("n", options, || async { Ok(Loaded::value(3)) });
    assert_eq!(block_on(asked).unwrap(), Some(3));

    let options = LoadOptions::new(second).stale_on_error(second);
    let good = || async { Ok(Loaded::value(1)) };
    let bad = || async { Err::<Loaded<i64>, _>(store::Error::unavailable("origin down")) };
    assert_eq!(block_on(handle.get_or_set("s", options, good)).unwrap(), Some(1));
    clock.advance(second);
    assert_eq!(block_on(handle.get_or_set("s", options, bad)).unwrap(), Some(1), "stale");
    assert!(!block_on(handle.has("s")).unwrap(), "but not stored again");
    clock.advance(second);
    assert_eq!(block_on(handle.get_or_set("s", options, bad)).unwrap_err().message(), "origin down");
}

#[test]
fn get_or_set_goes_on_when_the_one_who_loads_gives_up() {
    let registry = memory();
    let handle = block_on(registry.get("app:cache")).unwrap();
    let options = LoadOptions::default();
    let mut given_up = Box::pin(handle.get_or_set::<i64, _, _>("k", options, std::future::pending));
    let waker = std::task::Waker::noop();
    let mut cx = std::task::Context::from_waker(waker);
    assert!(given_up.as_mut().poll(&mut cx).is_pending());
    let mut waiting = Box::pin(handle.get_or_set("k", options, || async { Ok(Loaded::value(5)) }));
    assert!(waiting.as_mut().poll(&mut cx).is_pending());
    drop(given_up);
    assert_eq!(block_on(waiting).unwrap(), Some(5));
}

#[test]
fn get_or_set_waiters_have_a_deadline() {
    let registry = memory();
    let handle = block_on(registry.get("app:cache")).unwrap();
    let options = LoadOptions::default().wait(Duration::from_millis(30));
    let mut loading = Box::pin(handle.get_or_set::<i64, _, _>("k", options, std::future::pending));
    assert!(loading.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_pending());
    let error = block_on(handle.get_or_set::<i64, _, _>("k", options, std::future::pending)).unwrap_err();
    assert_eq!(error.kind(), Kind::Timeout);
}
