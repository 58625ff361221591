//! Bytes per entry, and how many of them come back.

use std::io;
use std::time::{Duration, Instant};

use store_benches::{Keys, Report};

use super::caches::{self, Cache, LONG, Visit};
use super::resident::{RESIDENT, resident};
use super::work::{SIZES, VALUE, each_alone, filled};
use crate::Args;

/// What the contender asks the allocator for.
const ASKED: &str = "bytes asked for per entry, by entries";

/// Starts a process for each contender and size.
pub fn run(args: &Args) -> io::Result<()> {
    if args.held.is_none() {
        println!("  bytes per entry are not measured: they need the program `counted`");
        return Ok(());
    }
    for keys in SIZES.into_iter().filter(|&keys| keys <= args.keys) {
        each_alone(&Args { keys, ..args.clone() }, "memory-one")?;
    }
    each_alone(args, "release-one")
}

/// The part that a process of its own does.
pub fn one(args: &Args, part: &str, report: &mut Report) -> io::Result<()> {
    let Some(held) = args.held else { return Err(io::Error::other("needs the program `counted`")) };
    if part == "memory-one" {
        caches::each(args, &mut Size { keys: Keys::new(args.keys), held, report })
    } else {
        caches::each(args, &mut Release { keys: Keys::new(args.keys), held, report })
    }
}

struct Size<'a> {
    keys: Keys,
    held: fn() -> f64,
    report: &'a mut Report,
}

impl Visit for Size<'_> {
    fn visit<C: Cache + 'static>(&mut self) -> io::Result<()> {
        #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
        let count = self.keys.all().len() as f64;
        let (asked, pages) = ((self.held)(), resident());
        let cache = filled::<C>(&self.keys, Some(LONG));
        cache.settle();
        self.report.point(ASKED, C::NAME, count, ((self.held)() - asked) / count, "B")?;
        // Of few entries, what is there already would be most of it.
        if count >= 100_000.0 {
            self.report.point(RESIDENT, C::NAME, count, (resident() - pages) / count, "B")?;
        }
        Ok(())
    }
}

struct Release<'a> {
    keys: Keys,
    held: fn() -> f64,
    report: &'a mut Report,
}

impl Visit for Release<'_> {
    /// All entries expire while nobody calls; the user's own sweeps go on.
    fn visit<C: Cache + 'static>(&mut self) -> io::Result<()> {
        if !C::OWN_TTL {
            return Ok(());
        }
        let (asked, pages) = ((self.held)(), resident());
        let count = u32::try_from(self.keys.all().len()).unwrap_or(u32::MAX);
        let ttl = Duration::from_secs(1) + Duration::from_micros(4) * count;
        let start = Instant::now();
        let cache = C::new(self.keys.all().len());
        for key in self.keys.all() {
            cache.set(key, &VALUE, Some(ttl.saturating_sub(start.elapsed()).max(Duration::from_millis(1))));
        }
        cache.settle();
        let (full_asked, full_pages) = ((self.held)() - asked, resident() - pages);
        if start.elapsed() > ttl {
            return Err(io::Error::other(format!("{} was filled too slowly to expire at one instant", C::NAME)));
        }
        while start.elapsed() < ttl + Duration::from_secs(1) {
            cache.sweep();
            std::thread::sleep(Duration::from_millis(50));
        }
        let back = |full: f64, left: f64| 100.0 * (1.0 - left / full);
        self.report.value(
            "given back a second after expiry, idle: bytes asked for",
            C::NAME,
            back(full_asked, (self.held)() - asked),
            "%",
        )?;
        self.report.value(
            "given back a second after expiry, idle: bytes resident",
            C::NAME,
            back(full_pages, resident() - pages),
            "%",
        )
    }
}
