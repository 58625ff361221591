//! What stands in for the `sync` modules of the crates.

use std::cell::Cell;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

pub(crate) use loom::sync::Mutex as StdMutex;
use loom::sync::atomic::Ordering;
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};

/// As the standard library's: who sees that it is set sees what it was set to; one thread sets it while others wait.
pub(crate) struct OnceLock<T> {
    is_set: AtomicBool,
    setting: loom::sync::Mutex<()>,
    value: std::sync::OnceLock<T>,
}

impl<T> OnceLock<T> {
    pub(crate) fn new() -> OnceLock<T> {
        OnceLock {
            is_set: AtomicBool::new(false),
            setting: loom::sync::Mutex::new(()),
            value: std::sync::OnceLock::new(),
        }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        if self.is_set.load(Ordering::Acquire) { self.value.get() } else { None }
    }

    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        if let Some(value) = self.get() {
            return value;
        }
        let _one = self.setting.lock();
        let value = self.value.get_or_init(make);
        self.is_set.store(true, Ordering::Release);
        value
    }
}

loom::thread_local! {
    static HERE: Cell<usize> = Cell::new(0);
}

/// Where the memory of this thread lies: wherever the model says.
pub(crate) fn here() -> usize {
    HERE.with(Cell::get)
}

pub(crate) fn be(here: usize) {
    HERE.with(|place| place.set(here));
}

/// As arc-swap's: who loads what was stored sees all that the storer had seen; which one a load finds is the memory model's choice.
#[derive(Debug)]
pub(crate) struct ArcSwap<T> {
    at: AtomicUsize,
    /// All that ever were stored. No thread is interrupted while it holds the lock.
    values: std::sync::Mutex<Vec<Arc<T>>>,
}

impl<T> ArcSwap<T> {
    pub(crate) fn from_pointee(value: T) -> ArcSwap<T> {
        ArcSwap { at: AtomicUsize::new(0), values: std::sync::Mutex::new(vec![Arc::new(value)]) }
    }

    pub(crate) fn load(&self) -> Guard<Arc<T>> {
        let at = self.at.load(Ordering::Acquire);
        Guard(Arc::clone(&self.values.lock().unwrap()[at]))
    }

    pub(crate) fn store(&self, value: Arc<T>) {
        let at = {
            let mut values = self.values.lock().unwrap();
            values.push(value);
            values.len() - 1
        };
        self.at.swap(at, Ordering::AcqRel);
    }
}

pub(crate) struct Guard<T>(T);

impl<T> Guard<T> {
    pub(crate) fn from_inner(value: T) -> Guard<T> {
        Guard(value)
    }
}

impl<T> Deref for Guard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

#[derive(Default)]
struct Listening {
    told: bool,
    waker: Option<Waker>,
}

/// As event-listener's: who listens before a notification is told of it.
pub(crate) struct Event(Arc<loom::sync::Mutex<Vec<Listening>>>);

impl Event {
    pub(crate) fn new() -> Event {
        Event(Arc::new(loom::sync::Mutex::new(Vec::new())))
    }

    pub(crate) fn listen(&self) -> EventListener {
        let mut listening = self.0.lock().unwrap();
        listening.push(Listening::default());
        EventListener { of: Arc::clone(&self.0), at: listening.len() - 1 }
    }

    pub(crate) fn notify(&self, _all: usize) {
        let mut wakers = Vec::new();
        for listening in &mut *self.0.lock().unwrap() {
            listening.told = true;
            wakers.extend(listening.waker.take());
        }
        wakers.into_iter().for_each(Waker::wake);
    }
}

pub(crate) struct EventListener {
    of: Arc<loom::sync::Mutex<Vec<Listening>>>,
    at: usize,
}

impl Future for EventListener {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let listening = &mut self.of.lock().unwrap()[self.at];
        if listening.told {
            return Poll::Ready(());
        }
        listening.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// As parking_lot's.
#[derive(Debug)]
pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

pub(crate) struct MutexGuard<'a, T> {
    of: &'a Mutex<T>,
    held: Option<loom::sync::MutexGuard<'a, T>>,
}

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Mutex<T> {
        Mutex(loom::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard { of: self, held: Some(self.0.lock().unwrap()) }
    }
}

impl<T> MutexGuard<'_, T> {
    pub(crate) fn unlocked<R>(guard: &mut Self, work: impl FnOnce() -> R) -> R {
        guard.held = None;
        let result = work();
        guard.held = Some(guard.of.0.lock().unwrap());
        result
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.held.as_ref().unwrap()
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.held.as_mut().unwrap()
    }
}

/// As parking_lot's, but for time, which loom does not model: short waits are over at once, and others last until somebody ends them. What is only found when
/// such a wait is over by itself is never found here.
#[derive(Debug)]
pub(crate) struct Condvar(loom::sync::Condvar);

pub(crate) struct WaitTimeoutResult(bool);

impl Condvar {
    pub(crate) fn new() -> Condvar {
        Condvar(loom::sync::Condvar::new())
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, time: Duration) -> WaitTimeoutResult {
        let short = time <= Duration::from_millis(100);
        if short {
            MutexGuard::unlocked(guard, || ());
        } else {
            guard.held = guard.held.take().map(|held| self.0.wait(held).unwrap());
        }
        WaitTimeoutResult(short)
    }
}

impl WaitTimeoutResult {
    pub(crate) fn timed_out(&self) -> bool {
        self.0
    }
}

/// As the standard library's: `unpark` leaves a token, which ends one `park`, be it this one or the next, and shows it all that was done before.
pub(crate) mod thread {
    use std::sync::Arc;

    use loom::sync::{Condvar, Mutex};
    pub(crate) use loom::thread::Builder;

    #[derive(Clone)]
    pub(crate) struct Thread(Arc<(Mutex<bool>, Condvar)>);

    loom::thread_local! {
        static CURRENT: Thread = Thread(Arc::new((Mutex::new(false), Condvar::new())));
    }

    pub(crate) fn current() -> Thread {
        CURRENT.with(Thread::clone)
    }

    pub(crate) fn park() {
        let Thread(shared) = current();
        let mut token = shared.0.lock().unwrap();
        while !*token {
            token = shared.1.wait(token).unwrap();
        }
        *token = false;
    }

    impl Thread {
        pub(crate) fn unpark(&self) {
            *self.0.0.lock().unwrap() = true;
            self.0.1.notify_one();
        }
    }
}
