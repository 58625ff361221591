//! Options: those of configurations, and those of the builder.

use std::sync::Arc;

use serde::Deserialize;
use store_core::config::Size;
use store_core::{Clock, Error, Result};

/// What a full store does with a write that needs room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFull {
    /// Refuses it: UNAVAILABLE, retryable, reason `capacity`.
    #[default]
    Reject,
    /// Drops entries that have not been used for long.
    Lru,
    /// Drops entries that are seldom used.
    Lfu,
}

/// The options of the backend, as configuration states them. Nothing is limited unless stated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct MemoryOptions {
    /// The most live entries: 1 or more. Default: no limit.
    #[serde(default)]
    pub max_entries: Option<u64>,
    /// The most bytes: of keys, values, and 96 for each entry. Default: no limit.
    #[serde(default)]
    pub max_bytes: Option<Size>,
    /// What happens at a limit; needs one. Default: `"reject"`.
    #[serde(default)]
    pub on_full: OnFull,
}

impl MemoryOptions {
    /// Refuses what makes no sense.
    pub(crate) fn check(&self) -> Result<()> {
        let limits = [("max_entries", self.max_entries), ("max_bytes", self.max_bytes.map(|size| size.0))];
        for (name, limit) in limits {
            if limit == Some(0) {
                return Err(Error::invalid(format!("{name} must be 1 or more; leave it out for no limit"))
                    .with_detail("key", name));
            }
        }
        if self.on_full != OnFull::Reject && limits.iter().all(|(_, limit)| limit.is_none()) {
            return Err(Error::invalid("on_full needs a limit: max_entries or max_bytes").with_detail("key", "on_full"));
        }
        Ok(())
    }
}

/// Makes a [`MemoryStore`](crate::MemoryStore). See [`MemoryStore::builder`](crate::MemoryStore::builder).
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    pub(crate) max_entries: Option<u64>,
    pub(crate) max_bytes: Option<u64>,
    pub(crate) on_full: OnFull,
    /// None: the machine's.
    pub(crate) clock: Option<Arc<dyn Clock>>,
    pub(crate) shards: Option<usize>,
    pub(crate) background: bool,
}

impl Builder {
    pub(crate) fn new() -> Builder {
        Builder {
            max_entries: None,
            max_bytes: None,
            on_full: OnFull::Reject,
            clock: None,
            shards: None,
            background: true,
        }
    }

    /// The most live entries, at least 1.
    pub fn max_entries(mut self, max: u64) -> Builder {
        self.max_entries = Some(max.max(1));
        self
    }

    /// The most bytes: of keys, values, and 96 for each entry. At least 1.
    pub fn max_bytes(mut self, max: u64) -> Builder {
        self.max_bytes = Some(max.max(1));
        self
    }

    /// What happens at a limit; without a limit nothing ever does.
    pub fn on_full(mut self, on_full: OnFull) -> Builder {
        self.on_full = on_full;
        self
    }

    /// Where time comes from.
    pub fn clock(mut self, clock: impl Into<Arc<dyn Clock>>) -> Builder {
        self.clock = Some(clock.into());
        self
    }

    /// How many parts the store has that can be written at the same time; rounded up to a power of two, at most 1024.
    /// Without it, a number that suits the machine and the limits.
    pub fn shards(mut self, shards: usize) -> Builder {
        self.shards = Some(shards);
        self
    }

    /// Whether a thread frees expired entries in the background (the default). Without it, only
    /// [`purge_expired`](store_core::Store::purge_expired) does, and writes that find the store full.
    pub fn background(mut self, background: bool) -> Builder {
        self.background = background;
        self
    }

    /// Many shards serve many threads; few make listing cheap, which visits all of them, and eviction exact.
    pub(crate) fn shard_count(&self) -> usize {
        let wanted = self.shards.unwrap_or_else(|| {
            let threads = std::thread::available_parallelism().map_or(4, usize::from);
            let small = |limit: Option<u64>, part: u64| {
                limit.map_or(usize::MAX, |limit| usize::try_from(limit / part).unwrap_or(usize::MAX))
            };
            (4 * threads).min(64).min(small(self.max_entries, 1024)).min(small(self.max_bytes, 1 << 20))
        });
        wanted.clamp(1, 1024).next_power_of_two()
    }
}
