//! The entries of one store: every operation, synchronously and atomic per key.
//!
//! What is on disk after a crash is a prefix of what was written, in sled's one log. So the order of writes is all there is to
//! crash safety: pieces of a large value and the hint of a deadline come before the record, and what the old record needed is
//! removed after it. A record is therefore always complete and always has its hint; a hint or a piece too many is garbage that
//! the sweeper finds. The record alone is the truth. With a journal (`journal.rs`) a change of a record is queued before it is
//! applied, under the same lock, and a replay keeps to the same order.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, MutexGuard, Weak};
use std::time::{Duration, Instant};

use sled::IVec;
use store_core::codec::{encode_integer, integer};
use store_core::{
    Clock, Condition, Deadline, Entry, Error, Increment, Lifetime, Outcome, Payload, Put, Result, Time, Ttl, Version,
    Written,
};

use crate::commit::Ticket;
use crate::database::Database;
use crate::error::corrupt;
use crate::journal::Change;
use crate::large::{Pieces, Upload};
use crate::record::{self, Body, CHUNK, Head, hint, split_hint};
use crate::sweep::Sweep;

/// How many hints are looked at before the clock is.
const GLANCE: usize = 64;

thread_local! {
    /// Where records are put together.
    static RECORD: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

#[derive(Debug)]
pub(crate) struct Space {
    id: Box<str>,
    pub(crate) data: sled::Tree,
    pub(crate) hints: sled::Tree,
    pub(crate) pieces: Pieces,
    salt: u64,
    pub(crate) clock: Arc<dyn Clock>,
    expirations: AtomicU64,
    /// Last: the trees must be gone when the database ends.
    pub(crate) db: Arc<Database>,
}

/// A result, and the ticket of the change that it stands for (0: nothing changed, nothing to wait for).
#[derive(Debug)]
pub(crate) struct Done<T> {
    pub(crate) value: T,
    pub(crate) ticket: Ticket,
}

impl<T> Done<T> {
    const fn unchanged(value: T) -> Done<T> {
        Done { value, ticket: 0 }
    }
}

/// A record as it was read.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) record: IVec,
    pub(crate) head: Head,
}

impl Space {
    /// Opens the trees of a store and has them swept.
    pub(crate) fn open(db: &Arc<Database>, id: &str, clock: Arc<dyn Clock>) -> Result<Arc<Space>> {
        let space = Arc::new(Space {
            id: id.into(),
            data: db.tree(b'd', id)?,
            hints: db.tree(b'x', id)?,
            pieces: Pieces::open(db, id)?,
            salt: db.salt(id),
            clock,
            expirations: AtomicU64::new(0),
            db: Arc::clone(db),
        });
        let swept: Weak<Space> = Arc::downgrade(&space);
        db.sweeper().add(swept);
        Ok(space)
    }

    fn version(&self, counter: u64) -> Version {
        Version::from_u64(self.db.cipher().version(counter).get())
    }

    pub(crate) fn lock(&self, key: &[u8]) -> MutexGuard<'_, ()> {
        self.db.stripe(self.salt, key)
    }

    fn applied(&self) -> Ticket {
        self.db.committer().applied()
    }

    /// How many expired entries were freed.
    pub(crate) fn expirations(&self) -> u64 {
        self.expirations.load(Relaxed)
    }

    /// The record of a key, expired or not.
    pub(crate) fn find(&self, key: &[u8]) -> Result<Option<Found>> {
        let Some(record) = self.db.read(|| self.data.get(key))? else { return Ok(None) };
        let head = Head::read(&record).map_err(|error| with_key(error, key))?;
        Ok(Some(Found { record, head }))
    }

    fn live(&self, key: &[u8], now: Time) -> Result<Option<Found>> {
        Ok(self.find(key)?.filter(|found| !found.head.deadline.has_passed(now)))
    }

    /// The value of a record; `None` if its pieces are gone, because it has just been replaced.
    pub(crate) fn value(&self, found: &Found) -> Result<Option<Payload>> {
        match found.head.large {
            None => Ok(Some(Payload::from(found.head.payload(&found.record)))),
            Some(length) => self.pieces.value(found.head.counter, length),
        }
    }

    /// The value of a record while its key is locked.
    fn locked_value(&self, key: &[u8], found: &Found) -> Result<Payload> {
        let missing = || with_key(corrupt("a part of a large value is missing"), key);
        self.value(found)?.ok_or_else(missing)
    }

    /// The record of a key that is live for a reader. The clock is asked only if the record has a deadline: reading it takes
    /// a tenth of what sled takes for the rest.
    fn readable(&self, key: &[u8]) -> Result<Option<Found>> {
        Ok(self.find(key)?.filter(|found| self.left(&found.head).is_some()))
    }

    /// How long a record has left for a reader; `None` if it has expired.
    fn left(&self, head: &Head) -> Option<Ttl> {
        if head.deadline == Deadline::NEVER { Some(Ttl::Never) } else { head.deadline.left(self.clock.coarse()) }
    }

    /// A live record with its value, of one moment.
    pub(crate) fn read(&self, key: &[u8]) -> Result<Option<(Found, Payload)>> {
        for _ in 0..3 {
            let Some(found) = self.readable(key)? else { return Ok(None) };
            if let Some(value) = self.value(&found)? {
                return Ok(Some((found, value)));
            }
        }
        // Replaced again and again: hold it still.
        let _still = self.lock(key);
        let Some(found) = self.readable(key)? else { return Ok(None) };
        let value = self.locked_value(key, &found)?;
        Ok(Some((found, value)))
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Payload>> {
        Ok(self.read(key)?.map(|(_, value)| value))
    }

    pub(crate) fn has(&self, key: &[u8]) -> Result<bool> {
        Ok(self.readable(key)?.is_some())
    }

    pub(crate) fn entry(&self, key: &[u8]) -> Result<Option<Entry>> {
        let Some((found, value)) = self.read(key)? else { return Ok(None) };
        let now = if found.head.deadline == Deadline::NEVER { Time::default() } else { self.clock.coarse() };
        Ok(self.describe(&found.head, value, now))
    }

    /// An entry, unless it has expired.
    pub(crate) fn describe(&self, head: &Head, value: Payload, now: Time) -> Option<Entry> {
        Some(Entry { value, version: self.version(head.counter), ttl: head.deadline.left(now)? })
    }

    pub(crate) fn ttl(&self, key: &[u8]) -> Result<Option<Ttl>> {
        Ok(self.find(key)?.and_then(|found| self.left(&found.head)))
    }

    /// Refuses a put whose condition does not hold.
    pub(crate) fn check(&self, key: &[u8], condition: Condition<'_>, now: Time) -> Result<()> {
        self.holds(self.live(key, now)?.as_ref(), condition)
    }

    fn holds(&self, live: Option<&Found>, condition: Condition<'_>) -> Result<()> {
        match (condition, live) {
            (Condition::Always, _) | (Condition::IfAbsent, None) | (Condition::IfPresent, Some(_)) => Ok(()),
            (Condition::IfAbsent, Some(_)) => Err(Error::already_exists()),
            (Condition::IfPresent | Condition::IfVersion(_), None) => Err(Error::absent()),
            (Condition::IfVersion(version), Some(found)) => self.same_version(found, Some(version)),
        }
    }

    fn same_version(&self, found: &Found, version: Option<&Version>) -> Result<()> {
        match version {
            Some(version) if *version != self.version(found.head.counter) => Err(Error::version_conflict()),
            _ => Ok(()),
        }
    }

    /// Writes a value; `counter` is that under which a large one is stored already.
    pub(crate) fn put(&self, key: &[u8], body: Body<'_>, counter: Option<u64>, put: &Put<'_>) -> Result<Done<Written>> {
        self.db.writable()?;
        let _alone = self.lock(key);
        let plain = !put.keep_ttl && put.condition == Condition::Always;
        // What never expires needs no clock, and what replaces it is not looked at before.
        if plain && put.lifetime == Lifetime::NEVER {
            return self.write(key, body, counter, Deadline::NEVER, Time::default(), None);
        }
        let now = self.clock.now();
        let mut deadline = Deadline::after(now, put.lifetime);
        let old = match self.find(key) {
            // What is not ours can be overwritten, as it can be deleted; only nothing can be asked of it.
            Err(error) if plain && error.reason() == Some("foreign") => None,
            found => found?,
        };
        let live = old.as_ref().filter(|old| !old.head.deadline.has_passed(now));
        self.holds(live, put.condition)?;
        if let Some(live) = live.filter(|_| put.keep_ttl) {
            deadline = live.head.deadline;
        }
        self.write(key, body, counter, deadline, now, old.as_ref())
    }

    fn write(
        &self,
        key: &[u8],
        body: Body<'_>,
        counter: Option<u64>,
        deadline: Deadline,
        now: Time,
        old: Option<&Found>,
    ) -> Result<Done<Written>> {
        let counter = counter.map_or_else(|| self.db.count(), Ok)?;
        let ticket = self.replace(key, body, counter, deadline, old)?;
        let ttl = deadline.left(now).unwrap_or(Ttl::Left(Duration::from_nanos(1)));
        Ok(Done { value: Written { version: self.version(counter), ttl }, ticket })
    }

    /// Writes a record, its hint before it, and removes after it what only the old record needed. `old` is the record that
    /// is there; without one of a key that has a hint, the new record gets another, and the old hint is removed.
    fn replace(
        &self,
        key: &[u8],
        body: Body<'_>,
        counter: u64,
        deadline: Deadline,
        old: Option<&Found>,
    ) -> Result<Ticket> {
        let due = deadline.as_millis();
        let hint = match old.map_or(0, |old| old.head.hint) {
            _ if due == 0 => 0,
            // Due before the deadline: when it comes up the sweeper moves it.
            old if (1..=due).contains(&old) => old,
            _ => self.hint(due, key)?,
        };
        let (ticket, old) = RECORD.with_borrow_mut(|record| {
            record.clear();
            record::write(record, counter, deadline, hint, body);
            let ticket = self.queue(key, Some(record), matches!(body, Body::Large(_)))?;
            let old = self.db.write(|| self.data.insert(key, &record[..]))?;
            Ok((ticket.unwrap_or_else(|| self.applied()), old))
        })?;
        self.release(key, old, hint, Some(counter))?;
        Ok(ticket)
    }

    /// Queues a change of a record for the journal, if there is one, before it is applied.
    fn queue(&self, key: &[u8], record: Option<&[u8]>, large: bool) -> Result<Option<Ticket>> {
        self.db.committer().queue(&Change { store: &self.id, key, record }, large)
    }

    /// Writes a hint; one that is there already stays.
    fn hint(&self, due: u64, key: &[u8]) -> Result<u64> {
        self.db.write(|| self.hints.insert(hint(due, key), &[]))?;
        Ok(due)
    }

    /// Removes what an old record needed: its hint, unless it is due at `keep`; its pieces, unless the new record has
    /// the same counter.
    fn release(&self, key: &[u8], old: Option<IVec>, keep: u64, counter: Option<u64>) -> Result<()> {
        // What cannot be read has nothing that could be removed.
        let Some(Ok(old)) = old.map(|record| Head::read(&record)) else { return Ok(()) };
        if old.hint != 0 && old.hint != keep {
            self.db.write(|| self.hints.remove(hint(old.hint, key)))?;
        }
        if old.large.is_some() && counter != Some(old.counter) {
            self.pieces.discard(old.counter);
        }
        Ok(())
    }

    /// Removes a record, then what it needed. Says what was removed, if anything.
    fn remove(&self, key: &[u8]) -> Result<Option<(IVec, Ticket)>> {
        // What changes nothing is not queued.
        if self.db.committer().is_journaled() && !self.db.read(|| self.data.contains_key(key))? {
            return Ok(None);
        }
        let ticket = self.queue(key, None, false)?;
        let Some(old) = self.db.write(|| self.data.remove(key))? else { return Ok(None) };
        let ticket = ticket.unwrap_or_else(|| self.applied());
        self.release(key, Some(old.clone()), 0, None)?;
        Ok(Some((old, ticket)))
    }

    /// Writes a live entry with a deadline that was set elsewhere; `false` if it has passed.
    pub(crate) fn restore(&self, key: &[u8], value: &[u8], deadline: Deadline) -> Result<bool> {
        let now = self.clock.now();
        if deadline.has_passed(now) {
            return Ok(false);
        }
        if value.len() <= CHUNK {
            let _alone = self.lock(key);
            self.write(key, Body::Inline(value), None, deadline, now, None)?;
            return Ok(true);
        }
        let mut upload = Upload::begin(&self.pieces, key, value)?;
        while upload.step()? {}
        let _alone = self.lock(key);
        self.write(key, Body::Large(upload.length()), Some(upload.counter()), deadline, now, None)?;
        upload.keep();
        Ok(true)
    }

    pub(crate) fn delete(&self, key: &[u8], if_version: Option<&Version>) -> Result<Done<bool>> {
        self.db.writable()?;
        let _alone = self.lock(key);
        let now = self.clock.now();
        if if_version.is_some() {
            match self.live(key, now)? {
                Some(found) => self.same_version(&found, if_version)?,
                None => return Ok(Done::unchanged(false)),
            }
        }
        let Some((old, ticket)) = self.remove(key)? else { return Ok(Done::unchanged(false)) };
        // Bytes that are not ours can at least be deleted.
        let live = Head::read(&old).is_ok_and(|head| !head.deadline.has_passed(now));
        Ok(Done { value: live, ticket })
    }

    pub(crate) fn touch(&self, key: &[u8], lifetime: Lifetime, if_version: Option<&Version>) -> Result<Done<bool>> {
        self.db.writable()?;
        let _alone = self.lock(key);
        let now = self.clock.now();
        let Some(found) = self.live(key, now)? else { return Ok(Done::unchanged(false)) };
        self.same_version(&found, if_version)?;
        let ticket = self.extend(key, &found, Deadline::after(now, lifetime))?;
        Ok(Done { value: true, ticket })
    }

    fn extend(&self, key: &[u8], found: &Found, deadline: Deadline) -> Result<Ticket> {
        if deadline == found.head.deadline {
            return Ok(0);
        }
        self.replace(key, found.head.body(&found.record), found.head.counter, deadline, Some(found))
    }

    pub(crate) fn get_and_touch(&self, key: &[u8], lifetime: Lifetime) -> Result<Done<Option<Payload>>> {
        self.db.writable()?;
        let _alone = self.lock(key);
        let now = self.clock.now();
        let Some(found) = self.live(key, now)? else { return Ok(Done::unchanged(None)) };
        let value = self.locked_value(key, &found)?;
        let ticket = self.extend(key, &found, Deadline::after(now, lifetime))?;
        Ok(Done { value: Some(value), ticket })
    }

    pub(crate) fn take(&self, key: &[u8]) -> Result<Done<Option<Payload>>> {
        self.db.writable()?;
        let _alone = self.lock(key);
        let Some(found) = self.live(key, self.clock.now())? else { return Ok(Done::unchanged(None)) };
        let value = self.locked_value(key, &found)?;
        let ticket = self.remove(key)?.map_or(0, |(_, ticket)| ticket);
        Ok(Done { value: Some(value), ticket })
    }

    pub(crate) fn increment(&self, key: &[u8], by: Increment) -> Result<Done<i64>> {
        self.db.writable()?;
        let _alone = self.lock(key);
        let now = self.clock.now();
        let live = self.live(key, now)?;
        let (from, deadline) = match &live {
            Some(found) => {
                let number = integer(&self.locked_value(key, found)?);
                let number = number.ok_or_else(|| Error::invalid("the value is not an integer"))?;
                (number, found.head.deadline)
            }
            None => (by.initial, Deadline::after(now, by.lifetime)),
        };
        let sum = from.checked_add(by.delta).ok_or_else(|| Error::invalid("the sum does not fit 64 bits"))?;
        let body = encode_integer(sum);
        let done = self.write(key, Body::Inline(&body), None, deadline, now, live.as_ref())?;
        Ok(Done { value: sum, ticket: done.ticket })
    }

    /// Removes a key whatever it holds, for clearing: whether it was live.
    pub(crate) fn clear_key(&self, key: &[u8]) -> Result<bool> {
        self.delete(key, None).map(|done| done.value)
    }

    /// Whether the search for pieces without a record goes on.
    fn find_orphans(&self) -> Result<bool> {
        self.pieces.find_orphans(|owner, counter| {
            let _still = self.lock(owner);
            let record = self.db.read(|| self.data.get(owner))?;
            // A record that cannot be read keeps its pieces: somebody may yet salvage it.
            Ok(record.is_some_and(|record| {
                Head::read(&record).map_or(true, |head| head.counter == counter && head.large.is_some())
            }))
        })
    }

    /// Frees at most `max` expired entries among the next [`GLANCE`] hints up to a time: how many, and where to go on.
    pub(crate) fn free_expired(&self, from: Option<IVec>, upto: u64, max: usize) -> Result<(usize, Option<IVec>)> {
        use std::ops::Bound::{Excluded, Unbounded};
        let start = from.map_or(Unbounded, Excluded);
        let end = hint(upto.saturating_add(1), &[]);
        let hints = self.db.read(|| {
            let range = self.hints.range::<IVec, _>((start, Excluded(IVec::from(end))));
            range.take(GLANCE).map(|hint| hint.map(|(hint, _)| hint)).collect::<sled::Result<Vec<_>>>()
        })?;
        let whole = hints.len() == GLANCE;
        let mut freed = 0;
        for raw in &hints {
            if freed == max {
                return Ok((freed, None));
            }
            let (due, key) = split_hint(raw)?;
            freed += usize::from(self.come_due(due, key)?);
        }
        Ok((freed, hints.into_iter().next_back().filter(|_| whole)))
    }

    /// Does what a hint that is due asks for: whether an entry was freed.
    fn come_due(&self, due: u64, key: &[u8]) -> Result<bool> {
        let _alone = self.lock(key);
        let found = match self.find(key) {
            Ok(found) => found.filter(|found| found.head.hint == due),
            // Of a record that cannot be read nobody knows when it is due, and whoever reads it hears of it.
            Err(error) if error.reason() == Some("foreign") => None,
            Err(error) => return Err(error),
        };
        let Some(found) = found else {
            // The entry is gone, or has another hint.
            self.db.write(|| self.hints.remove(hint(due, key)))?;
            return Ok(false);
        };
        let deadline = found.head.deadline;
        if deadline.has_passed(self.clock.now()) {
            self.remove(key)?;
            self.expirations.fetch_add(1, Relaxed);
            return Ok(true);
        }
        if deadline.as_millis() > due {
            // It was refreshed since. Without an old record there is no old hint to keep.
            self.replace(key, found.head.body(&found.record), found.head.counter, deadline, None)?;
        }
        Ok(false)
    }
}

impl Sweep for Space {
    fn watch(&self) {
        self.db.watch();
    }

    fn sweep(&self, limit: Duration) -> Result<bool> {
        let until = Instant::now() + limit;
        self.db.writable()?;
        while self.pieces.collect()? || self.find_orphans()? {
            if Instant::now() >= until {
                return Ok(true);
            }
        }
        // Only hints that are due, so that no entry is looked at before its time.
        let over = self.clock.now().millis_floor();
        let mut from = None;
        loop {
            let (_, next) = self.free_expired(from.take(), over, usize::MAX)?;
            match next {
                None => return Ok(false),
                Some(_) if Instant::now() >= until => return Ok(true),
                next => from = next,
            }
        }
    }
}

pub(crate) fn with_key(error: Error, key: &[u8]) -> Error {
    error.or_detail("key", || key.into())
}

/// Whether a failed write certainly did not happen.
pub(crate) fn not_applied(error: &Error) -> bool {
    error.outcome() == Outcome::NotApplied
}
