//! What `tracing`, `metrics` and Prometheus are told, and that the dashboard asks for what there is.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, KeyName, Metadata, Recorder, SharedString, Unit,
};
use store::observe::{Meter, Metric, prometheus};
use store::telemetry::{Published, Spans, describe, publish};
use store::{Expiry, Handle, Registry, RegistryBuilder, block_on};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};

fn builder() -> RegistryBuilder {
    let document = store::config::Document::parse("[stores.'app:cache']\nbackend = 'memory'", "test.toml").unwrap();
    Registry::builder(document.resolve(None, &store::backends(), &|_| None).unwrap())
}

/// A hit, a miss, a batch, and an error.
fn use_it(handle: &Handle) {
    block_on(handle.set("secret key", "secret value", Expiry::Default)).unwrap();
    block_on(handle.get::<String>("secret key")).unwrap();
    block_on(handle.get::<String>("other key")).unwrap();
    block_on(handle.get::<i64>("secret key")).unwrap_err();
}

/// Writes down spans as they begin, are entered and left, and end.
#[derive(Clone, Debug, Default)]
struct Lines(Arc<Mutex<Vec<String>>>, Arc<AtomicU64>);

impl Lines {
    fn add(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }
}

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl tracing::Subscriber for Lines {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "store" && *metadata.level() == tracing::Level::DEBUG
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let id = self.1.fetch_add(1, Ordering::Relaxed) + 1;
        let mut line = format!("{id} begins:");
        span.record(&mut Fields(&mut line));
        self.add(line);
        Id::from_u64(id)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut line = format!("{}:", span.into_u64());
        values.record(&mut Fields(&mut line));
        self.add(line);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &tracing::Event<'_>) {}

    fn enter(&self, span: &Id) {
        self.add(format!("{} entered", span.into_u64()));
    }

    fn exit(&self, span: &Id) {
        self.add(format!("{} left", span.into_u64()));
    }
}

#[test]
fn spans_tell_store_operation_and_outcome_and_neither_keys_nor_values() {
    let registry = builder().observer(Spans::new()).build();
    let lines = Lines::default();
    tracing::subscriber::with_default(lines.clone(), || {
        let handle = block_on(registry.get("app:cache")).unwrap();
        use_it(&handle);
    });
    let said = lines.0.lock().unwrap().clone();
    let begin = |id: u32, operation: &str| {
        format!(
            "{id} begins: otel.name=\"{operation}\" store=\"app:cache\" backend=\"memory\" operation=\"{operation}\""
        )
    };
    let get = [begin(3, "get"), "3 entered".into(), "3 left".into(), "3: outcome=\"hit\"".into()];
    assert!(said.windows(4).any(|four| four == get), "{said:#?}");
    assert!(
        said.contains(&"2: outcome=\"ok\"".to_owned()) && said.contains(&"4: outcome=\"miss\"".to_owned()),
        "{said:#?}"
    );
    assert!(said.contains(&"5: error.kind=\"INVALID\"".to_owned()), "{said:#?}");
    assert!(!said.concat().contains("key") && !said.concat().contains("secret"), "{said:#?}");
}

#[test]
fn spans_tell_keys_if_asked_to() {
    let registry = builder().observer(Spans::new().with_keys()).build();
    let lines = Lines::default();
    tracing::subscriber::with_default(lines.clone(), || use_it(&block_on(registry.get("app:cache")).unwrap()));
    let said = lines.0.lock().unwrap().concat();
    assert!(said.contains("key=secret key") && !said.contains("secret value"), "{said}");
}

/// Keeps numbers by name and labels, as `name{label=value}`.
#[derive(Clone, Debug, Default)]
struct Numbers(Arc<Mutex<BTreeMap<String, f64>>>, Arc<Mutex<BTreeSet<String>>>);

struct Number(Numbers, String);

impl Number {
    fn change(&self, change: impl FnOnce(&mut f64)) {
        change(self.0.0.lock().unwrap().entry(self.1.clone()).or_default());
    }
}

impl CounterFn for Number {
    fn increment(&self, _: u64) {
        unreachable!("sums are told as they are");
    }
    fn absolute(&self, value: u64) {
        self.change(|number| *number = value as f64);
    }
}

impl GaugeFn for Number {
    fn increment(&self, _: f64) {}
    fn decrement(&self, _: f64) {}
    fn set(&self, value: f64) {
        self.change(|number| *number = value);
    }
}

impl HistogramFn for Number {
    fn record(&self, _: f64) {
        self.change(|number| *number += 1.0);
    }
}

impl Numbers {
    fn number(&self, key: &metrics::Key) -> Arc<Number> {
        let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        Arc::new(Number(self.clone(), format!("{}{{{}}}", key.name(), labels.join(","))))
    }
}

impl Recorder for Numbers {
    fn describe_counter(&self, key: KeyName, _: Option<Unit>, _: SharedString) {
        self.1.lock().unwrap().insert(key.as_str().to_owned());
    }
    fn describe_gauge(&self, key: KeyName, _: Option<Unit>, _: SharedString) {
        self.1.lock().unwrap().insert(key.as_str().to_owned());
    }
    fn describe_histogram(&self, key: KeyName, _: Option<Unit>, _: SharedString) {
        self.1.lock().unwrap().insert(key.as_str().to_owned());
    }
    fn register_counter(&self, key: &metrics::Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.number(key))
    }
    fn register_gauge(&self, key: &metrics::Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.number(key))
    }
    fn register_histogram(&self, key: &metrics::Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.number(key))
    }
}

#[test]
fn numbers_are_published_to_any_recorder() {
    let (meter, numbers, published) = (Meter::new(), Numbers::default(), Published::default());
    let registry = builder().observer(meter.clone()).build();
    let handle = block_on(registry.get("app:cache")).unwrap();
    let read = |name: &str| numbers.0.lock().unwrap().get(name).copied();
    metrics::with_local_recorder(&numbers, || {
        describe();
        for round in 1..=3 {
            use_it(&handle);
            publish(&registry, &meter, &published);
            publish(&registry, &meter, &published);
            let expected = Some(f64::from(round));
            assert_eq!(read("store_operations_total{store=app:cache,operation=set,outcome=ok}"), expected);
            assert_eq!(read("store_hits_total{store=app:cache,operation=get}"), expected);
            assert_eq!(read("store_misses_total{store=app:cache,operation=get}"), expected);
            assert_eq!(read("store_errors_total{store=app:cache,operation=get,kind=INVALID}"), expected);
        }
        for _ in 0..1000 {
            handle.try_has("k").unwrap().unwrap();
        }
        publish(&registry, &meter, &published);
        publish(&registry, &meter, &published);
    });
    assert_eq!(read("store_entries{store=app:cache,backend=memory}"), Some(1.0));
    assert_eq!(read("store_handles{store=app:cache,backend=memory}"), Some(1.0));
    let stores = meter.operations();
    let has = stores[0].operations.iter().find(|stats| stats.operation.as_str() == "has").unwrap();
    let timed = read("store_operation_seconds{store=app:cache,operation=has}").unwrap();
    assert_eq!(timed, has.latency.count() as f64, "none is told twice");
    assert!(timed > 10.0 && timed < 300.0, "{timed}");
    let described = numbers.1.lock().unwrap().clone();
    assert_eq!(described, Metric::ALL.iter().map(|metric| metric.name.to_owned()).collect());
}

#[test]
fn the_text_for_prometheus_is_complete_and_well_formed() {
    let meter = Meter::new();
    let registry = builder().observer(meter.clone()).build();
    let handle = block_on(registry.get("app:cache")).unwrap();
    use_it(&handle);
    for _ in 0..100 {
        handle.try_has("k").unwrap().unwrap();
    }
    let text = prometheus(&registry, &meter);
    for expected in [
        "# TYPE store_operations_total counter\n",
        "store_operations_total{store=\"app:cache\",operation=\"get\",outcome=\"ok\"} 2\n",
        "store_operations_total{store=\"app:cache\",operation=\"get\",outcome=\"error\"} 1\n",
        "store_hits_total{store=\"app:cache\",operation=\"get\"} 1\n",
        "store_errors_total{store=\"app:cache\",operation=\"get\",kind=\"INVALID\"} 1\n",
        "# TYPE store_operation_seconds histogram\n",
        "store_operation_seconds_bucket{store=\"app:cache\",operation=\"has\",le=\"0.000001024\"}",
        "store_entries{store=\"app:cache\",backend=\"memory\"} 1\n",
        "store_handles{store=\"app:cache\",backend=\"memory\"} 1\n",
    ] {
        assert!(text.contains(expected), "{expected}\nis not in\n{text}");
    }
    let mut seen = BTreeSet::new();
    for line in text.lines() {
        if let Some(about) = line.strip_prefix("# TYPE ") {
            assert!(seen.insert(about.split(' ').next().unwrap()), "{line} comes twice");
        } else if !line.starts_with("# HELP ") {
            let (name, rest) = line.split_once('{').unwrap();
            let (_labels, value) = rest.rsplit_once("} ").unwrap();
            value.parse::<f64>().unwrap();
            let name = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
            assert!(seen.contains(name), "{line} comes before its type");
        }
    }
    let buckets: Vec<u64> = text
        .lines()
        .filter(|line| line.starts_with("store_operation_seconds_bucket{store=\"app:cache\",operation=\"has\""))
        .map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
        .collect();
    assert!(buckets.len() == 14 && buckets.is_sorted() && buckets[13] > 0, "{buckets:?}");
}

/// The metrics that an expression of PromQL asks for.
fn asked(expression: &str) -> impl Iterator<Item = &str> {
    let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let names = words.filter(|word| word.starts_with("store_"));
    names.map(|name| ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name))
}

#[test]
fn the_dashboard_asks_for_the_metrics_that_there_are_and_for_all_of_them() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/dashboard.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let expressions: Vec<&str> = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap())
        .map(|target| target["expr"].as_str().unwrap())
        .collect();
    let asked: BTreeSet<&str> = expressions.iter().flat_map(|expression| asked(expression)).collect();
    let known: BTreeSet<&str> = Metric::ALL.iter().map(|metric| metric.name).collect();
    assert_eq!(asked, known);
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
}
