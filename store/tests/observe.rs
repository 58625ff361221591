//! What observers and snapshots say of what happens in stores, on real backends.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Waker};
use std::thread;
use std::time::{Duration, Instant};

use store::observe::{Ended, Meter, Observer, Operation, OperationStats, Span, StoreObserver, Timing};
use store::{
    Actor, Context, Error, Expiry, Kind, ListOptions, LoadOptions, Loaded, ManualClock, Registry, RegistryBuilder,
    block_on,
};
use store_testkit::RedisServer;

fn builder(config: &str) -> RegistryBuilder {
    let document = store::config::Document::parse(config, "test.toml").unwrap();
    Registry::builder(document.resolve(None, &store::backends(), &|_| None).unwrap())
}

/// What was counted of an operation on the first store.
fn of(meter: &Meter, operation: Operation) -> OperationStats {
    let stores = meter.operations();
    stores[0].operations.iter().find(|stats| stats.operation == operation).expect("it was called").clone()
}

const MEMORY: &str = "[stores.s]\nbackend = 'memory'";

#[test]
fn calls_hits_misses_and_errors_are_counted_by_operation() {
    let meter = Meter::new();
    let registry = builder(MEMORY).observer(meter.clone()).build();
    let handle = block_on(registry.get("s")).unwrap();
    for key in ["a", "b"] {
        block_on(handle.set(key, "value", Expiry::Default)).unwrap();
    }
    for (key, _) in [("a", 1), ("b", 1), ("c", 0)] {
        block_on(handle.get::<String>(key)).unwrap();
        block_on(handle.has(key)).unwrap();
    }
    handle.try_get::<String>("a").unwrap().unwrap();
    handle.try_set_encoded(b"b", b"\xa5value", Expiry::Default).unwrap().unwrap();
    block_on(handle.get_many::<String>(&["a", "x", "b", "y", "z"])).unwrap();
    block_on(handle.delete_many(&["a", "x"])).unwrap();
    block_on(handle.list(&ListOptions::default())).unwrap();
    assert_eq!(block_on(handle.get::<i64>("b")).unwrap_err().kind(), Kind::Invalid);
    assert_eq!(block_on(handle.get::<i64>("")).unwrap_err().kind(), Kind::Invalid);

    let counts = |operation| {
        let stats = of(&meter, operation);
        (stats.done, stats.hits, stats.misses, stats.failed())
    };
    assert_eq!(counts(Operation::Acquire), (1, 0, 0, 0));
    assert_eq!(counts(Operation::Set), (3, 0, 0, 0));
    assert_eq!(counts(Operation::Get), (4, 3, 1, 2));
    assert_eq!(counts(Operation::Has), (3, 2, 1, 0));
    assert_eq!(counts(Operation::GetMany), (1, 2, 3, 0), "a batch counts its keys");
    assert_eq!(counts(Operation::DeleteMany), (1, 1, 1, 0));
    assert_eq!(counts(Operation::List), (1, 0, 0, 0));
    assert_eq!(of(&meter, Operation::Get).errors(Kind::Invalid), 2);
    assert_eq!(of(&meter, Operation::Get).hit_ratio(), Some(0.75));
    assert_eq!(meter.operations()[0].operations.len(), 7, "what nobody called is left out");

    let before = of(&meter, Operation::Has);
    block_on(handle.has("b")).unwrap();
    let since = of(&meter, Operation::Has).since(&before);
    assert_eq!((since.calls(), since.hits, since.misses), (1, 1, 0));
}

#[test]
fn a_loaded_value_was_missed_and_one_that_was_there_is_a_hit() {
    let meter = Meter::new();
    let registry = builder(MEMORY).observer(meter.clone()).build();
    let handle = block_on(registry.get("s")).unwrap();
    let options = LoadOptions::default();
    for _ in 0..3 {
        let value = block_on(handle.get_or_set("k", options, async || Ok(Loaded::value(7i64)))).unwrap();
        assert_eq!(value, Some(7));
    }
    block_on(handle.get_or_set::<i64, _, _>("none", options, async || Ok(Loaded::nothing()))).unwrap();
    let failed = block_on(handle.get_or_set::<i64, _, _>("bad", options, async || Err(Error::unavailable("no"))));
    assert_eq!(failed.unwrap_err().kind(), Kind::Unavailable);
    let stats = of(&meter, Operation::GetOrSet);
    assert_eq!((stats.done, stats.hits, stats.misses, stats.errors(Kind::Unavailable)), (4, 2, 2, 1));
}

#[test]
fn denials_are_counted_and_ids_that_nobody_configured_are_not() {
    let policies = "\n[[security.policies]]\nid = 'read'\nactions = ['store.get', 'store.key.get']\nresources = ['s']\neffect = 'allow'";
    let meter = Meter::new();
    let config = format!("{MEMORY}\n[stores.t]\nbackend = 'memory'{policies}");
    let registry = builder(&config).observer(meter.clone()).build();
    let alice = Context::new(Some(Actor::new("alice")), Some(Vec::new()));
    let handle = block_on(registry.get_as("s", &alice)).unwrap();
    block_on(handle.set("k", "v", Expiry::Default)).unwrap_err();
    block_on(registry.get_as("t", &alice)).unwrap_err();
    block_on(registry.get_as("made up", &alice)).unwrap_err();
    assert_eq!(of(&meter, Operation::Set).errors(Kind::PermissionDenied), 1);
    let ids: Vec<_> = meter.operations().into_iter().map(|store| store.store.to_string()).collect();
    assert_eq!(ids, ["s", "t"]);
    assert_eq!(meter.operations()[1].operations[0].errors(Kind::PermissionDenied), 1);
}

#[test]
fn latencies_are_sampled_where_answers_come_at_once_and_complete_where_they_do_not() {
    let (server, meter) = (RedisServer::start(), Meter::new());
    let config = format!("{MEMORY}\n[stores.t]\nbackend = 'redis'\noptions = {{ url = '{}' }}", server.url());
    let registry = builder(&config).observer(meter.clone()).build();
    let (near, far) = (block_on(registry.get("s")).unwrap(), block_on(registry.get("t")).unwrap());
    for _ in 0..3200 {
        near.try_has("k").unwrap().unwrap();
    }
    for _ in 0..10 {
        assert!(far.try_has("k").is_none(), "would have to wait");
        block_on(far.has("k")).unwrap();
    }
    let stores = meter.operations();
    let has = |store: usize| stores[store].operations.iter().find(|stats| stats.operation == Operation::Has).unwrap();
    assert_eq!((has(0).done, has(1).done), (3200, 10), "what was not started is not counted");
    assert!((100..400).contains(&has(0).latency.count()), "{} of 3200", has(0).latency.count());
    assert_eq!(has(1).latency.count(), 10);
    assert!(has(1).latency.quantile(0.5) > has(0).latency.quantile(0.5), "{stores:?}");
}

#[test]
fn many_threads_count_exactly() {
    let meter = Meter::new();
    let registry = builder(MEMORY).observer(meter.clone()).build();
    let handle = block_on(registry.get("s")).unwrap();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..5000).for_each(|_| drop(handle.try_get::<String>("k"))));
        }
    });
    assert_eq!((of(&meter, Operation::Get).done, of(&meter, Operation::Get).misses), (40_000, 40_000));
}

/// Writes down what it is told.
#[derive(Clone, Debug, Default)]
struct Scribe(Arc<Mutex<Vec<String>>>);

impl Scribe {
    fn add(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    fn lines(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Observer for Scribe {
    fn store(&self, id: &str, backend: &'static str) -> Arc<dyn StoreObserver> {
        self.add(format!("{id} on {backend}"));
        Arc::new(self.clone())
    }
}

impl StoreObserver for Scribe {
    fn has_spans(&self) -> bool {
        true
    }

    fn timing(&self) -> Timing {
        Timing::Always
    }

    fn begin(&self, operation: Operation, key: Option<&[u8]>) -> Option<Box<dyn Span>> {
        self.add(format!("begin {operation} {:?}", key.map(<[u8]>::escape_ascii).map(|key| key.to_string())));
        Some(Box::new(self.clone()))
    }

    fn end(&self, ended: &Ended<'_>) {
        assert!(ended.elapsed.is_some());
    }
}

impl Span for Scribe {
    fn enter(&mut self) {
        self.add("enter".into());
    }

    fn exit(&mut self) {
        self.add("exit".into());
    }

    fn end(&mut self, ended: &Ended<'_>) {
        self.add(format!("end {} {}", ended.operation, ended.outcome.as_str()));
    }
}

#[test]
fn a_span_is_entered_while_its_operation_works_and_told_when_it_is_given_up() {
    let scribe = Scribe::default();
    let registry = builder(MEMORY).observer(scribe.clone()).build();
    let handle = block_on(registry.get("s")).unwrap();
    let acquired = ["s on memory", "begin store.get None", "enter", "exit", "end store.get ok"];
    assert_eq!(scribe.lines(), acquired);
    block_on(handle.get::<i64>("k")).unwrap();
    assert_eq!(scribe.lines(), ["begin get Some(\"k\")", "enter", "exit", "end get miss"]);

    // A loader that waits: the span is left meanwhile.
    let options = LoadOptions::default();
    let mut waiting = Box::pin(handle.get_or_set::<i64, _, _>("k", options, async || std::future::pending().await));
    let mut cx = TaskContext::from_waker(Waker::noop());
    assert!(waiting.as_mut().poll(&mut cx).is_pending() && waiting.as_mut().poll(&mut cx).is_pending());
    drop(waiting);
    let given_up = ["begin get_or_set Some(\"k\")", "enter", "exit", "enter", "exit", "end get_or_set dropped"];
    assert_eq!(scribe.lines(), given_up);
}

#[test]
fn a_panic_in_a_loader_leaves_its_span() {
    let scribe = Scribe::default();
    let registry = builder(MEMORY).observer(scribe.clone()).build();
    let handle = block_on(registry.get("s")).unwrap();
    scribe.lines();
    let options = LoadOptions::default();
    let load = || block_on(handle.get_or_set::<i64, _, _>("k", options, async || panic!("on purpose")));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(load)).is_err());
    assert_eq!(scribe.lines(), ["begin get_or_set Some(\"k\")", "enter", "exit", "end get_or_set dropped"]);
}

#[test]
fn stores_say_what_they_hold_and_who_holds_them() {
    let (server, folder) = (RedisServer::start(), tempfile::tempdir().unwrap());
    let config = format!(
        "[stores.a]\nbackend = 'memory'\noptions = {{ max_entries = 2, on_full = 'lru' }}\n\
         [stores.b]\nbackend = 'sled'\noptions = {{ path = '{}' }}\n\
         [stores.c]\nbackend = 'redis'\noptions = {{ url = '{}' }}\n[stores.d]\nbackend = 'memory'",
        folder.path().display(),
        server.url()
    );
    let clock = ManualClock::new();
    let registry = builder(&config).clock(clock.clone()).build();
    assert!(registry.stats().iter().all(|store| !store.open && store.handles == 0));
    let handles: Vec<_> = ["a", "b", "c"].map(|id| block_on(registry.get(id)).unwrap()).into();
    for handle in &handles {
        for key in ["1", "2", "3"] {
            block_on(handle.set(key, "value", Expiry::After(Duration::from_secs(60)))).unwrap();
        }
    }
    let again = block_on(registry.get("a")).unwrap();
    let stats = registry.stats();
    assert_eq!(stats.iter().map(|store| (&*store.id, store.backend)).collect::<Vec<_>>()[1], ("b", "sled"));
    assert_eq!(stats.iter().map(|store| store.handles).collect::<Vec<_>>(), [2, 1, 1, 0]);
    assert_eq!(stats.iter().map(|store| store.open).collect::<Vec<_>>(), [true, true, true, false]);
    assert_eq!((stats[0].stats.entries, stats[0].stats.evictions), (Some(2), Some(1)));
    assert!(stats[0].stats.bytes.unwrap() > 2 * 96 && stats[1].stats.bytes.unwrap() > 0, "{stats:?}");
    assert_eq!(stats[2].stats.reconnects, Some(0));

    clock.advance(Duration::from_secs(3600));
    let expired = |at: usize| registry.stats()[at].stats.expirations;
    let begun = Instant::now();
    while (expired(0), expired(1)) != (Some(2), Some(3)) {
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", registry.stats());
        for id in ["a", "b"] {
            block_on(registry.purge_expired(id, 100)).unwrap();
        }
        thread::sleep(Duration::from_millis(5));
    }
    again.release();
    assert_eq!(registry.stats()[0].handles, 1);
    block_on(registry.close()).unwrap();
}

#[test]
fn connections_that_were_lost_and_made_anew_are_counted() {
    let server = RedisServer::start();
    let config = format!("[stores.c]\nbackend = 'redis'\noptions = {{ url = '{}' }}", server.url());
    let registry = builder(&config).build();
    let handle = block_on(registry.get("c")).unwrap();
    block_on(handle.ping()).unwrap();
    assert_eq!(registry.stats()[0].stats.reconnects, Some(0));
    server.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
    let begun = Instant::now();
    while registry.stats()[0].stats.reconnects == Some(0) {
        assert!(begun.elapsed() < Duration::from_secs(30));
        let _ = block_on(handle.ping());
    }
}
