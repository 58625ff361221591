//! Looking inside: who is told of what stores do.
//!
//! An [`Observer`] is given to the [`RegistryBuilder`](crate::RegistryBuilder::observer) and told of every operation of every handle:
//! which store, which operation, how it ended, how long it took. Keys are passed for spans that want them; values never are.
//! Without an observer an operation pays for one branch.
//!
//! [`Meter`] is the observer that counts: calls, hits, misses, errors by kind, latencies, per store and operation. What it has
//! counted is read as a snapshot ([`Meter::operations`]); what the stores themselves know (entries, bytes, expirations,
//! evictions, handles that are out) is in [`Registry::stats`](crate::Registry::stats). [`read`] walks over both as metrics with names
//! and labels; every exporter is made from it. [`prometheus`] is the one that needs no other library.

mod lanes;
mod latency;
mod meter;
mod metric;
mod operation;
mod tally;
mod watch;

use std::fmt;
use std::sync::Arc;

pub use latency::Latency;
pub use meter::{Meter, OperationStats, StoreOperations};
pub use metric::{Metric, MetricKind, Reading, prometheus, read};
pub use operation::Operation;
pub(crate) use tally::{Counted, Tally};
pub(crate) use watch::{Kept, Watch, Watchers};

use crate::{Error, Kind};

/// Is told of what stores do. Given to [`RegistryBuilder::observer`](crate::RegistryBuilder::observer).
pub trait Observer: fmt::Debug + Send + Sync + 'static {
    /// A store has been configured: what this returns is told of its operations, also of those of handles that are out when a
    /// configuration is loaded anew. Called once for each store and configuration that has it.
    fn store(&self, id: &str, backend: &'static str) -> Arc<dyn StoreObserver>;
}

/// Is told of the operations of one store. Called on their path: be quick.
pub trait StoreObserver: fmt::Debug + Send + Sync + 'static {
    /// How often an operation should be timed.
    fn timing(&self) -> Timing;

    /// Whether [`begin`](StoreObserver::begin) makes spans. It is not asked if not.
    fn has_spans(&self) -> bool;

    /// An operation begins. What this returns is entered whenever the operation works, and left whenever it waits.
    ///
    /// `key` is that of operations on one key, as the caller gave it: nothing has been checked yet.
    fn begin(&self, operation: Operation, key: Option<&[u8]>) -> Option<Box<dyn Span>>;

    /// An operation ended. Calls that only tried whether they can be answered at once, and cannot, are not told: nothing was
    /// started.
    fn end(&self, ended: &Ended<'_>);
}

/// Something around an operation.
pub trait Span: Send + Sync {
    /// The operation works on this thread from here on.
    fn enter(&mut self);

    /// It waits, or has ended.
    fn exit(&mut self);

    /// It has ended.
    fn end(&mut self, ended: &Ended<'_>);
}

/// How an operation ended.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Ended<'a> {
    /// Which it was.
    pub operation: Operation,
    /// How it ended.
    pub outcome: Ending<'a>,
    /// How long it took, if it was timed.
    pub elapsed: Option<std::time::Duration>,
}

/// What became of an operation.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Ending<'a> {
    /// It was done.
    Done {
        /// How many keys it found: 1 for a `get` of a live key, of a batch the number of keys that were live. 0 for what does
        /// not look for keys, as `set`.
        hits: u64,
        /// How many keys it did not find.
        misses: u64,
    },
    /// It failed.
    Failed(&'a Error),
    /// The caller gave it up: its future was dropped before it ended.
    Dropped,
}

impl Ending<'_> {
    /// In one word: `hit` and `miss` (of batches: whether any key was found) for what looks for keys, `ok`, `error`, `dropped`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Ending::Done { hits: 0, misses: 0 } => "ok",
            Ending::Done { hits: 0, .. } => "miss",
            Ending::Done { .. } => "hit",
            Ending::Failed(_) => "error",
            Ending::Dropped => "dropped",
        }
    }

    /// The kind of the error, if it failed.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        match self {
            Ending::Failed(error) => Some(error.kind()),
            _ => None,
        }
    }
}

/// How often operations are timed. To ask the clock twice costs as much as reading from memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timing {
    /// Not.
    Never,
    /// One in 16 of a store that can answer at once; every one of a store that has to wait, as on a server.
    Sampled,
    /// Every one.
    Always,
}
