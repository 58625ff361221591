//! The backend: opens stores, and has what they share.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use store_core::{Backend, OpenContext, Result, Store, async_trait};

use crate::config::RedisOptions;
use crate::deadlines::Deadlines;
use crate::executor::OwnRuntime;
use crate::store::RedisStore;

/// The backend `redis` of configurations. Its stores share one thread that watches over deadlines, and one runtime for those that
/// are opened outside of tokio.
#[derive(Debug, Default)]
pub struct RedisBackend {
    own: Arc<OwnRuntime>,
    deadlines: OnceLock<Arc<Deadlines>>,
}

impl RedisBackend {
    /// A backend without stores.
    #[must_use]
    pub fn new() -> RedisBackend {
        RedisBackend::default()
    }

    /// Opens a store. Does not connect: the first call does.
    ///
    /// Connections live on the tokio runtime that is current, or on a background thread if there is none. The store may be used
    /// from any executor.
    ///
    /// # Errors
    /// INVALID for mistakes in the options.
    pub fn store(&self, id: &str, options: &RedisOptions) -> Result<RedisStore> {
        self.store_in(id, options, Path::new("."))
    }

    /// As [`store`](RedisBackend::store), with the folder that relative paths in the options are relative to.
    ///
    /// # Errors
    /// INVALID for mistakes in the options.
    pub fn store_in(&self, id: &str, options: &RedisOptions, base_dir: &Path) -> Result<RedisStore> {
        let deadlines = Arc::clone(self.deadlines.get_or_init(|| Arc::new(Deadlines::new())));
        RedisStore::build(id, options, base_dir, &self.own, deadlines)
    }
}

#[async_trait]
impl Backend for RedisBackend {
    type Options = RedisOptions;

    const NAME: &'static str = "redis";

    fn check(&self, options: &RedisOptions) -> Result<()> {
        options.check()
    }

    async fn open(&self, options: &RedisOptions, cx: OpenContext) -> Result<Arc<dyn Store>> {
        let store = self.store_in(&cx.id, options, &cx.base_dir)?;
        if options.eager {
            store.ping().await?;
        }
        Ok(Arc::new(store))
    }
}
