//! Counts of which each thread has its own.
//!
//! An addition that other processors may make as well costs most of what counting costs, even if none of them does. So a thread takes
//! a lane, which from then on only it writes to, with plain loads and stores; who reads, adds up the lanes. A thread is known by where its
//! own memory lies, which no other thread has while it lives. One that comes to lie there later goes on counting in the lane of
//! the one that has ended. Where there are more threads than lanes, those left over share one, with additions that all may make.
//!
//! Every order of what threads do here is run by `models/src/lanes.rs`.

use std::array;
use std::sync::atomic::Ordering::Relaxed;

use crate::sync::{AtomicU64, OnceLock, here};

/// How many threads have a lane of their own, of each store.
const LANES: usize = 64;
/// How many lanes a thread looks at.
pub(super) const PROBES: usize = 4;

/// `N` counts that many threads add to.
pub(super) struct Lanes<const N: usize> {
    own: [OnceLock<Box<Lane<N>>>; LANES],
    shared: [AtomicU64; N],
}

/// On cache lines of its own.
#[repr(align(128))]
struct Lane<const N: usize> {
    /// Where the memory of the thread lies that writes to it.
    owner: usize,
    counts: [AtomicU64; N],
}

impl<const N: usize> Default for Lanes<N> {
    fn default() -> Self {
        Lanes { own: array::from_fn(|_| OnceLock::new()), shared: array::from_fn(|_| AtomicU64::new(0)) }
    }
}

impl<const N: usize> Lanes<N> {
    /// Adds one.
    #[inline]
    pub(super) fn add(&self, count: usize) {
        let here = here();
        match self.own[place(here)].get() {
            Some(lane) if lane.owner == here => lane.add(count),
            _ => self.elsewhere(here, count),
        }
    }

    #[cold]
    fn elsewhere(&self, here: usize, count: usize) {
        for probe in 0..PROBES {
            let lane = self.own[(place(here) + probe) % LANES].get_or_init(|| Box::new(Lane::new(here)));
            if lane.owner == here {
                return lane.add(count);
            }
        }
        self.shared[count].fetch_add(1, Relaxed);
    }

    /// The sums.
    pub(super) fn read(&self) -> [u64; N] {
        let lanes: Vec<&Lane<N>> = self.own.iter().filter_map(|lane| Some(&**lane.get()?)).collect();
        array::from_fn(|count| {
            let own: u64 = lanes.iter().map(|lane| lane.counts[count].load(Relaxed)).sum();
            own + self.shared[count].load(Relaxed)
        })
    }
}

impl<const N: usize> Lane<N> {
    fn new(owner: usize) -> Lane<N> {
        Lane { owner, counts: array::from_fn(|_| AtomicU64::new(0)) }
    }

    /// Only for the owner.
    #[inline]
    fn add(&self, count: usize) {
        let count = &self.counts[count];
        count.store(count.load(Relaxed).wrapping_add(1), Relaxed);
    }
}

/// Threads lie far apart and evenly, so their addresses are spread (Knuth's multiplicative hashing).
#[inline]
pub(super) fn place(here: usize) -> usize {
    let spread = (here as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
    usize::try_from(spread).unwrap_or(0) % LANES
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::thread;

    #[test]
    fn threads_that_live_at_once_count_exactly_also_those_without_a_lane() {
        const THREADS: usize = 3 * LANES;
        let (lanes, together) = (Lanes::<3>::default(), Barrier::new(THREADS));
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    together.wait();
                    (0..1000).for_each(|n| lanes.add(n % 3));
                    together.wait();
                });
            }
        });
        let all = THREADS as u64;
        assert_eq!(lanes.read(), [334 * all, 333 * all, 333 * all]);
        let shared: u64 = lanes.shared.iter().map(|count| count.load(Relaxed)).sum();
        assert!(shared > 0 && shared <= 1000 * (all - PROBES as u64), "{shared}");
    }

    #[test]
    fn threads_that_come_and_go_count_exactly() {
        let lanes = Lanes::<1>::default();
        for _ in 0..500 {
            thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| (0..10).for_each(|_| lanes.add(0)));
                }
            });
        }
        assert_eq!(lanes.read(), [10_000]);
    }
}
