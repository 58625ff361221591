//! `store run`.

use std::future::pending;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use store::Registry;
use tokio::runtime::{Builder, Runtime};

use crate::args::Run;
use crate::end::{End, FAILED, described};
use crate::lua::Script;

/// Runs the script. The stores are closed when this returns, whichever way the script ended.
pub(crate) fn run(run: &Run) -> Result<(), End> {
    let registry = Registry::new(run.source.resolve()?);
    let source = read(run.script())?;
    let runtime = runtime()?;
    let interrupted = Arc::new(AtomicBool::new(false));
    if let Some(signals) = Signals::listen(&runtime) {
        runtime.spawn(end_on_signal(signals, registry.clone(), Arc::clone(&interrupted)));
    }
    let watchdog = run.sandbox().map(|limits| runtime.spawn(end_what_does_not_end(limits.time, registry.clone())));
    runtime.block_on(async {
        let ended = match Script::load(&source, run, &registry, runtime.handle()) {
            Ok(script) => script.run().await,
            Err(failure) => Err(failure),
        };
        if let Some(watchdog) = &watchdog {
            watchdog.abort();
        }
        let closed = registry.close().await;
        if interrupted.load(Ordering::SeqCst) {
            // The script failed because its stores were closed under it. The process ends from there.
            pending::<()>().await;
        }
        match (ended, closed) {
            (Ok(()), Ok(())) => Ok(()),
            (Ok(()), Err(error)) => {
                Err(End::failed(format!("the script ended well, but not its stores: {}", described(&error))))
            }
            (Err(failure), Ok(())) => Err(End::failed(failure.message())),
            (Err(failure), Err(error)) => {
                Err(End::failed(format!("{}\nand: {}", failure.message(), described(&error))))
            }
        }
    })
}

/// The script's text.
fn read(script: &Path) -> Result<Vec<u8>, End> {
    if script == Path::new("-") {
        let mut source = Vec::new();
        let read = std::io::stdin().lock().read_to_end(&mut source);
        return match read {
            Ok(_) => Ok(source),
            Err(error) => Err(End::usage(format!("cannot read the script from standard input: {error}"))),
        };
    }
    std::fs::read(script).map_err(|error| End::usage(format!("cannot read the script {}: {error}", script.display())))
}

/// One worker beside the main thread, which runs the script: connections are served while the script computes.
pub(crate) fn runtime() -> Result<Runtime, End> {
    runtime_of(1)
}

/// So many workers beside the main thread.
pub(crate) fn runtime_of(workers: usize) -> Result<Runtime, End> {
    let built = Builder::new_multi_thread().worker_threads(workers).enable_all().build();
    built.map_err(|error| End::failed(format!("cannot start: {error}")))
}

/// Ctrl-C, or a request to terminate: closes the stores and ends the process, however busy the script is. Asked twice, it
/// does not wait.
async fn end_on_signal(mut signals: Signals, registry: Registry, interrupted: Arc<AtomicBool>) {
    let code = signals.next().await;
    interrupted.store(true, Ordering::SeqCst);
    tokio::spawn(async move {
        signals.next().await;
        std::process::abort();
    });
    if let Err(error) = registry.close().await {
        eprintln!("store: {}", described(&error));
    }
    std::process::exit(code.into())
}

/// Ends the process when a script in a sandbox is busy long after its time is up: in one call of a function in C, which nothing else can
/// interrupt.
async fn end_what_does_not_end(limit: Duration, registry: Registry) {
    tokio::time::sleep(limit.saturating_add(PATIENCE)).await;
    if let Err(error) = registry.close().await {
        eprintln!("store: {}", described(&error));
    }
    eprintln!("store: the time limit has passed");
    std::process::exit(FAILED.into())
}

/// How long a script may take to notice that its time is up.
const PATIENCE: Duration = Duration::from_secs(1);

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
