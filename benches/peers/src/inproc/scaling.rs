//! Curves by the number of entries.

use std::io;
use std::time::Duration;

use store_benches::{Contender, Keys, Outcome, Report, Workload, compare};
use store_core::Want;
use store_memory::MemoryStore;

use super::caches::{self, Cache, Dash, LONG, Moka, Ours, Quick, Sharded, Visit};
use super::pages::{pages, sorted};
use super::resident::{RESIDENT, resident};
use super::work::{SIZES, VALUE, filled, operate};
use crate::Args;

const GET: &str = "get by entries";
const SET: &str = "set with TTL by entries";
const PAGE: &str = "page of 100 entries by entries";

/// Whose curves are drawn.
pub fn is_drawn(name: &str) -> bool {
    [Ours::NAME, Dash::NAME, Sharded::NAME, Quick::NAME, Moka::NAME].contains(&name)
}

#[expect(clippy::cast_precision_loss, reason = "below 2^53")]
fn x(count: usize) -> f64 {
    count as f64
}

/// Contenders interleaved, as long as all of them together fit.
pub fn run(args: &Args, report: &mut Report) -> io::Result<()> {
    for count in SIZES.into_iter().filter(|&count| count <= args.keys) {
        let keys = Keys::new(count);
        let work = Workload::uniform(count, args.operations, 4);
        for (row, writes) in [(GET, 0), (SET, 100)] {
            let mut bench = Bench { keys: &keys, work: work.numbers(), writes, contenders: Vec::new() };
            caches::each(args, &mut bench)?;
            if writes > 0 {
                bench.contenders.push(beside_expired(&keys, work.numbers()));
            }
            report.curve(row, x(count), &compare(bench.contenders, args.rounds))?;
        }
        let store = filled::<Ours>(&keys, Some(LONG)).0;
        page(report, "store-memory", count, pages(&store, &keys, "", true, Want::Entries).quantile(0.5))?;
        page(report, "BTreeMap, no lock", count, sorted(&keys).quantile(0.5))?;
    }
    Ok(())
}

fn page(report: &mut Report, name: &str, count: usize, nanos: u64) -> io::Result<()> {
    #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
    report.point(PAGE, name, x(count), nanos as f64 / 1000.0, "us")
}

fn contender<'a, C: Cache + 'a>(
    name: &str,
    cache: impl std::borrow::Borrow<C> + 'a,
    keys: &'a Keys,
    numbers: &'a [u32],
    writes: u32,
) -> Contender<'a> {
    Contender::timed(name, numbers.len(), move || operate::<C>(cache.borrow(), keys, numbers, writes, Some(LONG)))
}

struct Bench<'a> {
    keys: &'a Keys,
    work: &'a [u32],
    writes: u32,
    contenders: Vec<Contender<'a>>,
}

impl Visit for Bench<'_> {
    fn visit<C: Cache + 'static>(&mut self) -> io::Result<()> {
        if is_drawn(C::NAME) {
            let cache = filled::<C>(self.keys, Some(LONG));
            self.contenders.push(contender(C::NAME, cache, self.keys, self.work, self.writes));
        }
        Ok(())
    }
}

/// Ours, while a fifth as many entries again are expired and not released: no write may cost more for them.
fn beside_expired<'a>(keys: &'a Keys, work: &'a [u32]) -> Contender<'a> {
    let ours = Ours(MemoryStore::builder().background(false).build());
    for number in 0..keys.all().len() / 5 {
        ours.set(format!("expired{number}").as_bytes(), &VALUE, Some(Duration::from_millis(1)));
    }
    keys.all().iter().for_each(|key| ours.set(key, &VALUE, Some(LONG)));
    contender("store-memory, expired beside", ours, keys, work, 100)
}

/// So many entries that contenders do not fit beside each other.
pub fn one_big(args: &Args, report: &mut Report) -> io::Result<()> {
    caches::each(args, &mut Big { args, report })
}

struct Big<'a> {
    args: &'a Args,
    report: &'a mut Report,
}

impl Visit for Big<'_> {
    fn visit<C: Cache + 'static>(&mut self) -> io::Result<()> {
        let Big { args, report } = self;
        if !is_drawn(C::NAME) {
            return Ok(());
        }
        let keys = Keys::new(args.keys);
        let work = Workload::uniform(args.keys, args.operations, 4);
        let before = resident();
        let cache = filled::<C>(&keys, Some(LONG));
        cache.settle();
        report.point(RESIDENT, C::NAME, x(args.keys), (resident() - before) / x(args.keys), "B")?;
        for (row, writes) in [(GET, 0), (SET, 100)] {
            let alone = vec![contender::<C>(C::NAME, &cache, &keys, work.numbers(), writes)];
            let outcome: &Outcome = &compare(alone, args.rounds)[0];
            report.point(row, C::NAME, x(args.keys), outcome.median(), "ns")?;
        }
        drop(cache);
        if C::NAME == Ours::NAME {
            let store = filled::<Ours>(&keys, Some(LONG)).0;
            page(report, "store-memory", args.keys, pages(&store, &keys, "", true, Want::Entries).quantile(0.5))?;
            drop(store);
            page(report, "BTreeMap, no lock", args.keys, sorted(&keys).quantile(0.5))?;
        }
        Ok(())
    }
}
