//! Waiting for a future on a thread that has nothing else to do. Every order of what threads do here is run by `models/src/block_on.rs`.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Wake, Waker};

use crate::sync::AtomicBool;
use crate::sync::thread::{self, Thread};

/// Wakes a parked thread. The flag remembers for whom: a wait inside of a wait may use up the other's unpark.
struct Unpark {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Whoever finds the flag set has nothing to add: the thread looks at it before it sleeps, and sees what was done until now.
        if !self.woken.swap(true, Ordering::Release) {
            self.thread.unpark();
        }
    }
}

/// Runs a future to its end on this thread, which sleeps meanwhile.
///
/// Do not call it inside an async task: it blocks the thread that other tasks need.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let unpark = Arc::new(Unpark { thread: thread::current(), woken: AtomicBool::new(false) });
    let waker = Waker::from(Arc::clone(&unpark));
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut cx) {
            return done;
        }
        while !unpark.woken.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::{SystemTimer, Timer};

    #[test]
    fn waits_for_a_timer() {
        let started = Instant::now();
        block_on(SystemTimer.sleep(Duration::from_millis(20)));
        assert!(started.elapsed() >= Duration::from_millis(20));
    }

    #[test]
    fn a_wait_inside_of_a_wait_takes_nothing_from_it() {
        let mut polls = 0;
        block_on(poll_fn(|cx| {
            polls += 1;
            if polls == 2 {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            // Uses up whatever unpark this thread has.
            block_on(SystemTimer.sleep(Duration::from_millis(5)));
            Poll::Pending
        }));
        assert_eq!(polls, 2);
    }
}
