//! The load: tasks that call a store, one call after the other, until the time is over.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use store::{Error, Expiry, Handle, ListOptions, Result, Value};
use tokio::task::JoinSet;

use super::mix::{Mix, Operation};
use crate::measure::histogram::Histogram;

/// After so many calls a task lets the others have a turn: a store in memory never makes it wait.
const TURN: u32 = 32;
/// A failing store is not called again at once.
const AFTER_ERROR: Duration = Duration::from_millis(10);
/// A batch of the first writes is sent at this many bytes.
const BATCH_BYTES: usize = 1 << 20;
/// How many keys there are for counters, if the load has any: few, so that callers meet.
const COUNTERS: u64 = 100;
/// How long a page of a listing is.
const PAGE: usize = 100;

/// What to do.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// What every key begins with.
    pub(super) prefix: String,
    pub(super) keys: u64,
    pub(super) value: Arc<Value>,
    pub(super) value_size: usize,
    pub(super) callers: usize,
    pub(super) duration: Duration,
    pub(super) mix: Arc<Mix>,
    /// How long what is written lives, should it not be removed.
    pub(super) expiry: Expiry,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// By operation, in the order of [`Operation::ALL`]: what succeeded.
    pub(super) calls: [Histogram; Operation::ALL.len()],
    pub(super) hits: u64,
    pub(super) misses: u64,
    pub(super) errors: BTreeMap<&'static str, u64>,
    /// The first error, as it was said.
    pub(super) error: Option<Error>,
    pub(super) elapsed: Duration,
}

impl Seen {
    fn merge(&mut self, other: Seen) {
        for (own, others) in self.calls.iter_mut().zip(&other.calls) {
            own.merge(others);
        }
        self.hits += other.hits;
        self.misses += other.misses;
        for (kind, count) in other.errors {
            *self.errors.entry(kind).or_default() += count;
        }
        self.error = self.error.take().or(other.error);
    }

    fn found(&mut self, found: bool) {
        *(if found { &mut self.hits } else { &mut self.misses }) += 1;
    }
}

impl Plan {
    fn key(&self, number: u64) -> String {
        format!("{}{number:07}", self.prefix)
    }

    fn counter(&self, number: u64) -> String {
        format!("{}counter:{number:02}", self.prefix)
    }

    /// All keys that the load may write.
    fn all_keys(&self) -> impl Iterator<Item = String> {
        let counters = if self.mix.has(Operation::Increment) { COUNTERS } else { 0 };
        (0..self.keys).map(|number| self.key(number)).chain((0..counters).map(|number| self.counter(number)))
    }

    /// Whether the caller may remove what he is about to write: asked by removing it while it is not there.
    pub(super) async fn may_remove(&self, store: &Handle) -> Result<()> {
        store.delete_many(&[self.key(0)]).await.map(drop)
    }

    /// Writes every key once, so that reads find something.
    pub(super) async fn fill(&self, store: &Handle) -> Result<()> {
        let batch = (BATCH_BYTES / self.value_size.max(1)).clamp(1, 500) as u64;
        let mut next = 0;
        while next < self.keys {
            let until = (next + batch).min(self.keys);
            let items: Vec<(String, &Value, Expiry)> =
                (next..until).map(|number| (self.key(number), &*self.value, self.expiry)).collect();
            store.set_many(&items).await?;
            next = until;
        }
        Ok(())
    }

    /// Deletes by name what [`fill`](Plan::fill) and [`run`](Plan::run) may have written: no other key is looked at, however many the
    /// store has. Gives how many were there.
    pub(super) async fn remove(&self, store: &Handle) -> Result<u64> {
        let mut removed = 0;
        let mut keys = self.all_keys();
        loop {
            let batch: Vec<String> = keys.by_ref().take(store::MAX_BATCH).collect();
            if batch.is_empty() {
                return Ok(removed);
            }
            removed += store.delete_many(&batch).await?.into_iter().filter(|gone| *gone).count() as u64;
        }
    }

    /// Runs the load. `done` counts along.
    pub(super) async fn run(&self, store: &Handle, done: &Arc<AtomicU64>) -> Result<Seen> {
        let started = Instant::now();
        let until = started + self.duration;
        let mut callers = JoinSet::new();
        for number in 0..self.callers {
            let caller = Caller {
                plan: self.clone(),
                store: store.clone(),
                random: fastrand::Rng::with_seed(number as u64),
                seen: Seen::default(),
            };
            callers.spawn(caller.call_until(until, Arc::clone(done)));
        }
        let mut all = Seen::default();
        while let Some(seen) = callers.join_next().await {
            all.merge(seen.map_err(|error| Error::internal("a caller failed").with_source(error))?);
        }
        all.elapsed = started.elapsed();
        Ok(all)
    }
}

/// One of those that call at the same time.
struct Caller {
    plan: Plan,
    store: Handle,
    random: fastrand::Rng,
    seen: Seen,
}

impl Caller {
    async fn call_until(mut self, until: Instant, done: Arc<AtomicU64>) -> Seen {
        let mut turn = 0;
        loop {
            let operation = self.plan.mix.pick(&mut self.random);
            let key = match operation {
                Operation::Increment => self.plan.counter(self.random.u64(0..COUNTERS)),
                _ => self.plan.key(self.random.u64(0..self.plan.keys)),
            };
            let start = Instant::now();
            let answer = self.call(operation, &key).await;
            let end = Instant::now();
            match answer {
                Ok(()) => {
                    let nanos = u64::try_from((end - start).as_nanos()).unwrap_or(u64::MAX);
                    self.seen.calls[operation as usize].add(nanos);
                    done.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => {
                    *self.seen.errors.entry(error.kind().name()).or_default() += 1;
                    self.seen.error.get_or_insert(error);
                    tokio::time::sleep(AFTER_ERROR).await;
                }
            }
            if end >= until {
                return self.seen;
            }
            turn += 1;
            if turn % TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    async fn call(&mut self, operation: Operation, key: &str) -> Result<()> {
        let Caller { plan, store, seen, .. } = self;
        match operation {
            // The bytes as they came: reading them into a value is not the store's time.
            Operation::Get => seen.found(store.get::<store::Payload>(key).await?.is_some()),
            Operation::Set => store.set(key, &*plan.value, plan.expiry).await.map(drop)?,
            Operation::Has => seen.found(store.has(key).await?),
            Operation::Touch => seen.found(store.touch(key, plan.expiry).await?),
            Operation::Delete => seen.found(store.delete(key).await?),
            Operation::Increment => {
                let options = store::IncrementOptions::by(1).expiry(plan.expiry);
                store.increment_with(key, &options).await.map(drop)?;
            }
            Operation::List => {
                let options = ListOptions::prefix(plan.prefix.as_bytes()).limit(PAGE);
                store.list(&options).await.map(drop)?;
            }
        }
        Ok(())
    }
}

/// How long it takes to look at the clock twice, which is a part of every time that is told.
pub(super) fn cost_of_looking() -> Duration {
    const LOOKS: u32 = 10_000;
    let start = Instant::now();
    for _ in 0..LOOKS {
        std::hint::black_box(Instant::now());
    }
    start.elapsed() / LOOKS
}
