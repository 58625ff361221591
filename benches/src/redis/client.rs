//! What a client is: what callers do with it, and how many share it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fastrand::Rng;

use crate::turn::Turn;

/// So many keys.
pub const KEYS: u64 = if cfg!(debug_assertions) { 2_000 } else { 100_000 };
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

pub(super) type Pinned<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A [`Client`] of any kind.
pub(super) trait Callers {
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
    pub(super) name: &'static str,
    pub(super) client: Box<dyn Callers>,
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
