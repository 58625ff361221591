//! The bytes on disk, format 1. Whatever is written here must be readable by every later version.
//!
//! | tree | key | value |
//! |---|---|---|
//! | `d` + store id | the user's key | format `u8` = 1, flags `u8`, counter `u64`, deadline `u64`, then the payload or, for a large value, its length `u32` |
//! | `x` + store id | due time `u64`, the user's key | nothing: a hint where to look for expired entries |
//! | `v` + store id | counter `u64`, number `u32` | number 0: the owner's key; 1 and on: the large value in pieces of [`CHUNK`] bytes |
//! | `m` | a name | see `database.rs` |
//!
//! All numbers are big-endian. The first byte of a tree's name says what it is and the rest is the id alone, so no id and key
//! can be confused with another id and key (rule K2). Deadlines are milliseconds since the Unix epoch, 0 for never. The
//! counter numbers every value write of the database; the version that users see is its cipher.
//!
//! Of the flags bit 0 says that the value is large, and bits 1 to 5 are the grain: the due time of a hint is the deadline
//! rounded up to a multiple of 2^grain ms, a sixteenth of the TTL or less. So an entry that is written or touched again and
//! again, as sessions are, moves its hint now and then and not each time.
//!
//! sled keeps up to 16 records in a page and rewrites the page as a whole. So large values are kept in pieces: otherwise one
//! page could hold 16 of 8 MiB, and every tenth update would write them all.

use store_core::{Deadline, Error, Lifetime, Result, Time, Ttl};

/// The format that this version writes.
pub(crate) const FORMAT: u8 = 1;
/// The longest payload inside of a record, and the size of a large value's pieces. 16 of them and 16 of the longest keys
/// stay below the size (128 KiB) from which sled moves a page into a file of its own, which it never makes durable.
pub(crate) const CHUNK: usize = PIECE as usize;
const PIECE: u32 = 4096;

const HEADER: usize = 18;
const LARGE: u8 = 1;
const GRAIN: u8 = 0b11_1110;
/// No hint is due later than this after its deadline: 65.536 s.
const MAX_GRAIN: u8 = 16;

/// What stands before the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The number of the value write.
    pub(crate) counter: u64,
    pub(crate) expiry: Expires,
    /// The length of a value that is kept in pieces.
    pub(crate) large: Option<u32>,
}

/// When a record expires, and how coarsely its hint says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expires {
    pub(crate) deadline: Deadline,
    grain: u8,
}

impl Expires {
    pub(crate) const NEVER: Expires = Expires { deadline: Deadline::NEVER, grain: 0 };

    /// Of what is written at `now`, the precise time.
    pub(crate) fn after(now: Time, lifetime: Lifetime) -> Expires {
        let grain = lifetime.as_millis().map_or(0, |millis| (millis.get() / 16).max(1).ilog2());
        let grain = u8::try_from(grain).unwrap_or(MAX_GRAIN).min(MAX_GRAIN);
        Expires { deadline: Deadline::after(now, lifetime), grain }
    }

    /// With a deadline that was set elsewhere; `None` if it has passed.
    pub(crate) fn at(deadline: Deadline, now: Time) -> Option<Expires> {
        let lifetime = match deadline.left(now)? {
            Ttl::Never => Lifetime::NEVER,
            Ttl::Left(left) => Lifetime::after(left).ok()?,
        };
        Some(Expires { deadline, ..Expires::after(now, lifetime) })
    }

    pub(crate) fn has_passed(self, now: Time) -> bool {
        self.deadline.has_passed(now)
    }

    /// When the hint is due, in milliseconds since the Unix epoch: never before the deadline. `None` for never.
    pub(crate) fn due(self) -> Option<u64> {
        match self.deadline.as_millis() {
            0 => None,
            millis => Some(millis.div_ceil(1 << self.grain) << self.grain),
        }
    }
}

/// A value on its way into a record.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Body<'a> {
    Inline(&'a [u8]),
    /// Already stored in pieces under the record's counter.
    Large(u32),
}

impl Head {
    /// Reads the header of a record.
    pub(crate) fn read(bytes: &[u8]) -> Result<Head> {
        let Some((head, payload)) = bytes.split_at_checked(HEADER) else { return Err(foreign()) };
        let (&[format, flags], numbers) = head.split_at(2) else { return Err(foreign()) };
        let (counter, deadline) = numbers.split_at(8);
        if format != FORMAT || flags & !(LARGE | GRAIN) != 0 {
            return Err(foreign().with_detail("format", i64::from(format)));
        }
        let large = match flags & LARGE {
            0 => None,
            _ => Some(u32::from_be_bytes(payload.try_into().map_err(|_| foreign())?)),
        };
        let expiry = Expires { deadline: Deadline::from_millis(number(deadline)), grain: flags >> 1 };
        Ok(Head { counter: number(counter), expiry, large })
    }

    /// The record's bytes.
    pub(crate) fn with(counter: u64, expiry: Expires, body: Body<'_>) -> Vec<u8> {
        let (flags, length) = match body {
            Body::Inline(payload) => (0, payload.len()),
            Body::Large(_) => (LARGE, 4),
        };
        let mut bytes = Vec::with_capacity(HEADER + length);
        bytes.extend_from_slice(&[FORMAT, flags | expiry.grain << 1]);
        bytes.extend_from_slice(&counter.to_be_bytes());
        bytes.extend_from_slice(&expiry.deadline.as_millis().to_be_bytes());
        match body {
            Body::Inline(payload) => bytes.extend_from_slice(payload),
            Body::Large(length) => bytes.extend_from_slice(&length.to_be_bytes()),
        }
        bytes
    }
}

/// The same record with another deadline.
pub(crate) fn with_expiry(record: &[u8], expiry: Expires) -> Vec<u8> {
    let mut bytes = record.to_vec();
    if let Some(head) = bytes.get_mut(..HEADER) {
        head[1] = head[1] & !GRAIN | expiry.grain << 1;
        head[10..].copy_from_slice(&expiry.deadline.as_millis().to_be_bytes());
    }
    bytes
}

/// The payload of a record whose value is inside.
pub(crate) fn payload(record: &[u8]) -> &[u8] {
    record.get(HEADER..).unwrap_or_default()
}

fn foreign() -> Error {
    Error::foreign("the record of this key was not written by this library, or by a later version of it")
}

/// The number that up to 8 bytes are, big-endian.
pub(crate) fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// The key of a hint.
pub(crate) fn hint(due: u64, key: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + key.len());
    bytes.extend_from_slice(&due.to_be_bytes());
    bytes.extend_from_slice(key);
    bytes
}

/// Due time and key of a hint.
pub(crate) fn split_hint(bytes: &[u8]) -> Result<(u64, &[u8])> {
    match bytes.split_at_checked(8) {
        Some((due, key)) => Ok((number(due), key)),
        None => Err(foreign()),
    }
}

/// The key of a piece of a large value; number 0 is the owner's key.
pub(crate) fn piece(counter: u64, index: u32) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&counter.to_be_bytes());
    bytes[8..].copy_from_slice(&index.to_be_bytes());
    bytes
}

/// How many pieces a value of this length has.
pub(crate) const fn pieces(length: u32) -> u32 {
    length.div_ceil(PIECE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expires(millis: u64, grain: u8) -> Expires {
        Expires { deadline: Deadline::from_millis(millis), grain }
    }

    #[test]
    fn records_read_back() {
        let expiry = expires(1234, 3);
        let bytes = Head::with(7, expiry, Body::Inline(b"value"));
        assert_eq!(bytes, b"\x01\x06\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\x04\xd2value", "the format never changes");
        assert_eq!(Head::read(&bytes).unwrap(), Head { counter: 7, expiry, large: None });
        assert_eq!(payload(&bytes), b"value");
        let bytes = Head::with(7, Expires::NEVER, Body::Large(9000));
        assert_eq!(Head::read(&bytes).unwrap(), Head { counter: 7, expiry: Expires::NEVER, large: Some(9000) });
        let moved = with_expiry(&bytes, expiry);
        assert_eq!(Head::read(&moved).unwrap(), Head { counter: 7, expiry, large: Some(9000) });
        assert_eq!(pieces(4096), 1);
        assert_eq!(pieces(4097), 2);
    }

    #[test]
    fn v6_foreign_bytes_are_an_error() {
        for bytes in
            [&b""[..], b"\x01", b"\x02\0aaaaaaaabbbbbbbb", b"\x01\x40aaaaaaaabbbbbbbb", b"\x01\x01aaaaaaaabbbbbbbb123"]
        {
            assert_eq!(Head::read(bytes).unwrap_err().reason(), Some("foreign"));
        }
        assert!(split_hint(b"short").is_err());
    }

    #[test]
    fn hints_come_in_the_order_of_deadlines_never_early_and_hardly_late() {
        assert_eq!(Expires::NEVER.due(), None);
        assert_eq!((expires(1024, 10).due(), expires(1025, 10).due()), (Some(1024), Some(2048)));
        assert!(hint(1, b"z") < hint(2, b"a"));
        assert_eq!(split_hint(&hint(3, b"key")).unwrap(), (3, &b"key"[..]));
        let now = Time::from_millis(1_767_225_600_123);
        for millis in [1, 15, 16, 17, 1000, 60_000, 3_600_000, 3_155_760_000_000] {
            let lifetime = Lifetime::after(std::time::Duration::from_millis(millis)).unwrap();
            let expiry = Expires::after(now, lifetime);
            let (deadline, due) = (expiry.deadline.as_millis(), expiry.due().unwrap());
            assert!(due >= deadline && due - deadline <= (millis / 16).min(65_535), "{millis}: {}", due - deadline);
            assert_eq!(Expires::at(expiry.deadline, now), Some(expiry));
        }
        assert_eq!(Expires::at(Deadline::from_millis(1), now), None);
    }
}
