//! How a backend is made from configuration.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use serde::de::DeserializeOwned;

use crate::{Clock, Result, Store, Timer};

/// A backend: a name that configurations use, options of its own, and how to open a store.
///
/// A backend is a value: what its stores share (an open database, a connection) lives in it and not in a global.
#[async_trait]
pub trait Backend: fmt::Debug + Send + Sync + 'static {
    /// The backend's options. `#[serde(deny_unknown_fields)]` is expected, and a `Debug` that shows no secret.
    type Options: DeserializeOwned + fmt::Debug + Send + Sync + 'static;

    /// The name in configurations: `memory`, `sled`, `redis`.
    const NAME: &'static str;

    /// Looks for mistakes that the types cannot show. Must not touch files or networks.
    ///
    /// # Errors
    /// INVALID; `details.key` names the option at fault, if it is one.
    fn check(&self, options: &Self::Options) -> Result<()>;

    /// Opens the store.
    ///
    /// # Errors
    /// UNAVAILABLE, TIMEOUT, INTERNAL (`corrupt`), PERMISSION_DENIED (of the file system).
    async fn open(&self, options: &Self::Options, cx: OpenContext) -> Result<Arc<dyn Store>>;
}

/// What a store is opened with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OpenContext {
    /// The store's id. Stores of other ids must never see its keys, whatever they share.
    pub id: Arc<str>,
    /// What relative paths are relative to: the folder of the configuration file.
    pub base_dir: PathBuf,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// How to wait.
    pub timer: Arc<dyn Timer>,
}

impl OpenContext {
    /// A context with the machine's clock and timer, and the current folder.
    #[must_use]
    pub fn new(id: impl Into<Arc<str>>) -> OpenContext {
        OpenContext {
            id: id.into(),
            base_dir: PathBuf::from("."),
            clock: Arc::new(crate::SystemClock::new()),
            timer: Arc::new(crate::SystemTimer),
        }
    }
}
