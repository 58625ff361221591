//! store-core's `block_on`: a thread that sleeps until its future has something new.

#[path = "../../store-core/src/block_on.rs"]
mod code;

use std::future::poll_fn;
use std::task::{Poll, Waker};

use loom::sync::Arc;
use loom::sync::Mutex;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

use crate::explore;

/// Another thread makes the future ready and wakes, while this one may be about to sleep.
///
/// Finds: a wake that is lost, so that the thread sleeps for ever; one after which the thread does not see what it was woken for.
pub(crate) fn a_wake_is_not_lost() {
    explore(|| {
        let ready = Arc::new(AtomicBool::new(false));
        let waker = Arc::new(Mutex::new(None));
        let other = thread::spawn({
            let (ready, waker) = (ready.clone(), waker.clone());
            move || {
                // Whoever leaves a waker from now on sees it by the lock; who has left one, by the wake.
                ready.store(true, Ordering::Relaxed);
                let waker: Option<Waker> = waker.lock().unwrap().take();
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
        });
        let mut left = false;
        code::block_on(poll_fn(|cx| {
            if !left {
                left = true;
                *waker.lock().unwrap() = Some(cx.waker().clone());
            }
            if ready.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }
        }));
        other.join().unwrap();
    });
}
