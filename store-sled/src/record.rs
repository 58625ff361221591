//! The bytes on disk. Whatever was written by format 1 or is written by format 2 must be readable by every later version.
//!
//! | tree | key | value |
//! |---|---|---|
//! | `d` + store id | the user's key | format `u8` = 2, flags `u8`, counter `u64`, for what expires deadline `u64` and due time of the hint `u64`, then the payload or, for a large value, its length `u32` |
//! | `x` + store id | due time `u64`, the user's key | nothing: a hint where to look for expired entries |
//! | `v` + store id | counter `u64`, number `u32` | number 0: the owner's key; 1 and on: the large value in pieces of [`CHUNK`] bytes |
//! | `m` | a name | see `database.rs` |
//!
//! All numbers are big-endian. The first byte of a tree's name says what it is and the rest is the id alone, so no id and key
//! can be confused with another id and key (rule K2). Times are milliseconds since the Unix epoch. The counter numbers every
//! value write of the database; the version that users see is its cipher.
//!
//! Of the flags bit 0 says that the value is large, bit 1 that the entry expires.
//!
//! A hint is due at the deadline or before it, never after. So an entry that is written or touched again and again, as
//! sessions are, keeps the hint that it has; when that is due the sweeper gives it one for the deadline that it has then.
//!
//! Records of format 1 have counter and deadline (0 for never) always, and in bits 1 to 5 of the flags a grain: their hint is
//! due at the deadline rounded up to a multiple of 2^grain ms. They are rewritten when they are next written or touched.
//!
//! sled keeps up to 16 records in a page and rewrites the page as a whole. So large values are kept in pieces: otherwise one
//! page could hold 16 of 8 MiB, and every tenth update would write them all.

use store_core::{Deadline, Error, Result};

/// The format that this version writes.
pub(crate) const FORMAT: u8 = 2;
/// The longest payload inside of a record, and the size of a large value's pieces. 16 of them and 16 of the longest keys
/// stay below the size (128 KiB) from which sled moves a page into a file of its own, which it never makes durable.
pub(crate) const CHUNK: usize = PIECE as usize;
const PIECE: u32 = 4096;

const LARGE: u8 = 1;
const MORTAL: u8 = 2;
const GRAIN: u8 = 0b11_1110;

/// What stands before the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The number of the value write.
    pub(crate) counter: u64,
    pub(crate) deadline: Deadline,
    /// When the hint is due, in milliseconds since the Unix epoch; 0 for what never expires, which has none.
    pub(crate) hint: u64,
    /// The length of a value that is kept in pieces.
    pub(crate) large: Option<u32>,
    /// Where the payload begins.
    pub(crate) start: usize,
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
        match *bytes {
            [FORMAT, flags, ..] if flags & !(LARGE | MORTAL) == 0 => Head::parse(bytes, flags).ok_or_else(foreign),
            [1, flags, ..] if flags & !(LARGE | GRAIN) == 0 => Head::parse_1(bytes, flags).ok_or_else(foreign),
            [format, ..] => Err(foreign().with_detail("format", i64::from(format))),
            [] => Err(foreign()),
        }
    }

    fn parse(bytes: &[u8], flags: u8) -> Option<Head> {
        let start = if flags & MORTAL == 0 { 10 } else { 26 };
        let (head, payload) = bytes.split_at_checked(start)?;
        let (deadline, hint) = match head.get(10..26) {
            Some(times) => (number(&times[..8]), number(&times[8..])),
            None => (0, 0),
        };
        let deadline = Deadline::from_millis(deadline);
        Some(Head { counter: number(&head[2..10]), deadline, hint, large: length(flags, payload)?, start })
    }

    fn parse_1(bytes: &[u8], flags: u8) -> Option<Head> {
        let (head, payload) = bytes.split_at_checked(18)?;
        let deadline = number(&head[10..]);
        let grain = flags >> 1;
        let hint = deadline.div_ceil(1 << grain) << grain;
        let deadline = Deadline::from_millis(deadline);
        Some(Head { counter: number(&head[2..10]), deadline, hint, large: length(flags, payload)?, start: 18 })
    }

    /// The payload of the record that this is the header of, if its value is inside.
    pub(crate) fn payload<'a>(&self, record: &'a [u8]) -> &'a [u8] {
        record.get(self.start..).unwrap_or_default()
    }

    /// What the record holds.
    pub(crate) fn body<'a>(&self, record: &'a [u8]) -> Body<'a> {
        self.large.map_or_else(|| Body::Inline(self.payload(record)), Body::Large)
    }
}

/// The length of a large value, if the value is large; `None` if the record is not of this library.
fn length(flags: u8, payload: &[u8]) -> Option<Option<u32>> {
    match flags & LARGE {
        0 => Some(None),
        _ => payload.try_into().ok().map(|length| Some(u32::from_be_bytes(length))),
    }
}

/// Writes a record. `hint` is when its hint is due.
pub(crate) fn write(bytes: &mut Vec<u8>, counter: u64, deadline: Deadline, hint: u64, body: Body<'_>) {
    let mut head = [0; 26];
    head[0] = FORMAT;
    head[2..10].copy_from_slice(&counter.to_be_bytes());
    let mut start = 10;
    if deadline != Deadline::NEVER {
        head[1] |= MORTAL;
        head[10..18].copy_from_slice(&deadline.as_millis().to_be_bytes());
        head[18..26].copy_from_slice(&hint.to_be_bytes());
        start = 26;
    }
    let length;
    let payload = match body {
        Body::Inline(payload) => payload,
        Body::Large(large) => {
            head[1] |= LARGE;
            length = large.to_be_bytes();
            &length
        }
    };
    bytes.reserve(start + payload.len());
    bytes.extend_from_slice(&head[..start]);
    bytes.extend_from_slice(payload);
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

    fn record(counter: u64, deadline: u64, hint: u64, body: Body<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&mut bytes, counter, Deadline::from_millis(deadline), hint, body);
        bytes
    }

    fn head(bytes: &[u8]) -> (u64, u64, u64, Option<u32>) {
        let head = Head::read(bytes).unwrap();
        (head.counter, head.deadline.as_millis(), head.hint, head.large)
    }

    #[test]
    fn records_read_back() {
        let bytes = record(7, 1234, 1000, Body::Inline(b"value"));
        let fixed = b"\x02\x02\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\x04\xd2\0\0\0\0\0\0\x03\xe8value";
        assert_eq!(bytes, fixed, "the format never changes");
        assert_eq!(head(&bytes), (7, 1234, 1000, None));
        assert_eq!(Head::read(&bytes).unwrap().payload(&bytes), b"value");
        let bytes = record(7, 0, 0, Body::Inline(b""));
        assert_eq!(bytes, b"\x02\0\0\0\0\0\0\0\0\x07", "the format never changes");
        assert_eq!(head(&bytes), (7, 0, 0, None));
        for deadline in [0, 5] {
            assert_eq!(head(&record(7, deadline, deadline, Body::Large(9000))), (7, deadline, deadline, Some(9000)));
        }
        assert_eq!(pieces(4096), 1);
        assert_eq!(pieces(4097), 2);
    }

    #[test]
    fn records_of_format_1_are_read() {
        let bytes = b"\x01\x06\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\x04\xd2value";
        assert_eq!(head(bytes), (7, 1234, 1240, None));
        assert_eq!(Head::read(bytes).unwrap().payload(bytes), b"value");
        let bytes = b"\x01\x01\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\0\0\0\x23\x28";
        assert_eq!(head(bytes), (7, 0, 0, Some(9000)));
    }

    #[test]
    fn v6_foreign_bytes_are_an_error() {
        for bytes in [
            &b""[..],
            b"\x02",
            b"\x03\0aaaaaaaabbbbbbbb",
            b"\x02\x04aaaaaaaabbbbbbbb",
            b"\x02\x02aaaaaaaabbbbbbbbccccccc",
            b"\x02\x01aaaaaaaa123",
            b"\x01\x40aaaaaaaabbbbbbbb",
            b"\x01\x01aaaaaaaabbbbbbbb123",
        ] {
            assert_eq!(Head::read(bytes).unwrap_err().reason(), Some("foreign"));
        }
        assert!(split_hint(b"short").is_err());
    }

    #[test]
    fn hints_come_in_the_order_of_deadlines() {
        assert!(hint(1, b"z") < hint(2, b"a"));
        assert_eq!(split_hint(&hint(3, b"key")).unwrap(), (3, &b"key"[..]));
    }
}
