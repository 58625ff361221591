//! The hash table of a shard: from a key's hash to its slot.
//!
//! Open addressing with linear probing (Knuth, TAOCP vol. 3, 6.4, algorithm L) and deletion by shifting back (algorithm R),
//! so that there are no tombstones. A cell is one word, hash and slot number: a probe that fails touches no slot, and growing
//! touches no entry.

/// Cells of a table that holds anything.
const SMALLEST: usize = 8;

#[derive(Debug, Default)]
pub(crate) struct Table {
    /// 0 is empty; otherwise the hash in the upper half, the slot plus 1 in the lower. The length is 0 or a power of two.
    cells: Vec<u64>,
    used: usize,
}

const fn cell(hash: u32, slot: u32) -> u64 {
    ((hash as u64) << 32) | (slot as u64 + 1)
}

const fn hash_of(cell: u64) -> u32 {
    (cell >> 32) as u32
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half")]
const fn slot_of(cell: u64) -> u32 {
    (cell as u32).wrapping_sub(1)
}

impl Table {
    /// The slot with this hash of which `is_it` says yes.
    #[inline]
    pub(crate) fn find(&self, hash: u32, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let mask = self.cells.len().checked_sub(1)?;
        let mut at = hash as usize & mask;
        loop {
            let found = *self.cells.get(at)?;
            if found == 0 {
                return None;
            }
            if hash_of(found) == hash && is_it(slot_of(found)) {
                return Some(slot_of(found));
            }
            at = (at + 1) & mask;
        }
    }

    /// Adds a slot that is not in the table.
    pub(crate) fn insert(&mut self, hash: u32, slot: u32) {
        if (self.used + 1) * 4 > self.cells.len() * 3 {
            self.resize((self.cells.len() * 2).max(SMALLEST));
        }
        self.used += 1;
        self.place(cell(hash, slot));
    }

    fn place(&mut self, new: u64) {
        let mask = self.cells.len() - 1;
        let mut at = hash_of(new) as usize & mask;
        while self.cells[at] != 0 {
            at = (at + 1) & mask;
        }
        self.cells[at] = new;
    }

    /// Where a cell stands that is known to be in the table.
    fn position(&self, wanted: u64) -> Option<usize> {
        let mask = self.cells.len().checked_sub(1)?;
        let mut at = hash_of(wanted) as usize & mask;
        loop {
            match self.cells[at] {
                found if found == wanted => return Some(at),
                0 => return None,
                _ => at = (at + 1) & mask,
            }
        }
    }

    /// Removes a slot.
    pub(crate) fn remove(&mut self, hash: u32, slot: u32) {
        let Some(mut hole) = self.position(cell(hash, slot)) else { return };
        let mask = self.cells.len() - 1;
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let next = self.cells[at];
            if next == 0 {
                break;
            }
            let home = hash_of(next) as usize & mask;
            // It may move to the hole unless its home lies behind the hole on the way to where it is.
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(hole) & mask {
                self.cells[hole] = next;
                hole = at;
            }
        }
        self.cells[hole] = 0;
        self.used -= 1;
    }

    /// Tells the table that an entry moved to another slot.
    pub(crate) fn relocate(&mut self, hash: u32, from: u32, to: u32) {
        if let Some(at) = self.position(cell(hash, from)) {
            self.cells[at] = cell(hash, to);
        }
    }

    /// Whether [`shrink`](Table::shrink) would give memory back.
    pub(crate) fn is_sparse(&self) -> bool {
        self.cells.len() > SMALLEST && self.used * 8 < self.cells.len()
    }

    /// Gives memory back once less than an eighth is in use. Costs as much as growing does, and as seldom.
    pub(crate) fn shrink(&mut self) {
        if self.is_sparse() {
            let len = if self.used == 0 { 0 } else { (self.used * 2).next_power_of_two().max(SMALLEST) };
            self.resize(len);
        }
    }

    fn resize(&mut self, len: usize) {
        let old = std::mem::replace(&mut self.cells, vec![0; len]);
        for cell in old {
            if cell != 0 {
                self.place(cell);
            }
        }
    }

    /// Bytes of memory.
    pub(crate) fn memory(&self) -> usize {
        self.cells.capacity() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn agrees_with_a_map_under_colliding_hashes() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut table = Table::default();
        let mut model: HashMap<u32, u32> = HashMap::new();
        for _ in 0..200_000 {
            let slot = random.u32(0..600);
            match model.get(&slot).copied() {
                Some(hash) if random.bool() => {
                    table.remove(hash, slot);
                    model.remove(&slot);
                    table.shrink();
                }
                Some(hash) => {
                    assert_eq!(table.find(hash, |found| found == slot), Some(slot));
                }
                None => {
                    // Few distinct homes, wrapping around the end.
                    let hash = u32::MAX - random.u32(0..40);
                    assert_eq!(table.find(hash, |found| found == slot), None);
                    table.insert(hash, slot);
                    model.insert(slot, hash);
                }
            }
        }
        for (&slot, &hash) in &model {
            assert_eq!(table.find(hash, |found| found == slot), Some(slot));
        }
        assert_eq!(table.used, model.len());
    }

    #[test]
    fn t7_memory_is_given_back() {
        let mut table = Table::default();
        for slot in 0..10_000u32 {
            table.insert(slot.wrapping_mul(0x9e37_79b9), slot);
        }
        let full = table.memory();
        for slot in 0..10_000u32 {
            table.remove(slot.wrapping_mul(0x9e37_79b9), slot);
            table.shrink();
        }
        assert!(full >= 10_000 * 8);
        assert!(table.memory() <= SMALLEST * 8);
    }
}
