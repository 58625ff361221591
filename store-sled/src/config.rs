//! How a store is configured, and how it is opened.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use serde::Deserialize;
use store_core::config::{HumanDuration, Size};
use store_core::{Backend, Error, OpenContext, Result, Store, async_trait};

use crate::database::{Database, Settings};
use crate::error::file;
use crate::space::Space;
use crate::store::SledStore;
use crate::task::blocking;

/// The least cache that sled works with sensibly.
const MIN_CACHE: u64 = 1 << 20;

/// When a write is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Durability {
    /// Once it is on the device: nothing acknowledged is ever lost. Writers that write at the same time share the wait.
    #[default]
    Sync,
    /// At once. A crash loses what was written last, `flush_interval` at most, and never something in between.
    Interval,
    /// At once, and nothing is promised about crashes. For caches and tests.
    None,
}

/// The options of a store on sled.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Options {
    /// The database's folder, relative to that of the configuration. It is made if it is not there. Stores with different
    /// ids may share it, and then agree on `flush_interval` and `cache`.
    pub path: PathBuf,
    /// When a write is acknowledged. Default: `"sync"`.
    #[serde(default)]
    pub durability: Durability,
    /// With `"interval"`: how much a crash may cost, 2 ms to 1 h. Default: `"500ms"`.
    #[serde(default = "default_interval")]
    pub flush_interval: HumanDuration,
    /// sled's page cache, 1 MiB or more; sled itself uses some more. Default: `"64 MiB"`.
    #[serde(default = "default_cache")]
    pub cache: Size,
}

const fn default_interval() -> HumanDuration {
    HumanDuration(Duration::from_millis(500))
}

const fn default_cache() -> Size {
    Size(64 << 20)
}

impl Options {
    /// The defaults, in this folder.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Options {
        Options {
            path: path.into(),
            durability: Durability::default(),
            flush_interval: default_interval(),
            cache: default_cache(),
        }
    }

    /// With this durability.
    #[must_use]
    pub fn with_durability(mut self, durability: Durability) -> Options {
        self.durability = durability;
        self
    }

    /// With this interval between flushes.
    #[must_use]
    pub fn with_flush_interval(mut self, interval: Duration) -> Options {
        self.flush_interval = HumanDuration(interval);
        self
    }

    /// With a page cache of this many bytes.
    #[must_use]
    pub fn with_cache(mut self, bytes: u64) -> Options {
        self.cache = Size(bytes);
        self
    }

    fn settings(&self) -> Settings {
        Settings { cache: self.cache.0, flush_interval: self.flush_interval.0 }
    }
}

/// The backend `sled`. It remembers which databases are open, so that stores can share one.
#[derive(Debug, Default)]
pub struct SledBackend {
    open: Mutex<HashMap<PathBuf, Arc<Mutex<Weak<Database>>>>>,
}

impl SledBackend {
    /// A backend with nothing open.
    #[must_use]
    pub fn new() -> SledBackend {
        SledBackend::default()
    }

    fn slot(&self, path: &Path) -> Arc<Mutex<Weak<Database>>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        // Forget databases that are closed, unless somebody is opening them right now.
        open.retain(|_, slot| {
            Arc::strong_count(slot) > 1 || slot.lock().unwrap_or_else(PoisonError::into_inner).strong_count() > 0
        });
        Arc::clone(open.entry(path.to_owned()).or_default())
    }
}

#[async_trait]
impl Backend for SledBackend {
    type Options = Options;

    const NAME: &'static str = "sled";

    fn check(&self, options: &Options) -> Result<()> {
        let fault = |key: &'static str, message: String| Err(Error::invalid(message).with_detail("key", key));
        if options.path.as_os_str().is_empty() {
            return fault("path", "path is empty".to_owned());
        }
        let interval = options.flush_interval.0;
        if !(Duration::from_millis(2)..=Duration::from_secs(3600)).contains(&interval) {
            return fault(
                "flush_interval",
                format!("flush_interval must be 2ms to 1h, got {}", options.flush_interval),
            );
        }
        if options.cache.0 < MIN_CACHE {
            return fault("cache", format!("cache must be at least {}, got {}", Size(MIN_CACHE), options.cache));
        }
        Ok(())
    }

    async fn open(&self, options: &Options, cx: OpenContext) -> Result<Arc<dyn Store>> {
        self.check(options)?;
        let path = cx.base_dir.join(&options.path);
        let settings = options.settings();
        let durability = options.durability;
        let path = blocking("store-open", move || {
            let made = std::fs::create_dir_all(&path).and_then(|()| path.canonicalize());
            made.map_err(|cause| {
                let error = file(&format!("making the folder {}", path.display()), cause);
                error.with_detail("path", path.to_string_lossy().into_owned())
            })
        })
        .await?;
        let slot = self.slot(&path);
        let space = blocking("store-open", move || {
            let mut open = slot.lock().unwrap_or_else(PoisonError::into_inner);
            let db = match open.upgrade() {
                Some(db) => {
                    let db = share(db, settings)?;
                    if durability != Durability::Sync {
                        db.leave_journal()?;
                    }
                    db
                }
                None => {
                    let db = Arc::new(Database::open(&path, settings, durability == Durability::Sync)?);
                    *open = Arc::downgrade(&db);
                    db
                }
            };
            Space::open(&db, &cx.id, cx.clock)
        })
        .await?;
        Ok(Arc::new(SledStore::new(space, durability)))
    }
}

fn share(db: Arc<Database>, settings: Settings) -> Result<Arc<Database>> {
    let open = db.settings();
    let differs = |key: &'static str| {
        let path = db.path().display();
        Err(Error::invalid(format!("another store has {path} open with a different {key}")).with_detail("key", key))
    };
    if open.cache != settings.cache {
        return differs("cache");
    }
    if open.flush_interval != settings.flush_interval {
        return differs("flush_interval");
    }
    Ok(db)
}
