//! Configuration: which stores there are, on which backends, in which environment.
//!
//! A configuration is TOML. The same file serves every environment: `[env.NAME.stores.ID]` replaces the entry of a store
//! when `NAME` is selected.
//!
//! ```toml
//! [stores."app:cache"]
//! backend = "memory"
//! default_ttl = "1h"
//! options = { max_entries = 100000 }
//!
//! [env.production.stores."app:cache"]
//! backend = "redis"
//! options = { url = "${REDIS_URL}" }
//! ```
//!
//! [`Document`] is the text, [`Document::resolve`] checks it and makes a [`Config`] for one environment, which a registry
//! takes. Everything is checked before anything is opened, also what other environments say; only variables
//! (`${NAME}`) are asked for where they are in force.
//!
//! # Mistakes
//! All mistakes come at once, as one error of kind INVALID, one line each, with file, line and key:
//!
//! ```text
//! store.toml:4: stores."app:cache".options.max_entires: unknown option; did you mean max_entries?
//! store.toml:8: env.production.stores."app:cache".options.url: the environment variable REDIS_URL is not set
//! ```
//!
//! `details.problems` is the same as an array of `{file, line, key, message}`. What a variable brought is never part of it,
//! nor are passwords.
//!
//! # For backends
//! The options of a [`Backend`] are a serde type of its own; [`HumanDuration`], [`Size`] and [`Secret`] are there for
//! its fields.

mod collect;
mod describe;
mod document;
mod entry;
mod human;
mod problem;
mod resolve;
mod secret;
mod security;
mod step;
#[cfg(test)]
mod tests;
mod variables;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use document::Document;
pub use human::{HumanDuration, Size};
pub(crate) use problem::closest;
pub use secret::Secret;

use crate::backends::{ErasedBackend, Options, Typed};
use crate::codec::Limits;
use crate::policy::PolicySet;
use crate::{Backend, OpenContext, Result, Store, TtlRules};

/// How long closing waits for operations in flight, unless configured.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// What holds for one store on any backend.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Settings {
    /// `default_ttl`, `max_ttl`, `ttl_jitter`: none by default.
    pub ttl: TtlRules,
    /// `max_value_size` (8 MiB) and `max_depth` (100).
    pub limits: Limits,
    /// How long a whole list or clear may take: 30 s.
    pub scan_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { ttl: TtlRules::NONE, limits: Limits::default(), scan_timeout: Duration::from_secs(30) }
    }
}

/// A checked configuration, ready to open its stores.
#[derive(Clone, Debug)]
pub struct Config {
    /// The stores by id.
    pub stores: BTreeMap<Arc<str>, StoreConfig>,
    /// Who may do what.
    pub policies: PolicySet,
    /// What relative paths are relative to: the folder of the file.
    pub base_dir: PathBuf,
    /// The environment that was selected.
    pub environment: Option<String>,
    /// How long closing waits for operations in flight: 5 s.
    pub close_timeout: Duration,
}

impl Config {
    /// A configuration made by a program, with these stores, without policies.
    #[must_use]
    pub fn new(stores: impl IntoIterator<Item = StoreConfig>) -> Config {
        Config {
            stores: stores.into_iter().map(|store| (store.id.clone(), store)).collect(),
            policies: PolicySet::new(false, Vec::new()),
            base_dir: PathBuf::from("."),
            environment: None,
            close_timeout: CLOSE_TIMEOUT,
        }
    }
}

/// One store: its id, its backend with checked options, and its settings.
#[derive(Clone)]
pub struct StoreConfig {
    /// The store's id.
    pub id: Arc<str>,
    /// The backend's name.
    pub backend: &'static str,
    /// What holds on any backend.
    pub settings: Settings,
    erased: Arc<dyn ErasedBackend>,
    options: Options,
    description: Arc<str>,
    fingerprint: Option<Arc<str>>,
    /// Of backend and options alone.
    place: Option<Arc<str>>,
}

impl StoreConfig {
    /// A store configured by a program. Stores that should share what the backend holds (a database, connections) take
    /// clones of one `Arc`.
    ///
    /// # Errors
    /// INVALID: an empty id, or what [`Backend::check`] refuses.
    pub fn new<B: Backend>(
        id: impl Into<Arc<str>>,
        backend: &Arc<B>,
        options: B::Options,
        settings: Settings,
    ) -> Result<StoreConfig> {
        let id = id.into();
        if id.is_empty() {
            return Err(crate::Error::invalid("a store id is not empty"));
        }
        backend.check(&options)?;
        let description = format!("backend = {:?}\noptions = {options:?}\n", B::NAME).into();
        Ok(StoreConfig {
            id,
            backend: B::NAME,
            settings,
            erased: Arc::new(Typed(Arc::clone(backend))),
            options: Arc::new(options),
            description,
            fingerprint: None,
            place: None,
        })
    }

    /// Opens the store.
    ///
    /// # Errors
    /// As [`Backend::open`].
    pub async fn open(&self, cx: OpenContext) -> Result<Arc<dyn Store>> {
        self.erased.open(&self.options, cx).await
    }

    /// The entry in print: all settings and options as TOML, variables as they were written, secrets as `***`.
    #[must_use]
    pub fn describe(&self) -> &str {
        &self.description
    }

    /// Whether both came from files that say the same of this store, variables replaced: then an open store of one serves the
    /// other too. Stores configured by programs are the same only as clones of one another.
    #[must_use]
    pub fn is_same(&self, other: &StoreConfig) -> bool {
        match (&self.fingerprint, &other.fingerprint) {
            (Some(a), Some(b)) => self.id == other.id && a == b,
            (None, None) => Arc::ptr_eq(&self.options, &other.options) && self.settings == other.settings,
            _ => false,
        }
    }
}

impl StoreConfig {
    /// Whether both keep their entries in the same place and way, whatever their settings are.
    pub(crate) fn is_same_place(&self, other: &StoreConfig) -> bool {
        match (&self.place, &other.place) {
            (Some(a), Some(b)) => self.id == other.id && a == b,
            (None, None) => Arc::ptr_eq(&self.options, &other.options),
            _ => false,
        }
    }
}

impl fmt::Debug for StoreConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreConfig")
            .field("id", &self.id)
            .field("backend", &self.backend)
            .field("settings", &self.settings)
            .field("description", &self.description)
            .finish_non_exhaustive()
    }
}
