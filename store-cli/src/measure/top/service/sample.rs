//! What a service says of its stores at a moment, and what happened between two.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::text::lines;

/// What a number is of. Labels that it has not are empty; those of whoever scraped or passed it on are not looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Series {
    metric: String,
    store: String,
    operation: String,
    /// The outcome, the kind of error, or the end of a bucket.
    of: String,
}

/// All numbers at a moment.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    at: Instant,
    numbers: BTreeMap<Series, f64>,
    backends: BTreeMap<String, String>,
}

impl Sample {
    /// Reads the answer of a service; `only` leaves out the other stores.
    pub(super) fn read(text: &str, only: Option<&str>) -> Sample {
        let (mut numbers, mut backends) = (BTreeMap::new(), BTreeMap::new());
        for line in lines(text) {
            let Some(store) = line.label("store") else { continue };
            if !line.name.starts_with("store_") || only.is_some_and(|only| only != store) {
                continue;
            }
            if let Some(backend) = line.label("backend") {
                backends.insert(store.to_owned(), backend.to_owned());
            }
            let label = |name| line.label(name).unwrap_or_default().to_owned();
            let of = ["outcome", "kind", "le"].into_iter().find_map(|name| line.label(name)).unwrap_or_default();
            let (store, of) = (store.to_owned(), of.to_owned());
            // Of several processes that one answer speaks for: their sum.
            *numbers.entry(Series { operation: label("operation"), metric: line.name, store, of }).or_insert(0.0) +=
                line.value;
        }
        Sample { at: Instant::now(), numbers, backends }
    }

    /// Whether it says nothing of any store.
    pub(super) fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// The stores, in order.
    pub(super) fn stores(&self) -> Vec<&str> {
        let mut stores: Vec<&str> = self.numbers.keys().map(|series| &*series.store).collect();
        stores.sort_unstable();
        stores.dedup();
        stores
    }

    pub(super) fn backend(&self, store: &str) -> Option<&str> {
        self.backends.get(store).map(String::as_str)
    }

    /// What a gauge says of a store, if it says anything.
    pub(super) fn level(&self, metric: &str, store: &str) -> Option<f64> {
        let of = |series: &Series| series.metric == metric && series.store == store;
        self.numbers.iter().find(|(series, _)| of(series)).map(|(_, level)| *level)
    }
}

/// What happened between two samples.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) elapsed: Duration,
    grown: BTreeMap<Series, f64>,
}

impl Change {
    pub(super) fn between(before: &Sample, now: &Sample) -> Change {
        let grown = now.numbers.iter().map(|(series, value)| {
            // After a restart a counter began anew, and what it says happened since.
            let before = before.numbers.get(series).filter(|before| *before <= value);
            (series.clone(), value - before.unwrap_or(&0.0))
        });
        Change { elapsed: now.at - before.at, grown: grown.collect() }
    }

    /// How often a second.
    pub(super) fn rate(&self, grown: f64) -> f64 {
        grown / self.elapsed.as_secs_f64().max(1e-3)
    }

    /// By how much a counter of a store has grown.
    pub(super) fn counted(&self, metric: &str, store: &str) -> f64 {
        sum(self.of(metric, store, None).map(|(_, grown)| grown))
    }

    /// What a store did, in all or in one operation.
    pub(super) fn work(&self, store: &str, operation: Option<&str>) -> Work {
        let grown = |metric| sum(self.of(metric, store, operation).map(|(_, grown)| grown));
        let mut work = Work {
            calls: grown("store_operations_total"),
            hits: grown("store_hits_total"),
            misses: grown("store_misses_total"),
            timed: grown("store_operation_seconds_count"),
            seconds: grown("store_operation_seconds_sum"),
            ..Work::default()
        };
        for (series, grown) in self.of("store_errors_total", store, operation).filter(|(_, grown)| *grown > 0.0) {
            *work.errors.entry(series.of.clone()).or_insert(0.0) += grown;
        }
        for (series, grown) in self.of("store_operation_seconds_bucket", store, operation) {
            let end = series.of.parse().unwrap_or(f64::INFINITY);
            match work.buckets.iter_mut().find(|(known, _)| *known == end) {
                Some((_, count)) => *count += grown,
                None => work.buckets.push((end, grown)),
            }
        }
        work.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        work
    }

    /// The operations of a store that were called.
    pub(super) fn operations<'a>(&'a self, store: &'a str) -> Vec<&'a str> {
        let called = self.of("store_operations_total", store, None).filter(|(_, grown)| *grown > 0.0);
        let mut operations: Vec<&str> = called.map(|(series, _)| &*series.operation).collect();
        operations.dedup();
        operations
    }

    fn of<'a>(
        &'a self,
        metric: &'a str,
        store: &'a str,
        operation: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a Series, f64)> {
        let wanted = move |series: &&Series| {
            series.metric == metric
                && series.store == store
                && operation.is_none_or(|operation| series.operation == operation)
        };
        self.grown.keys().filter(wanted).map(|series| (series, self.grown[series]))
    }
}

/// What was done in the time between.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Work {
    pub(super) calls: f64,
    pub(super) hits: f64,
    pub(super) misses: f64,
    /// By kind.
    pub(super) errors: BTreeMap<String, f64>,
    /// How many calls were timed, and how long these took together.
    timed: f64,
    seconds: f64,
    /// How many were no slower than this, in seconds.
    buckets: Vec<(f64, f64)>,
}

impl Work {
    pub(super) fn failed(&self) -> f64 {
        sum(self.errors.values().copied())
    }

    /// Of the keys that were looked for, those that were there; `None` if none was looked for.
    pub(super) fn hit_ratio(&self) -> Option<f64> {
        let keys = self.hits + self.misses;
        (keys > 0.0).then(|| self.hits / keys)
    }

    /// In seconds; `None` if nothing was timed.
    pub(super) fn mean(&self) -> Option<f64> {
        (self.timed > 0.0).then(|| self.seconds / self.timed)
    }

    /// So many of the calls took no longer than this, in seconds: the end of the bucket. `None` if nothing was timed, or if they took
    /// longer than any bucket tells.
    pub(super) fn within(&self, part: f64) -> Option<f64> {
        let all = self.buckets.last().map(|(_, count)| *count).filter(|all| *all > 0.0)?;
        self.buckets.iter().find(|(_, count)| *count >= all * part).map(|(end, _)| *end).filter(|end| end.is_finite())
    }
}

/// The standard library's sum of nothing is -0.0, and would be printed so.
fn sum(numbers: impl Iterator<Item = f64>) -> f64 {
    numbers.fold(0.0, |sum, number| sum + number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later(sample: &Sample, text: &str, seconds: u64) -> Sample {
        let at = sample.at + Duration::from_secs(seconds);
        Sample { at, ..Sample::read(text, None) }
    }

    const BEFORE: &str = "store_operations_total{store=\"a\",operation=\"get\",outcome=\"ok\"} 100\n\
        store_operations_total{store=\"b\",operation=\"get\",outcome=\"ok\"} 7\nstore_hits_total{store=\"a\",operation=\"get\"} 50\n\
        store_entries{store=\"a\",backend=\"memory\"} 3\nup{store=\"a\"} 1\nstore_things 4\n";

    #[test]
    fn what_happened_is_told_by_store_and_operation() {
        let before = Sample::read(BEFORE, None);
        let now = later(
            &before,
            "store_operations_total{operation=\"get\",store=\"a\",outcome=\"ok\",instance=\"one\"} 130\n\
             store_operations_total{operation=\"get\",store=\"a\",outcome=\"error\"} 10\n\
             store_operations_total{operation=\"set\",store=\"a\",outcome=\"ok\"} 0\n\
             store_errors_total{operation=\"get\",store=\"a\",kind=\"TIMEOUT\"} 10\n\
             store_hits_total{store=\"a\",operation=\"get\"} 65\nstore_misses_total{store=\"a\",operation=\"get\"} 5\n\
             store_operation_seconds_bucket{store=\"a\",operation=\"get\",le=\"+Inf\"} 100\n\
             store_operation_seconds_bucket{store=\"a\",operation=\"get\",le=\"0.5\"} 98\n\
             store_operation_seconds_bucket{store=\"a\",operation=\"get\",le=\"0.25\"} 60\n\
             store_operation_seconds_sum{store=\"a\",operation=\"get\"} 20\n\
             store_operation_seconds_count{store=\"a\",operation=\"get\"} 100\n",
            10,
        );
        assert_eq!(
            (before.stores(), before.backend("a"), before.level("store_entries", "a")),
            (vec!["a", "b"], Some("memory"), Some(3.0))
        );
        let change = Change::between(&before, &now);
        let work = change.work("a", Some("get"));
        assert_eq!((work.calls, change.rate(work.calls), work.hit_ratio()), (40.0, 4.0, Some(0.75)));
        assert_eq!((work.failed(), work.errors["TIMEOUT"]), (10.0, 10.0));
        assert_eq!((work.mean(), work.within(0.5), work.within(0.98)), (Some(0.2), Some(0.25), Some(0.5)));
        assert_eq!(work.within(0.99), None, "longer than any bucket tells");
        assert_eq!((work, change.operations("a")), (change.work("a", None), vec!["get"]));
        assert_eq!(change.work("none", None), Work::default());
        let nothing = [change.counted("store_evictions_total", "a"), Work::default().failed()];
        assert!(nothing.iter().all(|number| number.is_sign_positive()), "0.0, and not -0.0");
        assert_eq!(Work::default().within(0.5).or(Work::default().mean()), None);
    }

    #[test]
    fn a_restart_is_no_negative_rate() {
        let before = Sample::read(BEFORE, Some("a"));
        assert_eq!(before.stores(), ["a"]);
        let now = later(&before, "store_operations_total{store=\"a\",operation=\"get\",outcome=\"ok\"} 9\n", 2);
        assert_eq!(Change::between(&before, &now).work("a", None).calls, 9.0);
        assert!(Sample::read("up 1\n", None).is_empty());
    }

    #[test]
    fn the_metrics_are_those_that_services_tell() {
        let told = |name: &str| store::observe::Metric::ALL.iter().any(|metric| metric.name == name);
        for name in [
            "store_operations_total",
            "store_hits_total",
            "store_misses_total",
            "store_errors_total",
            "store_operation_seconds",
        ] {
            assert!(told(name), "{name}");
        }
        for name in [super::super::LEVELS, super::super::COUNTS].concat() {
            assert!(told(name.1), "{name:?}");
        }
    }
}
