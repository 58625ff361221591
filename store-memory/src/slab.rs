//! The slots of a shard: where an entry's record, deadline and place in the timing wheel are.
//!
//! Slots come in chunks, so that growing copies nothing and costs no more memory than is used, and are numbered, so that
//! the hash table, the ordered index and the wheel refer to an entry in 4 bytes.

use store_core::Deadline;

use crate::record::Record;

/// No slot.
pub(crate) const NIL: u32 = u32::MAX;

const CHUNK: usize = 256;

/// Slot numbers are below; the wheel uses some of those above for its lists.
const LIMIT: u32 = NIL - 1024;

#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) record: Option<Record>,
    pub(crate) deadline: Deadline,
    /// The next in the same list: of the wheel, or of free slots.
    pub(crate) next: u32,
    /// The previous in that list, or what the list is (see `wheel`).
    pub(crate) prev: u32,
}

impl Slot {
    const FREE: Slot = Slot { record: None, deadline: Deadline::NEVER, next: NIL, prev: NIL };
}

#[derive(Debug)]
pub(crate) struct Slab {
    chunks: Vec<Box<[Slot; CHUNK]>>,
    /// Slots handed out so far, free ones between them included.
    len: u32,
    live: u32,
    free: u32,
}

impl Slab {
    pub(crate) const fn new() -> Slab {
        Slab { chunks: Vec::new(), len: 0, live: 0, free: NIL }
    }

    #[inline]
    pub(crate) fn slot(&self, at: u32) -> &Slot {
        &self.chunks[at as usize / CHUNK][at as usize % CHUNK]
    }

    #[inline]
    pub(crate) fn slot_mut(&mut self, at: u32) -> &mut Slot {
        &mut self.chunks[at as usize / CHUNK][at as usize % CHUNK]
    }

    /// The record of a slot that holds one; nothing of one that does not.
    #[inline]
    pub(crate) fn record(&self, at: u32) -> &[u8] {
        const NONE: &[u8] = &[0; 16];
        self.slot(at).record.as_deref().unwrap_or(NONE)
    }

    #[inline]
    pub(crate) fn key(&self, at: u32) -> &[u8] {
        crate::record::key(self.record(at))
    }

    /// How many slots hold an entry.
    pub(crate) const fn live(&self) -> u32 {
        self.live
    }

    /// The number of slots, free ones included: every slot number is below.
    pub(crate) const fn len(&self) -> u32 {
        self.len
    }

    /// A slot for a record; `None` when there are no numbers left.
    pub(crate) fn insert(&mut self, record: Record, deadline: Deadline) -> Option<u32> {
        let at = if self.free == NIL {
            if self.len >= LIMIT {
                return None;
            }
            if self.len as usize == self.chunks.len() * CHUNK {
                self.chunks.push(chunk()?);
            }
            self.len += 1;
            self.len - 1
        } else {
            let at = self.free;
            self.unlink_free(at);
            at
        };
        *self.slot_mut(at) = Slot { record: Some(record), deadline, next: NIL, prev: NIL };
        self.live += 1;
        Some(at)
    }

    /// Frees a slot that is in no list and hands back its record.
    pub(crate) fn remove(&mut self, at: u32) -> Option<Record> {
        let record = std::mem::replace(self.slot_mut(at), Slot::FREE).record?;
        self.live -= 1;
        self.link_free(at);
        Some(record)
    }

    fn link_free(&mut self, at: u32) {
        let head = std::mem::replace(&mut self.free, at);
        self.slot_mut(at).next = head;
        if head != NIL {
            self.slot_mut(head).prev = at;
        }
    }

    fn unlink_free(&mut self, at: u32) {
        let Slot { next, prev, .. } = *self.slot(at);
        match prev {
            NIL => self.free = next,
            prev => self.slot_mut(prev).next = next,
        }
        if next != NIL {
            self.slot_mut(next).prev = prev;
        }
    }

    /// Whether so little is in use that slots should move together.
    pub(crate) const fn is_sparse(&self) -> bool {
        self.len as usize > 2 * CHUNK && self.live < self.len / 4
    }

    /// The last slot, and a free one before it to which its entry may move. Free slots at the end are dropped on the way.
    pub(crate) fn next_move(&mut self) -> Option<(u32, u32)> {
        while self.len > 0 {
            let last = self.len - 1;
            if self.slot(last).record.is_some() {
                return (self.free != NIL).then_some((last, self.free));
            }
            self.unlink_free(last);
            self.len = last;
            // One spare chunk, so that a store that breathes at the boundary does not allocate each time.
            if self.chunks.len() * CHUNK >= self.len as usize + 2 * CHUNK {
                self.chunks.pop();
            }
        }
        self.chunks = Vec::new();
        None
    }

    /// Moves the entry of one slot to a free one. The links of both are the caller's business.
    pub(crate) fn relocate(&mut self, from: u32, to: u32) {
        self.unlink_free(to);
        let entry = std::mem::replace(self.slot_mut(from), Slot::FREE);
        *self.slot_mut(to) = entry;
        self.link_free(from);
    }

    /// Bytes of memory, records not included.
    pub(crate) fn memory(&self) -> usize {
        self.chunks.len() * size_of::<[Slot; CHUNK]>() + self.chunks.capacity() * size_of::<usize>()
    }
}

fn chunk() -> Option<Box<[Slot; CHUNK]>> {
    let slots: Box<[Slot]> = (0..CHUNK).map(|_| Slot::FREE).collect();
    slots.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record;

    #[test]
    fn a_slot_is_half_a_cache_line() {
        assert_eq!(size_of::<Slot>(), 32);
    }

    #[test]
    fn slots_are_reused_and_moved_together() {
        let mut slab = Slab::new();
        for n in 0..2000u32 {
            let record = record::build(0, &n.to_be_bytes(), b"");
            assert_eq!(slab.insert(record, Deadline::NEVER), Some(n));
        }
        let full = slab.memory();
        for n in (0..2000).filter(|n| n % 10 != 3) {
            slab.remove(n);
        }
        assert!(slab.is_sparse());
        while let Some((from, to)) = slab.next_move() {
            assert!(to < from);
            slab.relocate(from, to);
        }
        assert_eq!((slab.len(), slab.live()), (200, 200));
        assert!(slab.memory() * 3 < full);
        let mut keys: Vec<_> = (0..200).map(|at| slab.key(at).to_vec()).collect();
        keys.sort();
        assert!(keys.iter().map(|key| key[3]).eq((0..200u32).map(|n| (n * 10 + 3).to_be_bytes()[3])));
        for at in 0..200 {
            slab.remove(at);
        }
        assert_eq!(slab.next_move(), None);
        assert_eq!(slab.memory(), 0);
    }
}
