//! A key, its value and its version in one shared allocation, behind one word: for backends that keep entries in memory.

use std::fmt;

use triomphe::{Arc, ThinArc};

/// The longest value that a record can hold.
const MAX_VALUE: usize = u32::MAX as usize;

#[derive(Clone, Copy)]
struct Head {
    version: u64,
    value: u32,
    key: u16,
}

/// An entry in one allocation that is shared, not copied.
///
/// A record is one pointer, so that a [`Payload`](crate::Payload) made from it fits two registers: answers that travel
/// through memory instead, written in words and read in pairs of words, cost a read of what is cached half of its speed.
///
/// It is padded to what a typical allocator would round it up to anyway, so that a later value of about the same length can
/// take its place (see [`rewrite`](Record::rewrite)).
#[derive(Clone)]
pub struct Record(ThinArc<Head, u8>);

impl Record {
    /// A record. `None` if the value is longer than 4 GiB, or the key than 64 KiB.
    #[must_use]
    pub fn new(version: u64, key: &[u8], value: &[u8]) -> Option<Record> {
        let head = Head { version, value: u32::try_from(value.len()).ok()?, key: u16::try_from(key.len()).ok()? };
        let (used, len) = (key.len() + value.len(), padded(key.len() + value.len()));
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

    /// Writes a new version and value over the old ones, if nobody else holds the record and the allocation is just large
    /// enough; says whether.
    ///
    /// Spares an allocation and a release per overwrite, which is most of what an overwrite costs.
    pub fn rewrite(&mut self, version: u64, value: &[u8]) -> bool {
        let (start, len) = (usize::from(self.head().key), self.0.slice.len());
        if padded(start + value.len()) != len || value.len() > MAX_VALUE {
            return false;
        }
        self.0.with_arc_mut(|shared| {
            let Some(record) = Arc::get_mut(shared) else { return false };
            let head = record.header_mut();
            head.version = version;
            head.value = u32::try_from(value.len()).unwrap_or(u32::MAX);
            record.slice_mut()[start..start + value.len()].copy_from_slice(value);
            true
        })
    }

    #[inline]
    fn head(&self) -> &Head {
        &self.0.header.header
    }

    /// The version.
    #[inline]
    #[must_use]
    pub fn version(&self) -> u64 {
        self.head().version
    }

    /// The key.
    #[inline]
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.0.slice[..usize::from(self.head().key)]
    }

    /// The value.
    #[inline]
    #[must_use]
    pub fn value(&self) -> &[u8] {
        let start = usize::from(self.head().key);
        &self.0.slice[start..start + self.head().value as usize]
    }
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

    #[test]
    fn parts_come_back() {
        for len in [0, 1, 15, 16, 17, 100, 479, 480, 481, 5000] {
            let value = vec![7u8; len];
            let record = Record::new(42, b"key", &value).unwrap();
            assert_eq!((record.version(), record.key(), record.value()), (42, &b"key"[..], &value[..]));
            assert_eq!(Payload::from(record.clone()).as_bytes(), value);
            assert_eq!((32 + record.0.slice.len()) % 16, 8);
        }
        assert!(Record::new(0, &[0; 1 << 16], b"").is_none());
    }

    #[test]
    fn v4_a_record_that_a_reader_holds_is_not_rewritten() {
        let mut record = Record::new(1, b"key", b"old").unwrap();
        let held = Payload::from(record.clone());
        assert!(!record.rewrite(2, b"new"));
        assert_eq!(held.as_bytes(), b"old");
        drop(held);
        assert!(record.rewrite(2, b"newer"));
        assert_eq!((record.version(), record.value()), (2, &b"newer"[..]));
        assert!(!record.rewrite(3, &[0; 100]));
    }

    #[test]
    fn an_answer_fits_two_registers() {
        assert_eq!(size_of::<Record>(), 8);
        assert_eq!(size_of::<Option<crate::Result<Option<Payload>>>>(), 16);
    }
}
