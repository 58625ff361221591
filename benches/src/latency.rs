//! Single operations.

use std::time::Duration;

/// How long operations took, one by one: a histogram in nanoseconds whose error is at most 1/64.
#[derive(Clone, Debug)]
pub struct Latencies {
    counts: Vec<u64>,
    total: u64,
    worst: u64,
}

const BITS: u32 = 6;

fn bucket(nanos: u64) -> usize {
    let shift = (63 - (nanos | 1).leading_zeros()).saturating_sub(BITS);
    ((shift as usize) << BITS) + usize::try_from(nanos >> shift).unwrap_or(0)
}

fn lowest(bucket: usize) -> u64 {
    // Buckets below 2^(BITS+1) are exact; each later group of 2^BITS doubles the width.
    let group = (bucket >> BITS).saturating_sub(1);
    ((bucket - (group << BITS)) as u64) << group
}

impl Latencies {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Latencies {
        Latencies { counts: vec![0; 64 << BITS], total: 0, worst: 0 }
    }

    /// Adds one operation.
    pub fn add(&mut self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        if let Some(count) = self.counts.get_mut(bucket(nanos)) {
            *count += 1;
        }
        self.total += 1;
        self.worst = self.worst.max(nanos);
    }

    /// Adds all of another.
    pub fn merge(&mut self, other: &Latencies) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(own, other)| *own += other);
        self.total += other.total;
        self.worst = self.worst.max(other.worst);
    }

    /// The time in nanoseconds that a share of the operations needed at most: `0.999` for p99.9.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "statistics"
    )]
    pub fn quantile(&self, share: f64) -> u64 {
        let rank = (self.total as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return lowest(bucket).min(self.worst);
            }
        }
        self.worst
    }

    /// The slowest, in nanoseconds.
    #[must_use]
    pub fn worst(&self) -> u64 {
        self.worst
    }

    /// How many.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }
}

impl Default for Latencies {
    fn default() -> Self {
        Latencies::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_within_two_percent() {
        let mut latencies = Latencies::new();
        for nanos in 1..=100_000 {
            latencies.add(Duration::from_nanos(nanos));
        }
        for (share, expected) in [(0.5, 50_000u64), (0.99, 99_000), (0.999, 99_900)] {
            assert!(latencies.quantile(share).abs_diff(expected) * 50 < expected, "{}", latencies.quantile(share));
        }
        assert_eq!((latencies.worst(), latencies.total()), (100_000, 100_000));
    }

    #[test]
    fn every_bucket_knows_where_it_begins() {
        for nanos in (0..200_000).chain([u64::MAX / 3]) {
            let low = lowest(bucket(nanos));
            assert!(low <= nanos && (nanos - low) <= nanos / 64 + 1, "{nanos}: {low}");
        }
    }

    #[test]
    fn one_slow_operation_is_the_worst_and_moves_no_quantile() {
        let mut latencies = Latencies::new();
        (0..10_000).for_each(|_| latencies.add(Duration::from_nanos(100)));
        let mut slow = Latencies::new();
        slow.add(Duration::from_millis(5));
        latencies.merge(&slow);
        assert_eq!((latencies.worst(), latencies.quantile(0.999)), (5_000_000, 100));
    }
}
