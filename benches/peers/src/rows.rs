//! The rows: what is measured.

use std::hint::black_box;
use std::io;
use std::time::{Duration, Instant};

use store_benches::{Contender, Keys, Latencies, Report, Workload, compare};
use store_core::{Context, List, TryStore, Want};
use store_memory::MemoryStore;

use crate::Asked;
use crate::caches::{Cache, Dash, MiniMoka, Moka, Ours, Papaya, Quick, Sharded};

const VALUE: [u8; 100] = [b'v'; 100];
/// Long enough that nothing expires while it is measured.
const LONG: Duration = Duration::from_secs(3600);

/// One thread's share: every n-th operation writes, the others read.
fn work(cache: &dyn Fn(&[u32]), numbers: &[u32]) {
    cache(numbers);
}

fn operate<C: Cache>(cache: &C, keys: &Keys, numbers: &[u32], writes: u32, ttl: Option<Duration>) {
    let mut turn = 0u32;
    for &number in numbers {
        let key = keys.get(number);
        turn = turn.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if (turn >> 16) % 100 < writes {
            cache.set(key, &VALUE, ttl);
        } else {
            black_box(cache.get(key));
        }
    }
}

fn filled<C: Cache>(cache: C, keys: &Keys, ttl: Option<Duration>) -> C {
    // In no order: contenders that profit from order would not in life.
    let mut order: Vec<&[u8; 16]> = keys.all().iter().collect();
    fastrand::Rng::with_seed(9).shuffle(&mut order);
    for key in order {
        cache.set(key, &VALUE, ttl);
    }
    cache
}

struct Bench<'a> {
    asked: &'a Asked,
    keys: &'a Keys,
    work: &'a [Workload],
    writes: u32,
    ttl: Option<Duration>,
}

impl<'a> Bench<'a> {
    fn contender<C: Cache + 'a>(&self, cache: C) -> Contender<'a> {
        let cache = filled(cache, self.keys, self.ttl);
        let (keys, threads, writes, ttl, operations) =
            (self.keys, self.work, self.writes, self.ttl, self.asked.operations);
        Contender::timed(cache.name(), operations * threads.len(), move || {
            std::thread::scope(|scope| {
                for share in threads {
                    let cache = &cache;
                    scope.spawn(move || work(&|numbers| operate(cache, keys, numbers, writes, ttl), share.numbers()));
                }
            });
        })
    }

    fn contenders(&self) -> Vec<Contender<'a>> {
        let capacity = self.keys.all().len();
        let wanted =
            |name: &str| self.asked.only.as_deref().is_none_or(|only| only.split(',').any(|part| name.contains(part)));
        let mut all = vec![self.contender(Ours(MemoryStore::new()))];
        if wanted("dashmap") {
            all.push(self.contender(Dash::new()));
        }
        if wanted("papaya") {
            all.push(self.contender(Papaya::new()));
        }
        if wanted("sharded") {
            all.push(self.contender(Sharded::new()));
        }
        if wanted("quick_cache") {
            all.push(self.contender(Quick::new(capacity)));
        }
        if wanted("mini-moka") {
            all.push(self.contender(MiniMoka::new(capacity, LONG)));
        }
        if wanted("moka") {
            all.push(self.contender(Moka::new(capacity)));
        }
        all
    }
}

/// Runs the rows that are asked for.
pub fn run(asked: &Asked, report: &mut Report) -> io::Result<()> {
    let keys = Keys::new(asked.keys);
    let wanted = |row: &str| asked.rows.is_empty() || asked.rows.iter().any(|name| name == row);
    let mixes = [("get", 0, None), ("mixed", 5, Some(LONG)), ("half", 50, Some(LONG)), ("set", 100, Some(LONG))];
    for (row, writes, ttl) in mixes {
        if !wanted(row) {
            continue;
        }
        for threads in [1, 2] {
            let work: Vec<Workload> =
                (0..threads).map(|seed| Workload::zipf(asked.keys, 0.99, asked.operations, seed)).collect();
            let bench = Bench { asked, keys: &keys, work: &work, writes, ttl };
            let outcomes = compare(bench.contenders(), asked.rounds);
            report.comparison(&format!("{row}, {threads} threads, {} keys", asked.keys), &outcomes)?;
        }
    }
    if wanted("latency") {
        latency(asked, &keys, report)?;
    }
    if wanted("slope") {
        slope(asked, report)?;
    }
    if wanted("list") {
        list(&keys, report)?;
    }
    if wanted("expire") {
        expire(asked, report)?;
    }
    if wanted("memory") {
        memory(asked, &keys, report)?;
    }
    Ok(())
}

/// 95 % reads with two threads, operation by operation.
fn latency(asked: &Asked, keys: &Keys, report: &mut Report) -> io::Result<()> {
    fn one<C: Cache>(asked: &Asked, cache: C, keys: &Keys, report: &mut Report) -> io::Result<()> {
        let cache = filled(cache, keys, Some(LONG));
        let mut all = Latencies::new();
        let parts: Vec<Latencies> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..2)
                .map(|seed| {
                    let cache = &cache;
                    scope.spawn(move || {
                        let work = Workload::zipf(keys.all().len(), 0.99, asked.operations / 2, seed);
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
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        parts.iter().for_each(|part| all.merge(part));
        for (name, value) in [
            ("p50", all.quantile(0.5)),
            ("p99", all.quantile(0.99)),
            ("p99.9", all.quantile(0.999)),
            ("worst", all.worst()),
        ] {
            #[expect(clippy::cast_precision_loss, reason = "statistics")]
            report.point(&format!("latency 95/5, 2 threads, {name}"), cache.name(), 0.0, value as f64, "ns")?;
        }
        Ok(())
    }
    one(asked, Ours(MemoryStore::new()), keys, report)?;
    one(asked, Dash::new(), keys, report)?;
    one(asked, Sharded::new(), keys, report)?;
    one(asked, Moka::new(asked.keys), keys, report)
}

/// Curves by size: reads, sets while a fifth is expired, pages.
fn slope(asked: &Asked, report: &mut Report) -> io::Result<()> {
    for count in [1_000, 10_000, 100_000, 1_000_000, 10_000_000].into_iter().filter(|&count| count <= asked.keys) {
        #[expect(clippy::cast_precision_loss, reason = "statistics")]
        let x = count as f64;
        let keys = Keys::new(count);
        let work = [Workload::uniform(count, asked.operations, 4)];
        for (row, writes) in [("get by size", 0), ("set with ttl by size", 100)] {
            let bench = Bench { asked, keys: &keys, work: &work, writes, ttl: Some(LONG) };
            let ours = Ours(MemoryStore::builder().background(false).build());
            for number in 0..count / 5 {
                ours.set(format!("expired{number}").as_bytes(), &VALUE, Some(Duration::from_millis(1)));
            }
            let outcomes = compare(vec![bench.contender(ours), bench.contender(Dash::new())], asked.rounds);
            for outcome in &outcomes {
                report.point(row, &outcome.name, x, outcome.median(), "ns")?;
            }
        }
        let store = filled(Ours(MemoryStore::new()), &keys, Some(LONG)).0;
        let pages = pages(&store, &keys, "", true, Want::Entries);
        #[expect(clippy::cast_precision_loss, reason = "statistics")]
        report.point("page of 100 by size", "store-memory", x, pages.quantile(0.5) as f64 / 1000.0, "us")?;
    }
    Ok(())
}

/// A page of 100, anywhere.
fn list(keys: &Keys, report: &mut Report) -> io::Result<()> {
    let store = filled(Ours(MemoryStore::new()), keys, Some(LONG)).0;
    for (name, prefix, random_after) in [
        ("no prefix, anywhere", "", true),
        ("prefix of 1,000", "key:000000500", false),
        ("prefix of 100", "key:0000005000", false),
    ] {
        for want in [Want::Keys, Want::Entries] {
            let latencies = pages(&store, keys, prefix, random_after, want);
            for share in [0.5, 0.99] {
                #[expect(clippy::cast_precision_loss, reason = "statistics")]
                let micros = latencies.quantile(share) as f64 / 1000.0;
                report.point(&format!("page of 100, {name}, {want:?}"), "store-memory", share, micros, "us")?;
            }
        }
    }
    Ok(())
}

fn pages(store: &MemoryStore, keys: &Keys, prefix: &str, random_after: bool, want: Want) -> Latencies {
    let mut latencies = Latencies::new();
    let mut random = fastrand::Rng::with_seed(2);
    for _ in 0..2000 {
        let number = random.u32(0..u32::try_from(keys.all().len()).unwrap_or(u32::MAX));
        let after = random_after.then(|| &keys.get(number)[..]);
        let list = List { prefix: prefix.as_bytes(), after, limit: 100, want };
        let start = Instant::now();
        black_box(store.try_list(&Context::none(), list)).expect("synchronous").expect("no error");
        latencies.add(start.elapsed());
    }
    latencies
}

/// A million entries expire at one instant while a thread works on other keys.
fn expire(asked: &Asked, report: &mut Report) -> io::Result<()> {
    // Long enough to fill every contender before.
    let ttl = Duration::from_secs(3) + Duration::from_micros(12) * u32::try_from(asked.keys).unwrap_or(u32::MAX);
    let noise = spin(Duration::from_secs(2));
    #[expect(clippy::cast_precision_loss, reason = "statistics")]
    report.point("a bare loop, worst", "machine", 0.0, noise as f64 / 1000.0, "us")?;
    fn one<C: Cache>(asked: &Asked, cache: C, ttl: Duration, report: &mut Report) -> io::Result<C> {
        let others = Keys::new(10_000);
        for key in others.all() {
            cache.set(key, &VALUE, None);
        }
        let start = Instant::now();
        for number in 0..asked.keys {
            cache.set(
                format!("session:{number:09}").as_bytes(),
                &VALUE,
                Some(ttl.saturating_sub(start.elapsed()).max(Duration::from_millis(1))),
            );
        }
        println!("  filled in {:?}", start.elapsed());
        let work = Workload::uniform(10_000, 1 << 16, 5);
        let (mut calm, mut storm) = (Latencies::new(), Latencies::new());
        'run: loop {
            for &number in work.numbers() {
                let begin = Instant::now();
                if number % 10 == 0 {
                    cache.set(others.get(number), &VALUE, None);
                } else {
                    black_box(cache.get(others.get(number)));
                }
                let since = start.elapsed();
                if since < ttl {
                    calm.add(begin.elapsed());
                } else if since < ttl + Duration::from_secs(2) {
                    storm.add(begin.elapsed());
                } else {
                    break 'run;
                }
            }
        }
        for (name, latencies) in [("before", &calm), ("while they expire", &storm)] {
            for (part, value) in
                [("p50", latencies.quantile(0.5)), ("p99.9", latencies.quantile(0.999)), ("worst", latencies.worst())]
            {
                #[expect(clippy::cast_precision_loss, reason = "statistics")]
                report.point(
                    &format!("expiry of {}, {name}, {part}", asked.keys),
                    cache.name(),
                    0.0,
                    value as f64 / 1000.0,
                    "us",
                )?;
            }
        }
        Ok(cache)
    }
    let ours = one(asked, Ours(MemoryStore::new()), ttl, report)?;
    println!("  {:?}", ours.0.stats());
    drop(ours);
    one(asked, Moka::new(asked.keys), ttl, report)?;
    Ok(())
}

/// The longest pause of a loop that does nothing.
fn spin(time: Duration) -> u64 {
    let start = Instant::now();
    let mut latencies = Latencies::new();
    while start.elapsed() < time {
        let begin = Instant::now();
        latencies.add(black_box(begin).elapsed());
    }
    latencies.worst()
}

#[cfg(not(feature = "count"))]
fn memory(_: &Asked, _: &Keys, _: &mut Report) -> io::Result<()> {
    println!("bytes per entry need --features count");
    Ok(())
}

/// Bytes per entry, and how many are given back when all expire.
#[cfg(feature = "count")]
fn memory(asked: &Asked, keys: &Keys, report: &mut Report) -> io::Result<()> {
    fn held() -> f64 {
        let stats = crate::ALLOCATOR.stats();
        #[expect(clippy::cast_precision_loss, reason = "statistics")]
        let bytes = (stats.bytes_allocated as f64) + stats.bytes_reallocated as f64 - stats.bytes_deallocated as f64;
        bytes
    }
    fn resident() -> f64 {
        let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
        4096.0 * text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0.0)
    }
    fn one<C: Cache>(asked: &Asked, make: impl FnOnce() -> C, keys: &Keys, report: &mut Report) -> io::Result<()> {
        #[expect(clippy::cast_precision_loss, reason = "statistics")]
        let count = asked.keys as f64;
        let (before, pages) = (held(), resident());
        let cache = filled(make(), keys, Some(LONG));
        cache.maintain();
        report.point("bytes asked for per entry", cache.name(), count, (held() - before) / count, "B")?;
        report.point("bytes resident per entry", cache.name(), count, (resident() - pages) / count, "B")
    }
    one(asked, || Ours(MemoryStore::new()), keys, report)?;
    one(asked, Dash::new, keys, report)?;
    one(asked, Papaya::new, keys, report)?;
    one(asked, Sharded::new, keys, report)?;
    one(asked, || Quick::new(asked.keys), keys, report)?;
    one(asked, || MiniMoka::new(asked.keys, LONG), keys, report)?;
    one(asked, || Moka::new(asked.keys), keys, report)?;
    let before = held();
    let store = MemoryStore::new();
    let ours = filled(Ours(store.clone()), keys, Some(Duration::from_secs(4)));
    let full = held() - before;
    std::thread::sleep(Duration::from_secs(5));
    let start = Instant::now();
    while store.stats().entries > 0 && start.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(10));
    }
    report.point("given back after expiry, idle", ours.name(), 0.0, 100.0 * (1.0 - (held() - before) / full), "%")
}
