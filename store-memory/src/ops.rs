//! The operations on single keys, and batches of them.

use store_core::codec::{encode_integer, integer};
use store_core::{
    BatchWrite, Condition, Deadline, Entry, Error, Increment, Key, Lifetime, Payload, Put, Result, Ttl, Value, Version,
    Written,
};

use crate::limits::Need;
use crate::record::Record;
use crate::room::Attempts;
use crate::shard::{Place, Shard, is_live};
use crate::store::Inner;

/// Why a write under the lock did not happen.
enum Refused {
    /// The store is full: room for this is to be made without the lock, and the write tried again.
    Full(Need),
    Error(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Refused {
        Refused::Error(error)
    }
}

/// What a write under the lock did.
struct Stored {
    version: u64,
    /// To be dropped once the lock is free: releasing memory takes time.
    _old: Option<Record>,
}

/// Cold, so that comparing versions stays out of the way of unconditional writes.
#[cold]
fn check_version(record: &Record, expected: &Version) -> Result<()> {
    if expected.as_u64() == Some(record.version()) {
        return Ok(());
    }
    Err(Error::version_conflict())
}

impl Inner {
    /// Whether the store is closed is asked where nothing is found: closing empties every shard, so in a closed one nothing is.
    #[inline]
    pub(crate) fn get(&self, key: Key<'_>) -> Result<Option<Payload>> {
        let place = self.hash.place(key.as_bytes());
        let shard = self.shard(place).read();
        let Some((at, record)) = shard.find_live(place.hash, key.as_bytes(), &self.clock) else {
            return self.nothing();
        };
        shard.used(at);
        Ok(Some(Payload::from(record.clone())))
    }

    #[cold]
    fn nothing<T>(&self) -> Result<Option<T>> {
        self.check_open().map(|()| None)
    }

    pub(crate) fn has(&self, key: Key<'_>) -> Result<bool> {
        self.check_open()?;
        let place = self.hash.place(key.as_bytes());
        Ok(self.shard(place).read().find_live(place.hash, key.as_bytes(), &self.clock).is_some())
    }

    pub(crate) fn entry(&self, key: Key<'_>) -> Result<Option<Entry>> {
        self.check_open()?;
        let place = self.hash.place(key.as_bytes());
        let shard = self.shard(place).read();
        let Some((at, record)) = shard.find(place.hash, key.as_bytes()) else { return Ok(None) };
        // One look at the clock: the entry is live and has time left, or neither.
        let Some(ttl) = self.left(record.deadline()) else { return Ok(None) };
        shard.used(at);
        let version = Version::from_u64(record.version());
        Ok(Some(Entry { value: Payload::from(record.clone()), version, ttl }))
    }

    pub(crate) fn ttl(&self, key: Key<'_>) -> Result<Option<Ttl>> {
        self.check_open()?;
        let place = self.hash.place(key.as_bytes());
        let shard = self.shard(place).read();
        Ok(shard.find(place.hash, key.as_bytes()).and_then(|(_, record)| self.left(record.deadline())))
    }

    #[inline]
    pub(crate) fn put(&self, key: Key<'_>, value: &[u8], put: Put<'_>) -> Result<Written> {
        let place = self.hash.place(key.as_bytes());
        match self.put_once(place, key, value, put) {
            Ok(written) => Ok(written),
            Err(Refused::Error(error)) => Err(error),
            Err(Refused::Full(need)) => self.put_to_full(place, key, value, put, need),
        }
    }

    /// Apart from [`put`](Inner::put): its loop had everything that a write needs computed and laid aside before the first attempt.
    #[cold]
    fn put_to_full(&self, place: Place, key: Key<'_>, value: &[u8], put: Put<'_>, mut need: Need) -> Result<Written> {
        let mut attempts = Attempts::default();
        loop {
            self.make_room(&mut attempts, need, self.shard_number(place), key.as_bytes())?;
            match self.put_once(place, key, value, put) {
                Ok(written) => return Ok(written),
                Err(Refused::Error(error)) => return Err(error),
                Err(Refused::Full(again)) => need = again,
            }
        }
    }

    #[expect(clippy::inline_always, reason = "what it returns is copied otherwise: ADR 10")]
    #[inline(always)]
    fn put_once(&self, place: Place, key: Key<'_>, value: &[u8], put: Put<'_>) -> Result<Written, Refused> {
        let mut shard = self.shard(place).write();
        // Under the lock: what is added after the store was closed would stay.
        self.check_open()?;
        let (stored, deadline, ttl) = if put.condition == Condition::Always && !put.keep_ttl {
            // The clock waits until all loads before it are done: it is asked before the search begins. Whether what is replaced
            // is live does not matter.
            let (deadline, ttl) = self.deadline(put.lifetime);
            let found = shard.find(place.hash, key.as_bytes()).map(|(at, _)| at);
            (self.store_in(&mut shard, place.hash, key.as_bytes(), value, found, deadline)?, deadline, ttl)
        } else {
            self.put_if(&mut shard, place.hash, key.as_bytes(), value, put)?
        };
        drop(shard);
        self.sweeper.note(deadline.as_millis());
        Ok(Written { version: Version::from_u64(stored.version), ttl })
    }

    /// A write that depends on what is there.
    #[inline(never)]
    fn put_if(
        &self,
        shard: &mut Shard,
        hash: u32,
        key: &[u8],
        value: &[u8],
        put: Put<'_>,
    ) -> Result<(Stored, Deadline, Ttl), Refused> {
        let found = shard.find(hash, key);
        let live = found.map(|(_, record)| record).filter(|record| is_live(record, &self.clock));
        match (put.condition, live) {
            (Condition::IfAbsent, Some(_)) => return Err(Error::already_exists().into()),
            (Condition::IfPresent | Condition::IfVersion(_), None) => return Err(Error::absent().into()),
            (Condition::IfVersion(version), Some(record)) => check_version(record, version)?,
            _ => {}
        }
        let kept = live.filter(|_| put.keep_ttl).map(Record::deadline);
        let found = found.map(|(at, _)| at);
        let (deadline, ttl) = match kept {
            // It was live a moment ago: a moment is left at least.
            Some(deadline) => (deadline, self.left(deadline).unwrap_or(Ttl::Left(std::time::Duration::from_nanos(1)))),
            None => self.deadline(put.lifetime),
        };
        Ok((self.store_in(shard, hash, key, value, found, deadline)?, deadline, ttl))
    }

    /// Writes to a slot, if the key has one, else to a new one.
    #[expect(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    fn store_in(
        &self,
        shard: &mut Shard,
        hash: u32,
        key: &[u8],
        value: &[u8],
        found: Option<usize>,
        deadline: Deadline,
    ) -> Result<Stored, Refused> {
        let need = self.limits.as_ref().map(|limits| {
            let need = match found.and_then(|at| shard.record(at)) {
                Some(old) => Need::replacing(old, value),
                None => Need::new_entry(key, value),
            };
            (limits, need)
        });
        if let Some((limits, need)) = need
            && !limits.reserve(need)
        {
            return Err(Refused::Full(need));
        }
        if let Some(at) = found {
            let (version, old) = shard.overwrite(at, value, deadline, &self.clock);
            return Ok(Stored { version, _old: old });
        }
        match shard.insert(hash, key, value, deadline, &self.clock) {
            Some(version) => Ok(Stored { version, _old: None }),
            None => {
                if let Some((limits, need)) = need {
                    limits.cancel(need);
                }
                Err(Error::capacity("a shard holds as many entries as it can").into())
            }
        }
    }

    pub(crate) fn delete(&self, key: Key<'_>, if_version: Option<&Version>) -> Result<bool> {
        Ok(self.remove(key, if_version)?.is_some())
    }

    pub(crate) fn take(&self, key: Key<'_>) -> Result<Option<Payload>> {
        Ok(self.remove(key, None)?.map(Payload::from))
    }

    /// Removes a key and returns its record if it was live. An expired entry is freed as well, since it is at hand.
    fn remove(&self, key: Key<'_>, if_version: Option<&Version>) -> Result<Option<Record>> {
        self.check_open()?;
        let place = self.hash.place(key.as_bytes());
        let mut shard = self.shard(place).write();
        let Some((at, record)) = shard.find(place.hash, key.as_bytes()) else { return Ok(None) };
        let live = is_live(record, &self.clock);
        if let (true, Some(version)) = (live, if_version) {
            check_version(record, version)?;
        }
        let record = shard.remove(at);
        shard.tidy(2);
        drop(shard);
        Ok(record.filter(|_| live))
    }

    pub(crate) fn touch(&self, key: Key<'_>, lifetime: Lifetime, if_version: Option<&Version>) -> Result<bool> {
        self.touch_with(key, lifetime, if_version, |_| ()).map(|touched| touched.is_some())
    }

    pub(crate) fn get_and_touch(&self, key: Key<'_>, lifetime: Lifetime) -> Result<Option<Payload>> {
        self.touch_with(key, lifetime, None, |record| Payload::from(record.clone()))
    }

    fn touch_with<T>(
        &self,
        key: Key<'_>,
        lifetime: Lifetime,
        if_version: Option<&Version>,
        read: impl FnOnce(&Record) -> T,
    ) -> Result<Option<T>> {
        self.check_open()?;
        let place = self.hash.place(key.as_bytes());
        let mut shard = self.shard(place).write();
        let Some((at, record)) = shard.find_live(place.hash, key.as_bytes(), &self.clock) else { return Ok(None) };
        if let Some(version) = if_version {
            check_version(record, version)?;
        }
        let (deadline, _) = self.deadline(lifetime);
        shard.set_deadline(at, deadline, &self.clock);
        shard.used(at);
        let result = shard.record(at).map(read);
        drop(shard);
        self.sweeper.note(deadline.as_millis());
        Ok(result)
    }

    pub(crate) fn increment(&self, key: Key<'_>, by: Increment) -> Result<i64> {
        self.check_open()?;
        let place = self.hash.place(key.as_bytes());
        let mut attempts = Attempts::default();
        loop {
            let mut shard = self.shard(place).write();
            match self.increment_in(&mut shard, place.hash, key.as_bytes(), by) {
                Ok((sum, deadline)) => {
                    drop(shard);
                    self.sweeper.note(deadline.as_millis());
                    return Ok(sum);
                }
                Err(Refused::Error(error)) => return Err(error),
                Err(Refused::Full(need)) => {
                    drop(shard);
                    self.make_room(&mut attempts, need, self.shard_number(place), key.as_bytes())?;
                }
            }
        }
    }

    fn increment_in(
        &self,
        shard: &mut Shard,
        hash: u32,
        key: &[u8],
        by: Increment,
    ) -> Result<(i64, Deadline), Refused> {
        self.check_open()?;
        let found = shard.find(hash, key);
        let live = found.map(|(_, record)| record).filter(|record| is_live(record, &self.clock));
        let (from, deadline) = match live {
            Some(record) => {
                let value = integer(record.value());
                let value = value.ok_or_else(|| Error::invalid("the value is not an integer of 64 bits"))?;
                (value, record.deadline())
            }
            None => (by.initial, self.deadline(by.lifetime).0),
        };
        let sum = from.checked_add(by.delta).ok_or_else(|| Error::invalid("the sum does not fit 64 bits"))?;
        let found = found.map(|(at, _)| at);
        self.store_in(shard, hash, key, &encode_integer(sum), found, deadline)?;
        Ok((sum, deadline))
    }

    pub(crate) fn get_many(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Payload>>> {
        keys.iter().map(|&key| self.get(key)).collect()
    }

    pub(crate) fn set_many(&self, items: &[BatchWrite<'_>]) -> Result<()> {
        self.check_open()?;
        let mut first = None;
        let mut not_applied = Vec::new();
        for (index, item) in items.iter().enumerate() {
            if let Err(error) = self.put(item.key, item.value, Put::always(item.lifetime)) {
                first.get_or_insert(error);
                not_applied.push(Value::from(index));
            }
        }
        match first {
            Some(error) => Err(error.with_detail("not_applied", not_applied)),
            None => Ok(()),
        }
    }

    pub(crate) fn delete_many(&self, keys: &[Key<'_>]) -> Result<Vec<bool>> {
        keys.iter().map(|&key| self.delete(key, None)).collect()
    }

    /// The deadline of what is written now, and the time until then. Only a finite lifetime looks at the clock.
    #[inline]
    fn deadline(&self, lifetime: Lifetime) -> (Deadline, Ttl) {
        let Some(millis) = lifetime.as_millis() else { return (Deadline::NEVER, Ttl::Never) };
        let deadline = Deadline::after_millis(self.due.millis(|| self.clock.now()), lifetime);
        (deadline, Ttl::Left(std::time::Duration::from_millis(millis.get())))
    }

    /// The time left; `None` if it has passed. Whether it has is for the coarse clock to say, as for every read: no entry is
    /// absent to one operation and there for the next.
    pub(crate) fn left(&self, deadline: Deadline) -> Option<Ttl> {
        if deadline == Deadline::NEVER {
            return Some(Ttl::Never);
        }
        if self.clock.has_passed(deadline) {
            return None;
        }
        Some(deadline.left(self.clock.now()).unwrap_or(Ttl::Left(std::time::Duration::from_nanos(1))))
    }
}
