//! Latencies, counted in buckets whose width grows with them.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Everything below 2 to this many nanoseconds (64 ns) is one bucket.
const FIRST: u32 = 6;
/// Everything from 2 to this on (69 s) belongs to the last bucket.
const LAST: u32 = 36;
/// Each doubling is cut into 2 to this many buckets of the same width, so that none is wider than a quarter of its beginning.
const CUT: u32 = 2;
const BUCKETS: usize = 1 + (((LAST - FIRST) as usize) << CUT);

/// The bucket of a latency: logarithmic with linear steps within, as HdrHistogram's (Gil Tene, 2012).
fn bucket(nanos: u64) -> usize {
    let exponent = nanos.max(1).ilog2();
    if exponent < FIRST {
        return 0;
    }
    let step = (nanos >> (exponent - CUT)) & ((1 << CUT) - 1);
    let index = (u64::from(exponent - FIRST) << CUT) + step + 1;
    usize::try_from(index).unwrap_or(BUCKETS).min(BUCKETS - 1)
}

/// Where a bucket ends, in nanoseconds.
fn end(bucket: usize) -> u64 {
    let Some(index) = bucket.checked_sub(1) else { return 1 << FIRST };
    let (doublings, step) = (index >> CUT, (index as u64) & ((1 << CUT) - 1));
    ((1 << CUT) + step + 1) << (FIRST as usize + doublings - CUT as usize)
}

/// How long operations took: a histogram.
///
/// A bucket is at most a quarter wider than where it begins; from 64 ns to 69 s, and beyond that one for all. Of a store that can
/// answer at once only a sample is timed ([`Timing`](super::Timing)), so that [`count`](Latency::count) is not the number of operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latency {
    counts: Vec<u64>,
    nanos: u64,
}

impl Default for Latency {
    fn default() -> Self {
        Latency { counts: vec![0; BUCKETS], nanos: 0 }
    }
}

impl Latency {
    /// How many operations were timed.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How long these took together.
    #[must_use]
    pub fn total(&self) -> Duration {
        Duration::from_nanos(self.nanos)
    }

    /// The mean; `None` if none was timed.
    #[must_use]
    pub fn mean(&self) -> Option<Duration> {
        self.nanos.checked_div(self.count()).map(Duration::from_nanos)
    }

    /// What this fraction of the operations did not exceed (0.5: the median), rounded up to the end of a bucket; `None` if none
    /// was timed.
    #[must_use]
    pub fn quantile(&self, fraction: f64) -> Option<Duration> {
        let count = self.count();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "statistics; casts to integers saturate"
        )]
        let rank = ((count as f64 * fraction.clamp(0.0, 1.0)).ceil() as u64).clamp(1, count.max(1));
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        found.map(|bucket| Duration::from_nanos(end(bucket)))
    }

    /// The buckets from the fastest to the slowest: where each ends, and how many operations it holds.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> {
        self.counts.iter().enumerate().map(|(bucket, count)| (Duration::from_nanos(end(bucket)), *count))
    }

    /// What came since an earlier reading of the same.
    #[must_use]
    pub fn since(&self, earlier: &Latency) -> Latency {
        let counts = self.counts.iter().zip(&earlier.counts).map(|(now, then)| now.saturating_sub(*then));
        Latency { counts: counts.collect(), nanos: self.nanos.saturating_sub(earlier.nanos) }
    }

    /// Both together: of several operations, or stores.
    #[must_use]
    pub fn and(&self, other: &Latency) -> Latency {
        let counts = self.counts.iter().zip(&other.counts).map(|(one, other)| one + other);
        Latency { counts: counts.collect(), nanos: self.nanos.saturating_add(other.nanos) }
    }
}

/// A [`Latency`] that many threads add to.
#[derive(Debug)]
pub(super) struct Recorder {
    counts: [AtomicU64; BUCKETS],
    nanos: AtomicU64,
}

impl Default for Recorder {
    fn default() -> Self {
        Recorder { counts: [const { AtomicU64::new(0) }; BUCKETS], nanos: AtomicU64::new(0) }
    }
}

impl Recorder {
    pub(super) fn record(&self, elapsed: Duration) {
        let nanos = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(nanos)].fetch_add(1, Relaxed);
        self.nanos.fetch_add(nanos, Relaxed);
    }

    pub(super) fn read(&self) -> Latency {
        let counts = self.counts.iter().map(|count| count.load(Relaxed)).collect();
        Latency { counts, nanos: self.nanos.load(Relaxed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_is_in_the_bucket_that_ends_after_it() {
        let mut values: Vec<u64> =
            (0..40).flat_map(|n| [(1u64 << n) - 1, 1 << n, (1 << n) + 1, (1 << n) * 5 / 4]).collect();
        values.sort_unstable();
        for nanos in values {
            let bucket = bucket(nanos);
            assert!(bucket == BUCKETS - 1 || nanos < end(bucket), "{nanos} in {bucket}, which ends at {}", end(bucket));
            assert!(bucket == 0 || nanos >= end(bucket - 1), "{nanos} in {bucket}, before {}", end(bucket - 1));
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
        for bucket in 1..BUCKETS {
            let (begin, end) = (end(bucket - 1), end(bucket));
            assert!(begin < end && (end - begin) * 4 <= begin, "bucket {bucket} from {begin} to {end}");
        }
    }

    #[test]
    fn quantiles_mean_and_differences() {
        let recorder = Recorder::default();
        assert_eq!((recorder.read().mean(), recorder.read().quantile(0.5)), (None, None));
        for micros in 1..=100 {
            recorder.record(Duration::from_micros(micros));
        }
        let first = recorder.read();
        assert_eq!((first.count(), first.mean()), (100, Some(Duration::from_nanos(50_500))));
        for (fraction, micros) in [(0.0, 1), (0.5, 50), (0.99, 99), (1.0, 100)] {
            let quantile = first.quantile(fraction).unwrap();
            let (low, high) = (Duration::from_micros(micros), Duration::from_micros(micros).mul_f64(1.25));
            assert!(low <= quantile && quantile <= high, "{fraction}: {quantile:?}");
        }
        recorder.record(Duration::from_secs(3600));
        let later = recorder.read().since(&first);
        assert_eq!((later.count(), later.total()), (1, Duration::from_secs(3600)));
        assert_eq!(first.and(&later), recorder.read());
    }
}
