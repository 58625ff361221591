//! In process: store-memory beside maps and caches.
//!
//! | row | what |
//! |---|---|
//! | `get` `mixed` `half` `set` | throughput with 1 and 2 threads, keys by Zipf's law |
//! | `latency` | 95 % reads with 2 threads, operation by operation |
//! | `list` | pages of 100 |
//! | `scaling` | throughput and pages from 1,000 entries to as many as `--keys` says |
//! | `big` | the same for so many entries, and their resident bytes: one contender at a time, in a process of its own |
//! | `memory` | bytes per entry, each in a process of its own; what is given back after expiry |
//! | `expire` | entries that expire at one instant while a thread works on others |

mod caches;
mod expire;
mod latency;
mod memory;
mod pages;
mod resident;
mod scaling;
mod throughput;

use std::hint::black_box;
use std::io;
use std::process::Command;
use std::time::Duration;

use caches::Cache;
use store_benches::{Keys, Report};

use crate::Args;

/// So many entries, one point of a curve each.
const SIZES: [usize; 5] = [1_000, 10_000, 100_000, 1_000_000, 10_000_000];
const VALUE: [u8; 100] = [b'v'; 100];
/// Long enough that nothing expires while it is measured.
const LONG: Duration = Duration::from_secs(3600);

/// Runs the rows that are asked for.
pub fn run(args: &Args, report: &mut Report) -> io::Result<()> {
    throughput::run(args, report)?;
    if args.wants("latency") {
        latency::run(args, report)?;
    }
    if args.wants("list") {
        pages::run(args, report)?;
    }
    if args.wants("scaling") {
        scaling::run(args, report)?;
    }
    if args.wants("big") {
        each_alone(args, "big-one")?;
    }
    if args.rows.iter().any(|row| row == "big-one") {
        scaling::one_big(args, report)?;
    }
    if args.wants("memory") {
        memory::run(args)?;
    }
    for part in ["memory-one", "release-one"] {
        if args.rows.iter().any(|row| row == part) {
            memory::one(args, part, report)?;
        }
    }
    if args.wants("expire") {
        expire::run(args, report)?;
    }
    Ok(())
}

/// Operations by their numbers: so many of a hundred write, the others read.
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

/// A contender with all keys.
fn filled<C: Cache>(keys: &Keys, ttl: Option<Duration>) -> C {
    let cache = C::new(keys.all().len());
    // In no order: contenders that profit from order would not in life.
    let mut order: Vec<&[u8; 16]> = keys.all().iter().collect();
    fastrand::Rng::with_seed(9).shuffle(&mut order);
    for key in order {
        cache.set(key, &VALUE, ttl);
    }
    cache
}

/// Runs a row again for each contender, in a process of its own: one that was before has memory that the next would use.
fn each_alone(args: &Args, row: &str) -> io::Result<()> {
    struct Alone<'a>(&'a Args, &'a str);
    impl caches::Visit for Alone<'_> {
        fn visit<C: Cache + 'static>(&mut self) -> io::Result<()> {
            let Alone(args, row) = self;
            let mut child = Command::new(std::env::current_exe()?);
            child.args(["inproc", row, "--only", C::NAME.split(',').next().unwrap_or_default()]);
            child.args(["--keys", &args.keys.to_string(), "--operations", &args.operations.to_string()]);
            child.args(["--rounds", &args.rounds.to_string()]);
            if let Some(lines) = &args.lines {
                child.arg("--lines").arg(lines);
            }
            let status = child.status()?;
            if status.success() { Ok(()) } else { Err(io::Error::other(format!("{row} of {}: {status}", C::NAME))) }
        }
    }
    caches::each(args, &mut Alone(args, row))
}
