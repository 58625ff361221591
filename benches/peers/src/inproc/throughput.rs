//! How many operations, with one thread and with two.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use store_benches::{Contender, Keys, Report, Workload, compare};

use super::caches::{self, Cache, LONG, Visit};
use super::work::{filled, operate};
use crate::Args;

/// A row: what asks for it, what the table calls it, how many of a hundred operations write, and what entries live.
const ROWS: [(&str, &str, u32, Option<Duration>); 4] = [
    ("get", "get", 0, None),
    ("mixed", "95/5 with TTL", 5, Some(LONG)),
    ("half", "50/50 with TTL", 50, Some(LONG)),
    ("set", "set with TTL", 100, Some(LONG)),
];

pub fn run(args: &Args, report: &mut Report) -> io::Result<()> {
    if !ROWS.iter().any(|(row, ..)| args.wants(row)) {
        return Ok(());
    }
    let keys = Keys::new(args.keys);
    let work: Vec<Workload> = (0..2).map(|seed| Workload::zipf(args.keys, 0.99, args.operations, seed)).collect();
    for (row, title, writes, ttl) in ROWS {
        if !args.wants(row) {
            continue;
        }
        let mut bench = Bench { keys: &keys, work: &work, writes, ttl, made: Vec::new() };
        caches::each(args, &mut bench)?;
        for (threads, called) in [(1, "1 thread"), (2, "2 threads")] {
            let contenders = bench.made.iter().map(|made| made(threads)).collect();
            report.comparison(&format!("{title}, {called}"), &compare(contenders, args.rounds))?;
        }
    }
    Ok(())
}

/// A filled contender, which runs with so many threads.
pub type Made<'a> = Box<dyn Fn(usize) -> Contender<'a> + 'a>;

pub struct Bench<'a> {
    pub keys: &'a Keys,
    pub work: &'a [Workload],
    pub writes: u32,
    pub ttl: Option<Duration>,
    pub made: Vec<Made<'a>>,
}

impl Visit for Bench<'_> {
    fn visit<C: Cache + 'static>(&mut self) -> io::Result<()> {
        let (keys, work, writes, ttl) = (self.keys, self.work, self.writes, self.ttl);
        let cache = Rc::new(filled::<C>(keys, ttl));
        self.made.push(Box::new(move |threads| {
            let cache = Rc::clone(&cache);
            let shares = &work[..threads];
            let operations = shares.iter().map(|share| share.numbers().len()).sum();
            Contender::timed(C::NAME, operations, move || {
                let cache = &*cache;
                std::thread::scope(|scope| {
                    for share in shares {
                        scope.spawn(move || operate(cache, keys, share.numbers(), writes, ttl));
                    }
                });
            })
        }));
        Ok(())
    }
}
