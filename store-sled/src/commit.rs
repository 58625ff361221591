//! Group commit: one thread makes what was written durable, for all who wait.
//!
//! A writer applies its change and takes a ticket, the number of changes so far. The thread notes that number, flushes sled,
//! asks the device to keep it, and completes every ticket up to the number: all of those were applied before the flush began.
//! While it waits for the device the next group gathers. The technique is that of database logs (DeWitt et al., "Implementation
//! Techniques for Main Memory Database Systems", SIGMOD 1984).
//!
//! Writers that were told of one commit write again at about the same time. The first of them does not start the next commit
//! alone: the thread waits for as many as there were before, for half the time that the last commit took at most. One writer
//! never waits for another.
//!
//! Waiting is a future without a thread of its own. A failure is final: it completes all tickets with an error, and all later ones.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use store_core::{Error, Kind, Outcome, Result};

use crate::error;

/// How long one commit may take before those who wait for it are told so.
const STUCK: Duration = Duration::from_secs(30);

/// The number of changes applied when the ticket was taken.
pub(crate) type Ticket = u64;

/// The thread and what it shares with those who wait.
#[derive(Debug)]
pub(crate) struct Committer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    applied: AtomicU64,
    state: Mutex<State>,
    work: Condvar,
    /// How often to commit what nobody waits for.
    every: Duration,
}

#[derive(Default)]
struct State {
    /// All changes up to here are durable.
    durable: Ticket,
    /// Somebody waits for this one.
    wanted: Ticket,
    /// When the commit in progress began.
    began: Option<Instant>,
    failed: Option<Error>,
    stop: bool,
    waiters: BTreeMap<(Ticket, u64), Waker>,
    waiter: u64,
    /// How many the last commit completed.
    group: usize,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("applied", &self.applied).field("every", &self.every).finish_non_exhaustive()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Committer {
    /// Starts the thread. `sync` makes everything applied before its call durable.
    pub(crate) fn start(
        every: Duration,
        sync: impl FnMut() -> Result<()> + Send + 'static,
        failed: impl Fn(&Error) + Send + 'static,
    ) -> Result<Committer> {
        let shared =
            Arc::new(Shared { applied: AtomicU64::new(0), state: Mutex::default(), work: Condvar::new(), every });
        let thread = std::thread::Builder::new()
            .name("store-commit".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || run(&shared, sync, failed)
            })
            .map_err(|cause| error::file("starting the commit thread", cause))?;
        Ok(Committer { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Counts a change that has been applied.
    pub(crate) fn applied(&self) -> Ticket {
        self.shared.applied.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// A ticket for everything applied so far.
    pub(crate) fn now(&self) -> Ticket {
        self.shared.applied.load(Ordering::Acquire)
    }

    /// Completes when the changes up to the ticket are durable.
    pub(crate) fn wait(&self, ticket: Ticket) -> Wait<'_> {
        Wait { shared: &self.shared, ticket, waiter: None }
    }

    /// Tells those who wait if a commit does not come back: nothing waits without a deadline. Called now and then.
    pub(crate) fn watch(&self) -> Option<Error> {
        let mut state = self.shared.state();
        if state.failed.is_some() || state.began.is_none_or(|began| began.elapsed() < STUCK) {
            return None;
        }
        let error =
            Error::new(Kind::Timeout, "the device has not confirmed a write for 30 seconds").with_retryable(false);
        fail(&mut state, error.clone());
        Some(error)
    }

    /// Commits what is left and ends the thread.
    pub(crate) fn stop(&self) {
        self.shared.state().stop = true;
        self.shared.work.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // The thread catches panics; should it end by one after all, the tickets have failed.
            let _ended = thread.join();
        }
    }
}

fn fail(state: &mut State, error: Error) {
    state.failed = Some(error);
    for waker in std::mem::take(&mut state.waiters).into_values() {
        waker.wake();
    }
}

/// The longest that a commit waits for a group to come together.
const GATHER: Duration = Duration::from_millis(2);

fn run(shared: &Shared, mut sync: impl FnMut() -> Result<()>, failed: impl Fn(&Error)) {
    // Early enough that a change is durable within the interval, if this commit takes no longer than twice the last one.
    let pace = |cost: Duration| shared.every.saturating_sub(cost * 2).clamp(shared.every / 2, shared.every / 10 * 9);
    let mut every = pace(Duration::ZERO);
    let mut last = Instant::now();
    let mut patience = Duration::ZERO;
    let mut gathering: Option<Instant> = None;
    let mut state = shared.state();
    loop {
        let applied = shared.applied.load(Ordering::Acquire);
        let overdue = applied > state.durable && last.elapsed() >= every;
        if state.failed.is_some() || (state.stop && applied == state.durable) {
            if state.stop {
                return;
            }
        } else if state.wanted > state.durable || overdue || state.stop {
            let waited = gathering.get_or_insert_with(Instant::now).elapsed();
            if !overdue && !state.stop && state.waiters.len() < state.group && waited < patience {
                state = shared.work.wait_timeout(state, patience - waited).unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            gathering = None;
            state.began = Some(Instant::now());
            drop(state);
            last = Instant::now();
            // Read after the lock is let go: what is applied until here is in this commit.
            let upto = shared.applied.load(Ordering::Acquire);
            let result = error::caught(&mut sync);
            every = pace(last.elapsed());
            patience = (last.elapsed() / 2).min(GATHER);
            state = shared.state();
            state.began = None;
            match result {
                Ok(()) => {
                    state.durable = upto;
                    let later = state.waiters.split_off(&(upto + 1, 0));
                    let told = std::mem::replace(&mut state.waiters, later);
                    state.group = told.len();
                    // They run at once, and should not find the door closed.
                    drop(state);
                    for waker in told.into_values() {
                        waker.wake();
                    }
                    state = shared.state();
                }
                Err(error) => {
                    failed(&error);
                    fail(&mut state, error);
                }
            }
            continue;
        }
        let left = every.saturating_sub(last.elapsed()).max(Duration::from_millis(1));
        let wait = if applied > state.durable { left } else { every };
        state = shared.work.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// Waits for a commit. Dropping it gives up waiting; the change stays applied.
#[derive(Debug)]
pub(crate) struct Wait<'a> {
    shared: &'a Shared,
    ticket: Ticket,
    waiter: Option<u64>,
}

impl Future for Wait<'_> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let mut state = self.shared.state();
        if state.durable >= self.ticket {
            return Poll::Ready(Ok(()));
        }
        if let Some(error) = &state.failed {
            return Poll::Ready(Err(error.clone().with_outcome(Outcome::Unknown)));
        }
        let waiter = match self.waiter {
            Some(waiter) => waiter,
            None => {
                state.waiter += 1;
                state.waiter
            }
        };
        state.waiters.insert((self.ticket, waiter), cx.waker().clone());
        let first = state.wanted <= state.durable;
        state.wanted = state.wanted.max(self.ticket);
        // The first starts the wait for the others, the last one ends it.
        if state.began.is_none() && (first || state.waiters.len() >= state.group) {
            self.shared.work.notify_all();
        }
        drop(state);
        self.waiter = Some(waiter);
        Poll::Pending
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if let Some(waiter) = self.waiter {
            self.shared.state().waiters.remove(&(self.ticket, waiter));
        }
    }
}
