//! Entries that expire at one instant, while a thread works on others.

use std::hint::black_box;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use store_benches::{Keys, Latencies, Report, Workload};

use super::caches::{self, Cache, Moka, Visit};
use super::work::{SIZES, VALUE};
use crate::Args;

/// How long it is watched from the instant on, at least: who has released by then what there is to release is not watched any longer.
const WATCHED: Duration = Duration::from_secs(2);
/// At most.
const PATIENCE: Duration = Duration::from_secs(40);
pub const OTHERS: usize = 10_000;

pub fn run(args: &Args, report: &mut Report) -> io::Result<()> {
    let mut bare = Latencies::new();
    let start = Instant::now();
    while start.elapsed() < WATCHED {
        let begin = Instant::now();
        bare.add(black_box(begin).elapsed());
    }
    report.latency(&format!("while {} entries expire", args.keys), "a bare loop", &bare)?;
    for count in SIZES.into_iter().filter(|&count| count <= args.keys) {
        caches::each(args, &mut Storm { count, timed: count == args.keys, report })?;
    }
    Ok(())
}

/// The point of so many entries alone.
pub fn run_big(args: &Args, report: &mut Report) -> io::Result<()> {
    caches::each(args, &mut Storm { count: args.keys, timed: false, report })
}

struct Storm<'a> {
    count: usize,
    /// Whether percentiles are told.
    timed: bool,
    report: &'a mut Report,
}

impl Visit for Storm<'_> {
    fn visit<C: Cache + 'static>(&mut self) -> io::Result<()> {
        if !C::OWN_TTL {
            return Ok(());
        }
        let storm = storm::<C>(self.count)?;
        #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
        let x = self.count as f64;
        let millis = |time: Duration| time.as_secs_f64() * 1000.0;
        let worst = Duration::from_nanos(storm.during.worst());
        self.report.point("worst operation while they expire, by entries", C::NAME, x, millis(worst), "ms")?;
        // Not at all is no number.
        let released = storm.released.map_or(f64::NAN, millis);
        self.report.point("95 % released after, by entries", C::NAME, x, released, "ms")?;
        if self.timed {
            let count = self.count;
            self.report.latency(&format!("before {count} entries expire"), C::NAME, &storm.before)?;
            self.report.latency(&format!("while {count} entries expire"), C::NAME, &storm.during)?;
        }
        Ok(())
    }
}

pub struct Outcome {
    pub before: Latencies,
    pub during: Latencies,
    /// How long after the instant 95 % were released, if they were.
    pub released: Option<Duration>,
}

pub fn storm<C: Cache>(count: usize) -> io::Result<Outcome> {
    // Long enough to fill it before. Of what is larger than the processor's caches, each takes longer.
    let each = Duration::from_nanos(match count {
        _ if C::NAME == Moka::NAME => 6000,
        ..=1_000_000 => 2500,
        _ => 3800,
    });
    let ttl = Duration::from_millis(600) + each * u32::try_from(count).unwrap_or(u32::MAX);
    let cache = C::new(count + OTHERS);
    let others = Keys::new(OTHERS);
    for key in others.all() {
        cache.set(key, &VALUE, None);
    }
    let start = Instant::now();
    for number in 0..count {
        let left = ttl.saturating_sub(start.elapsed()).max(Duration::from_millis(1));
        cache.set(format!("session:{number:09}").as_bytes(), &VALUE, Some(left));
    }
    cache.settle();
    if start.elapsed() + Duration::from_millis(200) > ttl {
        return Err(io::Error::other(format!("{} was filled too slowly to expire at one instant", C::NAME)));
    }
    let work = Workload::uniform(OTHERS, 1 << 16, 5);
    let (mut before, mut during) = (Latencies::new(), Latencies::new());
    let (done, is_released) = (AtomicBool::new(false), AtomicBool::new(false));
    // Who sees to it while others work is given the time; who never does is not waited for.
    let patience = if count > 1_000_000 || C::NAME == Moka::NAME { PATIENCE } else { WATCHED };
    let released = std::thread::scope(|scope| {
        // The user's own sweeps, where a contender needs them, and a look at what is left.
        let watcher = scope.spawn(|| {
            let mut released = None;
            while !done.load(Ordering::Relaxed) {
                let since = start.elapsed().checked_sub(ttl);
                if since.is_some() && released.is_none() {
                    cache.sweep();
                }
                if released.is_none() && cache.held().saturating_sub(OTHERS) <= count / 20 {
                    released = since.map(|_| start.elapsed() - ttl);
                    is_released.store(released.is_some(), Ordering::Relaxed);
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            released
        });
        'run: loop {
            for &number in work.numbers() {
                let begin = Instant::now();
                if number % 10 == 0 {
                    cache.set(others.get(number), &VALUE, None);
                } else {
                    black_box(cache.get(others.get(number)));
                }
                let took = begin.elapsed();
                let since = start.elapsed();
                if since < ttl {
                    before.add(took);
                } else if since < ttl + WATCHED || since < ttl + patience && !is_released.load(Ordering::Relaxed) {
                    during.add(took);
                } else {
                    break 'run;
                }
            }
        }
        done.store(true, Ordering::Relaxed);
        watcher.join().expect("no panic")
    });
    Ok(Outcome { before, during, released })
}
