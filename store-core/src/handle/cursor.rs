//! Cursors of listings: opaque text, good in any process that has the store.
//!
//! A cursor holds a version digit, a checksum over store id and position, and the position (a key that its caller may see),
//! in hexadecimal. The checksum tells a cursor of another store, or a damaged one, from a good one; it is not a secret:
//! whoever forges a cursor gets a listing from another position, and only of what he may see.

use crate::{Error, MAX_KEY_LEN, Result};

const VERSION: u8 = b'1';
const CHECKSUM_DIGITS: usize = 16;

/// The cursor for going on after `position`.
#[must_use]
pub fn encode_cursor(store: &str, position: &[u8]) -> String {
    let mut text = String::with_capacity(1 + CHECKSUM_DIGITS + 2 * position.len());
    text.push(char::from(VERSION));
    text.push_str(&format!("{:016x}", checksum(store, position)));
    for byte in position {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}

/// The position of a cursor of this store.
///
/// # Errors
/// [`Kind::Invalid`](crate::Kind::Invalid) for anything that is not a cursor of this store.
pub fn decode_cursor(store: &str, cursor: &str) -> Result<Vec<u8>> {
    parse(store, cursor.as_bytes()).ok_or_else(|| Error::invalid("the cursor is not one of this store"))
}

fn parse(store: &str, cursor: &[u8]) -> Option<Vec<u8>> {
    let (&version, rest) = cursor.split_first()?;
    let (sum, position) = rest.split_at_checked(CHECKSUM_DIGITS)?;
    if version != VERSION || position.len() % 2 != 0 || position.len() > 2 * MAX_KEY_LEN {
        return None;
    }
    let position: Vec<u8> =
        position.chunks_exact(2).map(|pair| Some(value(pair[0])? << 4 | value(pair[1])?)).collect::<Option<_>>()?;
    (sum == format!("{:016x}", checksum(store, &position)).as_bytes()).then_some(position)
}

fn digit(nibble: u8) -> char {
    char::from(b"0123456789abcdef"[usize::from(nibble & 15)])
}

fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// FNV-1a of 64 bits (Fowler, Noll, Vo) over id, a separator and position.
fn checksum(store: &str, position: &[u8]) -> u64 {
    let separator = (store.len() as u64).to_le_bytes();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in store.bytes().chain(separator).chain(position.iter().copied()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_round_trip_and_bad_ones_are_invalid() {
        for position in [&b"k"[..], b"\0\xff*", &[7; 1024]] {
            let cursor = encode_cursor("app:cache", position);
            assert_eq!(decode_cursor("app:cache", &cursor).unwrap(), position);
            assert!(decode_cursor("app:other", &cursor).is_err());
            let mut damaged = cursor.clone().into_bytes();
            let last = damaged.len() - 1;
            damaged[last] = if damaged[last] == b'0' { b'1' } else { b'0' };
            assert!(decode_cursor("app:cache", std::str::from_utf8(&damaged).unwrap()).is_err());
        }
        for bad in ["", "1", "2", "nonsense", "é", "1000000000000000", "10000000000000000", "10000000000000000f"] {
            assert!(decode_cursor("app:cache", bad).is_err(), "{bad}");
        }
    }
}
