//! Two small futures, so that this crate needs no runtime.

use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

use store_core::{Error, Result};

use crate::error;

/// Lets other tasks run.
pub(crate) fn yield_now() -> impl Future<Output = ()> + Send {
    let mut yielded = false;
    poll_fn(move |cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

struct Slot<T> {
    result: Option<Result<T>>,
    waker: Option<Waker>,
}

/// Runs on a thread of its own what blocks for long: opening and closing a database, which happen once.
///
/// Dropping the future does not stop the work.
pub(crate) fn blocking<T, F>(name: &str, work: F) -> impl Future<Output = Result<T>> + Send + use<T, F>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T> + Send + 'static,
{
    let slot = Arc::new(Mutex::new(Slot { result: None, waker: None }));
    let started = std::thread::Builder::new().name(name.to_owned()).spawn({
        let slot = Arc::clone(&slot);
        move || {
            let result = error::caught(work);
            let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
            slot.result = Some(result);
            if let Some(waker) = slot.waker.take() {
                waker.wake();
            }
        }
    });
    let mut failed: Option<Error> = started.err().map(|cause| error::file("starting a thread", cause));
    poll_fn(move |cx| {
        if let Some(error) = failed.take() {
            return Poll::Ready(Err(error));
        }
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        match slot.result.take() {
            Some(result) => Poll::Ready(result),
            None => {
                slot.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    })
}
