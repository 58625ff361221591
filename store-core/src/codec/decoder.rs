//! Reading MessagePack.

use std::fmt;

use super::limits::MAX_DEPTH;
use crate::{Error, Result};

pub(super) const NIL: u8 = 0xc0;

/// One piece of an encoded value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Token<'a> {
    /// Nil.
    Nil,
    /// A boolean.
    Bool(bool),
    /// An integer that fits 64 bits with sign, whatever its form.
    Int(i64),
    /// An integer above `i64::MAX`.
    UInt(u64),
    /// A float. One of 32 bits, which this library never writes, is widened.
    Float(f64),
    /// A string: `str` or `bin`, any bytes.
    Str(&'a [u8]),
    /// An array; so many values follow. There are at least as many bytes left.
    Array(usize),
    /// A map; so many keys follow, each with its value. There are at least twice as many bytes left.
    Map(usize),
}

/// Reads MessagePack piece by piece, without recursion or allocation. No bytes make it panic.
///
/// Whoever descends into arrays and maps by recursion calls [`enter`](Decoder::enter) and [`leave`](Decoder::leave) around it.
///
/// # Errors
/// All methods: INTERNAL with reason `foreign` if the bytes are not what [`encode`](super::encode) could have written:
/// truncated, unknown markers, extension types, deeper than [`MAX_DEPTH`]. Forms that are not the smallest are accepted.
#[derive(Clone)]
pub struct Decoder<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
}

impl<'a> Decoder<'a> {
    /// A decoder at the beginning of the bytes.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Decoder<'a> {
        Decoder { bytes, at: 0, depth: 0 }
    }

    /// How many bytes have been read.
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }

    /// How many bytes are left.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The bytes between two positions.
    pub(super) fn between(&self, start: usize, end: usize) -> &'a [u8] {
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// Whether the next piece is nil.
    #[must_use]
    pub fn peek_nil(&self) -> bool {
        self.bytes.get(self.at) == Some(&NIL)
    }

    /// The next piece.
    #[inline]
    pub fn token(&mut self) -> Result<Token<'a>> {
        let [marker] = self.take()?;
        match marker {
            0x00..=0x7f => Ok(Token::Int(i64::from(marker))),
            0xa0..=0xbf => self.string(usize::from(marker & 0x1f)),
            _ => self.wide(marker),
        }
    }

    /// The next piece, if it is none of the most frequent ones.
    fn wide(&mut self, marker: u8) -> Result<Token<'a>> {
        Ok(match marker {
            0x00..=0x7f => Token::Int(i64::from(marker)),
            0xe0..=0xff => Token::Int(i64::from(i8::from_be_bytes([marker]))),
            0x80..=0x8f => self.map(usize::from(marker & 0x0f))?,
            0x90..=0x9f => self.array(usize::from(marker & 0x0f))?,
            0xa0..=0xbf => self.string(usize::from(marker & 0x1f))?,
            0xc0 => Token::Nil,
            0xc2 => Token::Bool(false),
            0xc3 => Token::Bool(true),
            0xc4 | 0xd9 => self.len8().and_then(|len| self.string(len))?,
            0xc5 | 0xda => self.len16().and_then(|len| self.string(len))?,
            0xc6 | 0xdb => self.len32().and_then(|len| self.string(len))?,
            0xca => Token::Float(f64::from(f32::from_bits(u32::from_be_bytes(self.take()?)))),
            0xcb => Token::Float(f64::from_bits(u64::from_be_bytes(self.take()?))),
            0xcc => Token::Int(i64::from(u8::from_be_bytes(self.take()?))),
            0xcd => Token::Int(i64::from(u16::from_be_bytes(self.take()?))),
            0xce => Token::Int(i64::from(u32::from_be_bytes(self.take()?))),
            0xcf => {
                let n = u64::from_be_bytes(self.take()?);
                i64::try_from(n).map_or(Token::UInt(n), Token::Int)
            }
            0xd0 => Token::Int(i64::from(i8::from_be_bytes(self.take()?))),
            0xd1 => Token::Int(i64::from(i16::from_be_bytes(self.take()?))),
            0xd2 => Token::Int(i64::from(i32::from_be_bytes(self.take()?))),
            0xd3 => Token::Int(i64::from_be_bytes(self.take()?)),
            0xdc => self.len16().and_then(|len| self.array(len))?,
            0xdd => self.len32().and_then(|len| self.array(len))?,
            0xde => self.len16().and_then(|len| self.map(len))?,
            0xdf => self.len32().and_then(|len| self.map(len))?,
            0xc1 => return Err(foreign("an unknown marker")),
            0xc7..=0xc9 | 0xd4..=0xd8 => return Err(foreign("an extension type")),
        })
    }

    /// Passes over one value with everything in it. Takes no stack, however deep it is.
    pub fn skip(&mut self) -> Result<()> {
        let mut pending = 1_usize;
        while pending > 0 {
            pending -= 1;
            let inside = match self.token()? {
                Token::Array(count) => count,
                Token::Map(count) => count.saturating_mul(2),
                _ => 0,
            };
            pending = pending.saturating_add(inside);
            if pending > self.remaining() {
                return Err(truncated());
            }
        }
        Ok(())
    }

    /// Goes one level deeper.
    pub fn enter(&mut self) -> Result<()> {
        if self.depth >= MAX_DEPTH {
            return Err(foreign("deeper nesting than is ever written"));
        }
        self.depth += 1;
        Ok(())
    }

    /// Comes back one level.
    pub fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// Checks that nothing is left.
    pub fn finish(&self) -> Result<()> {
        if self.remaining() == 0 { Ok(()) } else { Err(foreign("more than one value")) }
    }

    #[inline]
    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let chunk = self.bytes[self.at..].first_chunk::<N>().ok_or_else(truncated)?;
        self.at += N;
        Ok(*chunk)
    }

    fn len8(&mut self) -> Result<usize> {
        Ok(usize::from(u8::from_be_bytes(self.take()?)))
    }

    fn len16(&mut self) -> Result<usize> {
        Ok(usize::from(u16::from_be_bytes(self.take()?)))
    }

    fn len32(&mut self) -> Result<usize> {
        usize::try_from(u32::from_be_bytes(self.take()?)).map_err(|_| truncated())
    }

    #[inline]
    fn string(&mut self, len: usize) -> Result<Token<'a>> {
        let bytes = self.bytes[self.at..].get(..len).ok_or_else(truncated)?;
        self.at += len;
        Ok(Token::Str(bytes))
    }

    fn array(&self, count: usize) -> Result<Token<'a>> {
        if count > self.remaining() { Err(truncated()) } else { Ok(Token::Array(count)) }
    }

    fn map(&self, count: usize) -> Result<Token<'a>> {
        if count > self.remaining() / 2 { Err(truncated()) } else { Ok(Token::Map(count)) }
    }
}

/// The string that these bytes encode, if it is one of up to 65535 bytes, and nothing else: what most values of caches are,
/// told apart without a decoder.
#[inline]
#[must_use]
pub fn string(encoded: &[u8]) -> Option<&[u8]> {
    let (length, string) = match encoded {
        [marker @ 0xa0..=0xbf, string @ ..] => (usize::from(marker & 0x1f), string),
        [0xc4 | 0xd9, length, string @ ..] => (usize::from(*length), string),
        [0xc5 | 0xda, high, low, string @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), string),
        _ => return None,
    };
    (string.len() == length).then_some(string)
}

/// Says where it stands and not what it reads.
impl fmt::Debug for Decoder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("position", &self.at)
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}

#[cold]
fn foreign(what: &'static str) -> Error {
    Error::foreign(format!("the stored bytes are not a value of this library: {what}"))
}

#[cold]
fn truncated() -> Error {
    foreign("they end too early")
}
