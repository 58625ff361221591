//! Records, and what they count for.

pub(crate) use store_core::Record;

/// Bytes that an entry costs besides its key and value: the record's header and padding, its slot, its share of the table
/// and of the ordered index. A typical figure; `max_bytes` counts with it.
pub(crate) const OVERHEAD: u64 = 96;

/// What a key and a value count for in `max_bytes`.
pub(crate) const fn charge(key: usize, value: usize) -> u64 {
    key as u64 + value as u64 + OVERHEAD
}

/// What a record counts for in `max_bytes`.
pub(crate) fn charge_of(record: &Record) -> u64 {
    charge(record.key().len(), record.value().len())
}
