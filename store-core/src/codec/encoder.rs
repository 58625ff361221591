//! Writing MessagePack.

use std::fmt;

use super::decoder::NIL;
use super::integer::{Buffer, IntegerBuf, Sink, put_integer, put_unsigned};
use super::limits::{Limits, too_deep, too_large};
use crate::Result;

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
    #[inline]
    pub fn position(&self) -> usize {
        self.out.len()
    }

    /// Takes back everything written since [`position`](Encoder::position) gave this mark. The depth is for the caller to restore.
    pub fn truncate(&mut self, mark: usize) {
        self.out.truncate(mark);
    }

    /// The bytes written since [`position`](Encoder::position) gave this mark.
    #[must_use]
    #[inline]
    pub fn written(&self, mark: usize) -> &[u8] {
        self.out.get(mark..).unwrap_or_default()
    }

    /// How many bytes may still be written.
    #[must_use]
    #[inline]
    pub fn room(&self) -> usize {
        self.end.saturating_sub(self.out.len())
    }

    /// How many containers are open.
    #[must_use]
    #[inline]
    pub fn depth(&self) -> usize {
        self.depth
    }

    pub(super) fn max_depth(&self) -> usize {
        self.max_depth
    }

    #[inline]
    fn need(&self, size: usize) -> Result<()> {
        if size <= self.room() { Ok(()) } else { Err(too_large(self.max_size)) }
    }

    /// Writes a few bytes, if `follow` more would still fit behind them.
    #[inline]
    fn before(&mut self, follow: usize) -> Writer<'_, 'a> {
        Writer { encoder: self, follow }
    }

    /// Writes nil: `None` inside of something.
    #[inline]
    pub fn nil(&mut self) -> Result<()> {
        self.before(0).put(NIL, [])
    }

    /// Writes a boolean.
    #[inline]
    pub fn bool(&mut self, value: bool) -> Result<()> {
        self.before(0).put(if value { 0xc3 } else { 0xc2 }, [])
    }

    /// Writes an integer in its smallest form.
    #[inline]
    pub fn int(&mut self, value: i64) -> Result<()> {
        put_integer(value, self.before(0))
    }

    /// Writes an integer in its smallest form.
    #[inline]
    pub fn uint(&mut self, value: u64) -> Result<()> {
        put_unsigned(value, self.before(0))
    }

    /// Writes a float, always of 64 bits, so that it never turns into an integer and keeps every bit.
    #[inline]
    pub fn float(&mut self, value: f64) -> Result<()> {
        self.before(0).put(0xcb, value.to_bits().to_be_bytes())
    }

    /// Writes a string of any bytes: as MessagePack `str` if it is UTF-8, else as `bin`, so that foreign readers are not misled.
    pub fn string(&mut self, bytes: &[u8]) -> Result<()> {
        self.blob(form_of(bytes), bytes)
    }

    /// Writes a string that is known to be UTF-8.
    #[inline]
    pub fn str(&mut self, text: &str) -> Result<()> {
        self.blob(STR, text.as_bytes())
    }

    #[inline]
    fn blob(&mut self, form: Form, bytes: &[u8]) -> Result<()> {
        form.put(bytes.len(), self.before(bytes.len())).unwrap_or_else(beyond)?;
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    /// Writes the header of an array of `count` values, which must follow. Refused at once if they cannot fit.
    #[inline]
    pub fn array_header(&mut self, count: usize) -> Result<()> {
        self.need(count)?;
        ARRAY.put(count, self.before(count)).unwrap_or_else(beyond)
    }

    /// Writes the header of a map of `count` keys, each to be followed by its value. Refused at once if they cannot fit.
    #[inline]
    pub fn map_header(&mut self, count: usize) -> Result<()> {
        self.need(count)?;
        MAP.put(count, self.before(count.saturating_mul(2))).unwrap_or_else(beyond)
    }

    /// Goes one level deeper.
    ///
    /// # Errors
    /// INVALID with `limit` in the details: deeper than allowed.
    #[inline]
    pub fn enter(&mut self) -> Result<()> {
        if self.depth >= self.max_depth {
            return Err(too_deep(self.max_depth));
        }
        self.depth += 1;
        Ok(())
    }

    /// Comes back one level.
    #[inline]
    pub fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// Opens an array of about `expected` values: enters, and writes a header.
    ///
    /// # Errors
    /// As [`enter`](Encoder::enter) too.
    #[inline]
    pub fn begin_array(&mut self, expected: usize) -> Result<Open> {
        self.begin(false, expected)
    }

    /// Opens a map of about `expected` entries: enters, and writes a header.
    ///
    /// # Errors
    /// As [`enter`](Encoder::enter) too.
    #[inline]
    pub fn begin_map(&mut self, expected: usize) -> Result<Open> {
        self.begin(true, expected)
    }

    #[inline]
    fn begin(&mut self, map: bool, count: usize) -> Result<Open> {
        self.enter()?;
        let at = self.out.len();
        if map {
            self.map_header(count)?
        } else {
            self.array_header(count)?
        }
        Ok(Open { at, count, map })
    }

    /// Closes a container that got `count` entries: corrects the header if another number was expected, and leaves.
    #[inline]
    pub fn end(&mut self, open: Open, count: usize) -> Result<()> {
        if count != open.count {
            self.correct(open, count)?;
        }
        self.leave();
        Ok(())
    }

    fn correct(&mut self, open: Open, count: usize) -> Result<()> {
        let form = if open.map { MAP } else { ARRAY };
        let old: IntegerBuf = form.put(open.count, Buffer).map_or_else(beyond, Ok)?;
        let new: IntegerBuf = form.put(count, Buffer).map_or_else(beyond, Ok)?;
        self.need(new.len().saturating_sub(old.len()))?;
        self.out.splice(open.at..open.at + old.len(), new.iter().copied());
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

/// Appends to the output, within the limit.
struct Writer<'e, 'a> {
    encoder: &'e mut Encoder<'a>,
    /// How many bytes must still fit afterwards.
    follow: usize,
}

impl Sink for Writer<'_, '_> {
    type Done = Result<()>;

    #[inline]
    fn put<const N: usize>(self, marker: u8, rest: [u8; N]) -> Result<()> {
        let Writer { encoder, follow } = self;
        encoder.need(follow.saturating_add(N + 1))?;
        let buffer = Buffer.put(marker, rest);
        // A length that the compiler knows makes this a store instead of a call.
        encoder.out.extend_from_slice(&buffer.array()[..=N]);
        Ok(())
    }
}

/// The markers of strings, or of containers, by length.
#[derive(Clone, Copy)]
struct Form {
    /// For lengths below `tiny_end`, which are part of it.
    tiny: u8,
    tiny_end: u8,
    bits8: Option<u8>,
    bits16: u8,
    bits32: u8,
}

const STR: Form = Form { tiny: 0xa0, tiny_end: 32, bits8: Some(0xd9), bits16: 0xda, bits32: 0xdb };
const BIN: Form = Form { tiny: 0, tiny_end: 0, bits8: Some(0xc4), bits16: 0xc5, bits32: 0xc6 };
const ARRAY: Form = Form { tiny: 0x90, tiny_end: 16, bits8: None, bits16: 0xdc, bits32: 0xdd };
const MAP: Form = Form { tiny: 0x80, tiny_end: 16, bits8: None, bits16: 0xde, bits32: 0xdf };

impl Form {
    /// `None`: MessagePack ends at 2^32.
    #[inline]
    fn put<S: Sink>(self, length: usize, sink: S) -> Option<S::Done> {
        if let Ok(length) = u8::try_from(length) {
            if length < self.tiny_end {
                return Some(sink.put(self.tiny | length, []));
            }
            if let Some(bits8) = self.bits8 {
                return Some(sink.put(bits8, [length]));
            }
        }
        if let Ok(length) = u16::try_from(length) {
            return Some(sink.put(self.bits16, length.to_be_bytes()));
        }
        Some(sink.put(self.bits32, u32::try_from(length).ok()?.to_be_bytes()))
    }
}

#[inline]
fn form_of(string: &[u8]) -> Form {
    if std::str::from_utf8(string).is_ok() { STR } else { BIN }
}

/// Encodes a string of at most 255 bytes as [`Encoder::string`] does, into a room of the caller's: for who has many of them and no vector at
/// hand. `None`: it is longer, or the room is too small.
#[inline]
#[must_use]
pub fn encode_short_string<'a>(string: &[u8], room: &'a mut [u8]) -> Option<&'a [u8]> {
    let (form, length) = (form_of(string), u8::try_from(string.len()).ok()?);
    let header = if length < form.tiny_end {
        *room.first_mut()? = form.tiny | length;
        1
    } else {
        *room.first_chunk_mut()? = [form.bits8?, length];
        2
    };
    room.get_mut(header..header + string.len())?.copy_from_slice(string);
    room.get(..header + string.len())
}

#[cold]
fn beyond<T>() -> Result<T> {
    Err(too_large(u32::MAX as usize))
}

/// Whether these encoded bytes begin with what may be a key of a map: a string, a boolean, or a number other than NaN.
pub(super) fn may_be_key(encoded: &[u8]) -> bool {
    match encoded {
        [0xcb, bits @ ..] => bits.first_chunk().is_some_and(|bits| !f64::from_be_bytes(*bits).is_nan()),
        [0x80..=0x9f | NIL | 0xdc..=0xdf, ..] | [] => false,
        _ => true,
    }
}
