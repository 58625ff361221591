//! Writing MessagePack.

use std::fmt;

use super::integer::{IntegerBuf, encode_integer, encode_unsigned};
use super::{Limits, too_deep, too_large};
use crate::Result;

pub(super) const NIL: u8 = 0xc0;

/// Writes MessagePack at the end of a buffer and holds the limits while it writes (rule V5).
///
/// Whoever uses it states counts truly and closes what was opened; [`begin_array`](Encoder::begin_array) and
/// [`begin_map`](Encoder::begin_map) correct a count that was only guessed. After an error the buffer holds a part of a value:
/// [`truncate`](Encoder::truncate) it.
///
/// Maps may have strings, integers, floats other than NaN, and booleans as keys; the encoder does not check that.
///
/// # Errors
/// All methods: INVALID with `limit` in the details if the value becomes too large; nothing is written then.
pub struct Encoder<'a> {
    out: &'a mut Vec<u8>,
    end: usize,
    max_size: usize,
    depth: usize,
    max_depth: usize,
}

/// An array or a map that is being written: where its header is, and how many entries it announces.
#[derive(Clone, Copy, Debug)]
#[must_use = "a container has to be closed with Encoder::end"]
pub struct Open {
    at: usize,
    header: usize,
    count: usize,
    map: bool,
}

impl<'a> Encoder<'a> {
    /// An encoder that appends to `out`. Only what it appends counts towards the limits.
    pub fn new(out: &'a mut Vec<u8>, limits: &Limits) -> Encoder<'a> {
        let end = out.len().saturating_add(limits.max_value_size);
        Encoder { out, end, max_size: limits.max_value_size, depth: 0, max_depth: limits.depth() }
    }

    /// Length of the buffer, bytes from before included: a mark for [`truncate`](Encoder::truncate).
    #[must_use]
    pub fn position(&self) -> usize {
        self.out.len()
    }

    /// Takes back everything written since [`position`](Encoder::position) gave this mark. The depth is for the caller to restore.
    pub fn truncate(&mut self, mark: usize) {
        self.out.truncate(mark);
    }

    /// The bytes written since [`position`](Encoder::position) gave this mark.
    #[must_use]
    pub fn written(&self, mark: usize) -> &[u8] {
        self.out.get(mark..).unwrap_or_default()
    }

    /// How many bytes may still be written.
    #[must_use]
    pub fn room(&self) -> usize {
        self.end.saturating_sub(self.out.len())
    }

    /// How many containers are open.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.depth
    }

    pub(super) fn max_depth(&self) -> usize {
        self.max_depth
    }

    fn need(&self, size: usize) -> Result<()> {
        if size <= self.room() { Ok(()) } else { Err(too_large(self.max_size)) }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.need(bytes.len())?;
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    /// Writes nil: `None` inside of something.
    pub fn nil(&mut self) -> Result<()> {
        self.put(&[NIL])
    }

    /// Writes a boolean.
    pub fn bool(&mut self, value: bool) -> Result<()> {
        self.put(&[if value { 0xc3 } else { 0xc2 }])
    }

    /// Writes an integer in its smallest form.
    pub fn int(&mut self, value: i64) -> Result<()> {
        self.put(&encode_integer(value))
    }

    /// Writes an integer in its smallest form.
    pub fn uint(&mut self, value: u64) -> Result<()> {
        self.put(&encode_unsigned(value))
    }

    /// Writes a float, always of 64 bits, so that it never turns into an integer and keeps every bit.
    pub fn float(&mut self, value: f64) -> Result<()> {
        self.put(&IntegerBuf::new(0xcb, value.to_bits().to_be_bytes()))
    }

    /// Writes a string of any bytes: as MessagePack `str` if it is UTF-8, else as `bin`, so that foreign readers are not misled.
    pub fn string(&mut self, bytes: &[u8]) -> Result<()> {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.str(text),
            Err(_) => self.blob(bytes, None, 0xc4, 0xc5, 0xc6),
        }
    }

    /// Writes a string that is known to be UTF-8.
    pub fn str(&mut self, text: &str) -> Result<()> {
        self.blob(text.as_bytes(), Some((0xa0, 32)), 0xd9, 0xda, 0xdb)
    }

    fn blob(&mut self, bytes: &[u8], tiny: Option<(u8, u8)>, m8: u8, m16: u8, m32: u8) -> Result<()> {
        let header = match u8::try_from(bytes.len()) {
            Ok(len) => match tiny {
                Some((base, end)) if len < end => IntegerBuf::new(base | len, []),
                _ => IntegerBuf::new(m8, [len]),
            },
            Err(_) => wide(bytes.len(), m16, m32)?,
        };
        self.need(header.len().saturating_add(bytes.len()))?;
        self.out.reserve(header.len() + bytes.len());
        self.out.extend_from_slice(&header);
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    /// Writes the header of an array of `count` values, which must follow. Refused at once if they cannot fit.
    pub fn array_header(&mut self, count: usize) -> Result<()> {
        self.need(count)?;
        let header = header(false, count)?;
        self.need(header.len().saturating_add(count))?;
        self.put(&header)
    }

    /// Writes the header of a map of `count` keys, each to be followed by its value. Refused at once if they cannot fit.
    pub fn map_header(&mut self, count: usize) -> Result<()> {
        self.need(count)?;
        let header = header(true, count)?;
        self.need(header.len().saturating_add(count.saturating_mul(2)))?;
        self.put(&header)
    }

    /// Goes one level deeper.
    ///
    /// # Errors
    /// INVALID with `limit` in the details: deeper than allowed.
    pub fn enter(&mut self) -> Result<()> {
        if self.depth >= self.max_depth {
            return Err(too_deep(self.max_depth));
        }
        self.depth += 1;
        Ok(())
    }

    /// Comes back one level.
    pub fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// Opens an array of about `expected` values: enters, and writes a header.
    ///
    /// # Errors
    /// As [`enter`](Encoder::enter) too.
    pub fn begin_array(&mut self, expected: usize) -> Result<Open> {
        self.begin(false, expected)
    }

    /// Opens a map of about `expected` entries: enters, and writes a header.
    ///
    /// # Errors
    /// As [`enter`](Encoder::enter) too.
    pub fn begin_map(&mut self, expected: usize) -> Result<Open> {
        self.begin(true, expected)
    }

    fn begin(&mut self, map: bool, count: usize) -> Result<Open> {
        self.enter()?;
        let at = self.out.len();
        if map {
            self.map_header(count)?
        } else {
            self.array_header(count)?
        }
        Ok(Open { at, header: self.out.len() - at, count, map })
    }

    /// Closes a container that got `count` entries: corrects the header if another number was expected, and leaves.
    pub fn end(&mut self, open: Open, count: usize) -> Result<()> {
        if count != open.count {
            let header = header(open.map, count)?;
            self.need(header.len().saturating_sub(open.header))?;
            self.out.splice(open.at..open.at + open.header, header.iter().copied());
        }
        self.leave();
        Ok(())
    }
}

/// Says where it stands and not what it wrote.
impl fmt::Debug for Encoder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder")
            .field("position", &self.position())
            .field("depth", &self.depth)
            .finish_non_exhaustive()
    }
}

fn header(map: bool, count: usize) -> Result<IntegerBuf> {
    let (base, m16, m32) = if map { (0x80, 0xde, 0xdf) } else { (0x90, 0xdc, 0xdd) };
    match u8::try_from(count) {
        Ok(count) if count < 16 => Ok(IntegerBuf::new(base | count, [])),
        _ => wide(count, m16, m32),
    }
}

/// MessagePack ends at 2^32, whatever larger limit is set.
fn wide(count: usize, m16: u8, m32: u8) -> Result<IntegerBuf> {
    if let Ok(count) = u16::try_from(count) {
        return Ok(IntegerBuf::new(m16, count.to_be_bytes()));
    }
    match u32::try_from(count) {
        Ok(count) => Ok(IntegerBuf::new(m32, count.to_be_bytes())),
        Err(_) => Err(too_large(u32::MAX as usize)),
    }
}

/// Whether these encoded bytes begin with what may be a key of a map: a string, a boolean, or a number other than NaN.
pub(super) fn may_be_key(encoded: &[u8]) -> bool {
    match encoded {
        [0xcb, bits @ ..] => bits.first_chunk().is_some_and(|bits| !f64::from_be_bytes(*bits).is_nan()),
        [0x80..=0x9f | NIL | 0xdc..=0xdf, ..] | [] => false,
        _ => true,
    }
}
