//! Integers: their smallest form, and what counts as one.

use std::fmt;
use std::ops::Deref;

use super::decoder::{Decoder, Token};

/// A few encoded bytes, without allocation: an integer, or the header of a string or a container.
#[derive(Clone, Copy)]
pub struct IntegerBuf {
    bytes: [u8; 9],
    len: usize,
}

/// Where a marker and big-endian bytes after it (at most 8) go: a buffer, or the output at once.
pub(super) trait Sink {
    type Done;

    fn put<const N: usize>(self, marker: u8, rest: [u8; N]) -> Self::Done;
}

/// Makes an [`IntegerBuf`].
pub(super) struct Buffer;

impl Sink for Buffer {
    type Done = IntegerBuf;

    #[inline]
    fn put<const N: usize>(self, marker: u8, rest: [u8; N]) -> IntegerBuf {
        const { assert!(N <= 8) };
        let mut bytes = [0; 9];
        bytes[0] = marker;
        bytes[1..=N].copy_from_slice(&rest);
        IntegerBuf { bytes, len: N + 1 }
    }
}

impl IntegerBuf {
    /// All bytes, those behind the end included.
    pub(super) fn array(&self) -> &[u8; 9] {
        &self.bytes
    }
}

impl Deref for IntegerBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
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
    put_integer(n, Buffer)
}

pub(super) fn put_integer<S: Sink>(n: i64, sink: S) -> S::Done {
    if let Ok(n) = u64::try_from(n) {
        return put_unsigned(n, sink);
    }
    if let Ok(n) = i8::try_from(n) {
        let [byte] = n.to_be_bytes();
        return if n >= -32 { sink.put(byte, []) } else { sink.put(0xd0, [byte]) };
    }
    if let Ok(n) = i16::try_from(n) {
        return sink.put(0xd1, n.to_be_bytes());
    }
    match i32::try_from(n) {
        Ok(n) => sink.put(0xd2, n.to_be_bytes()),
        Err(_) => sink.put(0xd3, n.to_be_bytes()),
    }
}

pub(super) fn put_unsigned<S: Sink>(n: u64, sink: S) -> S::Done {
    if let Ok(n) = u8::try_from(n) {
        return if n < 0x80 { sink.put(n, []) } else { sink.put(0xcc, [n]) };
    }
    if let Ok(n) = u16::try_from(n) {
        return sink.put(0xcd, n.to_be_bytes());
    }
    match u32::try_from(n) {
        Ok(n) => sink.put(0xce, n.to_be_bytes()),
        Err(_) => sink.put(0xcf, n.to_be_bytes()),
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
