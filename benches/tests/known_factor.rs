//! The harness from its entrants to its lines: an engine that takes a known number of times as long reads as that factor, with one thread and with
//! two, in the rounds that are compared and in the operations that are timed one by one.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

use store_benches::disk::{Engine, Entrant, KEY_LEN, Promise, VALUE_LEN, run};
use store_benches::lines::{Line, read};
use store_benches::{Plan, Report};

const FACTOR: u32 = 4;

/// Keeps nothing, and works as long as it is told to.
struct Spin(u32);

impl Spin {
    fn work(&self) {
        black_box((0..u64::from(self.0) * 5000).fold(1, |sum: u64, step| black_box(sum ^ step)));
    }
}

impl Engine for Spin {
    fn get(&self, _: &[u8]) -> bool {
        self.work();
        true
    }

    fn set(&self, _: &[u8], _: &[u8]) {
        self.work();
    }

    fn page(&self, _: &[u8], limit: usize) -> usize {
        self.work();
        limit
    }

    fn fill(&self, entries: &mut dyn Iterator<Item = ([u8; KEY_LEN], [u8; VALUE_LEN])>) {
        entries.for_each(drop);
    }

    fn close(self: Box<Self>) {}
}

fn entrant(name: &'static str, ours: bool, open: fn(&std::path::Path) -> Box<dyn Engine>) -> Entrant {
    Entrant { name, promise: Promise::Later, how: "spins", ours, reads: true, open }
}

/// Runs all rows: what they say the factor is.
fn seen() -> BTreeMap<String, f64> {
    let rows = ["get", "scan", "set"].map(str::to_owned).to_vec();
    let plan = Plan { keys: 1000, rounds: 31, turn: Duration::from_millis(4), rows, only: None };
    let entrants = [entrant("quick", true, |_| Box::new(Spin(1))), entrant("slow", false, |_| Box::new(Spin(FACTOR)))];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lines");
    ["reads", "later"].iter().for_each(|part| std::fs::create_dir(folder.path().join(part)).unwrap());
    run(&plan, &entrants, folder.path(), &mut Report::new("disk", Some(&path)).unwrap()).unwrap();
    let lines = read(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let mut all = BTreeMap::new();
    for row in [
        "get, uniform, 1 threads, 1000 keys",
        "get, uniform, 2 threads, 1000 keys",
        "scan of 100, 1000 keys",
        "set, 1 writers, quick",
        "set, 2 writers, quick",
    ] {
        let of = |name: &str, timed: bool| -> &Line {
            let is = |line: &&Line| line.row == row && line.contender == name && line.percentiles.is_some() == timed;
            lines.iter().find(is).unwrap_or_else(|| panic!("{row}, {name}: {lines:?}"))
        };
        let [quick, slow] = ["quick", "slow"].map(|name| of(name, true).percentiles.unwrap().p50);
        all.insert(format!("{row}, ratio"), of("slow", false).ratio.unwrap().median);
        all.insert(format!("{row}, one by one"), slow / quick);
    }
    all
}

/// What else the machine does is a part of the time here, and may hit one contender more than the other. It does not do so each time; a row that is wrong
/// is wrong each time.
#[test]
fn an_engine_slowed_by_a_known_factor_reads_as_that_factor_in_every_row() {
    let mut tries: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let is_right = |factors: &Vec<f64>| factors.iter().any(|seen| (seen / f64::from(FACTOR) - 1.0).abs() < 0.25);
    for _ in 0..10 {
        seen().into_iter().for_each(|(row, factor)| tries.entry(row).or_default().push(factor));
        if tries.len() == 10 && tries.values().all(is_right) {
            return;
        }
    }
    panic!("{tries:#?}");
}
