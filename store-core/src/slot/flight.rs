//! One loader per key, store and process at a time: what `get_or_set` needs beyond a store.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use event_listener::Event;

use crate::{Error, Kind, Payload, Result, Time};

/// How many absent keys, and how many values for `stale_on_error`, a store remembers. Beyond that, expired ones go first,
/// then any.
const REMEMBERED: usize = 10_000;

/// How many bytes of values for `stale_on_error`, and of their keys, a store remembers: they lie beside the store, whose limits do not count them.
const STALE_BYTES: usize = 64 << 20;

/// What a loader brought: a value, or nothing.
pub(crate) type Loaded = Result<Option<Payload>>;

#[derive(Debug, Default)]
pub(crate) struct Flights {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    flights: HashMap<Box<[u8]>, Arc<Flight>>,
    /// Keys whose loader found nothing, until when.
    absent: HashMap<Box<[u8]>, Time>,
    stale: Stale,
}

/// Values last loaded, for `stale_on_error`, until when.
#[derive(Debug, Default)]
struct Stale {
    values: HashMap<Box<[u8]>, (Time, Payload)>,
    bytes: usize,
}

impl Stale {
    fn keep(&mut self, key: &[u8], payload: &Payload, until: Time, now: Time) {
        self.forget(key);
        let size = key.len() + payload.as_bytes().len();
        if size > STALE_BYTES {
            return;
        }
        if self.is_full(size) {
            self.values.retain(|_, (until, _)| now < *until);
            self.bytes = self.values.iter().map(|(key, (_, payload))| key.len() + payload.as_bytes().len()).sum();
        }
        while self.is_full(size)
            && let Some(any) = self.values.keys().next().cloned()
        {
            self.forget(&any);
        }
        self.values.insert(key.into(), (until, payload.clone()));
        self.bytes += size;
    }

    fn is_full(&self, more: usize) -> bool {
        self.values.len() >= REMEMBERED || self.bytes + more > STALE_BYTES
    }

    fn forget(&mut self, key: &[u8]) {
        if let Some((key, (_, payload))) = self.values.remove_entry(key) {
            self.bytes -= key.len() + payload.as_bytes().len();
        }
    }
}

/// One run of a loader.
#[derive(Debug, Default)]
pub(crate) struct Flight {
    /// `None` while it runs; `Some(None)` if it was dropped without a result.
    result: Mutex<Option<Option<Loaded>>>,
    ended: Event,
}

/// What a caller of `get_or_set` is to do.
#[derive(Debug)]
pub(crate) enum Turn<'a> {
    /// Run the loader.
    Lead(Lead<'a>),
    /// Wait for the one that runs.
    Wait(Arc<Flight>),
    /// The loader found nothing lately.
    Absent,
}

thread_local! {
    /// The flights whose loaders are being polled on this thread, innermost last.
    static LOADING: RefCell<Vec<Arc<Flight>>> = const { RefCell::new(Vec::new()) };
}

impl Flights {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// # Errors
    /// CONFLICT if this very loader is what is asking.
    pub(crate) fn turn(&self, key: &[u8], now: Time) -> Result<Turn<'_>> {
        let mut state = self.lock();
        if let Some(flight) = state.flights.get(key) {
            if LOADING.with_borrow(|loading| loading.iter().any(|running| Arc::ptr_eq(running, flight))) {
                return Err(Error::new(Kind::Conflict, "the loader of this key asks for the same key")
                    .with_reason("recursion")
                    .with_retryable(false));
            }
            return Ok(Turn::Wait(Arc::clone(flight)));
        }
        if let Some(until) = state.absent.get(key) {
            if now < *until {
                return Ok(Turn::Absent);
            }
            state.absent.remove(key);
        }
        let flight = Arc::new(Flight::default());
        state.flights.insert(key.into(), Arc::clone(&flight));
        Ok(Turn::Lead(Lead { flights: self, key: key.into(), flight, done: false }))
    }

    /// The value last loaded, if it may still stand in for a failed loader.
    pub(crate) fn stale(&self, key: &[u8], now: Time) -> Option<Payload> {
        self.lock().stale.values.get(key).filter(|(until, _)| now < *until).map(|(_, payload)| payload.clone())
    }

    pub(crate) fn keep_stale(&self, key: &[u8], payload: &Payload, until: Time, now: Time) {
        self.lock().stale.keep(key, payload, until, now);
    }

    pub(crate) fn keep_absent(&self, key: &[u8], until: Time, now: Time) {
        let mut state = self.lock();
        bound(&mut state.absent, now);
        state.absent.insert(key.into(), until);
    }
}

/// Makes room for one more.
fn bound(map: &mut HashMap<Box<[u8]>, Time>, now: Time) {
    if map.len() < REMEMBERED {
        return;
    }
    map.retain(|_, until| now < *until);
    if map.len() >= REMEMBERED
        && let Some(any) = map.keys().next().cloned()
    {
        map.remove(&any);
    }
}

/// The right to run the loader of a key. Dropped without a result, it frees the key and lets a waiter take over.
#[derive(Debug)]
pub(crate) struct Lead<'a> {
    flights: &'a Flights,
    key: Box<[u8]>,
    flight: Arc<Flight>,
    done: bool,
}

impl Lead<'_> {
    /// Runs the loader, marked so that recursion is seen.
    pub(crate) async fn load<T>(&self, loader: impl Future<Output = T>) -> T {
        let mut loader = pin!(loader);
        poll_fn(|cx| {
            let _mark = Mark::new(&self.flight);
            loader.as_mut().poll(cx)
        })
        .await
    }

    /// Runs what makes the loader, marked likewise: a loader may already ask while it is being made.
    pub(crate) fn make<T>(&self, make: impl FnOnce() -> T) -> T {
        let _mark = Mark::new(&self.flight);
        make()
    }

    /// Frees the key and gives the result to everyone who waits.
    pub(crate) fn finish(mut self, result: Loaded) -> Loaded {
        self.done = true;
        self.end(Some(result.clone()));
        result
    }

    fn end(&self, result: Option<Loaded>) {
        self.flights.lock().flights.remove(&self.key);
        *self.flight.result.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        self.flight.ended.notify(usize::MAX);
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.end(None);
        }
    }
}

/// On the thread's stack of running loaders while it lives.
struct Mark;

impl Mark {
    fn new(flight: &Arc<Flight>) -> Mark {
        LOADING.with_borrow_mut(|loading| loading.push(Arc::clone(flight)));
        Mark
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        LOADING.with_borrow_mut(Vec::pop);
    }
}

impl Flight {
    /// The result; `None` if the loader was dropped, so that another may try.
    pub(crate) async fn wait(&self) -> Option<Loaded> {
        loop {
            let listener = self.ended.listen();
            if let Some(result) = &*self.result.lock().unwrap_or_else(PoisonError::into_inner) {
                return result.clone();
            }
            listener.await;
        }
    }
}

/// How `get_or_set` behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct LoadOptions {
    /// How long a loaded value lives, unless the loader says otherwise.
    pub expiry: crate::Expiry,
    /// Remember for this long, in this process, that the loader found nothing.
    pub negative_ttl: Option<Duration>,
    /// When the loader fails, give the value last loaded by this process, up to this long after it expired.
    pub stale_on_error: Option<Duration>,
    /// How long to wait for a loader that another caller runs. 30 s unless said otherwise.
    pub wait: Duration,
}

impl Default for LoadOptions {
    fn default() -> Self {
        LoadOptions {
            expiry: crate::Expiry::Default,
            negative_ttl: None,
            stale_on_error: None,
            wait: Duration::from_secs(30),
        }
    }
}

impl From<Duration> for LoadOptions {
    fn from(ttl: Duration) -> LoadOptions {
        LoadOptions::new(ttl)
    }
}

impl From<crate::Expiry> for LoadOptions {
    fn from(expiry: crate::Expiry) -> LoadOptions {
        LoadOptions::new(expiry)
    }
}

impl LoadOptions {
    /// Values live this long.
    #[must_use]
    pub fn new(expiry: impl Into<crate::Expiry>) -> LoadOptions {
        LoadOptions { expiry: expiry.into(), ..LoadOptions::default() }
    }

    /// Sets [`negative_ttl`](Self::negative_ttl).
    #[must_use]
    pub fn negative_ttl(mut self, ttl: Duration) -> LoadOptions {
        self.negative_ttl = Some(ttl);
        self
    }

    /// Sets [`stale_on_error`](Self::stale_on_error).
    #[must_use]
    pub fn stale_on_error(mut self, window: Duration) -> LoadOptions {
        self.stale_on_error = Some(window);
        self
    }

    /// Sets [`wait`](Self::wait).
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> LoadOptions {
        self.wait = wait;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stale_values_are_bounded_in_number_and_in_bytes() {
        let (mut stale, now) = (Stale::default(), Time::default());
        let later = now + Duration::from_secs(60);
        let large = Payload::from(vec![0_u8; 8 << 20]);
        for number in 0..50_u32 {
            stale.keep(&number.to_be_bytes(), &large, later, now);
            // Again: it counts once.
            stale.keep(&number.to_be_bytes(), &large, later, now);
        }
        assert_eq!(stale.values.len(), 7);
        assert_eq!(stale.bytes, 7 * (4 + (8 << 20)));
        assert!(stale.values.contains_key(&49_u32.to_be_bytes()[..]), "the last one is there");
        let small = Payload::from(vec![0_u8; 8]);
        for number in 0..10_100_u32 {
            stale.keep(&number.to_be_bytes(), &small, later, now);
        }
        assert!(stale.values.len() <= REMEMBERED && stale.bytes <= STALE_BYTES);
        // Expired ones go first.
        stale.keep(b"live", &large, later + Duration::from_secs(60), later);
        assert_eq!((stale.values.len(), stale.bytes), (1, 4 + (8 << 20)));
        let sum: usize = stale.values.iter().map(|(key, (_, payload))| key.len() + payload.as_bytes().len()).sum();
        assert_eq!(sum, stale.bytes);
    }
}
