//! Reclaiming expired entries in the background.
//!
//! One thread a store, started by the first entry that expires; it ends when nothing is left that does, and the next one starts another. It sleeps until the wheels have something to do (at least
//! [`PACE`], so that deadlines that lie close together are dealt with together), and frees a few entries under a lock at a
//! time, shard by shard. It holds the store weakly: a store that is dropped or closed ends it.
//!
//! Every order of what it and those who write do is run by `models/src/sweeper.rs`.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::sync::{AtomicU64, Condvar, Mutex, MutexGuard, thread};

/// The shortest time between two passes.
const PACE: Duration = Duration::from_millis(10);
/// The longest, while something may expire: the machine may have slept, or an injected clock been moved.
const LONGEST: Duration = Duration::from_millis(500);

/// How long a thread stays with nothing to do. What it freed first it keeps for itself (so does glibc's allocator, for each thread),
/// and while it lives nothing that lies before that goes back to the system; and a store in which nothing expires needs none.
const LINGER: Duration = Duration::from_millis(100);

/// What is swept.
pub(crate) trait Sweep: Send + Sync {
    /// The time by its clock, in whole milliseconds.
    fn now(&self) -> u64;

    /// Frees everything that has expired, a few entries at a time. Returns when there will be more to do, in milliseconds.
    fn sweep(&self) -> Option<u64>;
}

#[derive(Debug)]
pub(crate) struct Sweeper(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// A deadline before this millisecond is news to the thread.
    planned: AtomicU64,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Debug)]
struct State {
    store: Weak<dyn Sweep>,
    started: bool,
    stopped: bool,
    /// The earliest deadline that was news.
    earliest: Option<u64>,
}

impl Sweeper {
    pub(crate) fn new<S: Sweep + 'static>(background: bool, store: Weak<S>) -> Sweeper {
        let planned = if background { u64::MAX } else { 0 };
        let state = State { store, started: false, stopped: false, earliest: None };
        Sweeper(Arc::new(Shared { planned: AtomicU64::new(planned), state: Mutex::new(state), wake: Condvar::new() }))
    }

    /// Notes a deadline that was set, in milliseconds, 0 for none. To be called after the lock of its shard was let go: the thread takes that lock after it has
    /// raised `planned`, so who comes after the thread sees that this is news.
    #[inline]
    pub(crate) fn note(&self, deadline: u64) {
        if deadline != 0 && deadline < self.0.planned.load(Relaxed) {
            self.note_news(deadline);
        }
    }

    #[cold]
    fn note_news(&self, deadline: u64) {
        let mut state = self.0.state.lock();
        if state.stopped {
            return;
        }
        state.earliest = Some(state.earliest.map_or(deadline, |earliest| earliest.min(deadline)));
        self.0.planned.fetch_min(deadline, Relaxed);
        if state.started {
            self.0.wake.notify_one();
            return;
        }
        let (shared, store) = (Arc::clone(&self.0), Weak::clone(&state.store));
        let thread = thread::Builder::new().name("store-memory-sweeper".to_owned());
        // Without a thread nothing is lost but the memory of expired entries, and the next deadline tries again.
        state.started = thread.spawn(move || shared.run(&store)).is_ok();
        if !state.started {
            self.0.planned.store(u64::MAX, Relaxed);
        }
    }

    /// Ends the thread, if there is one. Does not wait for it.
    pub(crate) fn stop(&self) {
        self.0.state.lock().stopped = true;
        self.0.planned.store(0, Relaxed);
        self.0.wake.notify_one();
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn run(&self, store: &Weak<dyn Sweep>) {
        loop {
            {
                // From here on every deadline is news: the pass may be beyond its shard already.
                let mut state = self.state.lock();
                if state.stopped {
                    return;
                }
                state.earliest = None;
                self.planned.store(u64::MAX, Relaxed);
            }
            let Some(swept) = store.upgrade() else { return };
            let next = swept.sweep();
            drop(swept);
            let mut state = self.state.lock();
            state.earliest = state.earliest.into_iter().chain(next).min();
            // At least the pace, whatever is news meanwhile.
            if !state.stopped {
                self.wake.wait_for(&mut state, PACE);
            }
            loop {
                let Some(swept) = store.upgrade() else { return };
                let now = swept.now();
                drop_outside(&mut state, swept);
                // From here until it waits the thread has the lock, so that it hears of all that is news.
                if state.stopped {
                    return;
                }
                let Some(earliest) = state.earliest else {
                    let timed_out = self.wake.wait_for(&mut state, LINGER).timed_out();
                    if timed_out && state.earliest.is_none() {
                        // Every deadline is news, and news start another.
                        state.started = false;
                        return;
                    }
                    continue;
                };
                self.planned.store(earliest, Relaxed);
                if earliest <= now {
                    break;
                }
                let wait = Duration::from_millis(earliest - now).min(LONGEST);
                let timed_out = self.wake.wait_for(&mut state, wait).timed_out();
                if timed_out {
                    break;
                }
            }
        }
    }
}

/// Should this be the last owner of the store, its drop takes the lock to stop the thread.
fn drop_outside(state: &mut MutexGuard<'_, State>, swept: Arc<dyn Sweep>) {
    MutexGuard::unlocked(state, || drop(swept));
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::time::Instant;

    use super::*;

    /// Has nothing to do ever.
    struct Idle(AtomicUsize);

    impl Sweep for Idle {
        fn now(&self) -> u64 {
            1_000
        }

        fn sweep(&self) -> Option<u64> {
            self.0.fetch_add(1, Relaxed);
            None
        }
    }

    fn wait_until(what: &str, holds: impl Fn() -> bool) {
        let start = Instant::now();
        while !holds() {
            assert!(start.elapsed() < Duration::from_secs(30), "{what}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn t7_the_thread_ends_when_nothing_is_left_to_expire_and_the_next_deadline_starts_another() {
        let store = Arc::new(Idle(AtomicUsize::new(0)));
        let sweeper = Sweeper::new(true, Arc::downgrade(&store));
        for round in 1..4 {
            assert!(!sweeper.0.state.lock().started);
            sweeper.note(2_000);
            wait_until("it sweeps", || store.0.load(Relaxed) >= round);
            wait_until("it ends", || !sweeper.0.state.lock().started);
            assert_eq!(sweeper.0.planned.load(Relaxed), u64::MAX, "every deadline is news to the next");
        }
        sweeper.stop();
        sweeper.note(2_000);
        assert!(!sweeper.0.state.lock().started);
    }
}
