//! The metrics: one table of what there is, and one walk over what it reads now. Every exporter is made from these.

use std::fmt::Write;
use std::time::Duration;

use super::{Latency, Meter};
use crate::{Kind, Registry};

/// What sort of number a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution, in seconds.
    Histogram,
}

/// A metric, as exporters name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric {
    /// Its name, as Prometheus wants it: with its unit, and `_total` for counters.
    pub name: &'static str,
    /// What sort of number it is.
    pub kind: MetricKind,
    /// What it says.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($constant:ident $kind:ident $name:literal $help:literal)*) => {
        $(const $constant: &Metric = &Metric { name: $name, kind: MetricKind::$kind, help: $help };)*

        impl Metric {
            /// Every metric that there is.
            pub const ALL: &'static [&'static Metric] = &[$($constant),*];
        }
    };
}

metrics! {
    OPERATIONS Counter "store_operations_total" "Operations that ended, by how: ok, error, dropped (given up by the caller)."
    HITS Counter "store_hits_total" "Keys that operations looked for and found."
    MISSES Counter "store_misses_total" "Keys that operations looked for and did not find."
    ERRORS Counter "store_errors_total" "Operations that failed, by kind of error."
    DENIALS Counter "store_denials_total" "Operations that the policies denied."
    SECONDS Histogram "store_operation_seconds" "How long operations took; a sample where a store answers at once."
    ENTRIES Gauge "store_entries" "Entries held, expired ones perhaps included."
    BYTES Gauge "store_bytes" "Bytes that entries take, in memory or on disk."
    EXPIRATIONS Counter "store_expirations_total" "Expired entries freed."
    EVICTIONS Counter "store_evictions_total" "Live entries dropped to make room."
    RECONNECTS Counter "store_reconnects_total" "Lost connections made anew."
    HANDLES Gauge "store_handles" "Handles that are out."
    IN_FLIGHT Gauge "store_operations_in_flight" "Operations that wait for the backend."
    OPEN Gauge "store_open" "1 once the store was opened by its first handle."
}

/// What a metric reads now.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Reading<'a> {
    /// Of a counter.
    Count(u64),
    /// Of a gauge.
    Level(u64),
    /// Of a histogram.
    Latency(&'a Latency),
}

/// Reads every metric of a registry and its meter. Labels are names and values, never keys: `store`, and `operation`, `outcome`,
/// `kind` or `backend`. A metric that a store has nothing to say about is left out.
pub fn read(
    registry: &Registry,
    meter: &Meter,
    mut each: impl FnMut(&'static Metric, &[(&'static str, &str)], Reading<'_>),
) {
    for store in meter.operations() {
        for stats in &store.operations {
            let labels = [("store", &*store.store), ("operation", stats.operation.as_str())];
            let mut count = |metric, more: Option<(&'static str, &str)>, count| match more {
                None => each(metric, &labels, Reading::Count(count)),
                Some(more) => each(metric, &[labels[0], labels[1], more], Reading::Count(count)),
            };
            for (outcome, calls) in [("ok", stats.done), ("error", stats.failed()), ("dropped", stats.dropped)] {
                count(OPERATIONS, Some(("outcome", outcome)), calls);
            }
            if stats.hits + stats.misses > 0 {
                count(HITS, None, stats.hits);
                count(MISSES, None, stats.misses);
            }
            for kind in Kind::ALL.into_iter().filter(|kind| stats.errors(*kind) > 0) {
                count(ERRORS, Some(("kind", kind.name())), stats.errors(kind));
            }
            if stats.errors(Kind::PermissionDenied) > 0 {
                count(DENIALS, None, stats.errors(Kind::PermissionDenied));
            }
            each(SECONDS, &labels, Reading::Latency(&stats.latency));
        }
    }
    for store in registry.stats() {
        let labels = [("store", &*store.id), ("backend", store.backend)];
        let own = store.stats;
        let counts = [(EXPIRATIONS, own.expirations), (EVICTIONS, own.evictions), (RECONNECTS, own.reconnects)];
        for (metric, count) in counts {
            if let Some(count) = count {
                each(metric, &labels, Reading::Count(count));
            }
        }
        let levels = [
            (ENTRIES, own.entries),
            (BYTES, own.bytes),
            (HANDLES, Some(store.handles as u64)),
            (IN_FLIGHT, Some(store.in_flight as u64)),
            (OPEN, Some(u64::from(store.open))),
        ];
        for (metric, level) in levels {
            if let Some(level) = level {
                each(metric, &labels, Reading::Level(level));
            }
        }
    }
}

/// All metrics in the text format of Prometheus (version 0.0.4), ready to be the answer to `GET /metrics`.
#[must_use]
pub fn prometheus(registry: &Registry, meter: &Meter) -> String {
    let mut lines = vec![String::new(); Metric::ALL.len()];
    read(registry, meter, |metric, labels, reading| {
        let Some(place) = Metric::ALL.iter().position(|one| one.name == metric.name) else { return };
        let lines = &mut lines[place];
        let mut line = |suffix: &str, more: Option<&str>, value: &dyn std::fmt::Display| {
            lines.push_str(metric.name);
            lines.push_str(suffix);
            lines.push('{');
            let le = more.map(|more| ("le", more));
            for (index, (name, value)) in labels.iter().copied().chain(le).enumerate() {
                let separator = if index == 0 { "" } else { "," };
                let value = value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
                // Writing to a string does not fail.
                let _ = write!(lines, "{separator}{name}=\"{value}\"");
            }
            let _ = writeln!(lines, "}} {value}");
        };
        match reading {
            Reading::Count(number) | Reading::Level(number) => line("", None, &number),
            Reading::Latency(latency) => {
                for (end, count) in coarse(latency) {
                    line("_bucket", Some(&end.as_secs_f64().to_string()), &count);
                }
                line("_bucket", Some("+Inf"), &latency.count());
                line("_sum", None, &latency.total().as_secs_f64());
                line("_count", None, &latency.count());
            }
        }
    });
    let mut text = String::new();
    for (metric, lines) in Metric::ALL.iter().zip(lines).filter(|(_, lines)| !lines.is_empty()) {
        let kind = match metric.kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
        };
        let _ = write!(text, "# HELP {0} {1}\n# TYPE {0} {kind}\n{lines}", metric.name, metric.help);
    }
    text
}

/// Each fourfold of 1.024 µs up to 17 s, and how many were faster: boundaries that are ends of buckets, so that nothing is guessed.
fn coarse(latency: &Latency) -> Vec<(Duration, u64)> {
    let mut buckets = latency.buckets();
    let mut faster = 0;
    let mut boundaries = Vec::new();
    for power in (10..=34).step_by(2) {
        let boundary = Duration::from_nanos(1 << power);
        for (end, count) in buckets.by_ref() {
            faster += count;
            if end == boundary {
                break;
            }
        }
        boundaries.push((boundary, faster));
    }
    boundaries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::latency::Recorder;

    #[test]
    fn boundaries_count_what_was_faster() {
        let recorder = Recorder::default();
        for nanos in [100, 1023, 1024, 5_000_000, 40_000_000_000] {
            recorder.record(Duration::from_nanos(nanos));
        }
        let boundaries = coarse(&recorder.read());
        let at = |power: u64| boundaries.iter().find(|(end, _)| *end == Duration::from_nanos(1 << power)).unwrap().1;
        assert_eq!((at(10), at(12), at(22), at(24), at(34)), (2, 3, 3, 4, 4));
    }
}
