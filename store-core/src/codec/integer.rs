//! Integers: their smallest form, and what counts as one.

use std::fmt;
use std::ops::Deref;

use super::{Decoder, Token};

/// A few encoded bytes, without allocation: an integer, or the header of a string or a container.
#[derive(Clone, Copy)]
pub struct IntegerBuf {
    bytes: [u8; 9],
    len: u8,
}

impl IntegerBuf {
    /// A marker, and big-endian bytes after it (at most 8).
    pub(super) fn new<const N: usize>(marker: u8, rest: [u8; N]) -> IntegerBuf {
        const { assert!(N <= 8) };
        let mut bytes = [0; 9];
        bytes[0] = marker;
        let mut len = 1;
        for (to, from) in bytes[1..].iter_mut().zip(rest) {
            *to = from;
            len += 1;
        }
        IntegerBuf { bytes, len }
    }
}

impl Deref for IntegerBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl AsRef<[u8]> for IntegerBuf {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for IntegerBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IntegerBuf({} bytes)", self.len)
    }
}

/// The encoding of an integer, as [`encode`](super::encode) writes it: the smallest form.
#[must_use]
pub fn encode_integer(n: i64) -> IntegerBuf {
    if let Ok(n) = u64::try_from(n) {
        return encode_unsigned(n);
    }
    if let Ok(n) = i8::try_from(n) {
        let [byte] = n.to_be_bytes();
        return if n >= -32 { IntegerBuf::new(byte, []) } else { IntegerBuf::new(0xd0, [byte]) };
    }
    if let Ok(n) = i16::try_from(n) {
        return IntegerBuf::new(0xd1, n.to_be_bytes());
    }
    match i32::try_from(n) {
        Ok(n) => IntegerBuf::new(0xd2, n.to_be_bytes()),
        Err(_) => IntegerBuf::new(0xd3, n.to_be_bytes()),
    }
}

pub(super) fn encode_unsigned(n: u64) -> IntegerBuf {
    if let Ok(n) = u8::try_from(n) {
        return if n < 0x80 { IntegerBuf::new(n, []) } else { IntegerBuf::new(0xcc, [n]) };
    }
    if let Ok(n) = u16::try_from(n) {
        return IntegerBuf::new(0xcd, n.to_be_bytes());
    }
    match u32::try_from(n) {
        Ok(n) => IntegerBuf::new(0xce, n.to_be_bytes()),
        Err(_) => IntegerBuf::new(0xcf, n.to_be_bytes()),
    }
}

/// The integer that a payload is, if it is one of 64 bits with sign: the only judge of what `increment` may count.
///
/// Any integer form counts, whether or not it is the smallest. A float never does, however round; nor a string of digits.
#[must_use]
pub fn integer(payload: &[u8]) -> Option<i64> {
    let mut decoder = Decoder::new(payload);
    match decoder.token() {
        Ok(Token::Int(n)) if decoder.remaining() == 0 => Some(n),
        _ => None,
    }
}
