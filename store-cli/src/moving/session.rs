//! One store, open for the time of a command: closed at its end, also when it is interrupted.

use std::future::pending;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use store::{Handle, Registry};

use crate::end::described;
use crate::operator::Common;
use crate::operator::output::Trouble;
use crate::run::{Signals, runtime};

/// A file that is not finished: removed when the command is interrupted.
#[derive(Clone, Debug, Default)]
pub(super) struct Unfinished(Arc<Mutex<Option<PathBuf>>>);

impl Unfinished {
    pub(super) fn set(&self, path: Option<PathBuf>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = path;
    }

    fn remove(&self) {
        if let Some(path) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Opens the store, does the work, closes.
pub(super) fn with_store<T>(
    common: &Common,
    id: &str,
    unfinished: &Unfinished,
    work: impl AsyncFnOnce(&Handle) -> Result<T, Trouble>,
) -> Result<T, Trouble> {
    let registry = Registry::new(common.source.resolve()?);
    let runtime = runtime()?;
    let interrupted = Arc::new(AtomicBool::new(false));
    if let Some(signals) = Signals::listen(&runtime) {
        runtime.spawn(end_on_signal(signals, registry.clone(), Arc::clone(&interrupted), unfinished.clone()));
    }
    runtime.block_on(async {
        let worked = match registry.get_as(id, &common.caller.context()).await {
            Ok(handle) => work(&handle).await,
            Err(error) => Err(error.into()),
        };
        let closed = registry.close().await;
        if interrupted.load(Ordering::SeqCst) {
            // The work failed because its store was closed under it. The process ends from there.
            pending::<()>().await;
        }
        let worked = worked?;
        closed?;
        Ok(worked)
    })
}

/// Ctrl-C, or a request to terminate: closes the store and ends the process, also while it waits for a file. Asked twice, it
/// does not wait.
async fn end_on_signal(mut signals: Signals, registry: Registry, interrupted: Arc<AtomicBool>, unfinished: Unfinished) {
    let code = signals.next().await;
    interrupted.store(true, Ordering::SeqCst);
    unfinished.remove();
    tokio::spawn(async move {
        signals.next().await;
        std::process::abort();
    });
    if let Err(error) = registry.close().await {
        eprintln!("store: {}", described(&error));
    }
    std::process::exit(code.into())
}
