//! One entry in one allocation: version, lengths, key, value.
//!
//! ```text
//! | version: 8 | value length: 4 | key length: 2 | key | value | slack |
//! ```
//! A record is shared: a read hands out a [`Payload`] that keeps it alive, without copying. What changes without a write of
//! the value (the deadline, the place in the wheel) is therefore not in it but in its slot.

use std::sync::Arc;

use store_core::Payload;

pub(crate) type Record = Arc<[u8]>;

const VALUE_LEN: usize = 8;
const KEY_LEN: usize = 12;
const KEY: usize = 14;

/// A new record. It is padded to what the allocator would round it up to anyway, so that a later value of about the same
/// length can take its place (see [`rewrite`]).
pub(crate) fn build(version: u64, key: &[u8], value: &[u8]) -> Record {
    let mut record: Record = std::iter::repeat_n(0u8, padded(KEY + key.len() + value.len())).collect();
    if let Some(bytes) = Arc::get_mut(&mut record) {
        bytes[KEY_LEN..KEY].copy_from_slice(&short(key.len()).to_le_bytes());
        bytes[KEY..KEY + key.len()].copy_from_slice(key);
        fill(bytes, KEY + key.len(), version, value);
    }
    record
}

/// Writes a new value over the old one if no reader holds it and the allocation is just large enough; says whether.
///
/// Spares an allocation and a release per overwrite, which is most of what an overwrite costs.
pub(crate) fn rewrite(record: &mut Record, version: u64, value: &[u8]) -> bool {
    let start = KEY + key(record).len();
    if padded(start + value.len()) != record.len() {
        return false;
    }
    let Some(bytes) = Arc::get_mut(record) else { return false };
    fill(bytes, start, version, value);
    true
}

fn fill(bytes: &mut [u8], start: usize, version: u64, value: &[u8]) {
    bytes[..VALUE_LEN].copy_from_slice(&version.to_le_bytes());
    bytes[VALUE_LEN..KEY_LEN].copy_from_slice(&word(value.len()).to_le_bytes());
    bytes[start..start + value.len()].copy_from_slice(value);
}

/// With the two counters of the `Arc` and the 8 bytes of a typical allocator's header: a multiple of 16.
const fn padded(len: usize) -> usize {
    (len + 7) / 16 * 16 + 8
}

/// Keys are at most 1024 bytes long; their type proves it.
fn short(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}

/// Longer values are refused before ([`MAX_VALUE`]).
fn word(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// The longest value that a record can hold.
pub(crate) const MAX_VALUE: usize = (u32::MAX - 2048) as usize;

pub(crate) fn version(record: &[u8]) -> u64 {
    record.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

pub(crate) fn key(record: &[u8]) -> &[u8] {
    let len = usize::from(u16::from_le_bytes([record[KEY_LEN], record[KEY_LEN + 1]]));
    &record[KEY..KEY + len]
}

fn value_range(record: &[u8]) -> std::ops::Range<usize> {
    let start = KEY + key(record).len();
    let len = u32::from_le_bytes([record[8], record[9], record[10], record[11]]) as usize;
    start..start + len
}

pub(crate) fn value(record: &[u8]) -> &[u8] {
    &record[value_range(record)]
}

/// The value, sharing the record.
pub(crate) fn payload(record: &Record) -> Payload {
    Payload::shared(Arc::clone(record), value_range(record))
}

/// Bytes that an entry costs besides its key and value: the record's header and padding, its slot, its share of the table
/// and of the ordered index. A typical figure; `max_bytes` counts with it.
pub(crate) const OVERHEAD: u64 = 104;

/// What a key and a value count for in `max_bytes`.
pub(crate) const fn charge(key: usize, value: usize) -> u64 {
    key as u64 + value as u64 + OVERHEAD
}

/// What a record counts for in `max_bytes`.
pub(crate) fn charge_of(record: &[u8]) -> u64 {
    charge(key(record).len(), value_range(record).len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_back() {
        for len in [0, 1, 15, 16, 17, 100, 5000] {
            let value_in = vec![7u8; len];
            let record = build(42, b"key", &value_in);
            assert_eq!((version(&record), key(&record), value(&record)), (42, &b"key"[..], &value_in[..]));
            assert_eq!(payload(&record).as_bytes(), value_in);
            assert_eq!((record.len() + 16) % 16, 8);
        }
    }

    #[test]
    fn v4_a_record_that_a_reader_holds_is_not_rewritten() {
        let mut record = build(1, b"key", b"old");
        let held = payload(&record);
        assert!(!rewrite(&mut record, 2, b"new"));
        assert_eq!(held.as_bytes(), b"old");
        drop(held);
        assert!(rewrite(&mut record, 2, b"newer"));
        assert_eq!((version(&record), value(&record)), (2, &b"newer"[..]));
        assert!(!rewrite(&mut record, 3, &[0; 100]));
    }
}
