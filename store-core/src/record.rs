//! A key, its value, version and deadline in one shared allocation, behind one word: for backends that keep entries in memory.

use std::fmt;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use triomphe::{Arc, ThinArc};

use crate::Deadline;
use crate::foreign::Foreign;

/// What lies before the bytes. It tells the two kinds apart by the version, which is never 0 and so costs no tag.
enum Head {
    Entry(Front),
    /// A value that lies elsewhere. It has no bytes here, no key, no version and no deadline.
    Foreign(Box<Foreign>),
}

const _: () = assert!(size_of::<Head>() == 16);

/// What every read needs comes first, beside the count of owners that lies before: where a record begins at the end of a
/// cache line, those two and the key are two lines, asked for at once.
#[repr(C)]
struct Front {
    /// From the top: the deadline in milliseconds (48 bits, enough until the year 10889; 0 for never), the length of the key
    /// (12), and how many bytes at the end are unused (4).
    rest: AtomicU64,
    version: NonZeroU64,
}

const UNUSED_BITS: u32 = 4;
const KEY_BITS: u32 = 12;
const LENGTHS: u64 = (1 << (KEY_BITS + UNUSED_BITS)) - 1;
const UNUSED: u64 = (1 << UNUSED_BITS) - 1;
const LATEST: u64 = u64::MAX >> (KEY_BITS + UNUSED_BITS);

/// An entry in one allocation that is shared, not copied.
///
/// A record is one pointer, and so is a [`Payload`](crate::Payload), whatever it is made from: for what has a kind of its own there
/// is a record that only leads there. So the answer of a read is a tag and a pointer, which travel in two registers.
///
/// It is padded to what a typical allocator would round it up to anyway, so that a later value of about the same length can
/// take its place (see [`rewrite`](Record::rewrite)).
#[derive(Clone)]
pub struct Record(ThinArc<Head, u8>);

impl Record {
    /// A record without a deadline. `None` if the key is longer than 4095 bytes.
    #[must_use]
    pub fn new(version: NonZeroU64, key: &[u8], value: &[u8]) -> Option<Record> {
        if key.len() >= 1 << KEY_BITS {
            return None;
        }
        let (used, len) = (key.len() + value.len(), padded(key.len() + value.len()));
        let lengths = (key.len() as u64) << UNUSED_BITS | (len - used) as u64;
        let head = Head::Entry(Front { version, rest: AtomicU64::new(lengths) });
        let mut small = [0; 512];
        if let Some(bytes) = small.get_mut(..len) {
            bytes[..key.len()].copy_from_slice(key);
            bytes[key.len()..used].copy_from_slice(value);
            return Some(Record(ThinArc::from_header_and_slice(head, bytes)));
        }
        let mut bytes = Vec::with_capacity(len);
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(value);
        bytes.resize(len, 0);
        Some(Record(ThinArc::from_header_and_slice(head, &bytes)))
    }

    /// A record without key and version, whose value lies elsewhere.
    pub(crate) fn foreign(value: Foreign) -> Record {
        Record(ThinArc::from_header_and_slice(Head::Foreign(Box::new(value)), &[]))
    }

    /// Writes a new version, value and deadline over the old ones, if nobody else holds the record and the allocation is just large
    /// enough; says whether.
    ///
    /// Spares an allocation and a release per overwrite, which is most of what an overwrite costs.
    #[inline]
    pub fn rewrite(&mut self, version: NonZeroU64, value: &[u8], deadline: Deadline) -> bool {
        let (start, len) = (self.key_len(), self.0.slice.len());
        let used = start.saturating_add(value.len());
        if used > len || padded(used) != len {
            return false;
        }
        self.0.with_arc_mut(|shared| {
            let Some(record) = Arc::get_mut(shared) else { return false };
            let Head::Entry(head) = record.header_mut() else { return false };
            head.version = version;
            let rest = head.rest.get_mut();
            *rest = front_of(deadline) | *rest & LENGTHS & !UNUSED | (len - used) as u64;
            record.slice_mut()[start..used].copy_from_slice(value);
            true
        })
    }

    #[inline]
    fn front(&self) -> Option<&Front> {
        match &self.0.header.header {
            Head::Entry(front) => Some(front),
            Head::Foreign(_) => None,
        }
    }

    #[inline]
    fn key_len(&self) -> usize {
        self.front().map_or(0, |front| key_len(front.rest()))
    }

    /// The version.
    #[inline]
    #[must_use]
    pub fn version(&self) -> u64 {
        self.front().map_or(0, |front| front.version.get())
    }

    /// The deadline, as it was set last: not a part of what is shared, but kept here since every read looks here anyway.
    #[inline]
    #[must_use]
    pub fn deadline(&self) -> Deadline {
        self.front().map_or(Deadline::NEVER, |front| Deadline::from_millis(front.rest() >> (KEY_BITS + UNUSED_BITS)))
    }

    /// Sets the deadline, for all who hold the record. Only one thread may do so at a time, or the last one wins.
    #[inline]
    pub fn set_deadline(&self, deadline: Deadline) {
        let Some(front) = self.front() else { return };
        front.rest.store(front_of(deadline) | front.rest() & LENGTHS, Relaxed);
    }

    /// The key.
    #[inline]
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.0.slice[..self.key_len()]
    }

    /// Whether this is the key. Quicker than comparing [`key`](Record::key): of a short one whose length is right, only words are compared.
    #[inline]
    #[must_use]
    pub fn has_key(&self, key: &[u8]) -> bool {
        let Some(front) = self.front() else { return false };
        let lengths = front.rest() & LENGTHS & !UNUSED;
        lengths == (key.len() as u64) << UNUSED_BITS && self.0.slice.get(..key.len()).is_some_and(|own| same(own, key))
    }

    /// The value.
    #[inline]
    #[must_use]
    pub fn value(&self) -> &[u8] {
        match &self.0.header.header {
            Head::Entry(front) => {
                let rest = front.rest();
                &self.0.slice[key_len(rest)..self.0.slice.len() - (rest & UNUSED) as usize]
            }
            Head::Foreign(value) => value.as_bytes(),
        }
    }
}

impl Front {
    /// Relaxed everywhere: the lengths do not change while anybody else holds the record, and to whom the deadline matters has
    /// a lock of his own.
    #[inline]
    fn rest(&self) -> u64 {
        self.rest.load(Relaxed)
    }
}

/// The deadline's bits.
#[inline]
fn front_of(deadline: Deadline) -> u64 {
    deadline.as_millis().min(LATEST) << (KEY_BITS + UNUSED_BITS)
}

#[inline]
const fn key_len(rest: u64) -> usize {
    ((rest & LENGTHS) >> UNUSED_BITS) as usize
}

/// Whether two strings of one length are equal. Most keys have 8 to 16 bytes: two words, which may overlap.
#[inline]
fn same(own: &[u8], other: &[u8]) -> bool {
    let word = |bytes: &[u8; 8]| u64::from_ne_bytes(*bytes);
    if own.len() <= 16
        && let (Some(first), Some(last)) = (own.first_chunk(), own.last_chunk())
        && let (Some(other_first), Some(other_last)) = (other.first_chunk(), other.last_chunk())
    {
        return (word(first) ^ word(other_first)) | (word(last) ^ word(other_last)) == 0;
    }
    own == other
}

/// With the count, the length, the head and the 8 bytes of a typical allocator's header: a multiple of 16.
const fn padded(len: usize) -> usize {
    (len + 7) / 16 * 16 + 8
}

/// Says how long it is and not what it holds: keys and values do not belong in logs.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Record({} bytes)", self.value().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Payload;

    fn version(number: u64) -> NonZeroU64 {
        NonZeroU64::new(number).unwrap()
    }

    #[test]
    fn parts_come_back() {
        for len in (0..40).chain([100, 479, 480, 481, 5000]) {
            for key in [&b""[..], b"key", &[9; 1024], &[9; 4095]] {
                let value = vec![7u8; len];
                let record = Record::new(version(42), key, &value).unwrap();
                assert_eq!((record.version(), record.key(), record.value()), (42, key, &value[..]));
                assert!(record.has_key(key));
                assert_eq!(Payload::from(record.clone()).as_bytes(), value);
                assert_eq!((32 + record.0.slice.len()) % 16, 8);
                assert_eq!(record.deadline(), Deadline::NEVER);
            }
        }
        assert!(Record::new(version(1), &[0; 4096], b"").is_none());
    }

    #[test]
    fn only_the_key_itself_is_the_key() {
        for len in (0..40).chain([1024, 4095]) {
            let key = vec![7; len];
            let record = Record::new(version(1), &key, &[7; 30]).unwrap();
            assert!(record.has_key(&key));
            for at in 0..len {
                let mut other = key.clone();
                other[at] ^= 1;
                assert!(!record.has_key(&other), "{len} {at}");
            }
            for other in [&[7; 4096][..len + 1], &[7; 4096][..len.saturating_sub(1)], &[7; 5000], &[]] {
                assert_eq!(record.has_key(other), other.len() == len, "{len} {}", other.len());
            }
        }
        assert!(!Record::foreign(Foreign::Owned(vec![7], 0)).has_key(b""));
    }

    #[test]
    fn v4_a_record_that_a_reader_holds_is_not_rewritten() {
        let mut record = Record::new(version(1), b"key", b"old").unwrap();
        let held = Payload::from(record.clone());
        assert!(!record.rewrite(version(2), b"new", Deadline::NEVER));
        assert_eq!(held.as_bytes(), b"old");
        drop(held);
        assert!(record.rewrite(version(2), b"newer", Deadline::from_millis(8)));
        assert_eq!((record.version(), record.value()), (2, &b"newer"[..]));
        assert_eq!((record.key(), record.deadline().as_millis()), (&b"key"[..], 8));
        assert!(!record.rewrite(version(3), &[0; 100], Deadline::NEVER));
    }

    #[test]
    fn a_deadline_changes_nothing_else() {
        let mut record = Record::new(version(1), &[1; 1024], b"value").unwrap();
        let held = record.clone();
        for millis in [1, 1_800_000_000_000, LATEST, 0, 77] {
            record.set_deadline(Deadline::from_millis(millis));
            assert_eq!((record.deadline().as_millis(), held.deadline().as_millis()), (millis, millis));
            assert_eq!((held.version(), held.key(), held.value()), (1, &[1; 1024][..], &b"value"[..]));
        }
        record.set_deadline(Deadline::from_millis(u64::MAX));
        assert_eq!(record.deadline().as_millis(), LATEST);
        drop(held);
        assert!(record.rewrite(version(2), b"v", Deadline::from_millis(u64::MAX)));
        assert_eq!((record.deadline().as_millis(), record.key().len(), record.value()), (LATEST, 1024, &b"v"[..]));
    }

    #[test]
    fn a_value_that_lies_elsewhere_is_a_record_without_key_and_version() {
        let mut record = Record::foreign(Foreign::Owned(b"headervalue".to_vec(), 6));
        record.set_deadline(Deadline::from_millis(7));
        assert!(!record.rewrite(version(1), b"", Deadline::NEVER));
        assert_eq!((record.version(), record.key(), record.value()), (0, &b""[..], &b"value"[..]));
        assert_eq!(record.deadline(), Deadline::NEVER);
    }

    /// A tag and a pointer: the compiler returns those in registers, but 16 bytes with a second meaning for the tag of a payload
    /// in memory (so it did while a payload was two words, and this answer had 16 bytes, too).
    #[test]
    fn an_answer_travels_in_two_registers() {
        assert_eq!([size_of::<Record>(), size_of::<Payload>(), size_of::<Option<Payload>>()], [8; 3]);
        assert_eq!(size_of::<Option<crate::Result<Option<Payload>>>>(), 16);
    }
}
