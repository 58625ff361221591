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
    /// Whether any of them makes spans.
    spans: bool,
}

impl Watchers {
    /// `None` if nobody wants to know.
    pub(crate) fn new(observers: &[Arc<dyn Observer>], id: &str, backend: &'static str) -> Option<Arc<Watchers>> {
        let observers: Box<[_]> = observers.iter().map(|observer| observer.store(id, backend)).collect();
        let timing = observers.iter().map(|observer| observer.timing()).max()?;
        let spans = observers.iter().any(|observer| observer.has_spans());
        Some(Arc::new(Watchers { observers, timing, spans }))
    }

    #[inline]
    fn is_timed(&self, waits: bool) -> bool {
        match self.timing {
            Timing::Never => false,
            Timing::Sampled => waits || chosen(),
            Timing::Always => true,
        }
    }

    #[inline(never)]
    fn begin(&self, operation: Operation, key: Option<&[u8]>) -> Option<Box<Spans>> {
        let spans: Vec<_> = self.observers.iter().filter_map(|observer| observer.begin(operation, key)).collect();
        (!spans.is_empty()).then(|| Box::new(Spans(spans)))
    }
}

/// One operation that is watched, until it has ended, or is watched by nobody. Dropped before its end nobody is told of it; see
/// [`Kept`].
///
/// Of words, and passed on in words: what is moved in other pieces than it was written in costs more than all that is counted.
pub(crate) struct Watch<'a> {
    watchers: Option<&'a Watchers>,
    operation: Operation,
    /// In a box, since most have none.
    spans: Option<Box<Spans>>,
    started: Option<Instant>,
}

impl<'a> Watch<'a> {
    /// Begins to watch an operation, if anybody wants to know. `waits`: whether the store cannot answer at once.
    #[inline]
    pub(crate) fn begin(
        watchers: Option<&'a Watchers>,
        operation: Operation,
        key: Option<&[u8]>,
        waits: bool,
    ) -> Watch<'a> {
        let (mut spans, mut started) = (None, None);
        if let Some(watchers) = watchers {
            if watchers.spans {
                spans = watchers.begin(operation, key);
            }
            if watchers.is_timed(waits) {
                started = Some(Instant::now());
            }
        }
        Watch { watchers, operation, spans, started }
    }

    /// Lets the operation work.
    #[inline]
    pub(crate) fn run<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let _entered = self.spans.as_deref_mut().map(Entered::new);
        work()
    }

    /// It ended, like this.
    #[inline(always)]
    pub(crate) fn end<T: Tally>(&mut self, result: &Result<T>) {
        let Some(watchers) = self.watchers.take() else { return };
        match result {
            Ok(answer) => {
                let (hits, misses) = answer.tally();
                self.done(watchers, hits, misses);
            }
            Err(error) => self.tell(watchers, Ending::Failed(error)),
        }
    }

    #[inline(never)]
    fn done(&mut self, watchers: &Watchers, hits: u64, misses: u64) {
        self.tell(watchers, Ending::Done { hits, misses });
    }

    fn tell(&mut self, watchers: &Watchers, outcome: Ending<'_>) {
        let elapsed = self.started.map(|started| started.elapsed());
        let ended = Ended { operation: self.operation, outcome, elapsed };
        if let Some(spans) = &mut self.spans {
            spans.0.iter_mut().for_each(|span| span.end(&ended));
        }
        for observer in &*watchers.observers {
            observer.end(&ended);
        }
    }
}

/// An operation that waits. Dropped before its end, it was given up, and who watches is told.
pub(crate) struct Kept<'a>(Watch<'a>);

impl<'a> Kept<'a> {
    pub(crate) fn new(watch: Watch<'a>) -> Kept<'a> {
        Kept(watch)
    }

    /// Lets the operation work.
    pub(crate) fn run<T>(&mut self, work: impl FnOnce() -> T) -> T {
        self.0.run(work)
    }

    /// It ended, like this.
    pub(crate) fn end<T: Tally>(&mut self, result: &Result<T>) {
        self.0.end(result);
    }
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        if let Some(watchers) = self.0.watchers.take() {
            self.0.tell(watchers, Ending::Dropped);
        }
    }
}

/// At least one.
struct Spans(Vec<Box<dyn Span>>);

/// The spans while they are entered; left also when the operation panics.
struct Entered<'s>(&'s mut Spans);

impl<'s> Entered<'s> {
    fn new(spans: &'s mut Spans) -> Entered<'s> {
        spans.0.iter_mut().for_each(|span| span.enter());
        Entered(spans)
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.0.iter_mut().rev().for_each(|span| span.exit());
    }
}

/// Whether this operation is the one in so many that is timed. How many lie between one and the next is random, since programs repeat
/// themselves, and as many on average.
#[inline]
fn chosen() -> bool {
    LEFT.with(|left| match left.get().checked_sub(1) {
        Some(fewer) => {
            left.set(fewer);
            false
        }
        None => {
            left.set(gap());
            true
        }
    })
}

thread_local! {
    /// How many operations of this thread are still not timed.
    static LEFT: Cell<u64> = const { Cell::new(1 << (SAMPLE_BITS - 1)) };
}

#[cold]
fn gap() -> u64 {
    thread_local! {
        static STATE: Cell<u64> = const { Cell::new(0) };
    }
    // Knuth's linear congruential generator; its high bits are good enough for this.
    let state = STATE.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    STATE.set(state);
    (state >> 32) % ((2 << SAMPLE_BITS) - 1)
}
