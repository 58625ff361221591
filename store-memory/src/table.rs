//! The hash table of a shard: what a read needs of an entry, in half a cache line.
//!
//! Open addressing with linear probing, the cells in the order of their hashes (Amble and Knuth, "Ordered hash tables", The
//! Computer Journal 1974): a search for a key that is not there ends as early as one for a key that is, so the table can be
//! four fifths full. A hash's home is its share of the table's length (Lemire, "Fast random integer generation in an
//! interval", TOMACS 2019), so the table may have any length, grows by a fifth, and growing copies it from one end to the
//! other. Deletion shifts back; there are no tombstones.

use store_core::Deadline;

use crate::record::{self, Record};

/// Homes of the smallest table.
const SMALLEST: usize = 8;

/// Aligned so that none lies across two cache lines.
#[derive(Debug)]
#[repr(align(32))]
pub(crate) struct Cell {
    /// None: the cell is empty.
    pub(crate) record: Option<Record>,
    pub(crate) deadline: Deadline,
    pub(crate) slot: u32,
    pub(crate) hash: u32,
}

impl Cell {
    const EMPTY: Cell = Cell { record: None, deadline: Deadline::NEVER, slot: 0, hash: 0 };
}

#[derive(Debug, Default)]
pub(crate) struct Table {
    /// The homes, and behind them what was pushed off the end.
    cells: Vec<Cell>,
    homes: usize,
    used: usize,
}

impl Table {
    #[inline]
    fn home(&self, hash: u32) -> usize {
        // The hash as a fraction of the homes: less than their number.
        ((u64::from(hash) * self.homes as u64) >> 32) as usize
    }

    #[inline]
    fn search(&self, hash: u32, mut is_it: impl FnMut(&Cell, &Record) -> bool) -> Option<usize> {
        let mut at = self.home(hash);
        loop {
            let cell = self.cells.get(at)?;
            let record = cell.record.as_ref()?;
            if cell.hash >= hash {
                if cell.hash > hash {
                    return None;
                }
                if is_it(cell, record) {
                    return Some(at);
                }
            }
            at += 1;
        }
    }

    /// Where the entry with a key is. Good until the next insertion or removal.
    #[inline]
    pub(crate) fn find(&self, hash: u32, key: &[u8]) -> Option<usize> {
        self.search(hash, |_, record| record::key(record) == key)
    }

    /// Where the entry with a slot number is.
    #[inline]
    pub(crate) fn find_slot(&self, hash: u32, slot: u32) -> Option<usize> {
        self.search(hash, |cell, _| cell.slot == slot)
    }

    #[inline]
    pub(crate) fn cell(&self, at: usize) -> &Cell {
        &self.cells[at]
    }

    #[inline]
    pub(crate) fn cell_mut(&mut self, at: usize) -> &mut Cell {
        &mut self.cells[at]
    }

    /// All entries.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Cell> {
        self.cells.iter().filter(|cell| cell.record.is_some())
    }

    /// Adds an entry whose key is not in the table.
    pub(crate) fn insert(&mut self, mut cell: Cell) {
        if (self.used + 1) * 5 > self.homes * 4 {
            self.resize((self.homes * 6 / 5).max(self.homes + SMALLEST));
        }
        self.used += 1;
        let mut at = self.home(cell.hash);
        while self.cells.get(at).is_some_and(|other| other.record.is_some() && other.hash <= cell.hash) {
            at += 1;
        }
        while let Some(place) = self.cells.get_mut(at) {
            cell = std::mem::replace(place, cell);
            if cell.record.is_none() {
                return;
            }
            at += 1;
        }
        if self.cells.len() == self.cells.capacity() {
            self.cells.reserve_exact(SMALLEST);
        }
        self.cells.push(cell);
    }

    /// Removes an entry.
    pub(crate) fn remove(&mut self, at: usize) -> Cell {
        let removed = std::mem::replace(&mut self.cells[at], Cell::EMPTY);
        let mut hole = at;
        while let Some(next) = self.cells.get(hole + 1)
            && next.record.is_some()
            && self.home(next.hash) <= hole
        {
            self.cells.swap(hole, hole + 1);
            hole += 1;
        }
        self.used -= 1;
        removed
    }

    /// Gives memory back once less than a fifth is in use. Costs as much as growing does, and as seldom.
    pub(crate) fn shrink(&mut self) {
        if self.homes > SMALLEST && self.used * 5 < self.homes {
            self.resize(if self.used == 0 { 0 } else { self.used * 3 / 2 + SMALLEST });
        }
    }

    /// Copies the cells, which are in the order of their hashes and thus of their homes, to their new homes.
    fn resize(&mut self, homes: usize) {
        let old = std::mem::take(&mut self.cells);
        self.homes = homes;
        if homes == 0 {
            return;
        }
        let mut cells = Vec::with_capacity(homes + SMALLEST);
        for cell in old {
            if cell.record.is_some() {
                let home = self.home(cell.hash);
                while cells.len() < home {
                    cells.push(Cell::EMPTY);
                }
                if cells.len() == cells.capacity() {
                    cells.reserve_exact(SMALLEST);
                }
                cells.push(cell);
            }
        }
        while cells.len() < homes {
            cells.push(Cell::EMPTY);
        }
        self.cells = cells;
    }

    /// Bytes of memory, records not included.
    pub(crate) fn memory(&self) -> usize {
        self.cells.capacity() * size_of::<Cell>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn cell(hash: u32, slot: u32) -> Cell {
        Cell { record: Some(record::build(0, &slot.to_be_bytes(), b"")), deadline: Deadline::NEVER, slot, hash }
    }

    #[test]
    fn a_cell_is_half_a_cache_line() {
        assert_eq!(size_of::<Cell>(), 32);
    }

    #[test]
    fn agrees_with_a_map_also_under_colliding_hashes() {
        for distinct in [10, 40, u32::MAX] {
            let mut random = fastrand::Rng::with_seed(7);
            let mut table = Table::default();
            let mut model: HashMap<u32, u32> = HashMap::new();
            for round in 0..60_000 {
                let slot = random.u32(0..400);
                let growing = round / 10_000 % 2 == 0;
                match model.get(&slot).copied() {
                    Some(hash) if !growing || random.u8(0..4) == 0 => {
                        let at = table.find(hash, &slot.to_be_bytes()).unwrap();
                        assert_eq!(table.find_slot(hash, slot), Some(at));
                        assert_eq!(table.remove(at).slot, slot);
                        model.remove(&slot);
                        table.shrink();
                    }
                    None if growing || random.u8(0..4) == 0 => {
                        // Close to the end: some are pushed off it.
                        let hash = u32::MAX - random.u32(0..distinct);
                        assert_eq!(table.find(hash, &slot.to_be_bytes()), None);
                        table.insert(cell(hash, slot));
                        model.insert(slot, hash);
                    }
                    _ => {}
                }
            }
            for (&slot, &hash) in &model {
                assert!(table.find(hash, &slot.to_be_bytes()).is_some());
            }
            assert_eq!((table.used, table.iter().count()), (model.len(), model.len()));
        }
    }

    #[test]
    fn t7_memory_is_given_back() {
        let mut table = Table::default();
        let hash = |slot: u32| slot.wrapping_mul(0x9e37_79b9);
        for slot in 0..10_000 {
            table.insert(cell(hash(slot), slot));
        }
        let full = table.memory();
        assert!(full < 10_000 * 32 * 3 / 2, "{full}");
        for slot in 0..10_000 {
            let at = table.find_slot(hash(slot), slot).unwrap();
            table.remove(at);
            table.shrink();
        }
        assert!(table.memory() <= 1000);
    }
}
