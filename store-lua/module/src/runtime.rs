//! The runtime of this process.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

/// The runtime, and the process that it was made in.
static RUNTIME: Mutex<Option<(u32, &'static Runtime)>> = Mutex::new(None);

/// The runtime of this process. One of a parent process is of no use after a fork: its threads are not there. It is left alone, not
/// dropped, since dropping it would wait for them.
fn runtime() -> io::Result<&'static Runtime> {
    let process = std::process::id();
    let mut current = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    match *current {
        Some((of, runtime)) if of == process => Ok(runtime),
        _ => {
            let runtime: &'static Runtime = Box::leak(Box::new(Builder::new_current_thread().enable_all().build()?));
            *current = Some((process, runtime));
            Ok(runtime)
        }
    }
}

/// Rings when a future that waits may go on.
struct Bell(Notify);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

/// Drives a future to its end. Without a runtime, of which the system has not enough, the future is left as it is, and whoever waits
/// for it is told.
///
/// It may be called inside of itself: a loader of `get_or_set` is run by the future, and may have to wait, too. A runtime does not allow that
/// of what it runs; so it runs nothing of ours, except to wait for the bell, between which the future is polled here.
pub(crate) fn block_on<F: Future>(future: F) -> Option<F::Output> {
    let runtime = runtime().ok()?;
    let _timers_and_sockets = runtime.enter();
    let bell = Arc::new(Bell(Notify::new()));
    let waker = Arc::clone(&bell).into();
    let (mut cx, mut future) = (Context::from_waker(&waker), pin!(future));
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(output) => return Some(output),
            Poll::Pending => runtime.block_on(bell.0.notified()),
        }
    }
}
