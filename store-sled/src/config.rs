//! How a store is configured.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use store_core::config::{HumanDuration, Size};
use store_core::{Error, Result};

use crate::database::Settings;

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

    /// Refuses what makes no sense.
    pub(crate) fn check(&self) -> Result<()> {
        let fault = |key: &'static str, message: String| Err(Error::invalid(message).with_detail("key", key));
        if self.path.as_os_str().is_empty() {
            return fault("path", "path is empty".to_owned());
        }
        let interval = self.flush_interval.0;
        if !(Duration::from_millis(2)..=Duration::from_secs(3600)).contains(&interval) {
            return fault("flush_interval", format!("flush_interval must be 2ms to 1h, got {}", self.flush_interval));
        }
        if self.cache.0 < MIN_CACHE {
            return fault("cache", format!("cache must be at least {}, got {}", Size(MIN_CACHE), self.cache));
        }
        Ok(())
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings { cache: self.cache.0, flush_interval: self.flush_interval.0 }
    }
}
