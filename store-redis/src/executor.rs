//! Where connections live: on the tokio runtime that was current when the store was opened, or on a thread of our own.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use parking_lot::Mutex;
use store_core::{Error, Result};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Runs the background tasks of a store.
#[derive(Debug)]
pub(crate) struct Executor {
    current: Option<Handle>,
    /// The current runtime turned out to be shut down, or to have no input and output.
    lost: AtomicBool,
    own: Arc<OwnRuntime>,
}

impl Executor {
    pub(crate) fn new(own: Arc<OwnRuntime>) -> Executor {
        Executor { current: Handle::try_current().ok(), lost: AtomicBool::new(false), own }
    }

    /// Starts a task.
    ///
    /// # Errors
    /// UNAVAILABLE if no thread can be started for a runtime of our own.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> Result<()> {
        let handle = match &self.current {
            Some(handle) if !self.lost.load(Ordering::Relaxed) => handle.clone(),
            _ => self.own.handle()?,
        };
        handle.spawn(task);
        Ok(())
    }

    /// A task ended although nobody wanted it to: the next ones go to a runtime of our own.
    pub(crate) fn give_up_current(&self) {
        self.lost.store(true, Ordering::Relaxed);
    }
}

/// A tokio runtime on one background thread, started when first needed and ended on drop.
#[derive(Debug, Default)]
pub(crate) struct OwnRuntime(Mutex<Option<Running>>);

#[derive(Debug)]
struct Running {
    handle: Handle,
    /// Dropping it ends the thread.
    _stop: oneshot::Sender<()>,
}

impl OwnRuntime {
    fn handle(&self) -> Result<Handle> {
        let mut running = self.0.lock();
        if let Some(running) = &*running {
            return Ok(running.handle.clone());
        }
        let failed = |error| Error::unavailable("cannot start a runtime for Redis").with_source(error);
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        thread::Builder::new()
            .name("store-redis".into())
            .spawn(move || {
                let _ = runtime.block_on(stopped);
                // Names are looked up on threads that may take their time: do not wait for them.
                runtime.shutdown_background();
            })
            .map_err(failed)?;
        *running = Some(Running { handle: handle.clone(), _stop: stop });
        Ok(handle)
    }
}
