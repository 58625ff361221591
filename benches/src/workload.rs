//! Which keys come when.

/// The length of every key.
pub const KEY_LEN: usize = 16;

/// The keys `key:000000000000` and up.
#[derive(Debug)]
pub struct Keys(Vec<[u8; KEY_LEN]>);

impl Keys {
    /// So many keys.
    #[must_use]
    pub fn new(count: usize) -> Keys {
        Keys((0..count).map(|number| Keys::key(number as u64)).collect())
    }

    fn key(mut number: u64) -> [u8; KEY_LEN] {
        let mut key = *b"key:000000000000";
        for digit in key[4..].iter_mut().rev() {
            *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
            number /= 10;
        }
        key
    }

    /// One key.
    #[must_use]
    pub fn get(&self, number: u32) -> &[u8; KEY_LEN] {
        &self.0[number as usize]
    }

    /// All keys.
    #[must_use]
    pub fn all(&self) -> &[[u8; KEY_LEN]] {
        &self.0
    }
}

/// A sequence of key numbers, made before the clock runs.
#[derive(Debug)]
pub struct Workload(Vec<u32>);

impl Workload {
    /// Every key equally often.
    #[must_use]
    pub fn uniform(keys: usize, length: usize, seed: u64) -> Workload {
        let mut random = fastrand::Rng::with_seed(seed);
        let keys = u32::try_from(keys).unwrap_or(u32::MAX);
        Workload((0..length).map(|_| random.u32(0..keys)).collect())
    }

    /// The key of rank r comes in proportion to 1/r^s (Zipf's law; s = 0.99 is that of YCSB, Cooper et al. 2010). Ranks are
    /// spread over the key space.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "statistics")]
    pub fn zipf(keys: usize, exponent: f64, length: usize, seed: u64) -> Workload {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut sum = 0.0;
        let cumulated: Vec<f64> = (1..=keys)
            .map(|rank| {
                sum += (rank as f64).powf(-exponent);
                sum
            })
            .collect();
        let mut names: Vec<u32> = (0..u32::try_from(keys).unwrap_or(u32::MAX)).collect();
        fastrand::Rng::with_seed(1).shuffle(&mut names);
        let pick = |_| {
            let wanted = random.f64() * sum;
            names[cumulated.partition_point(|&upto| upto < wanted).min(keys - 1)]
        };
        Workload((0..length).map(pick).collect())
    }

    /// The numbers.
    #[must_use]
    pub fn numbers(&self) -> &[u32] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_distinct_and_of_one_length() {
        let keys = Keys::new(1000);
        assert_eq!(keys.get(321), b"key:000000000321");
        assert!(keys.all().windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn zipf_has_the_head_that_it_should_have() {
        let workload = Workload::zipf(100_000, 0.99, 200_000, 3);
        let mut counts = vec![0u32; 100_000];
        workload.numbers().iter().for_each(|&number| counts[number as usize] += 1);
        counts.sort_unstable_by(|a, b| b.cmp(a));
        // The harmonic number of 100,000 with exponent 0.99 is 12.8: the first has 7.8 %, the first hundred 41 %.
        assert!((14_000..17_500).contains(&counts[0]), "{}", counts[0]);
        let hundred: u32 = counts[..100].iter().sum();
        assert!((78_000..88_000).contains(&hundred), "{hundred}");
    }
}
