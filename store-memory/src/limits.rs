//! How much a store may hold (rule E6), and how much it does.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use store_core::Error;

use crate::config::OnFull;
use crate::record::{self, Record};

#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) max_entries: Option<u64>,
    pub(crate) max_bytes: Option<u64>,
    pub(crate) on_full: OnFull,
    entries: AtomicU64,
    bytes: AtomicU64,
}

/// What a write needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Need {
    entries: u64,
    pub(crate) bytes: u64,
    /// Bytes that an entry to be replaced occupies.
    spared: u64,
}

impl Need {
    pub(crate) fn new_entry(key: &[u8], value: &[u8]) -> Need {
        Need { entries: 1, bytes: record::charge(key.len(), value.len()), spared: 0 }
    }

    pub(crate) fn replacing(old: &Record, value: &[u8]) -> Need {
        let bytes = record::charge(old.key().len(), value.len());
        Need { entries: 0, bytes, spared: record::charge_of(old) }
    }
}

impl Limits {
    pub(crate) fn new(max_entries: Option<u64>, max_bytes: Option<u64>, on_full: OnFull) -> Option<Limits> {
        (max_entries.is_some() || max_bytes.is_some()).then(|| Limits {
            max_entries,
            max_bytes,
            on_full,
            entries: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        })
    }

    /// Books what a write needs; false if there is no room, and then nothing is booked.
    pub(crate) fn reserve(&self, need: Need) -> bool {
        let take = |counter: &AtomicU64, max: Option<u64>, more: u64, less: u64| {
            counter
                .fetch_update(Relaxed, Relaxed, |used| {
                    let after = (used + more).saturating_sub(less);
                    // What does not grow is never refused.
                    (more <= less || max.is_none_or(|max| after <= max)).then_some(after)
                })
                .is_ok()
        };
        if !take(&self.entries, self.max_entries, need.entries, 0) {
            return false;
        }
        if !take(&self.bytes, self.max_bytes, need.bytes, need.spared) {
            self.entries.fetch_sub(need.entries, Relaxed);
            return false;
        }
        true
    }

    /// Takes back a reservation of which nothing came.
    pub(crate) fn cancel(&self, need: Need) {
        self.entries.fetch_sub(need.entries, Relaxed);
        self.bytes.fetch_sub(need.bytes, Relaxed);
        self.bytes.fetch_add(need.spared, Relaxed);
    }

    /// What keys, values and entries take.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// An entry is gone.
    pub(crate) fn release(&self, bytes: u64) {
        self.entries.fetch_sub(1, Relaxed);
        self.bytes.fetch_sub(bytes, Relaxed);
    }

    pub(crate) fn has_room(&self, need: Need) -> bool {
        let fits = |used: &AtomicU64, max: Option<u64>, more: u64, less: u64| {
            more <= less || max.is_none_or(|max| (used.load(Relaxed) + more).saturating_sub(less) <= max)
        };
        fits(&self.entries, self.max_entries, need.entries, 0)
            && fits(&self.bytes, self.max_bytes, need.bytes, need.spared)
    }

    pub(crate) fn error(&self, need: Need) -> Error {
        let (message, limit) = match (self.max_bytes, self.max_entries) {
            (Some(max), _) if need.bytes > max => ("the entry is larger than max_bytes of the store", max),
            (_, Some(max)) if need.entries > 0 && self.entries.load(Relaxed) >= max => {
                ("the store is full: it holds max_entries entries", max)
            }
            (Some(max), _) => ("the store is full: it holds max_bytes bytes", max),
            (None, max) => ("the store is full", max.unwrap_or(0)),
        };
        Error::capacity(message).with_detail("limit", limit)
    }
}
