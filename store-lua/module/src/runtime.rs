//! The runtime of this process.

use std::future::Future;
use std::io;
use std::sync::{Mutex, PoisonError};

use tokio::runtime::{Builder, Runtime};

/// The runtime, and the process that it was made in.
static RUNTIME: Mutex<Option<(u32, &'static Runtime)>> = Mutex::new(None);

/// The runtime of this process. One of a parent process is of no use after a fork: its threads are not there. It is left alone, not
/// dropped, since dropping it would wait for them.
pub(crate) fn runtime() -> io::Result<&'static Runtime> {
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

/// Drives a future to its end. Without a runtime, of which the system has not enough, the future is left as it is, and whoever waits
/// for it is told.
pub(crate) fn block_on<F: Future>(future: F) -> Option<F::Output> {
    Some(runtime().ok()?.block_on(future))
}
