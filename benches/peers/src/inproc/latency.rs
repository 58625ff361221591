//! How long single operations take: 95 % reads, with two threads.

use std::hint::black_box;
use std::io;
use std::time::Instant;

use store_benches::{Keys, Latencies, Report, Workload};

use super::caches::{self, Cache, LONG, Visit};
use super::work::{VALUE, filled};
use crate::Args;

pub struct Each<'a> {
    pub keys: Keys,
    pub work: Vec<Workload>,
    pub report: &'a mut Report,
}

impl Visit for Each<'_> {
    fn visit<C: Cache + 'static>(&mut self) -> io::Result<()> {
        let keys = &self.keys;
        let cache = &filled::<C>(keys, Some(LONG));
        let one = |work: &Workload| {
            let mut latencies = Latencies::new();
            for (turn, &number) in work.numbers().iter().enumerate() {
                let start = Instant::now();
                if turn % 20 == 0 {
                    cache.set(keys.get(number), &VALUE, Some(LONG));
                } else {
                    black_box(cache.get(keys.get(number)));
                }
                latencies.add(start.elapsed());
            }
            latencies
        };
        let mut all = Latencies::new();
        std::thread::scope(|scope| {
            let threads: Vec<_> = self.work.iter().map(|work| scope.spawn(move || one(work))).collect();
            threads.into_iter().for_each(|thread| all.merge(&thread.join().expect("no panic")));
        });
        self.report.latency("95/5 with TTL, 2 threads", C::NAME, &all)
    }
}

pub fn run(args: &Args, report: &mut Report) -> io::Result<()> {
    let work = (0..2).map(|seed| Workload::zipf(args.keys, 0.99, args.operations, seed)).collect();
    caches::each(args, &mut Each { keys: Keys::new(args.keys), work, report })
}
