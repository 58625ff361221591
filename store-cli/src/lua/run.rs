//! `store run`.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use store::Registry;

use super::args::Run;
use super::vm::Script;
use crate::console::{End, FAILED, described};
use crate::stores::{end_on_signal, runtime};

/// Runs the script. The stores are closed when this returns, whichever way the script ended.
pub(crate) fn run(run: &Run) -> Result<(), End> {
    let registry = Registry::new(run.source.resolve()?);
    let source = read(run.script())?;
    let runtime = runtime()?;
    let signalled = end_on_signal(&runtime, &registry, || {});
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
        signalled.wait_for_the_end().await;
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
