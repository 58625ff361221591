//! The journal: a file that makes writes durable while sled's log follows at its leisure. `docs/adr/0023` says why that is sound.
//!
//! A change is queued before it is applied to sled. A commit appends the queue to the file as one frame and calls `fdatasync`
//! once; the file is made of zeros before, so that its size and its blocks are durable already. What does not fit in is
//! committed by making sled's log durable, after which the file begins again with the next epoch. Opening a database replays
//! the frames of the epoch that sled's log names.
//!
//! | bytes of a frame | |
//! |---|---|
//! | 4 | CRC-32 of the database's id and of all that follows |
//! | 4 | length of the changes |
//! | 8 | epoch |
//! | | changes, one after the other, then zeros up to a multiple of 16 |
//!
//! | bytes of a change | |
//! |---|---|
//! | 4, 2, 4 | lengths of the next three |
//! | | the store's id, the key, the record of `record.rs`; nothing if the key was removed |
//!
//! Epoch and size of the file are in sled's own log, as the name `journal` of the tree `m`: two `u64`, of which the size is 0 if
//! there is nothing to replay. All numbers are big-endian. An epoch is used for one pass over the file and never again, so
//! what an earlier pass left behind is never taken for new.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use store_core::Result;

use crate::error::{corrupt, engine, file, lost};
use crate::files::sync_folder;
use crate::record::number;

const NAME: &str = "journal";
/// What stands before the changes of a frame.
pub(crate) const HEAD: usize = 16;
const ALIGN: usize = 16;
/// The size of the first pass. Each pass that fills the file makes it twice as large.
const FIRST: u64 = 16 << 10;
/// The largest size, which bounds what an opening has to replay.
const LARGEST: u64 = 16 << 20;

/// What sled's log says about the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Mark {
    /// The number of the last pass over the file.
    pub(crate) epoch: u64,
    /// The size of the file in that pass, 0 if there is nothing to replay.
    pub(crate) size: u64,
}

impl Mark {
    pub(crate) fn read(meta: &sled::Tree) -> Result<Mark> {
        let Some(mark) = meta.get(NAME).map_err(engine)? else { return Ok(Mark::default()) };
        let (epoch, size) = mark.split_at_checked(8).ok_or_else(|| corrupt("the mark of the journal is damaged"))?;
        Ok(Mark { epoch: number(epoch), size: number(&size[..8.min(size.len())]) })
    }

    /// Whoever finds this mark in sled's log finds there, too, all that was applied before.
    pub(crate) fn write(self, meta: &sled::Tree) -> Result<()> {
        let mark = [self.epoch.to_be_bytes(), self.size.to_be_bytes()].concat();
        meta.insert(NAME, mark).map(drop).map_err(engine)
    }

    /// Nothing is to be replayed any more.
    pub(crate) const fn retired(self) -> Mark {
        Mark { epoch: self.epoch, size: 0 }
    }
}

/// A change of one key: idempotent, so a replay may begin earlier than it needs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change<'a> {
    pub(crate) store: &'a str,
    pub(crate) key: &'a [u8],
    /// The record that the key was given; `None` if it was removed.
    pub(crate) record: Option<&'a [u8]>,
}

impl<'a> Change<'a> {
    pub(crate) fn write(&self, bytes: &mut Vec<u8>) {
        let record = self.record.unwrap_or_default();
        let length = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        bytes.reserve(10 + self.store.len() + self.key.len() + record.len());
        bytes.extend_from_slice(&length(self.store.len()));
        bytes.extend_from_slice(&length(self.key.len())[2..]);
        bytes.extend_from_slice(&length(record.len()));
        bytes.extend_from_slice(self.store.as_bytes());
        bytes.extend_from_slice(self.key);
        bytes.extend_from_slice(record);
    }

    /// Takes the next change off the changes of a frame.
    pub(crate) fn read(bytes: &mut &'a [u8]) -> Result<Change<'a>> {
        let next = || {
            let (head, rest) = bytes.split_at_checked(10)?;
            let length = |at: std::ops::Range<usize>| usize::try_from(number(&head[at])).ok();
            let (store, rest) = rest.split_at_checked(length(0..4)?)?;
            let (key, rest) = rest.split_at_checked(length(4..6)?)?;
            let (record, rest) = rest.split_at_checked(length(6..10)?)?;
            let change =
                Change { store: std::str::from_utf8(store).ok()?, key, record: Some(record).filter(|r| !r.is_empty()) };
            Some((change, rest))
        };
        let (change, rest) = next().ok_or_else(|| corrupt("a change in the journal is damaged"))?;
        *bytes = rest;
        Ok(change)
    }
}

/// Changes that are to become durable together, with room for the head of their frame.
#[derive(Debug)]
pub(crate) struct Frame(Vec<u8>);

impl Default for Frame {
    fn default() -> Frame {
        Frame(vec![0; HEAD])
    }
}

impl Frame {
    pub(crate) fn push(&mut self, change: &Change<'_>) {
        change.write(&mut self.0);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn clear(&mut self) {
        self.0.truncate(HEAD);
        self.0.shrink_to(1 << 20);
    }

    fn seal(&mut self, id: u64, epoch: u64) -> &[u8] {
        let length = u32::try_from(self.0.len() - HEAD).unwrap_or(u32::MAX);
        self.0.resize(self.0.len().next_multiple_of(ALIGN), 0);
        self.0[4..8].copy_from_slice(&length.to_be_bytes());
        self.0[8..HEAD].copy_from_slice(&epoch.to_be_bytes());
        let sum = checksum(id, &self.0[4..]);
        self.0[..4].copy_from_slice(&sum.to_be_bytes());
        &self.0
    }
}

/// The id is part of it, so that the journal of another database is not taken for this one's.
fn checksum(id: u64, bytes: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&id.to_be_bytes());
    sum.update(bytes);
    sum.finalize()
}

/// The journal of an open database.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    id: u64,
    file: Option<File>,
    epoch: u64,
    size: u64,
    /// Where the next frame goes; `None` until the first checkpoint of this run.
    end: Option<u64>,
    /// Whether this run has seen to it that the file's size is durable.
    settled: bool,
}

impl Journal {
    /// Takes up the file that an earlier run left, if there is one. Nothing in it is needed any more.
    pub(crate) fn open(folder: &Path, id: u64, last: Mark) -> Result<Journal> {
        let path = folder.join(NAME);
        let (file, size) = match File::options().read(true).write(true).open(&path) {
            Ok(found) => {
                let size = found.metadata().map_err(failed)?.len();
                (Some(found), size.min(LARGEST) / ALIGN as u64 * ALIGN as u64)
            }
            Err(cause) if cause.kind() == ErrorKind::NotFound => (None, 0),
            Err(cause) => return Err(failed(cause)),
        };
        Ok(Journal { path, id, file, epoch: last.epoch, size, end: None, settled: false })
    }

    /// Whether there is room for a frame.
    pub(crate) fn fits(&self, frame: &Frame) -> bool {
        let length = frame.len().next_multiple_of(ALIGN) as u64;
        self.end.is_some_and(|end| end + length <= self.size)
    }

    /// Appends a frame, durably.
    pub(crate) fn append(&mut self, frame: &mut Frame) -> Result<()> {
        if frame.len() == HEAD {
            return Ok(());
        }
        let bytes = frame.seal(self.id, self.epoch);
        let Some(file) = &mut self.file else { return Err(corrupt("the journal is gone")) };
        file.write_all(bytes).map_err(failed)?;
        file.sync_data().map_err(failed)?;
        self.end = self.end.map(|end| end + bytes.len() as u64);
        Ok(())
    }

    /// The mark of the next pass, for sled's log. Makes the file larger if the last pass of this run has filled it.
    pub(crate) fn turn(&mut self, full: bool) -> Result<Mark> {
        let full = full && self.end.is_some();
        if self.size < FIRST || (full && self.size < LARGEST) {
            match self.grow((self.size * 2).clamp(FIRST, LARGEST)) {
                Ok(()) => {}
                // As long as sled finds room, smaller passes do.
                Err(cause) if matches!(cause.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {}
                Err(cause) => return Err(failed(cause)),
            }
        }
        if let Some(file) = &self.file
            && self.size > 0
            && !self.settled
        {
            file.sync_all().map_err(failed)?;
            self.settled = true;
        }
        self.epoch += 1;
        // Until sled's log with the mark is durable the file is needed as it is.
        self.end = None;
        Ok(self.mark())
    }

    pub(crate) const fn mark(&self) -> Mark {
        Mark { epoch: self.epoch, size: self.size }
    }

    /// Begins the file again, after the mark has become durable.
    pub(crate) fn begin(&mut self) -> Result<()> {
        if let Some(file) = &mut self.file {
            file.rewind().map_err(failed)?;
            self.end = Some(0);
        }
        Ok(())
    }

    /// What is in the file stays; zeros follow, so that appending changes neither its size nor its blocks.
    fn grow(&mut self, size: u64) -> std::io::Result<()> {
        let fresh = self.file.is_none();
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(File::options().create(true).truncate(false).write(true).open(&self.path)?),
        };
        file.seek(SeekFrom::Start(self.size))?;
        let zeros = vec![0; 64 << 10];
        let mut left = size - self.size;
        while left > 0 {
            let some = zeros.len().min(usize::try_from(left).unwrap_or(zeros.len()));
            file.write_all(&zeros[..some])?;
            left -= some as u64;
        }
        file.sync_all()?;
        if fresh && let Some(folder) = self.path.parent() {
            sync_folder(folder)?;
        }
        self.size = size;
        Ok(())
    }
}

fn failed(cause: std::io::Error) -> store_core::Error {
    file("writing the journal", cause)
}

/// Bytes of the file.
pub(crate) fn bytes(folder: &Path) -> u64 {
    fs::metadata(folder.join(NAME)).map_or(0, |file| file.len())
}

/// The frame that begins the bytes: its epoch, its changes, its length in the file.
fn frame(bytes: &[u8], id: u64) -> Option<(u64, &[u8], usize)> {
    let (head, rest) = bytes.split_at_checked(HEAD)?;
    let length = usize::try_from(number(&head[4..8])).ok().filter(|&length| length > 0)?;
    let total = length.checked_add(HEAD)?.checked_next_multiple_of(ALIGN)?;
    let sum = checksum(id, bytes.get(4..total)?);
    (number(&head[..4]) == u64::from(sum)).then_some((number(&head[8..]), &rest[..length], total))
}

/// What a run left in the file.
#[derive(Debug, Default)]
pub(crate) struct Left(Vec<u8>);

impl Left {
    pub(crate) fn read(folder: &Path) -> Result<Left> {
        let mut bytes = Vec::new();
        // Never more than it can have, whatever is there.
        let read = File::open(folder.join(NAME)).and_then(|file| file.take(LARGEST).read_to_end(&mut bytes));
        match read {
            Ok(_) => Ok(Left(bytes)),
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(Left::default()),
            Err(cause) => Err(file("reading the journal", cause)),
        }
    }

    /// The changes to be replayed, of each frame in order. An error if some of them are certainly missing.
    pub(crate) fn frames(&self, id: u64, mark: Mark) -> Result<Vec<&[u8]>> {
        if (self.0.len() as u64) < mark.size {
            return Err(corrupt("the file journal of the database is gone or cut off"));
        }
        let mut frames = Vec::new();
        let mut at = 0;
        while let Some((epoch, changes, total)) = frame(self.0.get(at..).unwrap_or_default(), id) {
            if epoch > mark.epoch {
                // The mark was durable before the file was written to.
                return Err(lost());
            }
            if epoch < mark.epoch || mark.size == 0 {
                break;
            }
            frames.push(changes);
            at += total;
        }
        // A frame is written after the one before it is durable. So behind the place where a crash cut it off there are none.
        if mark.size > 0 && self.later(at, id, mark.epoch).next().is_some() {
            return Err(corrupt("the file journal of the database is damaged"));
        }
        Ok(frames)
    }

    /// The changes of all frames of an epoch that can be found behind a place.
    fn later(&self, at: usize, id: u64, epoch: u64) -> impl Iterator<Item = &[u8]> {
        let mut at = at;
        std::iter::from_fn(move || {
            while let Some(bytes) = self.0.get(at..).filter(|bytes| bytes.len() > HEAD) {
                if number(&bytes[8..HEAD]) == epoch
                    && let Some((_, changes, total)) = frame(bytes, id)
                {
                    at += total;
                    return Some(changes);
                }
                at += ALIGN;
            }
            None
        })
    }

    /// What can be read of a damaged journal that sled's log, as far as it can be read, does not have yet.
    pub(crate) fn salvage(&self, id: u64, mark: Mark) -> Vec<&[u8]> {
        // If sled's log has lost its end, the mark is too old, and the file's first frame names the epoch.
        let first = frame(&self.0, id).map_or(0, |(epoch, ..)| epoch);
        let epoch = if mark.size > 0 { first.max(mark.epoch) } else { first };
        if epoch < mark.epoch || (epoch == mark.epoch && mark.size == 0) {
            return Vec::new();
        }
        self.later(0, id, epoch).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: u64 = 77;

    fn change(key: &[u8]) -> Change<'_> {
        Change { store: "app:a", key, record: Some(b"record") }
    }

    fn sealed(epoch: u64, keys: &[&[u8]]) -> Vec<u8> {
        let mut frame = Frame::default();
        for key in keys {
            frame.push(&change(key));
        }
        frame.seal(ID, epoch).to_vec()
    }

    fn mark(epoch: u64) -> Mark {
        Mark { epoch, size: 64 }
    }

    fn keys(frames: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut keys = Vec::new();
        for mut changes in frames.iter().copied() {
            while !changes.is_empty() {
                keys.push(Change::read(&mut changes).unwrap().key.to_vec());
            }
        }
        keys
    }

    #[test]
    fn changes_and_frames_read_back() {
        let removed = Change { store: "s", key: b"k", record: None };
        let mut frame = Frame::default();
        frame.push(&removed);
        assert_eq!(frame.0[HEAD..], *b"\0\0\0\x01\0\x01\0\0\0\0sk", "the format never changes");
        let bytes = frame.seal(ID, 3).to_vec();
        assert_eq!(bytes[4..HEAD], *b"\0\0\0\x0c\0\0\0\0\0\0\0\x03", "the format never changes");
        let (epoch, mut changes, total) = super::frame(&bytes, ID).unwrap();
        assert_eq!((epoch, total, Change::read(&mut changes).unwrap()), (3, 32, removed));
        assert!(super::frame(&bytes, ID + 1).is_none(), "of another database");
        assert!(Change::read(&mut &b"\0\0\0\x01\0\x01\0\0\0\x01sk"[..]).is_err());
    }

    #[test]
    fn what_an_earlier_pass_left_is_not_replayed() {
        let old = sealed(4, &[b"old"]);
        let bytes = [sealed(5, &[b"a", b"b"]), sealed(5, &[b"c"]), old.clone(), vec![0; 64]].concat();
        let left = Left(bytes.clone());
        assert_eq!(keys(&left.frames(ID, mark(5)).unwrap()), [b"a", b"b", b"c"]);
        assert!(left.frames(ID, mark(5).retired()).unwrap().is_empty(), "sled has it all");
        assert!(left.frames(ID, mark(6)).unwrap().is_empty(), "nothing was written in that pass");
        assert!(Left::default().frames(ID, Mark::default()).unwrap().is_empty());
        // At every place where a crash may have cut it off, whole frames are replayed and no others.
        let second = sealed(5, &[b"a", b"b"]).len();
        for cut in 0..second + old.len() {
            let mut torn = bytes[..cut].to_vec();
            torn.resize(bytes.len(), 0);
            let found = keys(&Left(torn).frames(ID, mark(5)).unwrap()).len();
            assert!(
                found
                    == if cut < second - 4 {
                        0
                    } else if found == 3 {
                        3
                    } else {
                        2
                    },
                "{cut}: {found}"
            );
        }
    }

    #[test]
    fn what_is_certainly_missing_is_an_error() {
        let corrupt = |bytes: Vec<u8>, mark: Mark| {
            let error = Left(bytes).frames(ID, mark).unwrap_err();
            assert_eq!(error.reason(), Some("corrupt"), "{error}");
        };
        let good = [sealed(5, &[b"a"]), sealed(5, &[b"b"]), sealed(5, &[b"c"]), vec![0; 64]].concat();
        corrupt(Vec::new(), mark(5));
        corrupt(good[..60].to_vec(), mark(5));
        corrupt(good.clone(), mark(4));
        corrupt(good.clone(), mark(4).retired());
        let middle = sealed(5, &[b"a"]).len();
        for bit in 0..middle * 8 {
            let mut bytes = good.clone();
            bytes[middle + bit / 8] ^= 1 << (bit % 8);
            corrupt(bytes.clone(), mark(5));
            assert_eq!(keys(&Left(bytes).salvage(ID, mark(5))), [b"a", b"c"]);
        }
        assert_eq!(keys(&Left(good.clone()).salvage(ID, mark(3))).len(), 3, "sled's log has lost its end");
        assert!(Left(good).salvage(ID, mark(5).retired()).is_empty());
    }
}
