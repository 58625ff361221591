//! What a store counts about itself.

use std::sync::atomic::AtomicU64;

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) examined: AtomicU64,
    pub(crate) reclaimed: AtomicU64,
    pub(crate) swept_by_writes: AtomicU64,
    pub(crate) evicted: AtomicU64,
}

/// What a store did since it was made, and what it holds. See [`MemoryStore::stats`](crate::MemoryStore::stats).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Entries, expired ones that are not yet freed included.
    pub entries: u64,
    /// Entries that listings looked at, live or not.
    pub examined: u64,
    /// Expired entries freed.
    pub reclaimed: u64,
    /// Of these, freed by writes that found the store full. No other write ever frees any.
    pub swept_by_writes: u64,
    /// Live entries dropped to make room.
    pub evicted: u64,
    /// Bytes of tables, slots and indexes, about; keys and values are not included.
    pub table_bytes: u64,
}
