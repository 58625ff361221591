//! What a registry knows about its stores without asking anyone.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Entry;
use crate::BackendStats;

/// One store, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreStats {
    /// Its id.
    pub id: Arc<str>,
    /// Its backend's name.
    pub backend: &'static str,
    /// Whether it was opened: by the first handle that was asked for.
    pub open: bool,
    /// Handles that are out.
    pub handles: usize,
    /// Operations that wait for the backend.
    pub in_flight: usize,
    /// What the backend counts; nothing before the store is open.
    pub stats: BackendStats,
}

impl StoreStats {
    pub(super) fn of(id: &Arc<str>, entry: &Entry) -> StoreStats {
        let slot = entry.slot.get();
        StoreStats {
            id: Arc::clone(id),
            backend: entry.config.backend,
            open: slot.is_some(),
            handles: slot.map_or(0, |slot| slot.handles.load(Ordering::Relaxed)),
            in_flight: slot.map_or(0, |slot| slot.in_flight()),
            stats: slot.map_or_else(BackendStats::default, |slot| slot.store.stats()),
        }
    }
}
