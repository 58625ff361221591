//! Group commit: one thread makes what was written durable, for all who wait.
//!
//! A writer applies its change and takes a ticket, the number of changes so far. The thread notes that number, flushes sled,
//! asks the device to keep it, and completes every ticket up to the number: all of those were applied before the flush began.
//! With a journal (`journal.rs`) the change is queued first and the ticket is its place in the queue; the thread appends the
//! queue to the journal.
//! While it waits for the device the next group gathers. The technique is that of database logs (DeWitt et al., "Implementation
//! Techniques for Main Memory Database Systems", SIGMOD 1984).
//!
//! Writers that were told of one commit write again at about the same time. The first of them does not start the next commit
//! alone: the thread waits for as many as there were before, for half the time that the last commit took at most. One writer
//! never waits for another. After a commit for one writer the thread looks for the next
//! request for a moment before it sleeps, as long as one comes: being woken takes about as long as the device does.
//!
//! Waiting is a future without a thread of its own. A failure is final: it completes all tickets with an error, and all later ones.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use store_core::{Error, Kind, Outcome, Result};

use crate::error;
use crate::journal::{Change, Frame};

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
    /// Whether changes are queued for the journal. It never becomes true again.
    journaled: AtomicBool,
    queue: Mutex<Queue>,
    /// A copy of what the state says, for the thread to look at without the lock.
    wanted: AtomicU64,
    state: Mutex<State>,
    work: Condvar,
    /// How often to commit what nobody waits for.
    every: Duration,
}

/// Changes that wait for the next commit.
#[derive(Debug, Default)]
struct Queue {
    frame: Frame,
    large: bool,
    closed: bool,
}

/// What one commit makes durable.
#[derive(Debug, Default)]
pub(crate) struct Group {
    /// The changes that were queued.
    pub(crate) frame: Frame,
    /// Some of them are not in the frame, because their values are in sled alone.
    pub(crate) large: bool,
    /// Nothing is queued any more: from here on sled's log is the only one.
    pub(crate) last: bool,
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
    /// The thread sleeps and has to be woken.
    asleep: bool,
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

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what was queued, and how many changes that makes: those were all queued, or applied.
    fn take(&self, group: &mut Group) -> Ticket {
        group.frame.clear();
        let mut queue = self.queue();
        std::mem::swap(&mut queue.frame, &mut group.frame);
        group.large = std::mem::take(&mut queue.large);
        group.last = queue.closed;
        self.applied.load(Ordering::Acquire)
    }
}

impl Committer {
    /// Starts the thread. `sync` makes the group durable, and everything that was applied before its call.
    pub(crate) fn start(
        every: Duration,
        journaled: bool,
        sync: impl FnMut(&mut Group) -> Result<()> + Send + 'static,
        failed: impl Fn(&Error) + Send + 'static,
    ) -> Result<Committer> {
        let shared = Arc::new(Shared {
            applied: AtomicU64::new(0),
            journaled: AtomicBool::new(journaled),
            queue: Mutex::new(Queue { closed: !journaled, ..Queue::default() }),
            wanted: AtomicU64::new(0),
            state: Mutex::default(),
            work: Condvar::new(),
            every,
        });
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

    /// Whether changes are to be queued before they are applied.
    pub(crate) fn is_journaled(&self) -> bool {
        self.shared.journaled.load(Ordering::Relaxed)
    }

    /// Queues a change that is about to be applied; `None` if that is not asked for, and the change is to be counted when it has
    /// been. The lock of the key is held meanwhile. Of a `large` value the change is not queued, only that there was one.
    pub(crate) fn queue(&self, change: &Change<'_>, large: bool) -> Result<Option<Ticket>> {
        if !self.is_journaled() {
            return Ok(None);
        }
        let mut queue = self.shared.queue();
        if queue.closed {
            return Ok(None);
        }
        if queue.frame.len() >= QUEUED {
            let message = "more writes wait for the device than memory is set aside for";
            return Err(Error::unavailable(message).with_reason("overloaded"));
        }
        if large {
            queue.large = true;
        } else {
            queue.frame.push(change);
        }
        Ok(Some(self.applied()))
    }

    /// Has the journal left: when the ticket is durable, sled's log has everything and is the only one.
    pub(crate) fn leave_journal(&self) -> Ticket {
        let mut queue = self.shared.queue();
        queue.closed = true;
        self.shared.journaled.store(false, Ordering::Relaxed);
        self.applied()
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
/// Groups above this are not waited for: those who write keep the processors busy while the device works for the others.
const MANY: usize = 16;
/// How long to look for the next request of a single writer before sleeping: about what two threads take to wake each other.
const LOOK: Duration = Duration::from_micros(120);
/// Bytes that may wait for a device that does not come back, before writes are refused.
const QUEUED: usize = 64 << 20;

/// When to look for the next request: after a few looks in vain not the next time, then not the next three times, and so on.
#[derive(Default)]
struct Look {
    skip: u32,
    vain: u32,
}

impl Look {
    fn out(&mut self, shared: &Shared, durable: Ticket) {
        if self.skip > 0 {
            self.skip -= 1;
            return;
        }
        let began = Instant::now();
        while began.elapsed() < LOOK {
            if shared.wanted.load(Ordering::Acquire) > durable {
                self.vain = 0;
                return;
            }
            std::hint::spin_loop();
        }
        self.vain = (self.vain + 1).min(12);
        self.skip = (1 << self.vain.saturating_sub(4)) - 1;
    }
}

fn run(shared: &Shared, mut sync: impl FnMut(&mut Group) -> Result<()>, failed: impl Fn(&Error)) {
    let mut group = Group::default();
    let mut look = Look::default();
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
            let few = state.waiters.len() < state.group && state.group <= MANY;
            if few && !overdue && !state.stop && waited < patience {
                state = sleep(shared, state, patience - waited);
                continue;
            }
            gathering = None;
            state.began = Some(Instant::now());
            drop(state);
            last = Instant::now();
            // After the lock is let go: what is applied until here is in this commit.
            let upto = shared.take(&mut group);
            let result = error::caught(|| sync(&mut group));
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
                    let alone = told.len() == 1;
                    // They run at once, and should not find the door closed.
                    drop(state);
                    for waker in told.into_values() {
                        waker.wake();
                    }
                    if alone {
                        look.out(shared, upto);
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
        state = sleep(shared, state, wait);
    }
}

fn sleep<'a>(shared: &'a Shared, mut state: MutexGuard<'a, State>, time: Duration) -> MutexGuard<'a, State> {
    state.asleep = true;
    let mut state = shared.work.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0;
    state.asleep = false;
    state
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
        self.shared.wanted.store(state.wanted, Ordering::Release);
        // The first starts the wait for the others, the last one ends it.
        if state.asleep && (first || state.waiters.len() >= state.group) {
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
