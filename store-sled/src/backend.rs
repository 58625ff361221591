//! The backend: opens stores, also several in one folder.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use store_core::{Backend, Error, OpenContext, Result, Store, async_trait};

use crate::config::{Durability, Options};
use crate::database::{Database, Settings};
use crate::error::file;
use crate::space::Space;
use crate::store::SledStore;
use crate::task::blocking;

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
        options.check()
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
