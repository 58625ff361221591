//! The process of a command: its runtime, and the signals that end it.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use store::Registry;
use tokio::runtime::{Builder, Runtime};

use crate::console::{End, described};

/// One worker beside the main thread, which runs the script: connections are served while the script computes.
pub(crate) fn runtime() -> Result<Runtime, End> {
    runtime_of(1)
}

/// So many workers beside the main thread.
pub(crate) fn runtime_of(workers: usize) -> Result<Runtime, End> {
    let built = Builder::new_multi_thread().worker_threads(workers).enable_all().build();
    built.map_err(|error| End::failed(format!("cannot start: {error}")))
}

/// Ctrl-C, or a request to terminate, closes the stores and ends the process from now on, however busy the work is: after what
/// is to be done first. Asked twice, it does not wait.
pub(crate) fn end_on_signal(
    runtime: &Runtime,
    registry: &Registry,
    first: impl FnOnce() + Send + 'static,
) -> Signalled {
    let signalled = Signalled::default();
    if let Some(mut signals) = Signals::listen(runtime) {
        let (registry, told) = (registry.clone(), Arc::clone(&signalled.0));
        runtime.spawn(async move {
            let code = signals.next().await;
            told.store(true, Ordering::SeqCst);
            first();
            tokio::spawn(async move {
                signals.next().await;
                std::process::abort();
            });
            if let Err(error) = registry.close().await {
                eprintln!("store: {}", described(&error));
            }
            std::process::exit(code.into())
        });
    }
    signalled
}

/// Whether a signal has come that ends the process.
#[derive(Debug, Default)]
pub(crate) struct Signalled(Arc<AtomicBool>);

impl Signalled {
    /// If one has come, the work failed because its stores were closed under it: waits for the end of the process, which is on
    /// its way.
    pub(crate) async fn wait_for_the_end(&self) {
        if self.0.load(Ordering::SeqCst) {
            pending::<()>().await;
        }
    }
}

/// What asks the process to end. From [`listen`](Signals::listen) on it no longer dies of them: make it before any work begins.
#[derive(Debug)]
pub(crate) struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    /// `None` if the system does not let us: then they end the process by themselves.
    #[cfg(unix)]
    pub(crate) fn listen(runtime: &Runtime) -> Option<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        let _context = runtime.enter();
        Some(Signals {
            interrupt: signal(SignalKind::interrupt()).ok()?,
            terminate: signal(SignalKind::terminate()).ok()?,
        })
    }

    /// Waits for one and gives the exit code that goes with it.
    #[cfg(unix)]
    pub(crate) async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => 130,
            _ = self.terminate.recv() => 143,
        }
    }

    /// Ctrl-C alone, on systems without signals.
    #[cfg(not(unix))]
    pub(crate) fn listen(_: &Runtime) -> Option<Signals> {
        Some(Signals {})
    }

    /// Waits for Ctrl-C.
    #[cfg(not(unix))]
    pub(crate) async fn next(&mut self) -> u8 {
        match tokio::signal::ctrl_c().await {
            Ok(()) => 130,
            Err(_) => pending().await,
        }
    }
}
