//! How recently or how often the entries of a shard were used, for stores that evict.
//!
//! Eviction by sample: of some entries at random the least valuable goes (as Redis does it; see also Psounis and Prabhakar,
//! "A Randomized Web-Cache Replacement Scheme", INFOCOM 2001). A read then writes one word and takes no exclusive lock.
//! Up to [`EXACT`] entries in a shard all are looked at, and the choice is exact.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::config::OnFull;

/// Up to so many slots, all are looked at.
pub(crate) const EXACT: u32 = 64;
/// Beyond, so many at random.
pub(crate) const SAMPLE: usize = 24;

/// Uses after which counts of use are halved, per entry.
const HALVING: u32 = 8;

#[derive(Debug)]
pub(crate) struct Recency {
    frequency: bool,
    /// One word a slot. LRU: the time of the last use. LFU: an age in the upper half, a count in the lower.
    marks: Vec<AtomicU32>,
    /// Time, counted in uses.
    uses: AtomicU32,
}

impl Recency {
    pub(crate) fn new(on_full: OnFull) -> Option<Recency> {
        let frequency = match on_full {
            OnFull::Reject => return None,
            OnFull::Lru => false,
            OnFull::Lfu => true,
        };
        Some(Recency { frequency, marks: Vec::new(), uses: AtomicU32::new(0) })
    }

    /// A new entry is in a slot.
    pub(crate) fn insert(&mut self, at: u32) {
        let at = at as usize;
        if at >= self.marks.len() {
            self.marks.resize_with(at + 1, AtomicU32::default);
        }
        let now = self.uses.fetch_add(1, Relaxed).wrapping_add(1);
        let mark = if self.frequency { self.age(now) << 16 | 1 } else { now };
        *self.marks[at].get_mut() = mark;
    }

    /// The entry of a slot is used.
    #[inline]
    pub(crate) fn touch(&self, at: u32) {
        let now = self.uses.fetch_add(1, Relaxed).wrapping_add(1);
        let Some(mark) = self.marks.get(at as usize) else { return };
        if self.frequency {
            // A lost update among concurrent readers costs one count of one entry.
            let count = self.count(mark.load(Relaxed), now);
            mark.store(self.age(now) << 16 | (count + 1).min(0xffff), Relaxed);
        } else {
            mark.store(now, Relaxed);
        }
    }

    /// The age: it rises by one whenever every entry could have been used [`HALVING`] times. 16 bits.
    fn age(&self, now: u32) -> u32 {
        let round = u32::try_from(self.marks.len()).unwrap_or(u32::MAX).saturating_mul(HALVING).max(64);
        (now / round) & 0xffff
    }

    /// The count of a mark, halved for every age that has passed since.
    fn count(&self, mark: u32, now: u32) -> u32 {
        let passed = self.age(now).wrapping_sub(mark >> 16) & 0xffff;
        (mark & 0xffff).checked_shr(passed).unwrap_or(0)
    }

    /// How valuable an entry is; the least valuable goes.
    pub(crate) fn value(&self, at: u32) -> u64 {
        let now = self.uses.load(Relaxed);
        let mark = self.marks.get(at as usize).map_or(0, |mark| mark.load(Relaxed));
        if self.frequency {
            u64::from(self.count(mark, now)) << 16 | u64::from(mark >> 16)
        } else {
            u64::from(u32::MAX - now.wrapping_sub(mark))
        }
    }

    pub(crate) fn relocate(&mut self, from: u32, to: u32) {
        if let Some(mark) = self.marks.get(from as usize).map(|mark| mark.load(Relaxed)) {
            self.marks[to as usize].store(mark, Relaxed);
        }
    }

    /// Slots from `len` on are gone.
    pub(crate) fn truncate(&mut self, len: u32) {
        self.marks.truncate(len as usize);
        if self.marks.capacity() > 4 * self.marks.len() {
            self.marks.shrink_to(2 * self.marks.len());
        }
    }

    pub(crate) fn memory(&self) -> usize {
        self.marks.capacity() * size_of::<u32>()
    }
}
