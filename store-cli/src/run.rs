//! `store run`.

use std::future::pending;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use store::Registry;
use tokio::runtime::{Builder, Runtime};

use crate::args::Run;
use crate::end::{End, described};
use crate::lua::Script;

/// Runs the script. The stores are closed when this returns, whichever way the script ended.
pub(crate) fn run(run: &Run) -> Result<(), End> {
    let registry = Registry::new(run.source.resolve()?);
    let source = read(run.script())?;
    let runtime = runtime()?;
    let interrupted = Arc::new(AtomicBool::new(false));
    runtime.spawn(end_on_signal(registry.clone(), Arc::clone(&interrupted)));
    runtime.block_on(async {
        let ended = match Script::load(&source, run, &registry, runtime.handle()) {
            Ok(script) => script.run().await,
            Err(failure) => Err(failure),
        };
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
    let built = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    built.map_err(|error| End::failed(format!("cannot start: {error}")))
}

/// Ctrl-C, or a request to terminate: closes the stores and ends the process, however busy the script is. Asked twice, it
/// does not wait.
async fn end_on_signal(registry: Registry, interrupted: Arc<AtomicBool>) {
    let Some(code) = signal().await else { return };
    interrupted.store(true, Ordering::SeqCst);
    tokio::spawn(async {
        if signal().await.is_some() {
            std::process::abort();
        }
    });
    if let Err(error) = registry.close().await {
        eprintln!("store: {}", described(&error));
    }
    std::process::exit(code)
}

/// Waits for a signal and gives the exit code that goes with it; `None` if none can be waited for.
#[cfg(unix)]
pub(crate) async fn signal() -> Option<i32> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).ok()?;
    let mut terminate = signal(SignalKind::terminate()).ok()?;
    tokio::select! {
        _ = interrupt.recv() => Some(130),
        _ = terminate.recv() => Some(143),
    }
}

/// Waits for Ctrl-C.
#[cfg(not(unix))]
pub(crate) async fn signal() -> Option<i32> {
    tokio::signal::ctrl_c().await.ok().map(|()| 130)
}
