//! The slots of a shard: numbers by which the ordered index and the wheel refer to entries in 4 bytes, whatever the hash
//! table does with its cells: a slot knows where its cell is; and the links of the wheel's lists.
//!
//! Slots come in chunks, so that growing copies nothing and costs no more memory than is used.

/// No slot.
pub(crate) const NIL: u32 = u32::MAX;

/// In `prev`: the slot is free; the lower bits are the slot before it in the list of free ones.
const FREE: u32 = 1 << 31;
const MASK: u32 = FREE - 1;

const CHUNK: usize = 512;

/// The list of chunks grows from few to many at once. What a list outgrows is freed, and an allocator keeps small pieces for the
/// thread that freed them (glibc up to 1 KiB): then nothing that lies before them goes back to the system.
const FEW: usize = 4;
const MANY: usize = 256;

/// Slot numbers are below; the wheel uses numbers above for its lists.
pub(crate) const LIMIT: u32 = 1 << 29;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    /// Where in the table the cell is.
    pub(crate) at: u32,
    /// The next in the same list: of the wheel, or of free slots.
    pub(crate) next: u32,
    /// The previous in that list, or what the list is (see `wheel`).
    pub(crate) prev: u32,
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

    /// How many slots are taken.
    pub(crate) const fn live(&self) -> u32 {
        self.live
    }

    /// The number of slots, free ones included: every slot number is below.
    pub(crate) const fn len(&self) -> u32 {
        self.len
    }

    pub(crate) fn is_free(&self, at: u32) -> bool {
        let prev = self.slot(at).prev;
        prev & FREE != 0 && prev != NIL
    }

    /// Whether there is an entry, also for numbers from before the lock was free.
    pub(crate) fn is_taken(&self, at: u32) -> bool {
        at < self.len && !self.is_free(at)
    }

    /// A slot for an entry; `None` when there are no numbers left.
    pub(crate) fn insert(&mut self) -> Option<u32> {
        let at = if self.free == NIL {
            if self.len >= LIMIT {
                return None;
            }
            if self.len as usize == self.chunks.len() * CHUNK {
                if self.chunks.len() == FEW {
                    self.chunks.reserve_exact(MANY - FEW);
                }
                self.chunks.push(chunk()?);
            }
            self.len += 1;
            self.len - 1
        } else {
            let at = self.free;
            self.unlink_free(at);
            at
        };
        *self.slot_mut(at) = Slot { at: 0, next: NIL, prev: NIL };
        self.live += 1;
        Some(at)
    }

    /// Frees a slot that is in no list.
    pub(crate) fn remove(&mut self, at: u32) {
        self.live -= 1;
        self.link_free(at);
    }

    fn link_free(&mut self, at: u32) {
        let head = std::mem::replace(&mut self.free, at);
        *self.slot_mut(at) = Slot { at: 0, next: head, prev: FREE | (MASK - 1) };
        if head != NIL {
            self.slot_mut(head).prev = FREE | at;
        }
    }

    fn unlink_free(&mut self, at: u32) {
        let Slot { next, prev, .. } = *self.slot(at);
        if prev & MASK == MASK - 1 {
            self.free = next;
        } else {
            self.slot_mut(prev & MASK).next = next;
        }
        if next != NIL {
            self.slot_mut(next).prev = prev;
        }
    }

    /// Whether so little is in use that entries should move together.
    pub(crate) const fn is_sparse(&self) -> bool {
        self.len as usize > 2 * CHUNK && self.live < self.len / 4
    }

    /// The last slot, and a free one before it to which its entry may move. Free slots at the end are dropped on the way.
    pub(crate) fn next_move(&mut self) -> Option<(u32, u32)> {
        while self.len > 0 {
            let last = self.len - 1;
            if !self.is_free(last) {
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

    /// Moves what one slot holds to a free one.
    pub(crate) fn relocate(&mut self, from: u32, to: u32) {
        self.unlink_free(to);
        *self.slot_mut(to) = *self.slot(from);
        self.link_free(from);
    }

    /// Bytes of memory.
    pub(crate) fn memory(&self) -> usize {
        self.chunks.len() * size_of::<[Slot; CHUNK]>() + self.chunks.capacity() * size_of::<usize>()
    }
}

fn chunk() -> Option<Box<[Slot; CHUNK]>> {
    let slots: Box<[Slot]> = std::iter::repeat_n(Slot { at: 0, next: NIL, prev: NIL }, CHUNK).collect();
    slots.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_chunks_outgrows_no_small_piece() {
        let mut slab = Slab::new();
        for _ in 0..300 * CHUNK {
            slab.insert();
            assert!(slab.chunks.capacity() <= FEW || slab.chunks.capacity() >= MANY, "{}", slab.chunks.capacity());
        }
    }

    #[test]
    fn slots_are_reused_and_moved_together() {
        let mut slab = Slab::new();
        for n in 0..5000 {
            assert_eq!(slab.insert(), Some(n));
            slab.slot_mut(n).at = n;
        }
        let full = slab.memory();
        for n in (0..5000).filter(|n| n % 10 != 3) {
            slab.remove(n);
            assert!(slab.is_free(n));
        }
        assert!(slab.is_sparse());
        while let Some((from, to)) = slab.next_move() {
            assert!(to < from);
            slab.relocate(from, to);
        }
        assert_eq!((slab.len(), slab.live()), (500, 500));
        assert!(slab.memory() * 4 < full);
        let mut cells: Vec<_> = (0..500).map(|at| slab.slot(at).at).collect();
        cells.sort_unstable();
        assert!(cells.into_iter().eq((0..500).map(|n| n * 10 + 3)));
        slab.remove(7);
        slab.remove(8);
        slab.remove(6);
        assert_eq!([slab.insert(), slab.insert(), slab.insert()], [Some(6), Some(8), Some(7)]);
        for at in 0..500 {
            slab.remove(at);
        }
        assert_eq!(slab.next_move(), None);
        assert_eq!(slab.memory(), 0);
    }
}
