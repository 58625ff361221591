//! One operation, watched.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;

use super::{Ended, Ending, Observer, Operation, Span, StoreObserver, Tally, Timing};
use crate::Result;

/// Of operations that are sampled, one in 2 to this is timed.
const SAMPLE_BITS: u32 = 4;

/// Who is told of the operations of a store: somebody. Where nobody is, there is none of these.
#[derive(Debug)]
pub(crate) struct Watchers {
    observers: Box<[Arc<dyn StoreObserver>]>,
    timing: Timing,
}

impl Watchers {
    /// `None` if nobody wants to know.
    pub(crate) fn new(observers: &[Arc<dyn Observer>], id: &str, backend: &'static str) -> Option<Arc<Watchers>> {
        let observers: Box<[_]> = observers.iter().map(|observer| observer.store(id, backend)).collect();
        let timing = observers.iter().map(|observer| observer.timing()).max()?;
        Some(Arc::new(Watchers { observers, timing }))
    }

    /// Begins to watch an operation. `waits`: whether the store cannot answer at once.
    pub(crate) fn watch(&self, operation: Operation, key: Option<&[u8]>, waits: bool) -> Watch<'_> {
        let observers = &*self.observers;
        let mut spans = Vec::new();
        for observer in observers {
            if let Some(span) = observer.begin(operation, key) {
                spans.push(span);
            }
        }
        let timed = match self.timing {
            Timing::Never => false,
            Timing::Sampled => waits || chosen(),
            Timing::Always => true,
        };
        Watch { observers, operation, spans, started: timed.then(Instant::now) }
    }
}

/// One operation that is watched, until it has ended. Dropped before its end nobody is told of it; see [`Kept`].
pub(crate) struct Watch<'a> {
    observers: &'a [Arc<dyn StoreObserver>],
    operation: Operation,
    spans: Vec<Box<dyn Span>>,
    started: Option<Instant>,
}

impl Watch<'_> {
    /// Lets the operation work.
    #[inline]
    pub(crate) fn run<T>(&mut self, work: impl FnOnce() -> T) -> T {
        // Without spans there is nothing to leave, which is cheaper than to leave none.
        let _entered = (!self.spans.is_empty()).then(|| Entered::new(&mut self.spans));
        work()
    }

    /// It ended, like this.
    #[inline]
    pub(crate) fn end<T: Tally>(mut self, result: &Result<T>) {
        self.tell(match result {
            Ok(answer) => {
                let (hits, misses) = answer.tally();
                Ending::Done { hits, misses }
            }
            Err(error) => Ending::Failed(error),
        });
    }

    fn tell(&mut self, outcome: Ending<'_>) {
        let elapsed = self.started.map(|started| started.elapsed());
        let ended = Ended { operation: self.operation, outcome, elapsed };
        self.spans.iter_mut().for_each(|span| span.end(&ended));
        for observer in self.observers {
            observer.end(&ended);
        }
    }
}

/// An operation that waits and is watched, or waits and is not. Dropped before its end, it was given up, and who watches is told.
pub(crate) struct Kept<'a>(Option<Watch<'a>>);

impl<'a> Kept<'a> {
    pub(crate) fn new(watch: Option<Watch<'a>>) -> Kept<'a> {
        Kept(watch)
    }

    /// Lets the operation work.
    pub(crate) fn run<T>(&mut self, work: impl FnOnce() -> T) -> T {
        match &mut self.0 {
            Some(watch) => watch.run(work),
            None => work(),
        }
    }

    /// It ended, like this.
    pub(crate) fn end<T: Tally>(mut self, result: &Result<T>) {
        if let Some(watch) = self.0.take() {
            watch.end(result);
        }
    }
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        if let Some(watch) = &mut self.0 {
            watch.tell(Ending::Dropped);
        }
    }
}

/// The spans while they are entered; left also when the operation panics.
struct Entered<'s>(&'s mut [Box<dyn Span>]);

impl<'s> Entered<'s> {
    fn new(spans: &'s mut [Box<dyn Span>]) -> Entered<'s> {
        spans.iter_mut().for_each(|span| span.enter());
        Entered(spans)
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.iter_mut().rev().for_each(|span| span.exit());
    }
}

/// Whether this operation is the one in so many that is timed. Chosen at random, since programs repeat themselves.
fn chosen() -> bool {
    thread_local! {
        static STATE: Cell<u64> = const { Cell::new(0) };
    }
    // Knuth's linear congruential generator; its high bits are good enough for this.
    let state = STATE.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    STATE.set(state);
    state >> (64 - SAMPLE_BITS) == 0
}
