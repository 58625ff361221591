//! Rows in process read as they should: contenders that are slowed, that stall, and that release late, by so much as is known.

use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use store_benches::lines::read;
use store_benches::{Keys, Report, Workload, compare};

use super::caches::{Cache, Visit};
use super::{expire, latency, throughput};

const FACTOR: u64 = 4;

/// Keeps nothing, and works so many times as long.
struct Spin<const FACTOR: u64>;

impl<const FACTOR: u64> Spin<FACTOR> {
    fn work() {
        black_box((0..FACTOR * 2000).fold(1, |sum: u64, step| black_box(sum ^ step)));
    }
}

impl<const FACTOR: u64> Cache for Spin<FACTOR> {
    const NAME: &'static str = if FACTOR == 1 { "quick" } else { "slow" };
    fn new(_: usize) -> Self {
        Spin
    }
    fn get(&self, _: &[u8]) -> Option<u8> {
        Self::work();
        Some(0)
    }
    fn set(&self, _: &[u8], _: &[u8], _: Option<Duration>) {
        Self::work();
    }
    fn held(&self) -> usize {
        0
    }
}

fn is_about(seen: f64, expected: f64) -> bool {
    (expected / 1.5..expected * 1.5).contains(&seen)
}

#[test]
fn a_contender_slowed_by_a_known_factor_reads_as_that_factor() {
    let keys = Keys::new(100);
    let work: Vec<Workload> = (0..2).map(|seed| Workload::zipf(100, 0.99, 200, seed)).collect();
    for writes in [0, 5, 100] {
        let mut bench = throughput::Bench { keys: &keys, work: &work, writes, ttl: None, made: Vec::new() };
        bench.visit::<Spin<1>>().expect("filled");
        bench.visit::<Spin<FACTOR>>().expect("filled");
        for threads in [1, 2] {
            let outcomes = compare(bench.made.iter().map(|made| made(threads)).collect(), 21);
            let ratio = outcomes[0].speed_against(&outcomes[1]).median;
            assert!(is_about(ratio, FACTOR as f64), "{writes} % writes, {threads} threads: {ratio}");
        }
    }
}

#[test]
fn operations_that_are_timed_one_by_one_read_as_that_factor_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("lines");
    let mut report = Report::new("inproc", Some(&path)).expect("a file");
    let work = (0..2).map(|seed| Workload::zipf(100, 0.99, 2000, seed)).collect();
    let mut each = latency::Each { keys: Keys::new(100), work, report: &mut report };
    each.visit::<Spin<1>>().expect("measured");
    each.visit::<Spin<FACTOR>>().expect("measured");
    let lines = read(&std::fs::read_to_string(path).expect("lines")).expect("of a report");
    let [quick, slow] = [0, 1].map(|at| lines[at].percentiles.expect("timed").p50);
    assert!(is_about(slow / quick, FACTOR as f64), "{quick} and {slow} ns");
}

const STALL: Duration = Duration::from_millis(80);
const LATE: Duration = Duration::from_millis(400);

/// Stalls one caller once, a while after its entries have expired, and lets go of them late.
struct Late {
    /// How many have a deadline, and the last of those.
    expiring: Mutex<(usize, Option<Instant>)>,
    stalled: AtomicBool,
}

impl Late {
    fn since(&self) -> Option<Duration> {
        Instant::now().checked_duration_since(self.expiring.lock().expect("no panic").1?)
    }
}

impl Cache for Late {
    const NAME: &'static str = "late";
    fn new(_: usize) -> Late {
        Late { expiring: Mutex::default(), stalled: AtomicBool::new(false) }
    }
    fn get(&self, _: &[u8]) -> Option<u8> {
        if self.since().is_some_and(|since| since > Duration::from_millis(50))
            && !self.stalled.swap(true, Ordering::Relaxed)
        {
            std::thread::sleep(STALL);
        }
        Some(0)
    }
    fn set(&self, _: &[u8], _: &[u8], ttl: Option<Duration>) {
        if let Some(ttl) = ttl {
            let mut expiring = self.expiring.lock().expect("no panic");
            *expiring = (expiring.0 + 1, Some(Instant::now() + ttl));
        }
    }
    fn held(&self) -> usize {
        let is_held = self.since().is_none_or(|since| since < LATE);
        if is_held { expire::OTHERS + self.expiring.lock().expect("no panic").0 } else { expire::OTHERS }
    }
}

#[test]
fn a_stall_and_a_late_release_are_seen_while_entries_expire() {
    let seen = expire::storm::<Late>(1000).expect("filled in time");
    let worst = Duration::from_nanos(seen.during.worst());
    assert!((STALL..STALL * 3).contains(&worst), "{worst:?}");
    // It is looked at every few milliseconds.
    let released = seen.released.expect("in time");
    assert!((LATE..LATE + Duration::from_millis(200)).contains(&released), "{released:?}");
    assert!(Duration::from_nanos(seen.before.quantile(0.5)) < STALL / 10);
}
