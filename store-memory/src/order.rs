//! The ordered index of a shard: slot numbers in the byte order of their keys.
//!
//! A B+ tree of two kinds of parts: leaves of up to [`FULL`] items, and a map from each leaf's lower fence to the leaf. Fences are
//! short, and mostly lie within the map's nodes ([`KeyBuf`]), so that the way down follows no pointer but the nodes' own. An
//! item is a slot number and a *digest*: the 4 bytes of the key after what all keys between the leaf's fences have in common
//! (Bayer and Unterauer, "Prefix B-trees", TODS 1977). Most comparisons are settled by digests, which lie side by side, and
//! touch no entry; only equal digests look at the keys themselves. An item costs 8 bytes.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included, Unbounded};

use store_core::KeyBuf;

use crate::entries::Entries;

/// Items of a full leaf.
const FULL: usize = 64;
/// A leaf with fewer is merged with the one before it, if the two fit.
const SPARSE: usize = FULL / 4;

#[derive(Clone, Copy, Debug)]
struct Item {
    digest: u32,
    slot: u32,
}

#[derive(Debug, Default)]
struct Leaf {
    /// How many bytes all keys between this leaf's fences share.
    skip: usize,
    items: Vec<Item>,
}

/// Ordered slot numbers. The slots themselves are handed in with each call.
#[derive(Debug)]
pub(crate) struct Order {
    /// Lower fence (included) to leaf. The first fence is empty. Each leaf ends at the next fence.
    leaves: BTreeMap<KeyBuf, Leaf>,
    /// The fence of a leaf that became sparse, and that was not looked at since.
    sparse: Option<KeyBuf>,
    /// Bytes of memory, kept since counting them would take as long as a look at all leaves.
    memory: usize,
}

fn digest(key: &[u8], skip: usize) -> u32 {
    let rest = key.get(skip..).unwrap_or_default();
    if let Some(bytes) = rest.first_chunk() {
        return u32::from_be_bytes(*bytes);
    }
    let mut bytes = [0; 4];
    bytes[..rest.len()].copy_from_slice(rest);
    u32::from_be_bytes(bytes)
}

/// The digest after fewer shared bytes, from that after more: the bytes between are the same for all keys from a fence on, and so
/// the fence's own.
fn widen(digest: u32, from: usize, to: usize, fence: &[u8]) -> u32 {
    let shared = fence.get(to..from).unwrap_or_default();
    let mut bytes = [0; 4];
    bytes.iter_mut().zip(shared.iter().copied().chain(digest.to_be_bytes())).for_each(|(byte, known)| *byte = known);
    u32::from_be_bytes(bytes)
}

fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

impl Leaf {
    /// The index of the first item whose key is not less than `key`, and whether it is equal.
    fn search(&self, key: &[u8], entries: &Entries) -> (usize, bool) {
        let wanted = digest(key, self.skip);
        let mut equal = false;
        let at = self.items.partition_point(|item| match item.digest.cmp(&wanted) {
            Ordering::Equal => {
                let order = entries.key(item.slot).cmp(key);
                equal |= order.is_eq();
                order.is_lt()
            }
            order => order.is_lt(),
        });
        (at, equal)
    }

    fn set_skip(&mut self, skip: usize, entries: &Entries) {
        if self.skip != skip {
            self.skip = skip;
            for item in &mut self.items {
                item.digest = digest(entries.key(item.slot), skip);
            }
        }
    }

    /// Makes the shared part shorter, which looks at no key.
    fn shorten_skip(&mut self, skip: usize, fence: &[u8]) {
        if self.skip != skip {
            for item in &mut self.items {
                item.digest = widen(item.digest, self.skip, skip, fence);
            }
            self.skip = skip;
        }
    }

    fn memory(&self) -> usize {
        size_of::<KeyBuf>() + size_of::<Leaf>() + self.items.capacity() * size_of::<Item>()
    }
}

impl Order {
    pub(crate) const fn new() -> Order {
        Order { leaves: BTreeMap::new(), sparse: None, memory: 0 }
    }

    fn leaf_mut(&mut self, key: &[u8]) -> Option<(&[u8], &mut Leaf)> {
        let (fence, leaf) = self.leaves.range_mut::<[u8], _>((Unbounded, Included(key))).next_back()?;
        Some((fence, leaf))
    }

    fn fence_after(&self, fence: &[u8]) -> Option<&[u8]> {
        self.leaves.range::<[u8], _>((Excluded(fence), Unbounded)).next().map(|(fence, _)| fence.as_bytes())
    }

    /// Adds a slot whose key is not in the index.
    pub(crate) fn insert(&mut self, slot: u32, key: &[u8], entries: &Entries) {
        let Some((fence, leaf)) = self.leaf_mut(key) else {
            let leaf = Leaf { skip: 0, items: vec![Item { digest: digest(key, 0), slot }] };
            self.memory = leaf.memory();
            self.leaves.insert(KeyBuf::from(&b""[..]), leaf);
            return;
        };
        let (at, _) = leaf.search(key, entries);
        let item = Item { digest: digest(key, leaf.skip), slot };
        if leaf.items.len() < FULL {
            let before = leaf.memory();
            leaf.items.insert(at, item);
            self.memory += leaf.memory() - before;
            return;
        }
        // Keys that arrive in ascending order leave full leaves behind instead of half-full ones.
        let middle = if at == FULL { FULL } else { FULL / 2 };
        let mut right = Vec::with_capacity(FULL);
        right.extend_from_slice(&leaf.items[middle..]);
        leaf.items.truncate(middle);
        if at > middle || middle == FULL {
            right.insert(at - middle, item);
        } else {
            leaf.items.insert(at, item);
        }
        let (Some(below), Some(above)) = (leaf.items.last(), right.first()) else { return };
        let first = entries.key(above.slot);
        let split = KeyBuf::from(&first[..=common(entries.key(below.slot), first)]);
        let left_skip = common(fence, &split);
        leaf.set_skip(left_skip, entries);
        let right_skip = self.fence_after(&split).map_or(0, |end| common(&split, end));
        let mut right = Leaf { skip: usize::MAX, items: right };
        right.set_skip(right_skip, entries);
        self.memory += right.memory();
        self.leaves.insert(split, right);
    }

    /// Removes a slot, which still holds its key. What that leaves to be done is for [`mend`](Order::mend).
    pub(crate) fn remove(&mut self, slot: u32, entries: &Entries) {
        self.mend();
        let Some((fence, leaf)) = self.leaf_mut(entries.key(slot)) else { return };
        let (at, found) = leaf.search(entries.key(slot), entries);
        if !found {
            return;
        }
        leaf.items.remove(at);
        let len = leaf.items.len();
        // Tried a few times on the way down, since it may not fit yet; an empty one always does.
        if len >= SPARSE || !(len + 1).is_power_of_two() {
            return;
        }
        if fence.is_empty() {
            self.forget_if_empty();
            return;
        }
        self.sparse = Some(KeyBuf::from(fence));
    }

    /// Does what the last removal left to be done: as much work again, and so for a lock of its own where others wait. Says
    /// whether there was anything.
    pub(crate) fn mend(&mut self) -> bool {
        let Some(fence) = self.sparse.take() else { return false };
        if let Some(leaf) = self.leaves.get(fence.as_bytes()) {
            let len = leaf.items.len();
            if len < SPARSE {
                self.merge(&fence, len);
            }
        }
        true
    }

    /// Appends a sparse leaf to the one before it, if they fit well together. Looks at no entry.
    fn merge(&mut self, fence: &[u8], len: usize) {
        let end = self.fence_after(fence);
        let Some((before, left)) = self.leaves.range::<[u8], _>((Unbounded, Excluded(fence))).next_back() else {
            return;
        };
        if len > 0 && left.items.len() + len > FULL * 3 / 4 {
            return;
        }
        let skip = end.map_or(0, |end| common(before, end));
        let Some(mut right) = self.leaves.remove(fence) else { return };
        self.memory -= right.memory();
        right.shorten_skip(skip, fence);
        let Some((before, left)) = self.leaf_mut(fence) else { return };
        let old = left.memory();
        left.shorten_skip(skip, before);
        left.items.extend_from_slice(&right.items);
        self.memory += left.memory() - old;
        self.forget_if_empty();
    }

    /// The last leaf goes with the last entry.
    fn forget_if_empty(&mut self) {
        if self.leaves.len() == 1 && self.leaves.first_key_value().is_some_and(|(_, leaf)| leaf.items.is_empty()) {
            *self = Order::new();
        }
    }

    /// Tells the index that an entry moves to another slot. Both slots may be looked at: the old one still holds the key.
    pub(crate) fn relocate(&mut self, from: u32, to: u32, entries: &Entries) {
        let key = entries.key(from);
        if let Some((_, leaf)) = self.leaf_mut(key)
            && let (at, true) = leaf.search(key, entries)
        {
            leaf.items[at].slot = to;
        }
    }

    /// Slots in order, from the first key that is not less than `from` (or greater than it, if `exclusive`).
    pub(crate) fn iter<'a>(
        &'a self,
        from: &[u8],
        exclusive: bool,
        entries: &'a Entries,
    ) -> impl Iterator<Item = u32> + 'a {
        let found = self.leaves.range::<[u8], _>((Unbounded, Included(from))).next_back();
        let first = found.map(|(_, leaf)| {
            let (at, equal) = leaf.search(from, entries);
            &leaf.items[at + usize::from(equal && exclusive)..]
        });
        // A second way down the map only for whoever comes to the end of the first leaf.
        let after = |fence: &'a [u8]| self.leaves.range::<[u8], _>((Excluded(fence), Unbounded));
        let rest = found.into_iter().flat_map(move |(fence, _)| after(fence)).map(|(_, leaf)| &*leaf.items);
        first.into_iter().chain(rest).flatten().map(|item| item.slot)
    }

    /// Bytes of memory, about.
    pub(crate) const fn memory(&self) -> usize {
        self.memory
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap as Model;

    fn keys(order: &Order, entries: &Entries, from: &[u8], exclusive: bool) -> Vec<Vec<u8>> {
        order.iter(from, exclusive, entries).map(|slot| entries.key(slot).to_vec()).collect()
    }

    impl Order {
        fn check(&self, entries: &Entries) {
            for (number, (fence, leaf)) in self.leaves.iter().enumerate() {
                assert_eq!(leaf.skip, self.fence_after(fence).map_or(0, |end| common(fence, end)));
                for item in &leaf.items {
                    assert_eq!(item.digest, digest(entries.key(item.slot), leaf.skip));
                }
                // An empty one would keep its memory until a neighbour comes by.
                assert!(!leaf.items.is_empty() || number == 0 && self.leaves.len() > 1);
            }
            assert_eq!(self.memory, self.leaves.values().map(Leaf::memory).sum::<usize>());
        }
    }

    fn run(seed: u64, rounds: usize, make: impl Fn(&mut fastrand::Rng) -> Vec<u8>) {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut entries, mut order) = (Entries::new(), Order::new());
        let mut model: Model<Vec<u8>, u32> = Model::new();
        for round in 0..rounds {
            let key = make(&mut random);
            // Phases of growing and of shrinking, so that leaves split and merge.
            let growing = (round / (rounds / 4).max(1)).is_multiple_of(2);
            match model.get(&key).copied() {
                Some(slot) if !growing || random.u8(0..4) == 0 => {
                    order.remove(slot, &entries);
                    entries.take(slot);
                    model.remove(&key);
                }
                None if growing || random.u8(0..4) == 0 => {
                    let slot = entries.add(&key);
                    order.insert(slot, &key, &entries);
                    model.insert(key.clone(), slot);
                }
                _ => {}
            }
            if round % 1000 == 0 || round + 1 == rounds {
                order.mend();
                order.check(&entries);
                assert!(keys(&order, &entries, b"", false).iter().eq(model.keys()));
                let after = model.range::<[u8], _>((Excluded(&*key), Unbounded)).map(|(key, _)| key);
                assert!(keys(&order, &entries, &key, true).iter().eq(after));
                let from = model.range::<[u8], _>((Included(&*key), Unbounded)).map(|(key, _)| key);
                assert!(keys(&order, &entries, &key, false).iter().eq(from));
            }
        }
        // In no order that the keys have.
        let mut slots: Vec<u32> = model.into_values().collect();
        random.shuffle(&mut slots);
        for slot in slots {
            order.remove(slot, &entries);
            entries.take(slot);
            order.mend();
            order.check(&entries);
        }
        assert_eq!((order.leaves.len(), order.memory()), (0, 0));
    }

    #[test]
    fn agrees_with_a_sorted_map() {
        run(1, 40_000, |random| format!("user:{:06}", random.u32(0..5000)).into_bytes());
        run(2, 40_000, |random| vec![random.u8(0..3); random.usize(1..40)]);
        run(3, 40_000, |random| (0..random.usize(1..9)).map(|_| random.choice([0, 1, 255]).unwrap()).collect());
        run(4, 20_000, |random| random.u16(0..3000).to_be_bytes().to_vec());
        run(5, 20_000, |random| vec![0; random.usize(1..900)]);
    }

    #[test]
    fn ascending_keys_fill_their_leaves() {
        let (mut entries, mut order) = (Entries::new(), Order::new());
        for n in 0..10_000u32 {
            let slot = entries.add(&n.to_be_bytes());
            order.insert(slot, &n.to_be_bytes(), &entries);
        }
        assert!(order.leaves.len() <= 10_000 / FULL + 1);
    }
}
