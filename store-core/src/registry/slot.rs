//! An open store: what handles share, and how it ends.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use async_lock::OnceCell;
use event_listener::{Event, EventListener};

use super::flight::Flights;
use super::security::Security;
use crate::config::Settings;
use crate::observe::{Operation, Watch, Watchers};
use crate::{Clock, Error, Kind, Result, Store, Timer};

const OPEN: u8 = 0;
/// No operation begins any more; those in flight may end.
const CLOSING: u8 = 1;
/// Operations in flight are cancelled.
const CANCELED: u8 = 2;

/// What a backend gets at least to flush and close: to cut a flush short would lose what waiting a little saves.
const FLUSH: Duration = Duration::from_secs(30);

/// One open store and what belongs to it rather than to one handle.
pub(crate) struct Slot {
    pub(crate) id: Arc<str>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) settings: Settings,
    pub(crate) security: Arc<Security>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timer: Arc<dyn Timer>,
    pub(crate) flights: Arc<Flights>,
    watchers: Option<Arc<Watchers>>,
    /// Handles that are out and not released.
    pub(crate) handles: Arc<AtomicUsize>,
    life: Arc<Life>,
    /// What holds in this one's place since a configuration was loaded anew.
    successor: OnceLock<Arc<Slot>>,
}

/// How an open store lives and ends; shared by the slots that stand for it under one configuration after another.
struct Life {
    state: AtomicU8,
    /// How closing ended, once it has.
    closed: OnceCell<Result<()>>,
    in_flight: AtomicUsize,
    /// Notified when operations in flight are to give up.
    cancel: Event,
    /// Notified when the last operation in flight has ended while closing.
    idle: Event,
}

impl Life {
    fn new() -> Arc<Life> {
        Arc::new(Life {
            state: AtomicU8::new(OPEN),
            closed: OnceCell::new(),
            in_flight: AtomicUsize::new(0),
            cancel: Event::new(),
            idle: Event::new(),
        })
    }
}

impl Slot {
    pub(crate) fn new(
        id: Arc<str>,
        store: Arc<dyn Store>,
        settings: Settings,
        security: Arc<Security>,
        clock: Arc<dyn Clock>,
        timer: Arc<dyn Timer>,
        watchers: Option<Arc<Watchers>>,
    ) -> Slot {
        Slot {
            id,
            store,
            settings,
            security,
            clock,
            timer,
            flights: Arc::default(),
            watchers,
            handles: Arc::default(),
            life: Life::new(),
            successor: OnceLock::new(),
        }
    }

    /// The same open store with other settings.
    pub(super) fn with_settings(&self, settings: Settings) -> Arc<Slot> {
        let (flights, life) = (Arc::clone(&self.flights), Arc::clone(&self.life));
        Arc::new(Slot {
            settings,
            flights,
            life,
            ..self.with_store(Arc::clone(&self.store), settings, self.watchers.clone())
        })
    }

    /// The same handles on another store.
    pub(super) fn with_store(
        &self,
        store: Arc<dyn Store>,
        settings: Settings,
        watchers: Option<Arc<Watchers>>,
    ) -> Slot {
        Slot {
            id: Arc::clone(&self.id),
            store,
            settings,
            security: Arc::clone(&self.security),
            clock: Arc::clone(&self.clock),
            timer: Arc::clone(&self.timer),
            flights: Arc::default(),
            watchers,
            handles: Arc::clone(&self.handles),
            life: Life::new(),
            successor: OnceLock::new(),
        }
    }

    /// From now on another slot holds in this one's place, for handles that are out as well.
    pub(super) fn succeed(&self, successor: Arc<Slot>) {
        let _once = self.successor.set(successor);
    }

    /// The one that holds now.
    #[inline]
    pub(crate) fn current(&self) -> &Slot {
        match self.successor.get() {
            None => self,
            Some(next) => next.latest(),
        }
    }

    /// Along all configurations that changed this store since a handle was acquired.
    #[cold]
    fn latest(&self) -> &Slot {
        let mut slot = self;
        while let Some(next) = slot.successor.get() {
            slot = next;
        }
        slot
    }

    /// Begins to watch an operation, if anybody wants to know.
    #[inline]
    pub(crate) fn watch(&self, operation: Operation, key: Option<&[u8]>) -> Option<Watch<'_>> {
        let watchers = self.watchers.as_ref()?;
        Some(watchers.watch(operation, key, || self.store.immediate().is_some()))
    }

    /// How many operations wait for the backend.
    pub(crate) fn in_flight(&self) -> usize {
        self.life.in_flight.load(Ordering::Relaxed)
    }

    /// # Errors
    /// UNAVAILABLE once the store is being closed; worth a retry if another has taken its place.
    #[inline]
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.life.state.load(Ordering::Acquire) == OPEN { Ok(()) } else { Err(self.gone()) }
    }

    #[cold]
    fn gone(&self) -> Error {
        let replaced = self.successor.get().is_some();
        if replaced {
            Error::unavailable("the store is being opened anew").with_reason("reloaded")
        } else {
            Error::closed()
        }
    }

    /// Runs an operation that waits: counted, so that closing can wait for it, and given up when closing has waited enough.
    pub(crate) async fn run<T>(&self, operation: impl Future<Output = Result<T>>) -> Result<T> {
        let life = &*self.life;
        life.in_flight.fetch_add(1, Ordering::SeqCst);
        let _flight = InFlight(life);
        // After counting: a close that begins now sees this operation, or this operation sees the close.
        if life.state.load(Ordering::SeqCst) != OPEN {
            return Err(self.gone());
        }
        let mut operation = pin!(operation);
        let mut canceled: Option<EventListener> = None;
        poll_fn(move |cx| {
            if let Poll::Ready(result) = operation.as_mut().poll(cx) {
                return Poll::Ready(result);
            }
            let listener = canceled.get_or_insert_with(|| life.cancel.listen());
            // After listening, so that no notification falls in between.
            let told = Pin::new(listener).poll(cx).is_ready();
            if told || life.state.load(Ordering::SeqCst) == CANCELED {
                let error = Error::new(Kind::Canceled, "the store was closed before the operation ended");
                return Poll::Ready(Err(error.with_outcome(crate::Outcome::Unknown)));
            }
            Poll::Pending
        })
        .await
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
        let life = &*self.life;
        life.state.store(CLOSING, Ordering::SeqCst);
        let _ = deadline(&*self.timer, patience, self.until_idle()).await;
        life.state.store(CANCELED, Ordering::SeqCst);
        life.cancel.notify(usize::MAX);
        let ended = deadline(&*self.timer, patience.max(FLUSH), async {
            // Closed even if the flush fails: a failed flush is told, but leaves nothing running.
            let flushed = self.store.flush().await;
            self.store.close().await.and(flushed)
        });
        match ended.await {
            Some(result) => result,
            None => Err(Error::new(Kind::Timeout, "the backend did not close in time")
                .with_outcome(crate::Outcome::Unknown)
                .with_detail("store", &*self.id)),
        }
    }

    async fn until_idle(&self) {
        loop {
            let listener = self.life.idle.listen();
            if self.life.in_flight.load(Ordering::SeqCst) == 0 {
                return;
            }
            listener.await;
        }
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("id", &self.id).field("store", &self.store).finish_non_exhaustive()
    }
}

struct InFlight<'a>(&'a Life);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if self.0.in_flight.fetch_sub(1, Ordering::SeqCst) == 1 && self.0.state.load(Ordering::SeqCst) != OPEN {
            self.0.idle.notify(usize::MAX);
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
