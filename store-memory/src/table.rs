//! The hash table of a shard: lines of four cells, each as long as a cache line.
//!
//! A search loads one line and goes to the record whose hash is equal there, so a read takes two dependent loads from memory,
//! and no branch but the last depends on either. Open addressing with linear probing, line by line: at three quarters full a
//! search that finds looks at 1.3 lines on average, and one that does not at 2.7, which lie side by side (at nine tenths it would be 2.0 and 12.6).
//!
//! A hash's home is its share of the table's length (Lemire, "Fast random integer generation in an interval", TOMACS 2019),
//! so the table may have any length, and grows by an eighth. Deletion closes gaps; there are no tombstones. Whoever must
//! know where an entry is (the slots) is told when it moves.

use crate::equal::equal;
use crate::record::Record;

/// Cells of a line.
const CELLS: usize = 4;
/// Lines of the smallest table.
const SMALLEST: usize = 2;

/// On 64 bits exactly a cache line.
#[derive(Debug)]
#[repr(align(64))]
struct Line {
    hashes: [u32; CELLS],
    slots: [u32; CELLS],
    /// None: the cell is empty.
    records: [Option<Record>; CELLS],
}

impl Line {
    const EMPTY: Line = Line { hashes: [0; CELLS], slots: [0; CELLS], records: [const { None }; CELLS] };

    /// Which cells may hold a hash, a bit for each; empty ones may be among them.
    #[inline]
    fn like(&self, hash: u32) -> u32 {
        equal(self.hashes, hash)
    }

    #[inline]
    fn free(&self) -> Option<usize> {
        self.records.iter().position(Option::is_none)
    }
}

/// An entry on its way into the table.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) record: Record,
    pub(crate) slot: u32,
    pub(crate) hash: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Table {
    lines: Vec<Line>,
    used: usize,
}

impl Table {
    #[inline]
    fn home(&self, hash: u32) -> usize {
        // The hash as a fraction of the lines: less than their number.
        ((u64::from(hash) * self.lines.len() as u64) >> 32) as usize
    }

    #[inline]
    fn after(&self, line: usize) -> usize {
        if line + 1 == self.lines.len() { 0 } else { line + 1 }
    }

    /// Where the entry with a key is, and its record. The place is good until the next insertion or removal.
    #[expect(clippy::inline_always, reason = "a call of its own costs a read a tenth: ADR 10")]
    #[inline(always)]
    pub(crate) fn find(&self, hash: u32, key: &[u8]) -> Option<(usize, &Record)> {
        let mut at = self.home(hash);
        loop {
            // The home of an empty table is none of its lines. Else one cell in four is free, and ends the search.
            let line = self.lines.get(at)?;
            let mut like = line.like(hash);
            while like != 0 {
                let cell = like.trailing_zeros() as usize;
                if let Some(record) = &line.records[cell]
                    && record.has_key(key)
                {
                    return Some((at * CELLS + cell, record));
                }
                like &= like - 1;
            }
            if line.free().is_some() {
                return None;
            }
            at = self.after(at);
        }
    }

    /// The record at a place.
    #[inline]
    pub(crate) fn record(&self, at: usize) -> Option<&Record> {
        self.lines[at / CELLS].records[at % CELLS].as_ref()
    }

    #[inline]
    pub(crate) fn record_mut(&mut self, at: usize) -> Option<&mut Record> {
        self.lines[at / CELLS].records[at % CELLS].as_mut()
    }

    /// The slot of the entry at a place.
    #[inline]
    pub(crate) fn slot(&self, at: usize) -> u32 {
        self.lines[at / CELLS].slots[at % CELLS]
    }

    /// Gives the entry at a place another slot.
    pub(crate) fn set_slot(&mut self, at: usize, slot: u32) {
        self.lines[at / CELLS].slots[at % CELLS] = slot;
    }

    /// All entries.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Record> {
        self.lines.iter().flat_map(|line| &line.records).flatten()
    }

    /// Adds an entry whose key is not in the table. `moved` hears where each entry now is that has another place than before,
    /// by the number of its slot, the new one included.
    pub(crate) fn insert(&mut self, cell: Cell, mut moved: impl FnMut(u32, usize)) {
        let lines = self.lines.len();
        if (self.used + 1) * 4 > lines * CELLS * 3 {
            self.resize((lines + lines / 8).max(lines + SMALLEST), &mut moved);
        }
        self.used += 1;
        self.place(cell, &mut moved);
    }

    /// Puts an entry into the first free cell from its home on. There must be one.
    fn place(&mut self, cell: Cell, moved: &mut impl FnMut(u32, usize)) {
        let mut at = self.home(cell.hash);
        loop {
            if let Some(free) = self.lines[at].free() {
                let line = &mut self.lines[at];
                line.hashes[free] = cell.hash;
                line.slots[free] = cell.slot;
                line.records[free] = Some(cell.record);
                moved(cell.slot, at * CELLS + free);
                return;
            }
            at = self.after(at);
        }
    }

    /// How many lines a line is behind another, in the direction of searches.
    fn distance(&self, from: usize, to: usize) -> usize {
        if to >= from { to - from } else { to + self.lines.len() - from }
    }

    /// Who must take a hole in a line that was full.
    fn next_in(&self, line: usize) -> Option<(usize, usize)> {
        let mut next = self.after(line);
        while next != line {
            let behind = self.distance(line, next);
            let Line { hashes, records, .. } = &self.lines[next];
            let follows =
                |&from: &usize| records[from].is_some() && self.distance(self.home(hashes[from]), next) >= behind;
            if let Some(from) = (0..CELLS).find(follows) {
                return Some((next, from));
            }
            if self.lines[next].free().is_some() {
                return None;
            }
            next = self.after(next);
        }
        None
    }

    /// The slot of the first entry that moves when that at a place is removed, if one does.
    pub(crate) fn follower(&self, at: usize) -> Option<u32> {
        let line = at / CELLS;
        if self.lines[line].free().is_some() {
            return None;
        }
        self.next_in(line).map(|(next, from)| self.lines[next].slots[from])
    }

    /// Removes the entry at a place, and tells its slot.
    pub(crate) fn remove(&mut self, at: usize, mut moved: impl FnMut(u32, usize)) -> Option<(Record, u32)> {
        let (mut line, mut cell) = (at / CELLS, at % CELLS);
        let mut full = self.lines[line].free().is_none();
        let removed = self.lines[line].records[cell].take()?;
        let slot = self.lines[line].slots[cell];
        self.used -= 1;
        // Searches go past full lines only. While the hole is in one that was full, whoever they found behind it, from a home
        // not behind it, must take the hole: it would be the end of his search.
        while full && let Some((next, from)) = self.next_in(line) {
            full = self.lines[next].free().is_none();
            let (hash, slot) = (self.lines[next].hashes[from], self.lines[next].slots[from]);
            let record = self.lines[next].records[from].take();
            let hole = &mut self.lines[line];
            (hole.hashes[cell], hole.slots[cell], hole.records[cell]) = (hash, slot, record);
            moved(slot, line * CELLS + cell);
            (line, cell) = (next, from);
        }
        Some((removed, slot))
    }

    /// Gives memory back once less than a fifth is in use. Costs as much as growing does, and as seldom.
    pub(crate) fn shrink(&mut self, mut moved: impl FnMut(u32, usize)) {
        if self.lines.len() > SMALLEST && self.used * 5 < self.lines.len() * CELLS {
            let lines = if self.used == 0 { 0 } else { self.used * 3 / 2 / CELLS + SMALLEST };
            self.resize(lines, &mut moved);
        }
    }

    /// All entries must fit into so many lines.
    fn resize(&mut self, lines: usize, moved: &mut impl FnMut(u32, usize)) {
        let old = std::mem::take(&mut self.lines);
        self.lines.reserve_exact(lines);
        self.lines.resize_with(lines, || Line::EMPTY);
        for line in old {
            for ((record, slot), hash) in line.records.into_iter().zip(line.slots).zip(line.hashes) {
                if let Some(record) = record {
                    self.place(Cell { record, slot, hash }, moved);
                }
            }
        }
    }

    /// Bytes of memory, records not included.
    pub(crate) fn memory(&self) -> usize {
        self.lines.capacity() * size_of::<Line>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn cell(hash: u32, slot: u32) -> Cell {
        Cell { record: Record::new(std::num::NonZeroU64::MIN, &slot.to_be_bytes(), b"").unwrap(), slot, hash }
    }

    impl Table {
        fn place_of(&self, hash: u32, slot: u32) -> Option<usize> {
            self.find(hash, &slot.to_be_bytes()).map(|(at, _)| at)
        }

        /// Whether every search ends where it should: all lines between an entry and its home are full.
        fn check(&self) {
            for (at, line) in self.lines.iter().enumerate() {
                for cell in (0..CELLS).filter(|&cell| line.records[cell].is_some()) {
                    let mut from = self.home(line.hashes[cell]);
                    while from != at {
                        assert_eq!(self.lines[from].free(), None);
                        from = self.after(from);
                    }
                }
            }
            assert_eq!(self.iter().count(), self.used);
        }
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn a_line_is_a_cache_line() {
        assert_eq!((size_of::<Line>(), align_of::<Line>()), (64, 64));
    }

    #[test]
    fn agrees_with_a_map_also_under_colliding_hashes() {
        // All at one home, at neighbouring ones, at the last ones (so that searches go on at the beginning), and anywhere.
        for (lowest, distinct) in [(7, 1), (u32::MAX - 9, 10), (u32::MAX - 39, 40), (0, u32::MAX), (1 << 31, 1 << 26)] {
            let mut random = fastrand::Rng::with_seed(7);
            let mut table = Table::default();
            let mut model: HashMap<u32, u32> = HashMap::new();
            let mut places: HashMap<u32, usize> = HashMap::new();
            for round in 0..40_000 {
                let slot = random.u32(0..400);
                let growing = round / 10_000 % 2 == 0;
                if let Some(&hash) = model.get(&slot) {
                    assert_eq!(table.place_of(hash, slot), places.get(&slot).copied());
                }
                match model.get(&slot).copied() {
                    Some(hash) if !growing || random.u8(0..4) == 0 => {
                        let at = table.place_of(hash, slot).unwrap();
                        assert_eq!((places.remove(&slot), table.slot(at)), (Some(at), slot));
                        let mut moved = |slot, at| _ = places.insert(slot, at);
                        assert_eq!(table.remove(at, &mut moved).unwrap().1, slot);
                        model.remove(&slot);
                        table.shrink(&mut moved);
                        assert_eq!(table.place_of(hash, slot), None);
                    }
                    None if growing || random.u8(0..4) == 0 => {
                        let hash = lowest + random.u32(0..distinct);
                        assert_eq!(table.place_of(hash, slot), None);
                        table.insert(cell(hash, slot), |slot, at| _ = places.insert(slot, at));
                        model.insert(slot, hash);
                    }
                    _ => {}
                }
                if round % 100 == 0 {
                    table.check();
                }
            }
            for (&slot, &hash) in &model {
                assert_eq!(table.place_of(hash, slot), places.get(&slot).copied());
                assert_eq!(table.slot(places[&slot]), slot);
            }
            assert_eq!((table.used, table.iter().count(), places.len()), (model.len(), model.len(), model.len()));
        }
    }

    #[test]
    fn a_search_looks_at_few_lines() {
        let mut random = fastrand::Rng::with_seed(5);
        let mut table = Table::default();
        let mut hashes = Vec::new();
        // As full as it gets: the next one makes it grow.
        while table.lines.len() < 5000 || (table.used + 1) * 4 <= table.lines.len() * CELLS * 3 {
            let hash = random.u32(..);
            table.insert(cell(hash, u32::try_from(hashes.len()).unwrap()), |_, _| {});
            hashes.push(hash);
        }
        let lines = |hash: u32, slot: u32| {
            let home = table.home(hash);
            let end = table.place_of(hash, slot).map_or_else(
                || {
                    (0..)
                        .map(|far| (home + far) % table.lines.len())
                        .find(|&at| table.lines[at].free().is_some())
                        .unwrap()
                },
                |at| at / CELLS,
            );
            table.distance(home, end) as f64 + 1.0
        };
        let found = (0..).zip(&hashes).map(|(slot, &hash)| lines(hash, slot)).sum::<f64>() / hashes.len() as f64;
        let missed = (0..20_000).map(|_| lines(random.u32(..), u32::MAX)).sum::<f64>() / 20_000.0;
        assert!(found < 1.35 && missed < 3.2, "{found} {missed}");
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
        assert!(full < 10_000 * 16 * 3 / 2 + 128, "{full}");
        for slot in 0..10_000 {
            let at = places[slot as usize];
            table.remove(at, |slot, at| places[slot as usize] = at);
            table.shrink(|slot, at| places[slot as usize] = at);
        }
        assert!(table.memory() <= SMALLEST * 64 && table.iter().next().is_none());
    }
}
