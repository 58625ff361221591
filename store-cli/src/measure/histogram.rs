//! How long things took: counted, not kept.

/// Buckets for each doubling: what is read from a histogram is right within 1/32.
const SHARE: u64 = 32;
const BITS: u32 = SHARE.trailing_zeros();

/// Durations in nanoseconds, in buckets of which each is 1/32 wider than the one before: the layout of HdrHistogram
/// (<https://hdrhistogram.org>), with a fixed precision. Adding is O(1), and the memory does not grow.
#[derive(Clone, Debug, Default)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    sum: u128,
    min: Option<u64>,
    max: u64,
}

fn bucket(nanos: u64) -> usize {
    if nanos < SHARE {
        return usize::try_from(nanos).unwrap_or(0);
    }
    let shift = nanos.ilog2() - BITS;
    let index = u64::from(shift + 1) * SHARE + ((nanos >> shift) - SHARE);
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// The least duration that falls into a bucket.
fn lower(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < SHARE {
        return bucket;
    }
    let shift = bucket / SHARE - 1;
    (SHARE + bucket % SHARE) << shift
}

impl Histogram {
    pub(crate) fn add(&mut self, nanos: u64) {
        let bucket = bucket(nanos);
        if bucket >= self.counts.len() {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.total += 1;
        self.sum += u128::from(nanos);
        self.min = Some(self.min.map_or(nanos, |min| min.min(nanos)));
        self.max = self.max.max(nanos);
    }

    pub(crate) fn merge(&mut self, other: &Histogram) {
        if other.counts.len() > self.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (own, others) in self.counts.iter_mut().zip(&other.counts) {
            *own += others;
        }
        self.total += other.total;
        self.sum += other.sum;
        self.min = [self.min, other.min].into_iter().flatten().min();
        self.max = self.max.max(other.max);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.total
    }

    pub(crate) fn max(&self) -> u64 {
        self.max
    }

    pub(crate) fn mean(&self) -> u64 {
        u64::try_from(self.sum / u128::from(self.total.max(1))).unwrap_or(u64::MAX)
    }

    /// What this many of a million stay within: 500 000 is the median.
    pub(crate) fn quantile(&self, of_a_million: u64) -> u64 {
        let rank = (u128::from(self.total) * u128::from(of_a_million)).div_ceil(1_000_000).max(1);
        let mut seen = 0;
        for (at, count) in self.counts.iter().enumerate() {
            seen += u128::from(*count);
            if seen >= rank {
                return (lower(at + 1) - 1).min(self.max);
            }
        }
        self.max
    }

    /// Counts between round numbers (1, 2, 5, 10, ...): upper bound and count, from the first to the last that has any.
    pub(crate) fn rows(&self) -> Vec<(u64, u64)> {
        let Some(min) = self.min else { return Vec::new() };
        let mut edges = (0..19).flat_map(|power| [1, 2, 5].map(|factor| factor * 10_u64.pow(power)));
        let mut edge = edges.by_ref().find(|edge| *edge > min).unwrap_or(u64::MAX);
        let mut rows = vec![(edge, 0)];
        for (at, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            while lower(at).max(min) >= edge {
                edge = edges.next().unwrap_or(u64::MAX);
                rows.push((edge, 0));
            }
            if let Some(row) = rows.last_mut() {
                row.1 += count;
            }
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(nanos: impl IntoIterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::default();
        nanos.into_iter().for_each(|nanos| histogram.add(nanos));
        histogram
    }

    #[test]
    fn buckets_meet_and_are_narrow() {
        for nanos in (0..10_000).chain([u64::from(u32::MAX), 1 << 40, u64::MAX / 2]) {
            let at = bucket(nanos);
            let (from, to) = (lower(at), lower(at + 1));
            assert!(from <= nanos && nanos < to, "{nanos} in {from}..{to}");
            assert!(to - from <= (from / 32).max(1), "{from}..{to}");
        }
    }

    #[test]
    fn quantiles_are_right_within_a_thirty_second() {
        let histogram = of(1..=100_000);
        for (of_a_million, exact) in [(500_000, 50_000), (900_000, 90_000), (999_000, 99_900), (1_000_000, 100_000)] {
            let told = histogram.quantile(of_a_million);
            assert!(told >= exact && told <= exact + exact / 32 + 1, "{told} for {exact}");
        }
        assert_eq!((histogram.count(), histogram.mean(), histogram.max()), (100_000, 50_000, 100_000));
        assert_eq!(Histogram::default().quantile(500_000), 0);
        assert_eq!(of([7]).quantile(1), 7);
    }

    #[test]
    fn merged_is_as_if_counted_together() {
        let (mut a, b) = (of([1, 70_000]), of([3, 900]));
        a.merge(&b);
        let together = of([1, 3, 900, 70_000]);
        assert_eq!((a.count(), a.mean(), a.max(), a.rows()), (4, together.mean(), 70_000, together.rows()));
        let mut none = Histogram::default();
        none.merge(&together);
        assert_eq!(none.rows(), together.rows());
    }

    #[test]
    fn rows_are_between_round_numbers_and_lose_nothing() {
        assert_eq!(of([150, 160, 1_700]).rows(), [(200, 2), (500, 0), (1000, 0), (2000, 1)]);
        assert_eq!(of([0]).rows(), [(1, 1)]);
        assert_eq!(of([200]).rows(), [(500, 1)], "the upper bound is not a part of its row");
        assert!(Histogram::default().rows().is_empty());
        let many = of((0..1000).map(|at| at * at));
        assert_eq!(many.rows().iter().map(|(_, count)| count).sum::<u64>(), 1000);
        assert_eq!(of([u64::MAX / 4]).rows().len(), 1);
    }
}
