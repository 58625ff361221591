//! Clients of Redis: the same calls to one server for each of them, whoever wrote it.
//!
//! An [`Entrant`] is a client and what it is called; [`run`] lets 1, 64 and 512 callers work with it, each one call after
//! the other, contenders in turns. redis-benchmark takes part in the rows that it can do.
#![expect(clippy::expect_used, reason = "a benchmark may fail loudly")]

mod benchmark;
mod clients;
mod near;

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fastrand::Rng;
use tokio::runtime::Runtime;

use crate::turn::{Turn, Turns};
use crate::{Contender, Plan, Report, compare, median};
pub use clients::{Ours, Raw, call_redis_rs, entrants};
pub use store_testkit::RedisServer;

/// So many keys.
pub const KEYS: u64 = 100_000;
/// The length of every value.
pub const VALUE_LEN: usize = 100;
/// How many items a batch has.
pub const BATCH: usize = 100;
/// The TTL of everything that is written, in milliseconds: nothing expires while it is measured.
pub const TTL_MILLIS: u64 = 600_000;

/// What callers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Reads a key.
    Get,
    /// Writes a key, with a TTL.
    SetPx,
    /// Deletes a key.
    Delete,
    /// Reads [`BATCH`] keys in one trip; counted by key.
    GetMany,
    /// Writes [`BATCH`] keys in one trip, with a TTL; counted by key.
    SetMany,
}

/// A client that many callers share. Everything here may panic: a benchmark fails loudly.
pub trait Client: Clone + Send + Sync + 'static {
    /// One call, for one key or a batch of them.
    fn call(&mut self, work: Work, keys: &[String], value: &[u8]) -> impl Future<Output = ()> + Send;
}

type Pinned<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A [`Client`] of any kind.
trait Callers {
    /// So many callers for so long.
    fn turn(&self, work: Work, callers: usize, time: Duration) -> Pinned<'_, Turn>;
    /// Writes all keys.
    fn fill(&self) -> Pinned<'_, ()>;
}

impl<C: Client> Callers for C {
    fn turn(&self, work: Work, callers: usize, time: Duration) -> Pinned<'_, Turn> {
        Box::pin(async move {
            let stop = Arc::new(AtomicBool::new(false));
            // The times of so many callers are kept in so many places: not all, or they push other things out of the caches.
            let nth = 1 + callers as u64 / 64;
            let tasks: Vec<_> =
                (0..callers).map(|_| tokio::spawn(caller(self.clone(), work, nth, Arc::clone(&stop)))).collect();
            tokio::time::sleep(time).await;
            stop.store(true, Ordering::Relaxed);
            let mut turns = Vec::new();
            for task in tasks {
                turns.push(task.await.expect("a caller has panicked"));
            }
            Turn::sum(turns)
        })
    }

    fn fill(&self) -> Pinned<'_, ()> {
        Box::pin(async move {
            let mut client = self.clone();
            for first in (0..KEYS).step_by(1000) {
                let names: Vec<String> = (first..first + 1000).map(name).collect();
                client.call(Work::SetMany, &names, &[b'v'; VALUE_LEN]).await;
            }
        })
    }
}

async fn caller(mut client: impl Client, work: Work, nth: u64, stop: Arc<AtomicBool>) -> Turn {
    let (mut random, mut turn) = (Rng::new(), Turn::default());
    while !stop.load(Ordering::Relaxed) {
        let count = if matches!(work, Work::GetMany | Work::SetMany) { BATCH } else { 1 };
        let names: Vec<String> = (0..count).map(|_| name(random.u64(..KEYS))).collect();
        let start = turn.begin(nth);
        client.call(work, &names, &[b'v'; VALUE_LEN]).await;
        turn.end(start, count as u64);
    }
    turn
}

/// The name of a key; also the one that redis-benchmark gives it.
#[must_use]
pub fn name(number: u64) -> String {
    format!("key:{number:012}")
}

/// A client, and what tables call it.
pub struct Entrant {
    name: &'static str,
    client: Box<dyn Callers>,
}

impl std::fmt::Debug for Entrant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Entrant({})", self.name)
    }
}

impl Entrant {
    /// A client under a name.
    pub fn new(name: &'static str, client: impl Client) -> Entrant {
        Entrant { name, client: Box::new(client) }
    }
}

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
