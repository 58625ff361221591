//! One deadline around everything that a call waits for, at a price that a call of two microseconds can pay.
//!
//! A timer per call would cost more than the call: arming one wakes a thread or takes a lock of the runtime. Here a call that
//! has to wait leaves its waker in a table, and one thread looks through the table every 5 ms. The thread sleeps while
//! nobody calls. The table is in parts, one for each of the first few threads, so that threads rarely meet. The deadline thread belongs to no runtime, so a call ends at its deadline even if the runtime that does its input and output is
//! stuck or gone, and calls may be awaited on any executor.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Poll, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How often the table is looked through; calls end at most this much (and the scheduler's delay) late.
const TICK: Duration = Duration::from_millis(5);
/// Parts of the table.
const PARTS: usize = 8;
/// Ticks without a call after which the thread sleeps.
const LINGER: u32 = 200;

/// A point in time, counted in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

/// The table of waiting calls, and the thread that looks after it.
#[derive(Debug)]
pub(crate) struct Deadlines {
    shared: Arc<Shared>,
    thread: Thread,
}

#[derive(Debug, Default)]
struct Shared {
    now: AtomicU64,
    stopped: AtomicBool,
    tables: [Part; PARTS],
}

/// On a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Part(Mutex<Table>);

/// The part that this thread uses.
fn part() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static PART: usize = NEXT.fetch_add(1, Ordering::Relaxed) % PARTS);
    PART.with(|part| *part)
}

#[derive(Debug, Default)]
struct Table {
    seats: Vec<Seat>,
    free: Vec<usize>,
    /// A call has sat down since the last tick.
    touched: bool,
    asleep: bool,
}

#[derive(Debug)]
enum Seat {
    Free,
    /// Until when, who, and in which tick the seat was taken.
    Waiting(Moment, Waker, u64),
    Expired,
}

impl Deadlines {
    /// Starts the thread.
    pub(crate) fn new() -> Deadlines {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new().name("store-redis-deadlines".into()).spawn(move || theirs.run());
        // Without threads there is nothing this process can do; its own thread then stands in, and calls end with their
        // connection instead of at their deadline.
        let thread = thread.map_or_else(|_| thread::current(), |handle| handle.thread().clone());
        Deadlines { shared, thread }
    }

    /// The moment that is `after` from now, rounded up.
    pub(crate) fn after(&self, after: Duration) -> Moment {
        let ticks = after.as_millis().div_ceil(TICK.as_millis());
        let ticks = u64::try_from(ticks).unwrap_or(u64::MAX);
        // One more, since the current tick has begun already.
        Moment(self.shared.now.load(Ordering::Relaxed).saturating_add(ticks).saturating_add(1))
    }

    /// Whether it has come.
    pub(crate) fn has_passed(&self, moment: Moment) -> bool {
        self.shared.now.load(Ordering::Relaxed) >= moment.0
    }

    /// Waits for a future, but not beyond a moment; `None` if that came first.
    pub(crate) async fn within<F: Future>(&self, moment: Moment, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        let mut ticket = Ticket { deadlines: self, seat: None };
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if ticket.is_over(moment, cx.waker()) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }
}

impl Drop for Deadlines {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

/// A call's place in the table, given back on drop.
struct Ticket<'a> {
    deadlines: &'a Deadlines,
    /// The part of the table, and the place in it.
    seat: Option<(usize, usize)>,
}

impl Ticket<'_> {
    /// Takes or keeps the place; true once the moment has come.
    fn is_over(&mut self, moment: Moment, waker: &Waker) -> bool {
        let Some((part, seat)) = self.seat else {
            let part = part();
            let mut table = self.deadlines.shared.tables[part].0.lock();
            if self.deadlines.has_passed(moment) && !table.asleep {
                return true;
            }
            let now = self.deadlines.shared.now.load(Ordering::Relaxed);
            let waiting = Seat::Waiting(moment, waker.clone(), now);
            let seat = match table.free.pop() {
                Some(seat) => {
                    table.seats[seat] = waiting;
                    seat
                }
                None => {
                    table.seats.push(waiting);
                    table.seats.len() - 1
                }
            };
            self.seat = Some((part, seat));
            table.touched = true;
            if table.asleep {
                table.asleep = false;
                drop(table);
                self.deadlines.thread.unpark();
            }
            return false;
        };
        let mut table = self.deadlines.shared.tables[part].0.lock();
        match &mut table.seats[seat] {
            Seat::Waiting(_, kept, _) => {
                kept.clone_from(waker);
                false
            }
            Seat::Expired | Seat::Free => true,
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if let Some((part, seat)) = self.seat {
            let mut table = self.deadlines.shared.tables[part].0.lock();
            let left = std::mem::replace(&mut table.seats[seat], Seat::Free);
            table.free.push(seat);
            drop(table);
            drop(left);
        }
    }
}

impl Shared {
    fn run(&self) {
        let mut last = Instant::now();
        let mut quiet = 0;
        let mut over = Vec::new();
        loop {
            thread::sleep(TICK);
            if self.stopped.load(Ordering::SeqCst) {
                return;
            }
            let passed = last.elapsed().as_nanos() / TICK.as_nanos();
            let passed = u32::try_from(passed).unwrap_or(u32::MAX);
            last += TICK * passed;
            let before = self.now.load(Ordering::Relaxed);
            let now = before.saturating_add(passed.into());
            self.now.store(now, Ordering::Relaxed);
            let mut busy = false;
            for Part(table) in &self.tables {
                busy |= table.lock().tick(before, now, &mut over);
            }
            over.drain(..).for_each(Waker::wake);
            quiet = if busy { 0 } else { quiet + 1 };
            if quiet >= LINGER && self.fall_asleep() {
                while self.is_asleep() {
                    thread::park();
                    if self.stopped.load(Ordering::SeqCst) {
                        return;
                    }
                }
                self.tables.iter().for_each(|Part(table)| table.lock().asleep = false);
                quiet = 0;
                last = Instant::now();
            }
        }
    }

    /// Marks every part as asleep, unless one has become busy.
    fn fall_asleep(&self) -> bool {
        self.tables.iter().all(|Part(table)| table.lock().fall_asleep())
    }

    /// Whether nobody has called since.
    fn is_asleep(&self) -> bool {
        self.tables.iter().all(|Part(table)| table.lock().asleep)
    }
}

impl Table {
    /// Ends what is over; whether anybody waits, or has waited since the last tick.
    fn tick(&mut self, before: u64, now: u64, over: &mut Vec<Waker>) -> bool {
        for seat in &mut self.seats {
            // On a busy machine a tick may come late. Who sat down meanwhile counted from one that was too early.
            if let Seat::Waiting(moment, _, taken) = seat
                && *taken == before
            {
                moment.0 = moment.0.saturating_add(now.saturating_sub(before).saturating_sub(1));
            }
            if matches!(seat, Seat::Waiting(moment, ..) if moment.0 <= now)
                && let Seat::Waiting(_, waker, _) = std::mem::replace(seat, Seat::Expired)
            {
                over.push(waker);
            }
        }
        std::mem::take(&mut self.touched) || self.free.len() < self.seats.len()
    }

    fn fall_asleep(&mut self) -> bool {
        if self.touched || self.free.len() < self.seats.len() {
            return false;
        }
        // What a burst needed is not kept.
        *self = Table { asleep: true, ..Table::default() };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};

    #[tokio::test]
    async fn h2_waits_end_at_their_moment() {
        let deadlines = Deadlines::new();
        for millis in [1, 20, 100] {
            let start = Instant::now();
            let wait = Duration::from_millis(millis);
            assert_eq!(deadlines.within(deadlines.after(wait), pending::<()>()).await, None);
            assert!(start.elapsed() >= wait, "never early");
            assert!(start.elapsed() < wait + Duration::from_millis(200));
        }
        assert_eq!(deadlines.within(deadlines.after(Duration::ZERO), ready(1)).await, Some(1));
    }

    #[tokio::test]
    async fn h2_the_thread_wakes_up_from_its_sleep() {
        let deadlines = Deadlines::new();
        let start = Instant::now();
        while !deadlines.shared.is_asleep() {
            assert!(start.elapsed() < Duration::from_secs(20));
            thread::sleep(TICK);
        }
        let start = Instant::now();
        let wait = Duration::from_millis(30);
        assert_eq!(deadlines.within(deadlines.after(wait), pending::<()>()).await, None);
        assert!(start.elapsed() >= wait && start.elapsed() < wait + Duration::from_millis(200));
    }

    #[tokio::test]
    async fn c3_a_dropped_wait_leaves_no_trace() {
        let deadlines = Deadlines::new();
        for _ in 0..100 {
            let wait = deadlines.within(deadlines.after(Duration::from_secs(9)), pending::<()>());
            let _ = tokio::time::timeout(Duration::from_micros(10), wait).await;
        }
        let table = deadlines.shared.tables[part()].0.lock();
        assert_eq!((table.free.len(), table.seats.len()), (1, 1));
    }
}
