//! Whether an open database can still be trusted.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use store_core::{Error, Result};

use crate::error;

/// Whether the database can still be trusted.
#[derive(Debug)]
pub(crate) struct Health {
    path: PathBuf,
    state: AtomicU8,
    cause: OnceLock<Error>,
}

const FINE: u8 = 0;
const NO_WRITES: u8 = 1;
const NOTHING: u8 = 2;

impl Health {
    pub(crate) fn new(path: &Path) -> Health {
        Health { path: path.to_owned(), state: AtomicU8::new(FINE), cause: OnceLock::new() }
    }

    pub(crate) fn writable(&self) -> Result<()> {
        if self.state.load(Ordering::Acquire) == FINE { Ok(()) } else { Err(self.error()) }
    }

    pub(crate) fn readable(&self) -> Result<()> {
        if self.state.load(Ordering::Acquire) < NOTHING { Ok(()) } else { Err(self.error()) }
    }

    #[cold]
    fn error(&self) -> Error {
        let unknown = || Error::internal("unknown");
        error::poisoned(&self.path, self.cause.get().unwrap_or(&unknown()))
    }

    /// After a failed write or flush nobody knows what will be on the device; after a panic not even what is in memory.
    pub(crate) fn poison(&self, error: &Error) {
        let _first = self.cause.set(error.clone());
        let state = if error::is_panic(error) { NOTHING } else { NO_WRITES };
        self.state.fetch_max(state, Ordering::AcqRel);
    }
}
