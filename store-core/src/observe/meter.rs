//! The observer that counts.

use std::array;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::lanes::Lanes;
use super::latency::Recorder;
use super::{Ended, Ending, Latency, Observer, Operation, Span, StoreObserver, Timing};
use crate::Kind;

/// Counts what stores do: calls, hits, misses, errors by kind, latencies, per store and operation. Clones are the same meter.
///
/// Each thread counts in memory of its own; a snapshot visits all of it. A store that a new configuration no
/// longer has keeps its numbers.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<Mutex<BTreeMap<Arc<str>, Arc<Counters>>>>);

impl Meter {
    /// A meter that has counted nothing.
    #[must_use]
    pub fn new() -> Meter {
        Meter::default()
    }

    /// What was counted so far, by store and operation, in order. Operations that no one called are left out.
    #[must_use]
    pub fn operations(&self) -> Vec<StoreOperations> {
        let stores = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stores
            .iter()
            .map(|(id, counters)| StoreOperations { store: Arc::clone(id), operations: counters.read() })
            .collect()
    }
}

impl Observer for Meter {
    fn store(&self, id: &str, _backend: &'static str) -> Arc<dyn StoreObserver> {
        let mut stores = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match stores.get(id) {
            Some(counters) => Arc::clone(counters) as Arc<dyn StoreObserver>,
            None => {
                let counters = Arc::new(Counters::default());
                stores.insert(id.into(), Arc::clone(&counters));
                counters
            }
        }
    }
}

/// What a [`Meter`] counted of one store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoreOperations {
    /// The store's id.
    pub store: Arc<str>,
    /// Of each operation that was called.
    pub operations: Vec<OperationStats>,
}

/// What a [`Meter`] counted of one operation of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OperationStats {
    /// Which operation.
    pub operation: Operation,
    /// Calls that ended well.
    pub done: u64,
    /// Keys that were found.
    pub hits: u64,
    /// Keys that were not.
    pub misses: u64,
    /// Calls that the caller gave up before they ended.
    pub dropped: u64,
    /// How long calls took, however they ended.
    pub latency: Latency,
    errors: [u64; Kind::ALL.len()],
}

impl OperationStats {
    /// Calls that failed with this kind.
    #[must_use]
    pub fn errors(&self, kind: Kind) -> u64 {
        self.errors[kind as usize]
    }

    /// Calls that failed.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.errors.iter().sum()
    }

    /// All calls that ended, however they did.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.done + self.failed() + self.dropped
    }

    /// Of the keys that were looked for, the fraction that was found; `None` if none was looked for.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "statistics")]
    pub fn hit_ratio(&self) -> Option<f64> {
        let looked = self.hits + self.misses;
        (looked > 0).then(|| self.hits as f64 / looked as f64)
    }

    /// What came since an earlier reading of the same.
    #[must_use]
    pub fn since(&self, earlier: &OperationStats) -> OperationStats {
        let mut errors = self.errors;
        errors.iter_mut().zip(earlier.errors).for_each(|(now, then)| *now = now.saturating_sub(then));
        OperationStats {
            operation: self.operation,
            done: self.done.saturating_sub(earlier.done),
            hits: self.hits.saturating_sub(earlier.hits),
            misses: self.misses.saturating_sub(earlier.misses),
            dropped: self.dropped.saturating_sub(earlier.dropped),
            latency: self.latency.since(&earlier.latency),
            errors,
        }
    }
}

const OPERATIONS: usize = Operation::ALL.len();
/// What a call on one key is counted as: it found it, it did not, or it looked for none. One addition for each call.
const HIT: usize = 0;
const MISS: usize = 1;
const OTHER: usize = 2;
const COUNTS: usize = 3 * OPERATIONS;

/// Of one store.
#[derive(Default)]
struct Counters {
    lanes: Lanes<COUNTS>,
    /// What is counted seldom, of each operation. What is never called takes no memory.
    seldom: [OnceLock<Box<Seldom>>; OPERATIONS],
}

/// Of one operation.
#[derive(Default)]
struct Seldom {
    /// Calls that looked for many keys, and what they found.
    batches: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
    errors: [AtomicU64; Kind::ALL.len()],
    dropped: AtomicU64,
    latency: Recorder,
}

impl Counters {
    fn seldom(&self, operation: Operation) -> &Seldom {
        self.seldom[operation.index()].get_or_init(Box::default)
    }

    #[cold]
    fn batch(&self, operation: Operation, hits: u64, misses: u64) {
        let seldom = self.seldom(operation);
        seldom.batches.fetch_add(1, Relaxed);
        seldom.hits.fetch_add(hits, Relaxed);
        seldom.misses.fetch_add(misses, Relaxed);
    }

    /// Of the operations that were called.
    fn read(&self) -> Vec<OperationStats> {
        let counts = self.lanes.read();
        let stats = Operation::ALL.into_iter().map(|operation| {
            let of = |what: usize| counts[3 * operation.index() + what];
            let (hit, miss, other) = (of(HIT), of(MISS), of(OTHER));
            let mut stats = OperationStats {
                operation,
                done: hit + miss + other,
                hits: hit,
                misses: miss,
                dropped: 0,
                latency: Latency::default(),
                errors: [0; Kind::ALL.len()],
            };
            if let Some(seldom) = self.seldom[operation.index()].get() {
                stats.done += seldom.batches.load(Relaxed);
                stats.hits += seldom.hits.load(Relaxed);
                stats.misses += seldom.misses.load(Relaxed);
                stats.dropped = seldom.dropped.load(Relaxed);
                stats.latency = seldom.latency.read();
                stats.errors = array::from_fn(|kind| seldom.errors[kind].load(Relaxed));
            }
            stats
        });
        stats.filter(|stats| stats.calls() > 0).collect()
    }
}

impl StoreObserver for Counters {
    fn timing(&self) -> Timing {
        Timing::Sampled
    }

    fn has_spans(&self) -> bool {
        false
    }

    fn begin(&self, _operation: Operation, _key: Option<&[u8]>) -> Option<Box<dyn Span>> {
        None
    }

    fn end(&self, ended: &Ended<'_>) {
        let operation = ended.operation;
        match ended.outcome {
            Ending::Done { hits, misses } if hits + misses <= 1 => {
                let what = if hits == 1 { HIT } else { OTHER - usize::from(misses == 1) };
                self.lanes.add(3 * operation.index() + what);
            }
            Ending::Done { hits, misses } => self.batch(operation, hits, misses),
            Ending::Failed(error) => {
                self.seldom(operation).errors[error.kind() as usize].fetch_add(1, Relaxed);
            }
            Ending::Dropped => {
                self.seldom(operation).dropped.fetch_add(1, Relaxed);
            }
        }
        if let Some(elapsed) = ended.elapsed {
            self.seldom(operation).latency.record(elapsed);
        }
    }
}

impl fmt::Debug for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counters").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_in_their_places() {
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
        }
    }
}
