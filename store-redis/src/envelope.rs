//! The stored form: one Redis string per entry, with Redis' own TTL.
//!
//! | bytes | meaning |
//! |---|---|
//! | 0 | `A5`: ours |
//! | 1 | format: `01` = encoded value, `02` = integer |
//! | 2 to 9 | version, big-endian, chosen by the writer |
//! | 10 to the end | format 1: MessagePack; format 2: the integer in decimal |
//!
//! Integers have a form of their own so that a script can count on them: Lua in Redis has no 64-bit integers, but Redis'
//! `INCRBY` counts on decimal text. Which form an entry has cannot be seen from outside: an integer reads back as the very
//! bytes that the codec writes for it.

use std::io::Write as _;

use redis::{RedisWrite, ToRedisArgs};
use store_core::codec::{encode_integer, integer};
use store_core::{Error, Payload, Result, Version};

const MAGIC: u8 = 0xA5;
const VALUE: u8 = 1;
const INTEGER: u8 = 2;
/// Bytes before the payload.
pub(crate) const HEADER: usize = 10;

/// An entry on its way to Redis: header and payload, joined while the command is written.
#[derive(Clone, Copy)]
pub(crate) struct Wrapped<'a> {
    version: u64,
    payload: &'a [u8],
    integer: Option<i64>,
}

impl<'a> Wrapped<'a> {
    /// The stored form of an encoded value.
    pub(crate) fn new(version: u64, payload: &'a [u8]) -> Wrapped<'a> {
        // At most 9 bytes: anything longer is no integer. Integers in another than their smallest form stay as they are.
        let integer = if payload.len() <= 9 {
            integer(payload).filter(|&number| *encode_integer(number) == *payload)
        } else {
            None
        };
        Wrapped { version, payload, integer }
    }

    /// The stored form of an integer.
    pub(crate) fn integer(version: u64, number: i64) -> Wrapped<'static> {
        Wrapped { version, payload: &[], integer: Some(number) }
    }

    pub(crate) const fn version(&self) -> u64 {
        self.version
    }

    pub(crate) const fn len(&self) -> usize {
        HEADER + self.payload.len() + if self.integer.is_some() { 20 } else { 0 }
    }
}

impl ToRedisArgs for Wrapped<'_> {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        let mut header = [MAGIC, VALUE, 0, 0, 0, 0, 0, 0, 0, 0];
        header[2..].copy_from_slice(&self.version.to_be_bytes());
        let mut writer = out.writer_for_next_arg();
        // Writing into a command's buffer cannot fail.
        if let Some(number) = self.integer {
            header[1] = INTEGER;
            let _ = writer.write_all(&header);
            let _ = write!(writer, "{number}");
        } else {
            let _ = writer.write_all(&header);
            let _ = writer.write_all(self.payload);
        }
    }
}

/// The header of an integer's stored form, which the increment script completes.
pub(crate) fn integer_header(version: u64) -> [u8; HEADER] {
    let mut header = [MAGIC, INTEGER, 0, 0, 0, 0, 0, 0, 0, 0];
    header[2..].copy_from_slice(&version.to_be_bytes());
    header
}

/// The version in the first bytes of a stored form.
///
/// # Errors
/// INTERNAL, reason `foreign`.
pub(crate) fn version(bytes: &[u8]) -> Result<Version> {
    match bytes {
        [MAGIC, VALUE | INTEGER, version @ ..] => {
            let version = version.first_chunk::<8>().ok_or_else(foreign)?;
            Ok(Version::from_u64(u64::from_be_bytes(*version)))
        }
        _ => Err(foreign()),
    }
}

/// Takes a stored form apart.
///
/// # Errors
/// INTERNAL, reason `foreign`.
pub(crate) fn open(bytes: Vec<u8>) -> Result<(Payload, Version)> {
    let version = version(&bytes)?;
    if bytes[1] == VALUE {
        return Ok((Payload::tail(bytes, HEADER), version));
    }
    let number = decimal(&bytes[HEADER..]).ok_or_else(foreign)?;
    Ok((Payload::from(&*encode_integer(number)), version))
}

/// An integer in decimal.
pub(crate) fn decimal(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// What is said of bytes that this library did not write.
#[cold]
pub(crate) fn foreign() -> Error {
    Error::foreign("the key holds something that this library did not write")
}

#[cfg(test)]
mod tests {
    use super::*;
    use store_core::Kind;

    fn stored(payload: &[u8]) -> Vec<u8> {
        Wrapped::new(7, payload).to_redis_args().concat()
    }

    #[test]
    fn v2_every_payload_comes_back_as_it_was() {
        let integers = [0, 1, -1, 127, 128, -32, -33, 255, 256, 65_536, i64::MAX, i64::MIN, (1 << 53) + 1];
        let mut payloads: Vec<Vec<u8>> = integers.iter().map(|&number| encode_integer(number).to_vec()).collect();
        payloads.extend([
            vec![0xc3],
            vec![0xa1, b'x'],
            vec![0xd0, 1],
            vec![0xcf, 255, 255, 255, 255, 255, 255, 255, 255],
        ]);
        for payload in payloads {
            let (opened, version) = open(stored(&payload)).unwrap();
            assert_eq!(&*opened, &*payload);
            assert_eq!(version, Version::from_u64(7));
        }
    }

    #[test]
    fn wire_form_is_pinned() {
        assert_eq!(stored(&[0xa1, b'x']), b"\xA5\x01\0\0\0\0\0\0\0\x07\xa1x");
        assert_eq!(stored(&encode_integer(-7)), b"\xA5\x02\0\0\0\0\0\0\0\x07-7");
    }

    #[test]
    fn v6_what_is_not_ours_is_foreign_and_never_a_panic() {
        let whole = stored(&encode_integer(12));
        for bytes in
            [&b""[..], b"hello", b"\xA5", b"\xA5\x01", b"\xA5\x03\0\0\0\0\0\0\0\x07x", b"\xA5\x02\0\0\0\0\0\0\0\x071x"]
                .into_iter()
                .chain((0..HEADER).map(|len| &whole[..len]))
        {
            let error = open(bytes.to_vec()).unwrap_err();
            assert_eq!((error.kind(), error.reason()), (Kind::Internal, Some("foreign")));
        }
    }
}
