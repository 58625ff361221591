//! A shard: the entries of a part of the keys, under one lock.

use std::hash::{BuildHasher, Hasher};
use std::num::NonZeroU64;
use std::sync::Arc;

use foldhash::SharedSeed;
use foldhash::fast::SeedableRandomState;
use store_core::{Deadline, Time, VersionCipher, random_u64};

use crate::entries::Entries;
use crate::limits::Limits;
use crate::order::Order;
use crate::recency::{EXACT, Recency, SAMPLE};
use crate::record::{self, Record};
use crate::tick::StoreClock;
use crate::wheel::Wheel;

/// The hash of a key: keyed with a seed of the store's own, so that nobody can choose keys that collide.
#[derive(Clone, Debug)]
pub(crate) struct Hash(SeedableRandomState);

/// Where a key belongs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Chooses the shard.
    pub(crate) shard: u32,
    /// The key's hash within the shard.
    pub(crate) hash: u32,
}

impl Hash {
    pub(crate) fn new() -> Hash {
        Hash(SeedableRandomState::with_seed(random_u64(), SharedSeed::global_random()))
    }

    #[inline]
    pub(crate) fn place(&self, key: &[u8]) -> Place {
        let mut hasher = self.0.build_hasher();
        hasher.write(key);
        let hash = hasher.finish();
        #[expect(clippy::cast_possible_truncation, reason = "both halves are used")]
        Place { shard: (hash >> 32) as u32, hash: hash as u32 }
    }
}

/// Only an entry with a deadline makes it look at the clock.
#[inline]
pub(crate) fn is_live(record: &Record, clock: &StoreClock) -> bool {
    !clock.has_passed(record.deadline())
}

/// What a bounded step of reclaiming did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Step {
    /// Expired entries freed.
    pub(crate) reclaimed: usize,
    /// Nothing is due any more, and no memory is left to give back.
    pub(crate) done: bool,
}

/// What removing an entry needs beside its slot, in the order in which one leads to the other.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    Lines,
    Records,
    /// The slots of those who move into the gap that it leaves in the table.
    Followers,
}

impl Part {
    pub(crate) const ALL: [Part; 3] = [Part::Lines, Part::Records, Part::Followers];
}

#[derive(Debug)]
pub(crate) struct Shard {
    entries: Entries,
    order: Order,
    /// Made by the first entry that expires.
    wheel: Option<Box<Wheel>>,
    recency: Option<Recency>,
    /// Slots are being moved together, over as many steps as it takes.
    moving: bool,
    limits: Option<Arc<Limits>>,
    cipher: VersionCipher,
    /// The counter behind the last version. Shards count in steps of `stride`, each on numbers of its own.
    counter: u64,
    stride: u64,
}

impl Shard {
    pub(crate) fn new(number: u64, stride: u64, cipher: VersionCipher, limits: Option<&Arc<Limits>>) -> Shard {
        Shard {
            entries: Entries::new(),
            order: Order::new(),
            wheel: None,
            recency: limits.and_then(|limits| Recency::new(limits.on_full)),
            moving: false,
            limits: limits.map(Arc::clone),
            cipher,
            counter: number,
            stride,
        }
    }

    /// Where the entry of a key is, whether or not it has expired. Good as long as the lock is held and nothing is added or
    /// removed.
    #[inline]
    pub(crate) fn find(&self, hash: u32, key: &[u8]) -> Option<(usize, &Record)> {
        self.entries.table.find(hash, key)
    }

    /// Where the entry of a key is, if it is live.
    #[inline]
    pub(crate) fn find_live(&self, hash: u32, key: &[u8], clock: &StoreClock) -> Option<(usize, &Record)> {
        self.find(hash, key).filter(|(_, record)| is_live(record, clock))
    }

    #[inline]
    pub(crate) fn record(&self, at: usize) -> Option<&Record> {
        self.entries.table.record(at)
    }

    /// How many entries there are, expired ones included.
    pub(crate) fn len(&self) -> u32 {
        self.entries.slab.live()
    }

    /// Notes that an entry is used.
    #[inline]
    pub(crate) fn used(&self, at: usize) {
        if let Some(recency) = &self.recency {
            recency.touch(self.entries.table.slot(at));
        }
    }

    fn next_version(&mut self) -> NonZeroU64 {
        self.counter = self.counter.wrapping_add(self.stride);
        self.cipher.version(self.counter)
    }

    /// Adds a key that is not there. Returns the version; `None` if there are no slots left.
    pub(crate) fn insert(
        &mut self,
        hash: u32,
        key: &[u8],
        value: &[u8],
        deadline: Deadline,
        clock: &StoreClock,
    ) -> Option<u64> {
        let version = self.next_version();
        let record = Record::new(version, key, value)?;
        record.set_deadline(deadline);
        let slot = self.entries.insert(record, hash)?;
        self.order.insert(slot, key, &self.entries);
        if let Some(recency) = &mut self.recency {
            recency.insert(slot);
        }
        if deadline != Deadline::NEVER {
            self.file(slot, deadline, clock);
        }
        Some(version.get())
    }

    /// Writes a new value and deadline. Returns the version, and what is to be dropped once the lock is free.
    #[inline]
    pub(crate) fn overwrite(
        &mut self,
        at: usize,
        value: &[u8],
        deadline: Deadline,
        clock: &StoreClock,
    ) -> (u64, Option<Record>) {
        let version = self.next_version();
        let Some(record) = self.entries.table.record_mut(at) else { return (version.get(), None) };
        let before = record.deadline();
        let mut old = None;
        if !record.rewrite(version, value, deadline) {
            // There is one with this key: it is not too long.
            if let Some(new) = Record::new(version, record.key(), value) {
                new.set_deadline(deadline);
                old = Some(std::mem::replace(record, new));
            }
        }
        self.refile(at, before, deadline, clock);
        self.used(at);
        (version.get(), old)
    }

    /// Gives an entry another deadline.
    pub(crate) fn set_deadline(&mut self, at: usize, deadline: Deadline, clock: &StoreClock) {
        let Some(record) = self.record(at) else { return };
        let before = record.deadline();
        record.set_deadline(deadline);
        self.refile(at, before, deadline, clock);
    }

    /// Files an entry under its new deadline, if it must be.
    #[inline]
    fn refile(&mut self, at: usize, before: Deadline, deadline: Deadline, clock: &StoreClock) {
        // An entry with a deadline stands in the wheel where that belongs, or earlier: then it is filed anew when its turn
        // comes. So neither a later deadline nor none is any work.
        let later = before != Deadline::NEVER && before.as_millis() <= deadline.as_millis();
        if !later && deadline != Deadline::NEVER {
            self.refile_sooner(at, deadline, clock);
        }
    }

    #[cold]
    fn refile_sooner(&mut self, at: usize, deadline: Deadline, clock: &StoreClock) {
        let slot = self.entries.table.slot(at);
        if let Some(wheel) = &mut self.wheel {
            wheel.remove(slot, &mut self.entries.slab);
        }
        self.file(slot, deadline, clock);
    }

    fn file(&mut self, slot: u32, deadline: Deadline, clock: &StoreClock) {
        let wheel = self.wheel.get_or_insert_with(|| Box::new(Wheel::new(clock.millis())));
        wheel.insert(slot, deadline.as_millis(), &mut self.entries.slab);
    }

    /// Removes an entry. The record is to be dropped once the lock is free.
    pub(crate) fn remove(&mut self, at: usize) -> Option<Record> {
        let slot = self.entries.table.slot(at);
        if let Some(wheel) = &mut self.wheel {
            wheel.remove(slot, &mut self.entries.slab);
        }
        self.order.remove(slot, &self.entries);
        let record = self.entries.remove(at)?;
        if let Some(limits) = &self.limits {
            limits.release(record::charge_of(&record));
        }
        Some(record)
    }

    /// Removes the entry of a slot.
    pub(crate) fn remove_slot(&mut self, slot: u32) -> Option<Record> {
        if self.entries.slab.is_free(slot) { None } else { self.remove(self.entries.locate(slot)) }
    }

    /// When the wheel has something to do, in milliseconds; no entry expires earlier.
    pub(crate) fn next_turn(&self) -> Option<u64> {
        self.wheel.as_ref()?.next_turn()
    }

    /// Adds to `slots` a few that [`reclaim`](Shard::reclaim) looks at after them.
    pub(crate) fn look_ahead(&self, now: Time, count: usize, slots: &mut Vec<u32>) {
        let Some(wheel) = &self.wheel else { return };
        let last = slots.last().copied();
        if last.is_none_or(|last| self.entries.slab.is_taken(last)) {
            slots.extend(wheel.upcoming(now.millis_floor(), last, &self.entries.slab).take(count));
        }
    }

    /// Has the processor bring what [`reclaim`](Shard::reclaim) needs for entries: a [`Part`] of it for all of them at once. Changes
    /// nothing, so a shared lock is enough for it. Slots may have been freed since they were told.
    pub(crate) fn bring_for_removal(&self, part: Part, slots: &[u32]) {
        let Entries { table, slab } = &self.entries;
        let taken = slots.iter().filter(|&&slot| slab.is_taken(slot)).map(|&slot| self.entries.locate(slot));
        let read = match part {
            Part::Lines => taken.fold(0, |all, at| all ^ u64::from(table.slot(at))),
            Part::Records => taken.filter_map(|at| table.record(at)).fold(0, |all, record| all ^ record.version()),
            Part::Followers => {
                taken.filter_map(|at| table.follower(at)).fold(0, |all, slot| all ^ u64::from(slab.slot(slot).at))
            }
        };
        std::hint::black_box(read);
    }

    /// Frees expired entries, at most `budget` of them, in the order of their deadlines, and gives memory back that they
    /// leave. Looks at no more than `budget` others.
    pub(crate) fn reclaim(&mut self, now: Time, budget: usize, freed: &mut Vec<Record>) -> Step {
        let mut step = Step::default();
        for _ in 0..budget {
            if self.order.mend() {
                continue;
            }
            let pop = |wheel: &mut Box<Wheel>| wheel.pop(now.millis_floor(), &mut self.entries.slab);
            let Some(slot) = self.wheel.as_mut().and_then(pop) else { break };
            let at = self.entries.locate(slot);
            let deadline = self.entries.table.record(at).map_or(Deadline::NEVER, Record::deadline);
            if deadline.has_passed(now) {
                freed.extend(self.remove(at));
                step.reclaimed += 1;
            } else if let Some(wheel) = &mut self.wheel
                && deadline != Deadline::NEVER
            {
                wheel.insert(slot, deadline.as_millis(), &mut self.entries.slab);
            }
        }
        // Not while there are more: it would move together what is about to be freed.
        let due = self.next_turn().is_some_and(|turn| turn <= now.millis_floor());
        step.done = !due && self.tidy(budget);
        step
    }

    /// Gives back memory of which little is in use: moves at most `budget` entries. Says whether all is done.
    pub(crate) fn tidy(&mut self, budget: usize) -> bool {
        self.order.mend();
        if self.entries.slab.live() == 0 && self.wheel.is_some() {
            self.wheel = None;
        }
        self.entries.shrink();
        self.moving |= self.entries.slab.is_sparse();
        if !self.moving {
            return true;
        }
        for _ in 0..budget {
            let Some((from, to)) = self.entries.slab.next_move() else {
                self.moving = false;
                break;
            };
            self.order.relocate(from, to, &self.entries);
            if let Some(recency) = &mut self.recency {
                recency.relocate(from, to);
            }
            let at = self.entries.locate(from);
            self.entries.table.set_slot(at, to);
            self.entries.slab.relocate(from, to);
            if let Some(wheel) = &mut self.wheel {
                wheel.relocate(to, &mut self.entries.slab);
            }
        }
        if let Some(recency) = &mut self.recency {
            recency.truncate(self.entries.slab.len());
        }
        !self.moving
    }

    /// The slot that a full store parts with; never that of the given key.
    pub(crate) fn victim(&self, except: &[u8]) -> Option<u32> {
        let recency = self.recency.as_ref()?;
        let slab = &self.entries.slab;
        let candidate = |slot: u32| !slab.is_free(slot) && self.entries.key(slot) != except;
        let least = |slots: &mut dyn Iterator<Item = u32>| slots.min_by_key(|&slot| recency.value(slot));
        let len = slab.len();
        if len > EXACT {
            let random = std::iter::repeat_with(|| fastrand::u32(0..len)).take(8 * SAMPLE);
            let sample = &mut random.filter(|&slot| !slab.is_free(slot)).take(SAMPLE);
            if let Some(found) = least(sample).filter(|&slot| candidate(slot)) {
                return Some(found);
            }
        }
        least(&mut (0..len).filter(|&slot| candidate(slot)))
    }

    /// Slots in the order of their keys.
    pub(crate) fn slots<'a>(&'a self, from: &[u8], exclusive: bool) -> impl Iterator<Item = u32> + 'a {
        self.order.iter(from, exclusive, &self.entries)
    }

    /// Entries in the order of their keys.
    pub(crate) fn iter<'a>(&'a self, from: &[u8], exclusive: bool) -> impl Iterator<Item = &'a Record> + 'a {
        self.slots(from, exclusive).filter_map(|slot| self.entry(slot))
    }

    /// The entry of a slot, which must be taken.
    pub(crate) fn entry(&self, slot: u32) -> Option<&Record> {
        self.record(self.entries.locate(slot))
    }

    /// Reads a word of each entry, step by step of the way to it, so that the processor waits for all of a step at once
    /// and not for one entry after the other.
    pub(crate) fn bring(&self, slots: &[u32]) {
        let places = slots.iter().fold(0, |all, &slot| all ^ self.entries.locate(slot));
        let lines = slots.iter().fold(0, |all, &slot| all ^ self.entries.table.slot(self.entries.locate(slot)));
        let records = slots.iter().filter_map(|&slot| self.entry(slot)).fold(0, |all, record| all ^ record.version());
        std::hint::black_box((places, lines, records));
    }

    /// The key of a slot.
    pub(crate) fn key(&self, slot: u32) -> &[u8] {
        self.entries.key(slot)
    }

    /// Forgets everything and hands it over for dropping.
    pub(crate) fn clear(&mut self) -> impl Send + use<> {
        if let Some(limits) = &self.limits {
            self.entries.table.iter().for_each(|record| limits.release(record::charge_of(record)));
        }
        self.wheel = None;
        self.moving = false;
        if let Some(recency) = &mut self.recency {
            recency.truncate(0);
        }
        let order = std::mem::replace(&mut self.order, Order::new());
        (order, std::mem::replace(&mut self.entries, Entries::new()))
    }

    /// Bytes of the table and the slots.
    #[cfg(test)]
    pub(crate) fn tables(&self) -> usize {
        self.entries.table.memory() + self.entries.slab.memory()
    }

    /// Bytes of memory, records not included.
    pub(crate) fn memory(&self) -> usize {
        let wheel = self.wheel.as_ref().map_or(0, |_| size_of::<Wheel>());
        let recency = self.recency.as_ref().map_or(0, Recency::memory);
        self.entries.table.memory() + self.entries.slab.memory() + self.order.memory() + wheel + recency
    }
}
