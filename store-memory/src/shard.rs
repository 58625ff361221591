//! A shard: the entries of a part of the keys, under one lock.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use foldhash::SharedSeed;
use foldhash::fast::SeedableRandomState;
use store_core::{Clock, Deadline, Time, VersionCipher, random_u64};

use crate::limits::Limits;
use crate::order::Order;
use crate::recency::{EXACT, Recency, SAMPLE};
use crate::record::{self, Record};
use crate::slab::{Slab, Slot};
use crate::table::Table;
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

/// What a bounded step of reclaiming did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Step {
    /// Expired entries freed.
    pub(crate) reclaimed: usize,
    /// Nothing is due any more, and no memory is left to give back.
    pub(crate) done: bool,
}

#[derive(Debug)]
pub(crate) struct Shard {
    table: Table,
    slab: Slab,
    order: Order,
    /// Made by the first entry that expires.
    wheel: Option<Box<Wheel>>,
    recency: Option<Recency>,
    /// Slots are being moved together, over as many steps as it takes.
    moving: bool,
    limits: Option<Arc<Limits>>,
    hash: Hash,
    cipher: VersionCipher,
    /// The counter behind the last version. Shards count in steps of `stride`, each on numbers of its own.
    counter: u64,
    stride: u64,
}

impl Shard {
    pub(crate) fn new(
        number: u64,
        stride: u64,
        hash: Hash,
        cipher: VersionCipher,
        limits: Option<&Arc<Limits>>,
    ) -> Shard {
        Shard {
            table: Table::default(),
            slab: Slab::new(),
            order: Order::new(),
            wheel: None,
            recency: limits.and_then(|limits| Recency::new(limits.on_full)),
            moving: false,
            limits: limits.map(Arc::clone),
            hash,
            cipher,
            counter: number,
            stride,
        }
    }

    /// The slot of a key, whether or not its entry has expired.
    #[inline]
    pub(crate) fn find(&self, hash: u32, key: &[u8]) -> Option<u32> {
        self.table.find(hash, |at| self.slab.key(at) == key)
    }

    /// The slot of a key, if its entry is live. Only an entry with a deadline makes it look at the clock.
    #[inline]
    pub(crate) fn find_live(&self, hash: u32, key: &[u8], clock: &dyn Clock) -> Option<u32> {
        self.find(hash, key).filter(|&at| self.is_live(at, clock))
    }

    #[inline]
    pub(crate) fn is_live(&self, at: u32, clock: &dyn Clock) -> bool {
        let deadline = self.slab.slot(at).deadline;
        deadline == Deadline::NEVER || !deadline.has_passed(clock.coarse())
    }

    #[inline]
    pub(crate) fn slot(&self, at: u32) -> &Slot {
        self.slab.slot(at)
    }

    #[inline]
    pub(crate) fn record(&self, at: u32) -> &[u8] {
        self.slab.record(at)
    }

    /// How many entries there are, expired ones included.
    pub(crate) fn len(&self) -> u32 {
        self.slab.live()
    }

    /// Notes that an entry is used.
    #[inline]
    pub(crate) fn used(&self, at: u32) {
        if let Some(recency) = &self.recency {
            recency.touch(at);
        }
    }

    fn next_version(&mut self) -> u64 {
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
        clock: &dyn Clock,
    ) -> Option<u64> {
        let version = self.next_version();
        let at = self.slab.insert(record::build(version, key, value), deadline)?;
        self.table.insert(hash, at);
        self.order.insert(at, &self.slab);
        if let Some(recency) = &mut self.recency {
            recency.insert(at);
        }
        if deadline != Deadline::NEVER {
            self.file(at, clock);
        }
        Some(version)
    }

    /// Writes a new value and deadline. Returns the version, and what is to be dropped once the lock is free.
    pub(crate) fn overwrite(
        &mut self,
        at: u32,
        value: &[u8],
        deadline: Deadline,
        clock: &dyn Clock,
    ) -> (u64, Option<Record>) {
        let version = self.next_version();
        let mut old = None;
        if let Some(record) = &mut self.slab.slot_mut(at).record
            && !record::rewrite(record, version, value)
        {
            let new = record::build(version, record::key(record), value);
            old = Some(std::mem::replace(record, new));
        }
        self.set_deadline(at, deadline, clock);
        self.used(at);
        (version, old)
    }

    /// Gives an entry another deadline.
    pub(crate) fn set_deadline(&mut self, at: u32, deadline: Deadline, clock: &dyn Clock) {
        let old = std::mem::replace(&mut self.slab.slot_mut(at).deadline, deadline);
        if deadline == Deadline::NEVER || deadline == old {
            return;
        }
        if Wheel::holds(&self.slab, at) {
            // Where it stands is right or early: it is filed anew when its turn comes.
            if old != Deadline::NEVER && old.as_millis() <= deadline.as_millis() {
                return;
            }
            if let Some(wheel) = &mut self.wheel {
                wheel.remove(at, &mut self.slab);
            }
        }
        self.file(at, clock);
    }

    fn file(&mut self, at: u32, clock: &dyn Clock) {
        let wheel = self.wheel.get_or_insert_with(|| Box::new(Wheel::new(clock.coarse().millis_floor())));
        wheel.insert(at, &mut self.slab);
    }

    /// Removes an entry. The record is to be dropped once the lock is free.
    pub(crate) fn remove(&mut self, at: u32) -> Option<Record> {
        if let Some(wheel) = &mut self.wheel {
            wheel.remove(at, &mut self.slab);
        }
        let place = self.hash.place(self.slab.key(at));
        self.order.remove(at, &self.slab);
        self.table.remove(place.hash, at);
        let record = self.slab.remove(at)?;
        if let Some(limits) = &self.limits {
            limits.release(record::charge_of(&record));
        }
        Some(record)
    }

    /// When the wheel has something to do, in milliseconds; no entry expires earlier.
    pub(crate) fn next_turn(&self) -> Option<u64> {
        self.wheel.as_ref()?.next_turn()
    }

    /// Frees expired entries, at most `budget` of them, in the order of their deadlines, and gives memory back that they
    /// leave. Looks at no more than `budget` others.
    pub(crate) fn reclaim(&mut self, now: Time, budget: usize, freed: &mut Vec<Record>) -> Step {
        let mut step = Step::default();
        for _ in 0..budget {
            let Some(wheel) = &mut self.wheel else { break };
            let Some(at) = wheel.pop(now.millis_floor(), &mut self.slab) else { break };
            let deadline = self.slab.slot(at).deadline;
            if deadline.has_passed(now) {
                freed.extend(self.remove(at));
                step.reclaimed += 1;
            } else if deadline != Deadline::NEVER {
                wheel.insert(at, &mut self.slab);
            }
        }
        let tidy = self.tidy(budget);
        step.done = tidy && self.next_turn().is_none_or(|turn| turn > now.millis_floor());
        step
    }

    /// Gives back memory of which little is in use: moves at most `budget` entries. Says whether all is done.
    pub(crate) fn tidy(&mut self, budget: usize) -> bool {
        if self.slab.live() == 0 && self.wheel.is_some() {
            self.wheel = None;
        }
        self.table.shrink();
        self.moving |= self.slab.is_sparse();
        if !self.moving {
            return true;
        }
        for _ in 0..budget {
            let Some((from, to)) = self.slab.next_move() else {
                self.moving = false;
                break;
            };
            let place = self.hash.place(self.slab.key(from));
            self.table.relocate(place.hash, from, to);
            self.order.relocate(from, to, &self.slab);
            if let Some(recency) = &mut self.recency {
                recency.relocate(from, to);
            }
            self.slab.relocate(from, to);
            if let Some(wheel) = &mut self.wheel {
                wheel.relocate(to, &mut self.slab);
            }
        }
        if let Some(recency) = &mut self.recency {
            recency.truncate(self.slab.len());
        }
        !self.moving
    }

    /// The entry that a full store parts with; never the one with the given key.
    pub(crate) fn victim(&self, except: &[u8]) -> Option<u32> {
        let recency = self.recency.as_ref()?;
        let len = self.slab.len();
        let candidate =
            |at: u32| self.slab.slot(at).record.as_ref().is_some_and(|record| record::key(record) != except);
        let least = |slots: &mut dyn Iterator<Item = u32>| slots.min_by_key(|&at| recency.value(at));
        if len > EXACT {
            let random = std::iter::repeat_with(|| fastrand::u32(0..len)).take(8 * SAMPLE);
            if let Some(found) = least(&mut random.filter(|&at| candidate(at)).take(SAMPLE)) {
                return Some(found);
            }
        }
        least(&mut (0..len).filter(|&at| candidate(at)))
    }

    /// Slots in the order of their keys.
    pub(crate) fn iter<'a>(&'a self, from: &[u8], exclusive: bool) -> impl Iterator<Item = u32> + 'a {
        self.order.iter(from, exclusive, &self.slab)
    }

    /// Forgets everything and hands it over for dropping.
    pub(crate) fn clear(&mut self) -> impl Send + use<> {
        if let Some(limits) = &self.limits {
            (0..self.slab.len())
                .filter_map(|at| self.slab.slot(at).record.as_deref())
                .for_each(|record| limits.release(record::charge_of(record)));
        }
        self.wheel = None;
        if let Some(recency) = &mut self.recency {
            recency.truncate(0);
        }
        let table = std::mem::take(&mut self.table);
        let order = std::mem::replace(&mut self.order, Order::new());
        (table, order, std::mem::replace(&mut self.slab, Slab::new()))
    }

    /// Bytes of memory, records not included.
    pub(crate) fn memory(&self) -> usize {
        let wheel = self.wheel.as_ref().map_or(0, |_| size_of::<Wheel>());
        let recency = self.recency.as_ref().map_or(0, Recency::memory);
        self.table.memory() + self.slab.memory() + self.order.memory() + wheel + recency
    }
}
