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
//! | `expire-big` | the same for as many as `--keys` says, and for no fewer |

mod caches;
mod expire;
mod latency;
mod memory;
mod pages;
mod resident;
mod scaling;
#[cfg(test)]
mod tests;
mod throughput;
mod work;

use std::io;

use store_benches::Report;
use work::each_alone;

use crate::Args;

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
    if args.rows.iter().any(|row| row == "expire-big") {
        expire::run_big(args, report)?;
    }
    Ok(())
}
