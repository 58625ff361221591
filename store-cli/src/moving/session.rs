//! One store, open for the time of a command: closed at its end, also when it is interrupted.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use store::{Handle, Registry};

use crate::args::Common;
use crate::console::Trouble;
use crate::stores::{end_on_signal, open_as, runtime};

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
    let unfinished = unfinished.clone();
    let signalled = end_on_signal(&runtime, &registry, move || unfinished.remove());
    runtime.block_on(async {
        let worked = match open_as(&registry, id, &common.caller.context()).await {
            Ok(handle) => work(&handle).await,
            Err(error) => Err(error.into()),
        };
        let closed = registry.close().await;
        signalled.wait_for_the_end().await;
        let worked = worked?;
        closed?;
        Ok(worked)
    })
}
