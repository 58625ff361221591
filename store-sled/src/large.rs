//! Values too large for a record, kept in pieces (see `record.rs` for why).
//!
//! The pieces are stored under a counter of their own before the record that names it, and are never changed. So a value
//! appears with its record, whole or not at all, and a reader that finds pieces missing knows that the record was replaced.

use std::sync::{Arc, Mutex, PoisonError};

use sled::IVec;
use store_core::{Error, Payload, Result};

use crate::database::Database;
use crate::error::corrupt;
use crate::record::{CHUNK, number, piece, pieces};

/// Pieces written or removed in one go: well below a millisecond.
const STEP: usize = 16;
/// Garbage that may wait for the sweeper's next tick.
const HEAP: usize = 16;

/// The pieces of a store's large values.
#[derive(Debug)]
pub(crate) struct Pieces {
    chunks: sled::Tree,
    /// Large values that nothing refers to any more.
    garbage: Mutex<Vec<u64>>,
    /// Held while some of it is removed, so that nobody takes it for finished meanwhile.
    collecting: Mutex<()>,
    /// Where the search for pieces that a crash left behind stands; `None` when it is over.
    orphans: Mutex<Option<u64>>,
    /// Last: the tree must be gone when the database ends.
    db: Arc<Database>,
}

impl Pieces {
    /// Opens the tree of a store.
    pub(crate) fn open(db: &Arc<Database>, id: &str) -> Result<Pieces> {
        Ok(Pieces {
            chunks: db.tree(b'v', id)?,
            garbage: Mutex::default(),
            collecting: Mutex::default(),
            orphans: Mutex::new(Some(0)),
            db: Arc::clone(db),
        })
    }

    /// Puts a large value together; `None` if pieces are missing.
    pub(crate) fn value(&self, counter: u64, length: u32) -> Result<Option<Payload>> {
        let count = pieces(length);
        // The length is of a record whose checksum held, but it costs nothing not to trust it with memory.
        let mut value = Vec::with_capacity((length as usize).min(16 << 20));
        let found = self.db.read(|| {
            let mut found = 0;
            for chunk in self.chunks.range(piece(counter, 1)..=piece(counter, count)) {
                value.extend_from_slice(&chunk?.1);
                found += 1;
            }
            Ok(found)
        })?;
        if found != count {
            return Ok(None);
        }
        if value.len() != length as usize {
            return Err(corrupt("a large value has another length than its record says"));
        }
        Ok(Some(Payload::from(value)))
    }

    /// Has the pieces of a large value removed in the background.
    pub(crate) fn discard(&self, counter: u64) {
        let mut garbage = self.garbage.lock().unwrap_or_else(PoisonError::into_inner);
        garbage.push(counter);
        if garbage.len() > HEAP {
            self.db.sweeper().nudge();
        }
    }

    /// Removes some of the garbage: whether there was any.
    pub(crate) fn collect(&self) -> Result<bool> {
        let _one = self.collecting.lock().unwrap_or_else(PoisonError::into_inner);
        let counter = self.garbage.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Some(counter) = counter else { return Ok(false) };
        let keys = self.db.read(|| {
            let range = self.chunks.range(piece(counter, 0)..=piece(counter, u32::MAX));
            range.take(STEP).map(|chunk| chunk.map(|(key, _)| key)).collect::<sled::Result<Vec<IVec>>>()
        })?;
        for key in &keys {
            self.db.write(|| self.chunks.remove(key))?;
        }
        if keys.len() == STEP {
            self.garbage.lock().unwrap_or_else(PoisonError::into_inner).push(counter);
        }
        Ok(true)
    }

    /// Looks for pieces that a crash of an earlier run left without a record: whether the search goes on. `owned` says whether
    /// the record of a key is that of the large value with a counter.
    pub(crate) fn find_orphans(&self, owned: impl Fn(&[u8], u64) -> Result<bool>) -> Result<bool> {
        let mut cursor = self.orphans.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut from) = *cursor else { return Ok(false) };
        // This run's pieces are watched over by those who write them.
        let end = self.db.first_counter();
        for _ in 0..STEP {
            let next = self.db.read(|| self.chunks.range(piece(from, 0)..piece(end, 0)).next().transpose())?;
            let Some((key, owner)) = next else {
                *cursor = None;
                return Ok(false);
            };
            let counter = number(&key[..8.min(key.len())]);
            let owned = number(&key[8.min(key.len())..]) == 0 && owned(&owner, counter)?;
            if !owned {
                self.discard(counter);
            }
            from = counter + 1;
        }
        *cursor = Some(from);
        Ok(true)
    }
}

/// A large value on its way in. Dropped before [`keep`](Upload::keep), its pieces become garbage.
#[derive(Debug)]
pub(crate) struct Upload<'a> {
    into: &'a Pieces,
    value: &'a [u8],
    counter: u64,
    length: u32,
    next: u32,
    kept: bool,
}

impl<'a> Upload<'a> {
    /// Begins. The owner's key comes first: it says whose pieces they are if a crash orphans them.
    pub(crate) fn begin(into: &'a Pieces, key: &[u8], value: &'a [u8]) -> Result<Upload<'a>> {
        let too_large =
            || Error::invalid("a value of 4 GiB or more cannot be stored").with_detail("limit", i64::from(u32::MAX));
        let length = u32::try_from(value.len()).map_err(|_| too_large())?;
        let counter = into.db.count()?;
        let upload = Upload { into, value, counter, length, next: 0, kept: false };
        into.db.write(|| into.chunks.insert(piece(counter, 0), key))?;
        Ok(upload)
    }

    /// Stores some more: whether there is more to store.
    pub(crate) fn step(&mut self) -> Result<bool> {
        let start = self.next as usize * CHUNK;
        for chunk in self.value[start..].chunks(CHUNK).take(STEP) {
            self.next += 1;
            self.into.db.write(|| self.into.chunks.insert(piece(self.counter, self.next), chunk))?;
        }
        Ok(self.next < pieces(self.length))
    }

    pub(crate) const fn counter(&self) -> u64 {
        self.counter
    }

    pub(crate) const fn length(&self) -> u32 {
        self.length
    }

    /// The record is written, or may be: the pieces stay.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Upload<'_> {
    fn drop(&mut self) {
        if !self.kept {
            self.into.discard(self.counter);
        }
    }
}
