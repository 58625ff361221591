//! How an open store lives and ends: operations that wait are counted, so that closing can wait for them.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use async_lock::OnceCell;

use super::Slot;
use super::gate::Gate;
use crate::sync::EventListener;
use crate::{BoxFuture, Error, Kind, Outcome, Result, Timer};

/// What a backend gets at least to flush and close: to cut a flush short would lose what waiting a little saves.
const FLUSH: Duration = Duration::from_secs(30);

/// How an open store lives and ends; shared by the slots that stand for it under one configuration after another.
pub(super) struct Life {
    gate: Gate,
    /// How closing ended, once it has.
    closed: OnceCell<Result<()>>,
}

impl Life {
    pub(super) fn new() -> Arc<Life> {
        Arc::new(Life { gate: Gate::new(), closed: OnceCell::new() })
    }
}

impl Slot {
    /// How many operations wait for the backend.
    pub(crate) fn in_flight(&self) -> usize {
        self.life.gate.inside()
    }

    /// # Errors
    /// UNAVAILABLE once the store is being closed; worth a retry if another has taken its place.
    #[inline]
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.life.gate.is_open() { Ok(()) } else { Err(self.gone()) }
    }

    #[cold]
    fn gone(&self) -> Error {
        if self.is_replaced() {
            Error::unavailable("the store is being opened anew").with_reason("reloaded")
        } else {
            Error::closed()
        }
    }

    /// Runs an operation that waits: counted, so that closing can wait for it, and given up when closing has waited enough.
    pub(crate) fn run<'a, T>(&'a self, operation: BoxFuture<'a, Result<T>>) -> Running<'a, T> {
        Running { slot: self, operation, counted: false, canceled: None }
    }

    /// Has the backend answer: one round trip.
    pub(crate) async fn ping(&self) -> Result<()> {
        self.check_open()?;
        self.run(self.store.ping()).await
    }

    /// Ends the store: new operations are refused, those in flight get `patience`, then are cancelled; then the backend
    /// flushes and closes. Once: whoever asks again gets the same answer.
    pub(crate) async fn close(&self, patience: Duration) -> Result<()> {
        self.life.closed.get_or_init(|| self.end(patience)).await.clone()
    }

    async fn end(&self, patience: Duration) -> Result<()> {
        let gate = &self.life.gate;
        gate.close();
        let _ = deadline(&*self.timer, patience, gate.until_idle()).await;
        gate.cancel();
        let ended = deadline(&*self.timer, patience.max(FLUSH), async {
            // Closed even if the flush fails: a failed flush is told, but leaves nothing running.
            let flushed = self.store.flush().await;
            self.store.close().await.and(flushed)
        });
        match ended.await {
            Some(result) => result,
            None => Err(Error::new(Kind::Timeout, "the backend did not close in time")
                .with_outcome(Outcome::Unknown)
                .with_detail("store", &*self.id)),
        }
    }
}

/// An operation that waits: [`Slot::run`]. Few words, since it lies in the future of every operation, also of those whose store
/// answers at once.
pub(crate) struct Running<'a, T> {
    slot: &'a Slot,
    operation: BoxFuture<'a, Result<T>>,
    counted: bool,
    canceled: Option<EventListener>,
}

impl<'a, T> Running<'a, T> {
    pub(crate) fn slot(&self) -> &'a Slot {
        self.slot
    }
}

impl<T> Future for Running<'_, T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<T>> {
        let this = &mut *self;
        let gate = &this.slot.life.gate;
        if !this.counted {
            this.counted = true;
            if !gate.enter() {
                return Poll::Ready(Err(this.slot.gone()));
            }
        }
        let canceled = || {
            Error::new(Kind::Canceled, "the store was closed before the operation ended").with_outcome(Outcome::Unknown)
        };
        match this.operation.as_mut().poll(cx) {
            // The backend is closed as soon as those inside were told to give up, and may be the first to tell it.
            Poll::Ready(Err(error)) if error.reason() == Some("closed") && gate.has_canceled() => {
                Poll::Ready(Err(canceled()))
            }
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending if gate.is_canceled(&mut this.canceled, cx) => Poll::Ready(Err(canceled())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<T> Drop for Running<'_, T> {
    fn drop(&mut self) {
        if self.counted {
            self.slot.life.gate.leave();
        }
    }
}

/// The result of a future, or `None` if it took longer than this.
pub(crate) async fn deadline<T>(timer: &dyn Timer, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    // Most work is done at its first poll: then no timer is made.
    let mut sleep = None;
    poll_fn(move |cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(done));
        }
        let sleep = sleep.get_or_insert_with(|| timer.sleep(limit));
        sleep.as_mut().poll(cx).map(|()| None)
    })
    .await
}
