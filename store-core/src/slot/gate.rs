//! Who is inside of a store, and whether it still lets anybody in: one word, so that neither is seen without the other. Every order of what threads do
//! here is run by `models/src/gate.rs`.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::task::Context;

use crate::sync::{AtomicUsize, Event, EventListener};

/// Nobody is let in any more; those inside may end.
const CLOSING: usize = 1;
/// Those inside are to give up.
const CANCELED: usize = 2;
/// One who is inside: the upper bits are their number.
const ONE: usize = 4;

pub(super) struct Gate {
    word: AtomicUsize,
    /// Notified when those inside are to give up.
    cancel: Event,
    /// Notified when the last one has left while closing.
    idle: Event,
}

impl Gate {
    pub(super) fn new() -> Gate {
        Gate { word: AtomicUsize::new(0), cancel: Event::new(), idle: Event::new() }
    }

    #[inline]
    pub(super) fn is_open(&self) -> bool {
        self.word.load(Acquire) & (CLOSING | CANCELED) == 0
    }

    /// How many are inside.
    pub(super) fn inside(&self) -> usize {
        self.word.load(Relaxed) / ONE
    }

    /// Comes in; false if it is closing. To be followed by [`leave`](Gate::leave) in either case.
    pub(super) fn enter(&self) -> bool {
        self.word.fetch_add(ONE, Acquire) & (CLOSING | CANCELED) == 0
    }

    /// What was done inside is seen by who waits until nobody is.
    pub(super) fn leave(&self) {
        let before = self.word.fetch_sub(ONE, AcqRel);
        if before / ONE == 1 && before & (CLOSING | CANCELED) != 0 {
            self.idle.notify(usize::MAX);
        }
    }

    /// Whether those inside are to give up; if not, the task is woken once they are.
    pub(super) fn is_canceled(&self, listener: &mut Option<EventListener>, cx: &mut Context<'_>) -> bool {
        let listener = listener.get_or_insert_with(|| self.cancel.listen());
        // After listening, so that no notification falls in between.
        Pin::new(listener).poll(cx).is_ready() || self.has_canceled()
    }

    /// Whether those inside are to give up.
    pub(super) fn has_canceled(&self) -> bool {
        self.word.load(Acquire) & CANCELED != 0
    }

    /// Lets nobody in any more. Who is turned away sees what was done before.
    pub(super) fn close(&self) {
        self.word.fetch_or(CLOSING, Release);
    }

    /// Has those inside give up.
    pub(super) fn cancel(&self) {
        self.word.fetch_or(CANCELED, Release);
        self.cancel.notify(usize::MAX);
    }

    /// Waits until nobody is inside, once it is closing.
    pub(super) async fn until_idle(&self) {
        loop {
            let listener = self.idle.listen();
            // After listening, as above.
            if self.word.load(Acquire) / ONE == 0 {
                return;
            }
            listener.await;
        }
    }
}
