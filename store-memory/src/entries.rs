//! Cells and slots together: entries by key, and by number.

use crate::record;
use crate::slab::Slab;
use crate::table::Table;

#[derive(Debug)]
pub(crate) struct Entries {
    pub(crate) table: Table,
    pub(crate) slab: Slab,
}

impl Entries {
    pub(crate) fn new() -> Entries {
        Entries { table: Table::default(), slab: Slab::new() }
    }

    /// Where the entry with a slot number is in the table.
    #[inline]
    pub(crate) fn locate(&self, slot: u32) -> Option<usize> {
        self.table.find_slot(self.slab.slot(slot).hash, slot)
    }

    /// The key of the entry with a slot number; empty if there is none.
    #[inline]
    pub(crate) fn key(&self, slot: u32) -> &[u8] {
        let at = self.locate(slot);
        at.and_then(|at| self.table.cell(at).record.as_deref()).map_or(&[], record::key)
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
        let slot = self.slab.insert(hash).unwrap();
        let record = Some(record::build(0, key, b""));
        self.table.insert(crate::table::Cell { record, deadline: store_core::Deadline::NEVER, slot, hash });
        slot
    }

    pub(crate) fn take(&mut self, slot: u32) {
        let at = self.locate(slot).unwrap();
        self.table.remove(at);
        self.slab.remove(slot);
    }
}
