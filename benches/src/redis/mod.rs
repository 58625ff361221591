//! Clients of Redis: the same calls to one server for each of them, whoever wrote it.
//!
//! An [`Entrant`] is a client and what it is called; [`run`] lets 1, 64 and 512 callers work with it, each one call after
//! the other, contenders in turns. redis-benchmark takes part in the rows that it can do.
#![expect(clippy::expect_used, reason = "a benchmark may fail loudly")]

mod benchmark;
mod client;
mod clients;
mod near;

use std::cell::RefCell;
use std::io;

use tokio::runtime::Runtime;

use crate::turn::Turns;
use crate::{Contender, Plan, Report, compare, median};
pub use client::{BATCH, Client, Entrant, KEYS, TTL_MILLIS, VALUE_LEN, Work, name};
pub use clients::{Ours, Raw, call_redis_rs, entrants};
pub use store_testkit::RedisServer;

/// A row: its name on the command line, what callers do, and how many of them.
const ROWS: &[(&str, &str, Work, usize)] = &[
    ("get", "GET", Work::Get, 1),
    ("get", "GET", Work::Get, 64),
    ("get", "GET", Work::Get, 512),
    ("set", "SET PX", Work::SetPx, 1),
    ("set", "SET PX", Work::SetPx, 64),
    ("set", "SET PX", Work::SetPx, 512),
    ("delete", "DELETE", Work::Delete, 1),
    ("delete", "DELETE", Work::Delete, 64),
    ("delete", "DELETE", Work::Delete, 512),
    ("batch", "GET x 100", Work::GetMany, 4),
    ("batch", "SET PX x 100", Work::SetMany, 4),
];

/// Processor time of this process, in nanoseconds: holds still where a busy machine makes rates jump.
#[expect(clippy::cast_precision_loss, reason = "statistics")]
fn processor() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// Measures the rows that are asked for: `get`, `set`, `delete`, `batch`, `near`. The first entrant is the one that ratios
/// are about.
///
/// # Errors
/// If the lines cannot be written.
pub fn run(
    plan: &Plan,
    runtime: &Runtime,
    server: &RedisServer,
    entrants: &[Entrant],
    report: &mut Report,
) -> io::Result<()> {
    let entrants: Vec<&Entrant> = entrants
        .iter()
        .enumerate()
        .filter(|(at, entrant)| *at == 0 || plan.takes(entrant.name))
        .map(|(_, it)| it)
        .collect();
    for &(row, title, work, callers) in ROWS.iter().filter(|row| plan.wants(row.0)) {
        entrants.iter().for_each(|entrant| runtime.block_on(entrant.client.fill()));
        let turns: Vec<(Turns, RefCell<Vec<f64>>)> = entrants.iter().map(|_| Default::default()).collect();
        let mut contenders = Vec::new();
        for (&entrant, (turns, costs)) in entrants.iter().zip(&turns) {
            contenders.push(Contender::new(entrant.name, move || {
                if work == Work::Delete {
                    // So that there is something to delete.
                    runtime.block_on(entrant.client.fill());
                }
                let before = processor();
                turns.run(|| {
                    let turn = runtime.block_on(entrant.client.turn(work, callers, plan.turn));
                    #[expect(clippy::cast_precision_loss, reason = "statistics")]
                    costs.borrow_mut().push((processor() - before) / turn.done().max(1) as f64);
                    turn
                })
            }));
        }
        if row != "batch" && plan.takes("redis-benchmark") {
            let connections = callers.min(50);
            let name = format!("redis-benchmark -c {connections}");
            contenders.push(Contender::new(name, move || benchmark::run(server, work, connections, plan.turn)));
        }
        let outcomes = compare(contenders, plan.rounds);
        let row = format!("{title}, {callers} callers");
        report.comparison(&row, &outcomes)?;
        for (entrant, (turns, costs)) in entrants.iter().zip(turns) {
            report.latency(&row, entrant.name, turns.sum().latencies())?;
            let row = format!("{row}, processor time of this process");
            report.value(&row, entrant.name, median(&costs.into_inner()[1..]), "ns")?;
        }
    }
    if plan.wants("near") {
        near::run(plan, runtime, server, report)?;
    }
    Ok(())
}
