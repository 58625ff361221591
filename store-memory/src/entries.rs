//! Cells and slots together: entries by key, and by number.

use crate::record::Record;
use crate::slab::Slab;
use crate::table::{Cell, Table};

#[derive(Debug)]
pub(crate) struct Entries {
    pub(crate) table: Table,
    pub(crate) slab: Slab,
}

impl Entries {
    pub(crate) fn new() -> Entries {
        Entries { table: Table::default(), slab: Slab::new() }
    }

    /// Adds an entry to a slot of its own.
    pub(crate) fn insert(&mut self, record: Record, hash: u32) -> Option<u32> {
        let slot = self.slab.insert()?;
        let Entries { table, slab } = self;
        table.insert(Cell { record, slot, hash }, moved(slab));
        Some(slot)
    }

    /// Removes the entry at a place of the table, which frees its slot.
    pub(crate) fn remove(&mut self, at: usize) -> Option<Record> {
        let Entries { table, slab } = self;
        let (record, slot) = table.remove(at, moved(slab))?;
        slab.remove(slot);
        Some(record)
    }

    /// Gives memory of the table back, if little of it is in use.
    pub(crate) fn shrink(&mut self) {
        let Entries { table, slab } = self;
        table.shrink(moved(slab));
    }

    /// Where the entry of a slot is in the table. The slot must be taken.
    #[inline]
    pub(crate) fn locate(&self, slot: u32) -> usize {
        self.slab.slot(slot).at as usize
    }

    /// The key of the entry with a slot number. The slot must be taken.
    #[inline]
    pub(crate) fn key(&self, slot: u32) -> &[u8] {
        self.table.record(self.locate(slot)).map_or(&[], Record::key)
    }
}

/// Tells the slots where their cells are.
fn moved(slab: &mut Slab) -> impl FnMut(u32, usize) {
    |slot, at| {
        // As many cells as fit 32 bits: there are fewer slots, and a table is at least a fifth full.
        slab.slot_mut(slot).at = u32::try_from(at).unwrap_or(u32::MAX);
    }
}

#[cfg(test)]
impl Entries {
    /// Adds an entry, for tests of what refers to slots.
    pub(crate) fn add(&mut self, key: &[u8]) -> u32 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let hash = u32::try_from(hasher.finish() >> 32).unwrap();
        self.insert(Record::new(std::num::NonZeroU64::MIN, key, b"").unwrap(), hash).unwrap()
    }

    pub(crate) fn take(&mut self, slot: u32) {
        self.remove(self.locate(slot)).unwrap();
    }
}
