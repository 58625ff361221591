//! The backends of this build, one of which remembers what it opened: what is behind a store, only its own backend can tell.

use store::{Backends, Result};

#[cfg(feature = "redis")]
use super::redis::{Opened, Sample};

/// What has been opened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    #[cfg(feature = "redis")]
    redis: Opened,
}

impl Seen {
    /// A table of the backends. What a configuration asks for beyond them, `store::backends()` explains better.
    pub(crate) fn backends(&self) -> Result<Backends> {
        let mut backends = Backends::new();
        #[cfg(feature = "memory")]
        backends.register(store::memory::MemoryBackend)?;
        #[cfg(feature = "sled")]
        backends.register(store::sled::SledBackend::new())?;
        #[cfg(feature = "redis")]
        self.redis.register(&mut backends)?;
        Ok(backends)
    }

    /// Of the store on Redis that was opened last, what its servers count.
    #[cfg(feature = "redis")]
    pub(crate) async fn sample(&self) -> Result<Option<Sample>> {
        self.redis.sample().await
    }

    /// How many keys the database has behind the store on Redis that was opened last: at least those of the store. `None` for other
    /// backends, and where the server does not say.
    pub(crate) async fn keys(&self) -> Option<u64> {
        #[cfg(feature = "redis")]
        return self.sample().await.ok().flatten().map(|sample| sample.stats.keys);
        #[cfg(not(feature = "redis"))]
        None
    }
}
