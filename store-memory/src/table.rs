//! The hash table of a shard: what a read needs of an entry, in 24 bytes.
//!
//! Open addressing with linear probing. Before the cells stands a byte of the hash for each, its *tag*: a search compares
//! sixteen tags at once and goes to a cell that almost always is the right one, so that no branch depends on what memory
//! has yet to bring (the idea of Kulukundis' SwissTable, CppCon 2017; here with the arithmetic of Lamport, "Multiple byte
//! processing with full-word instructions", CACM 1975). Thus the table works at nine tenths full.
//!
//! A hash's home is its share of the table's length (Lemire, "Fast random integer generation in an interval", TOMACS 2019),
//! so the table may have any length, and grows by an eighth. Deletion closes gaps; there are no tombstones. Whoever must
//! know where a cell is (the slots) is told when it moves.

use store_core::Deadline;

use crate::record::Record;

/// Homes of the smallest table.
const SMALLEST: usize = 8;
/// Tags that are compared at once.
const GROUP: usize = 16;
/// The tag of an empty cell.
const FREE: u8 = 0;

/// Small, so that most lie within one cache line.
#[derive(Debug)]
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
    /// One for each cell, and a group of free ones behind, so that a group can be read from every home.
    tags: Vec<u8>,
    /// The homes, and behind them what was pushed off the end.
    cells: Vec<Cell>,
    homes: usize,
    used: usize,
}

/// The upper bits choose the home, the lowest the tag.
#[inline]
const fn tag(hash: u32) -> u8 {
    let byte = hash.to_le_bytes()[0];
    if byte == FREE { 1 } else { byte }
}

const ONES: u64 = u64::from_le_bytes([1; 8]);

/// The high bit of each byte that is zero, and perhaps of some above one that is.
#[inline]
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & (ONES << 7)
}

/// Sixteen tags.
#[derive(Clone, Copy)]
struct Group(u64, u64);

impl Group {
    /// The tags from a cell on; `None` behind the end.
    #[inline]
    fn at(tags: &[u8], at: usize) -> Option<Group> {
        let bytes = tags.get(at..at + GROUP)?;
        let (low, high) = (bytes.first_chunk()?, bytes.last_chunk()?);
        Some(Group(u64::from_le_bytes(*low), u64::from_le_bytes(*high)))
    }

    /// Those that may be equal to a tag: all that are, and seldom others.
    #[inline]
    const fn like(self, tag: u8) -> Candidates {
        let wanted = ONES * tag as u64;
        Candidates(zeros(self.0 ^ wanted) >> 7 | zeros(self.1 ^ wanted) >> 6)
    }

    #[inline]
    const fn has_free(self) -> bool {
        zeros(self.0) | zeros(self.1) != 0
    }

    /// The first free one.
    #[inline]
    const fn free(self) -> Option<usize> {
        match (zeros(self.0), zeros(self.1)) {
            (0, 0) => None,
            (0, high) => Some(8 + high.trailing_zeros() as usize / 8),
            (low, _) => Some(low.trailing_zeros() as usize / 8),
        }
    }
}

/// Places in a group: a byte's lowest bit stands for a place in the lower half, the next for one in the upper half.
struct Candidates(u64);

impl Iterator for Candidates {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let bit = self.0.trailing_zeros() as usize;
        self.0 &= self.0 - 1;
        Some(bit / 8 + bit % 8 * 8)
    }
}

impl Table {
    #[inline]
    fn home(&self, hash: u32) -> usize {
        // The hash as a fraction of the homes: less than their number.
        ((u64::from(hash) * self.homes as u64) >> 32) as usize
    }

    /// Where the entry with a key is. Good until the next insertion or removal.
    #[inline]
    pub(crate) fn find(&self, hash: u32, key: &[u8]) -> Option<usize> {
        let mut from = self.home(hash);
        loop {
            let group = Group::at(&self.tags, from)?;
            for place in group.like(tag(hash)) {
                // A candidate may also be no entry at all, and lie behind the last cell: it does not end the search.
                if let Some(Cell { record: Some(record), hash: theirs, .. }) = self.cells.get(from + place)
                    && *theirs == hash
                    && record.key() == key
                {
                    return Some(from + place);
                }
            }
            if group.has_free() {
                return None;
            }
            from += GROUP;
        }
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

    /// Adds an entry whose key is not in the table. `moved` hears where each cell now is that has another place than before,
    /// by the number of its slot, the new one included.
    pub(crate) fn insert(&mut self, cell: Cell, mut moved: impl FnMut(u32, usize)) {
        if (self.used + 1) * 10 > self.homes * 9 {
            self.resize((self.homes + self.homes / 8).max(self.homes + SMALLEST), &mut moved);
        }
        self.used += 1;
        self.place(cell, &mut moved);
    }

    /// Puts a cell into the first free place from its home on.
    fn place(&mut self, cell: Cell, moved: &mut impl FnMut(u32, usize)) {
        let mut at = self.home(cell.hash);
        while let Some(group) = Group::at(&self.tags, at) {
            if let Some(place) = group.free() {
                at += place;
                break;
            }
            at += GROUP;
        }
        // The tags behind the last cell are free, so the loop ends there at the latest.
        if at == self.cells.len() {
            if self.cells.len() == self.cells.capacity() {
                self.cells.reserve_exact(SMALLEST);
                self.tags.reserve_exact(SMALLEST);
            }
            self.cells.push(Cell::EMPTY);
            self.tags.push(FREE);
        }
        self.tags[at] = tag(cell.hash);
        moved(cell.slot, at);
        self.cells[at] = cell;
    }

    /// Removes an entry.
    pub(crate) fn remove(&mut self, at: usize, mut moved: impl FnMut(u32, usize)) -> Cell {
        let removed = std::mem::replace(&mut self.cells[at], Cell::EMPTY);
        let mut hole = at;
        let mut next = at + 1;
        // Up to the next free cell, whoever may stand in the hole moves there: he would not be found behind it.
        while self.tags[next] != FREE {
            if self.home(self.cells[next].hash) <= hole {
                self.cells.swap(hole, next);
                self.tags[hole] = self.tags[next];
                moved(self.cells[hole].slot, hole);
                hole = next;
            }
            next += 1;
        }
        self.tags[hole] = FREE;
        self.used -= 1;
        removed
    }

    /// Gives memory back once less than a fifth is in use. Costs as much as growing does, and as seldom.
    pub(crate) fn shrink(&mut self, mut moved: impl FnMut(u32, usize)) {
        if self.homes > SMALLEST && self.used * 5 < self.homes {
            self.resize(if self.used == 0 { 0 } else { self.used * 3 / 2 + SMALLEST }, &mut moved);
        }
    }

    fn resize(&mut self, homes: usize, moved: &mut impl FnMut(u32, usize)) {
        let old = std::mem::take(&mut self.cells);
        self.homes = homes;
        self.tags = Vec::new();
        if homes == 0 {
            return;
        }
        self.cells.reserve_exact(homes + SMALLEST);
        self.cells.resize_with(homes, || Cell::EMPTY);
        self.tags.reserve_exact(homes + SMALLEST + GROUP);
        self.tags.resize(homes + GROUP, FREE);
        for cell in old {
            if cell.record.is_some() {
                self.place(cell, moved);
            }
        }
    }

    /// Bytes of memory, records not included.
    pub(crate) fn memory(&self) -> usize {
        self.cells.capacity() * size_of::<Cell>() + self.tags.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn cell(hash: u32, slot: u32) -> Cell {
        Cell { record: Record::new(0, &slot.to_be_bytes(), b""), deadline: Deadline::NEVER, slot, hash }
    }

    #[test]
    fn a_cell_is_three_words() {
        assert_eq!(size_of::<Cell>(), 24);
    }

    #[test]
    fn a_group_finds_its_tags() {
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..20_000 {
            let tags: Vec<u8> = (0..GROUP).map(|_| random.u8(0..4) * random.choice([1, 85]).unwrap()).collect();
            let group = Group::at(&tags, 0).unwrap();
            let first = tags.iter().position(|&tag| tag == FREE);
            assert_eq!((group.free(), group.has_free()), (first, first.is_some()));
            let wanted = random.u8(1..4);
            let like: Vec<usize> = group.like(wanted).collect();
            assert!((0..GROUP).filter(|&at| tags[at] == wanted).all(|at| like.contains(&at)));
            assert!(like.iter().all(|&at| tags[at] ^ wanted <= 1), "{tags:?} {wanted}");
        }
        assert!(Group::at(&[0; GROUP], 1).is_none());
    }

    #[test]
    fn agrees_with_a_map_also_under_colliding_hashes() {
        // Also with few tags, those next to that of a free cell among them, which searches may take for each other.
        for (distinct, tags) in [(10, 256), (40, 256), (u32::MAX, 256), (u32::MAX, 3), (1 << 20, 3), (1 << 31, 2)] {
            let mut random = fastrand::Rng::with_seed(7);
            let mut table = Table::default();
            let mut model: HashMap<u32, u32> = HashMap::new();
            let mut places: HashMap<u32, usize> = HashMap::new();
            for round in 0..60_000 {
                let slot = random.u32(0..400);
                let growing = round / 10_000 % 2 == 0;
                if let Some(&hash) = model.get(&slot) {
                    assert_eq!(table.find(hash, &slot.to_be_bytes()), places.get(&slot).copied());
                }
                match model.get(&slot).copied() {
                    Some(hash) if !growing || random.u8(0..4) == 0 => {
                        let at = table.find(hash, &slot.to_be_bytes()).unwrap();
                        assert_eq!(places.remove(&slot), Some(at));
                        let mut moved = |slot, at| _ = places.insert(slot, at);
                        assert_eq!(table.remove(at, &mut moved).slot, slot);
                        model.remove(&slot);
                        table.shrink(&mut moved);
                    }
                    None if growing || random.u8(0..4) == 0 => {
                        // Close to the end: some are pushed off it.
                        let hash = u32::MAX - random.u32(0..distinct);
                        let hash = if tags < 256 { hash & !0xff | random.u32(0..tags) } else { hash };
                        assert_eq!(table.find(hash, &slot.to_be_bytes()), None);
                        table.insert(cell(hash, slot), |slot, at| _ = places.insert(slot, at));
                        model.insert(slot, hash);
                    }
                    _ => {}
                }
            }
            for (&slot, &hash) in &model {
                assert_eq!(table.find(hash, &slot.to_be_bytes()), places.get(&slot).copied());
                assert_eq!(table.cell(places[&slot]).slot, slot);
            }
            assert_eq!((table.used, table.iter().count(), places.len()), (model.len(), model.len(), model.len()));
        }
    }

    #[test]
    fn t7_memory_is_given_back() {
        let mut table = Table::default();
        let mut places = vec![0; 10_000];
        let hash = |slot: u32| slot.wrapping_mul(0x9e37_79b9);
        for slot in 0..10_000 {
            table.insert(cell(hash(slot), slot), |slot, at| places[slot as usize] = at);
        }
        let full = table.memory();
        assert!(full < 10_000 * 25 * 5 / 4, "{full}");
        for slot in 0..10_000 {
            let at = places[slot as usize];
            table.remove(at, |slot, at| places[slot as usize] = at);
            table.shrink(|slot, at| places[slot as usize] = at);
        }
        assert!(table.memory() <= 1000);
    }
}
