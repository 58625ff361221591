//! Engines on disk: the same work for each of them, whoever wrote it.
//!
//! An [`Entrant`] knows how to open an engine and what its acknowledgement is worth; [`run`] fills them with the same
//! entries and measures reads, writes, pages and opening. Writes are compared with writes of the same [`Promise`] only.
#![expect(clippy::expect_used, reason = "a benchmark may fail loudly")]

mod engine;
mod engines;

use std::fs;
use std::hint::black_box;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use fastrand::Rng;

use crate::turn::{Turn, Turns};
use crate::{Contender, Outcome, Plan, Report, compare};
pub use engine::{CACHE, Engine, Entrant, KEY_LEN, Promise, VALUE_LEN, by_threads, key, value};
pub use engines::entrants;

/// Looking at the clock for every read would be a tenth of it.
const NTH_READ: u64 = 16;

/// An entrant at work.
struct Open<'a> {
    entrant: &'a Entrant,
    folder: PathBuf,
    engine: Box<dyn Engine>,
}

fn opened<'a>(entrants: &[&'a Entrant], base: &Path, keys: u64) -> Vec<Open<'a>> {
    let open = |entrant: &&'a Entrant| {
        let folder = base.join(entrant.name.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-"));
        let engine = (entrant.open)(&folder);
        let mut random = Rng::with_seed(9);
        engine.fill(&mut (0..keys).map(|number| (key(number), value(&mut random))));
        assert!(engine.get(&key(keys - 1)), "{} has lost what it was filled with", entrant.name);
        Open { entrant, folder, engine }
    };
    entrants.iter().map(open).collect()
}

/// Measures the rows that are asked for: `get`, `scan`, `open`, `set` (no wait), `sync` (durable). Databases go to a folder of
/// their own in `base`, which is on the device that is measured, and are removed afterwards.
///
/// # Errors
/// If a file cannot be written.
pub fn run(plan: &Plan, entrants: &[Entrant], base: &Path, report: &mut Report) -> io::Result<()> {
    let keys = plan.keys.max(1000) as u64;
    let entrants: Vec<&Entrant> = entrants.iter().filter(|entrant| entrant.ours || plan.takes(entrant.name)).collect();
    let of = |promise: Promise, reads: bool| -> Vec<&Entrant> {
        entrants.iter().copied().filter(|entrant| entrant.promise == promise && (entrant.reads || !reads)).collect()
    };
    if ["get", "scan", "open"].iter().any(|row| plan.wants(row)) {
        let base = base.join("reads");
        reads(plan, opened(&of(Promise::Later, true), &base, keys), keys, report)?;
        fs::remove_dir_all(base)?;
    }
    if plan.wants("set") {
        let base = base.join("later");
        writes(plan, opened(&of(Promise::Later, false), &base, keys), keys, &[1, 2], report)?;
        fs::remove_dir_all(base)?;
    }
    if plan.wants("sync") {
        let base = base.join("durable");
        // Each write of the filling is durable too with some: few entries do.
        let keys = keys.min(1000);
        writes(plan, opened(&of(Promise::Durable, false), &base, keys), keys, &[1, 2, 64], report)?;
        fs::remove_dir_all(base)?;
    }
    Ok(())
}

/// Runs engines in turns; the sums of their turns besides.
fn compared(plan: &Plan, engines: &[Open<'_>], turn: impl Fn(&dyn Engine) -> Turn + Copy) -> Vec<(Outcome, Turn)> {
    let turns: Vec<Turns> = engines.iter().map(|_| Turns::default()).collect();
    let contender = |(open, turns)| {
        let (Open { entrant, engine, .. }, turns): (&Open<'_>, &Turns) = (open, turns);
        Contender::new(entrant.name, move || turns.run(|| turn(&**engine)))
    };
    let outcomes = compare(engines.iter().zip(&turns).map(contender).collect(), plan.rounds);
    outcomes.into_iter().zip(turns.into_iter().map(Turns::sum)).collect()
}

/// The row, and how long single operations took.
fn told(row: &str, outcomes: &[(Outcome, Turn)], report: &mut Report) -> io::Result<()> {
    let all: Vec<Outcome> = outcomes.iter().map(|(outcome, _)| outcome.clone()).collect();
    report.comparison(row, &all)?;
    outcomes.iter().try_for_each(|(outcome, turn)| report.latency(row, &outcome.name, turn.latencies()))
}

fn reads(plan: &Plan, engines: Vec<Open<'_>>, keys: u64, report: &mut Report) -> io::Result<()> {
    if plan.wants("get") {
        for threads in [1, 2] {
            let turn = |engine: &dyn Engine| {
                by_threads(threads, plan.turn, NTH_READ, |random| {
                    assert!(engine.get(&key(random.u64(..keys))), "a key is lost")
                })
            };
            let outcomes = compared(plan, &engines, turn);
            told(&format!("get, uniform, {threads} threads, {keys} keys"), &outcomes, report)?;
        }
    }
    if plan.wants("scan") {
        for limit in [100, 1000] {
            let turn = |engine: &dyn Engine| {
                by_threads(1, plan.turn, 1, |random| {
                    black_box(engine.page(&key(random.u64(..keys)), limit));
                })
            };
            let outcomes = compared(plan, &engines, turn);
            told(&format!("scan of {limit}, {keys} keys"), &outcomes, report)?;
        }
    }
    let closed: Vec<(&Entrant, PathBuf)> = engines
        .into_iter()
        .map(|Open { entrant, folder, engine }| {
            engine.close();
            (entrant, folder)
        })
        .collect();
    if plan.wants("open") {
        let contender = |(entrant, folder): &(&'_ Entrant, PathBuf)| {
            let (open, folder) = (entrant.open, folder.clone());
            Contender::new(entrant.name, move || {
                let start = Instant::now();
                let engine = open(&folder);
                assert!(engine.get(&key(0)), "what was closed in order has lost an entry");
                #[expect(clippy::cast_precision_loss, reason = "statistics")]
                let took = start.elapsed().as_nanos() as f64;
                engine.close();
                took
            })
        };
        let outcomes = compare(closed.iter().map(contender).collect(), plan.rounds);
        report.comparison(&format!("open and read one entry, {keys} keys"), &outcomes)?;
    }
    Ok(())
}

fn writes(plan: &Plan, engines: Vec<Open<'_>>, keys: u64, writers: &[usize], report: &mut Report) -> io::Result<()> {
    for &writers in writers {
        let turn = |engine: &dyn Engine| engine.write(writers, keys, plan.turn);
        let outcomes = compared(plan, &engines, turn);
        // Each of ours beside all of theirs.
        let of_ours = |ours: bool| {
            let all = engines.iter().zip(&outcomes);
            all.filter(move |(open, _)| open.entrant.ours == ours).map(|(_, outcome)| outcome)
        };
        for own in of_ours(true) {
            let row: Vec<_> = std::iter::once(own).chain(of_ours(false)).cloned().collect();
            told(&format!("set, {writers} writers, {}", own.0.name), &row, report)?;
        }
    }
    println!();
    for Open { entrant, engine, .. } in engines {
        println!("  {}: {}", entrant.name, entrant.how);
        engine.close();
    }
    Ok(())
}
