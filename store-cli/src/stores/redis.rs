//! What the Redis servers behind a store count: the store is opened by a backend that remembers it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use store::redis::{RedisBackend, RedisOptions, RedisStore, ServerStats};
use store::{Backend, Backends, OpenContext, Result, Store};

/// The backend `redis`, and the store that was opened last.
#[derive(Clone, Debug, Default)]
pub(super) struct Opened(Arc<Mutex<Option<Arc<RedisStore>>>>);

#[derive(Debug, Default)]
struct Remembering {
    backend: RedisBackend,
    opened: Opened,
}

#[store::async_trait]
impl Backend for Remembering {
    type Options = RedisOptions;

    const NAME: &'static str = RedisBackend::NAME;

    fn check(&self, options: &RedisOptions) -> Result<()> {
        self.backend.check(options)
    }

    async fn open(&self, options: &RedisOptions, cx: OpenContext) -> Result<Arc<dyn Store>> {
        let store = Arc::new(self.backend.store_in(&cx.id, options, &cx.base_dir)?);
        if options.eager {
            store.ping().await?;
        }
        *self.opened.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&store));
        Ok(store)
    }
}

impl Opened {
    /// Adds the backend to a table that has none of this name.
    pub(super) fn register(&self, backends: &mut Backends) -> Result<()> {
        backends.register(Remembering { backend: RedisBackend::new(), opened: self.clone() }).map(drop)
    }

    /// Asks the servers; `None` if no store on Redis is open.
    pub(super) async fn sample(&self) -> Result<Option<Sample>> {
        let store = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(store) = store else { return Ok(None) };
        let stats = store.server_stats().await?;
        Ok(Some(Sample { stats, at: Instant::now() }))
    }
}

/// The counters at a moment.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) stats: ServerStats,
    pub(crate) at: Instant,
}
