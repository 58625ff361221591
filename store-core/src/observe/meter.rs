//! The observer that counts.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::latency::Recorder;
use super::{Ended, Ending, Latency, Observer, Operation, Span, StoreObserver, Timing};
use crate::Kind;

/// Counts what stores do: calls, hits, misses, errors by kind, latencies, per store and operation. Clones are the same meter.
///
/// Counting touches a line of memory that few other threads do; a snapshot visits all of them. A store that a new configuration no
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
        let read = |(id, counters): (&Arc<str>, &Arc<Counters>)| StoreOperations {
            store: Arc::clone(id),
            operations: Operation::ALL.into_iter().filter_map(|operation| counters.read(operation)).collect(),
        };
        stores.iter().map(read).collect()
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

/// Of one store. What is never called takes no memory.
#[derive(Default)]
struct Counters([OnceLock<Box<Cells>>; Operation::ALL.len()]);

/// Of one operation.
#[derive(Debug)]
struct Cells {
    /// What is counted always: in several places, so that threads seldom meet.
    stripes: Box<[Stripe]>,
    errors: [AtomicU64; Kind::ALL.len()],
    dropped: AtomicU64,
    latency: Recorder,
}

/// On cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe {
    /// Calls that looked for one key and found it, or did not, or looked for none: one addition for each call.
    hit: AtomicU64,
    miss: AtomicU64,
    other: AtomicU64,
    /// Calls that looked for many keys, and what they found.
    batches: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Stripe {
    #[inline]
    fn count(&self, hits: u64, misses: u64) {
        let one = match (hits, misses) {
            (1, 0) => &self.hit,
            (0, 1) => &self.miss,
            (0, 0) => &self.other,
            _ => {
                self.hits.fetch_add(hits, Relaxed);
                self.misses.fetch_add(misses, Relaxed);
                &self.batches
            }
        };
        one.fetch_add(1, Relaxed);
    }

    fn done(&self) -> u64 {
        [&self.hit, &self.miss, &self.other, &self.batches].into_iter().map(|count| count.load(Relaxed)).sum()
    }

    fn hits(&self) -> u64 {
        self.hit.load(Relaxed) + self.hits.load(Relaxed)
    }

    fn misses(&self) -> u64 {
        self.miss.load(Relaxed) + self.misses.load(Relaxed)
    }
}

impl Counters {
    fn read(&self, operation: Operation) -> Option<OperationStats> {
        let cells = self.0[operation.index()].get()?;
        let sum = |count: fn(&Stripe) -> u64| cells.stripes.iter().map(count).sum();
        Some(OperationStats {
            operation,
            done: sum(Stripe::done),
            hits: sum(Stripe::hits),
            misses: sum(Stripe::misses),
            dropped: cells.dropped.load(Relaxed),
            latency: cells.latency.read(),
            errors: std::array::from_fn(|kind| cells.errors[kind].load(Relaxed)),
        })
    }
}

impl StoreObserver for Counters {
    fn timing(&self) -> Timing {
        Timing::Sampled
    }

    fn begin(&self, _operation: Operation, _key: Option<&[u8]>) -> Option<Box<dyn Span>> {
        None
    }

    fn end(&self, ended: &Ended<'_>) {
        let cells = self.0[ended.operation.index()].get_or_init(Cells::new);
        match ended.outcome {
            Ending::Done { hits, misses } => cells.stripe().count(hits, misses),
            Ending::Failed(error) => {
                cells.errors[error.kind() as usize].fetch_add(1, Relaxed);
            }
            Ending::Dropped => {
                cells.dropped.fetch_add(1, Relaxed);
            }
        }
        if let Some(elapsed) = ended.elapsed {
            cells.latency.record(elapsed);
        }
    }
}

impl Cells {
    fn new() -> Box<Cells> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let stripes = threads.next_power_of_two().min(16);
        Box::new(Cells {
            stripes: (0..stripes).map(|_| Stripe::default()).collect(),
            errors: Default::default(),
            dropped: AtomicU64::new(0),
            latency: Recorder::default(),
        })
    }

    /// The one for this thread. A thread is known by where its own memory lies.
    fn stripe(&self) -> &Stripe {
        thread_local! {
            static HERE: Cell<u8> = const { Cell::new(0) };
        }
        let here = HERE.with(|here| std::ptr::from_ref(here).addr() as u64);
        let spread = here.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
        &self.stripes[usize::try_from(spread).unwrap_or(0) & (self.stripes.len() - 1)]
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
