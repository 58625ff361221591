//! What rows have in common: entries, operations, and a process for each contender.

use std::hint::black_box;
use std::io;
use std::process::Command;
use std::time::Duration;

use store_benches::Keys;

use super::caches::{self, Cache, Visit};
use crate::Args;

/// So many entries, one point of a curve each.
pub const SIZES: [usize; 5] = [1_000, 10_000, 100_000, 1_000_000, 10_000_000];
pub const VALUE: [u8; 100] = [b'v'; 100];

/// Operations by their numbers: so many of a hundred write, the others read.
pub fn operate<C: Cache>(cache: &C, keys: &Keys, numbers: &[u32], writes: u32, ttl: Option<Duration>) {
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
pub fn filled<C: Cache>(keys: &Keys, ttl: Option<Duration>) -> C {
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
pub fn each_alone(args: &Args, row: &str) -> io::Result<()> {
    struct Alone<'a>(&'a Args, &'a str);
    impl Visit for Alone<'_> {
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
