//! Metrics, through the crate `metrics`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use metrics::{Label, Unit};
use store_core::Registry;
use store_core::observe::{Latency, Meter, Metric, MetricKind, Reading, read};

/// Tells the recorder what the metrics are called, are measured in and mean. Once, after the recorder was installed.
pub fn describe() {
    for metric in Metric::ALL {
        match metric.kind {
            MetricKind::Counter => metrics::describe_counter!(metric.name, metric.help),
            MetricKind::Gauge => metrics::describe_gauge!(metric.name, metric.help),
            MetricKind::Histogram => metrics::describe_histogram!(metric.name, Unit::Seconds, metric.help),
        }
    }
}

/// Brings the recorder up to date with a registry and its meter: before each scrape, or every few seconds.
///
/// Operations count for themselves, where that costs least; this carries their sums over. A latency is told as the end of its
/// bucket, at most a quarter more than it was. Where several publish the same meter, each must have a [`Published`] of its own.
pub fn publish(registry: &Registry, meter: &Meter, published: &Published) {
    read(registry, meter, |metric, labels, reading| {
        let labels: Vec<Label> = labels.iter().map(|(name, value)| Label::new(*name, (*value).to_owned())).collect();
        match reading {
            Reading::Count(count) => metrics::counter!(metric.name, labels).absolute(count),
            #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
            Reading::Level(level) => metrics::gauge!(metric.name, labels).set(level as f64),
            Reading::Latency(latency) => {
                let histogram = metrics::histogram!(metric.name, labels.clone());
                published.news(metric, labels, latency, |elapsed, count| histogram.record_many(elapsed, count));
            }
            // `Reading` may grow; what is new then is added here.
            _ => {}
        }
    });
}

/// What of the latencies has been told to a recorder: see [`publish`].
#[derive(Debug, Default)]
pub struct Published(Mutex<HashMap<(&'static str, Vec<Label>), Latency>>);

impl Published {
    /// What came since the last time.
    fn news(&self, metric: &Metric, labels: Vec<Label>, latency: &Latency, mut tell: impl FnMut(Duration, usize)) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = told.insert((metric.name, labels), latency.clone()).unwrap_or_default();
        for (end, count) in latency.since(&before).buckets().filter(|(_, count)| *count > 0) {
            tell(end, usize::try_from(count).unwrap_or(usize::MAX));
        }
    }
}
