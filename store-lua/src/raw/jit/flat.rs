//! Tables that compiled code takes apart and puts together itself: a few fields with strings for keys, and strings, numbers or booleans for values.
//!
//! What is a table is decided and encoded here as everywhere ([`Encoder`], [`Decoder`]); compiled code only moves the parts. To put a table together it
//! needs code for its keys, which is made once for each *shape*: the keys in their order, with the kinds of their values. Only shapes that are read
//! again and again get code, and only so many: what else there is, the C functions push.

use store_core::Result;
use store_core::codec::{Decoder, Encoder, Token};

use super::super::stack::{Number, exact};
use super::codes::{FALSE, MOST_FIELDS, NUMBER, ROOM, TRUE};
use crate::value::is_integer_here;

/// Longer keys are left alone.
const LONGEST_KEY: usize = 64;

/// Code for the largest of shapes is shorter than this.
pub(super) const MOST_CODE: usize = 8192;

/// So many shapes get code.
const MOST_SHAPES: usize = 64;

/// A shape is one when it was seen so often, with few others in between.
const OFTEN: u8 = 8;

/// Shapes that may become known are counted in so many places.
const PLACES: usize = 64;

/// What a field holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Flag,
}

type Shape = Box<[(Box<[u8]>, Kind)]>;

/// The shapes that have code, and those that may get some.
pub(super) struct Shapes {
    known: Vec<Shape>,
    /// The one that came last: most often it comes again.
    last: usize,
    seen: [(u64, u8); PLACES],
}

impl Default for Shapes {
    fn default() -> Shapes {
        Shapes { known: Vec::new(), last: 0, seen: [(0, 0); PLACES] }
    }
}

/// Where the parts of a table go.
pub(super) struct Parts<'a> {
    pub(super) numbers: &'a mut [f64; MOST_FIELDS],
    pub(super) starts: &'a mut [i32; MOST_FIELDS],
    pub(super) sizes: &'a mut [i32; 2 * MOST_FIELDS],
}

impl Parts<'_> {
    /// Puts the value that a token is where it goes, as the field's with this number; `None` if it is no part of a flat table.
    #[inline]
    fn put(&mut self, at: usize, token: Token<'_>, end: usize) -> Option<Kind> {
        Some(match token {
            Token::Str(text) => {
                *self.starts.get_mut(at)? = i32::try_from(end - text.len()).ok()?;
                *self.sizes.get_mut(at)? = i32::try_from(text.len()).ok()?;
                Kind::Text
            }
            Token::Int(number) if is_integer_here(number) => {
                *self.numbers.get_mut(at)? = to_float(number);
                Kind::Number
            }
            Token::Float(number) => {
                // LuaJIT keeps other things in the bits of other NaNs.
                *self.numbers.get_mut(at)? = if number.is_nan() { f64::NAN } else { number };
                Kind::Number
            }
            Token::Bool(bool) => {
                *self.numbers.get_mut(at)? = f64::from(u8::from(bool));
                Kind::Flag
            }
            _ => return None,
        })
    }

    /// Takes a table of this shape apart; says whether it is of this shape.
    #[inline]
    fn take_as(&mut self, shape: &Shape, encoded: &[u8]) -> Option<()> {
        let mut decoder = Decoder::new(encoded);
        let is_as_long = matches!(decoder.token(), Ok(Token::Map(count)) if count == shape.len());
        for (at, (key, kind)) in shape.iter().enumerate().filter(|_| is_as_long) {
            let is_it = matches!(decoder.token(), Ok(Token::Str(text)) if *text == **key);
            let value = decoder.token().ok().filter(|_| is_it)?;
            (self.put(at, value, decoder.position()) == Some(*kind)).then_some(())?;
        }
        (is_as_long && decoder.remaining() == 0).then_some(())
    }

    /// Takes any flat table apart: its keys, and of what kinds their values are.
    #[cold]
    fn take<'a>(&mut self, encoded: &'a [u8]) -> Option<Vec<(&'a [u8], Kind)>> {
        let mut decoder = Decoder::new(encoded);
        let Ok(Token::Map(count @ 1..=MOST_FIELDS)) = decoder.token() else { return None };
        let mut fields = Vec::with_capacity(count);
        for at in 0..count {
            let Ok(Token::Str(key)) = decoder.token() else { return None };
            let value = decoder.token().ok()?;
            fields.push((key, self.put(at, value, decoder.position())?));
        }
        (decoder.remaining() == 0).then_some(fields)
    }
}

#[allow(clippy::cast_precision_loss, reason = "integers of this Lua")]
fn to_float(number: i64) -> f64 {
    number as f64
}

impl Shapes {
    /// Takes a table apart, if it is of a known shape: its number.
    #[inline]
    pub(super) fn read(&mut self, encoded: &[u8], mut parts: Parts<'_>) -> Option<usize> {
        match self.known.get(self.last) {
            Some(shape) if parts.take_as(shape, encoded).is_some() => Some(self.last),
            _ => self.find(encoded, &mut parts),
        }
    }

    #[inline(never)]
    fn find(&mut self, encoded: &[u8], parts: &mut Parts<'_>) -> Option<usize> {
        if let Some(at) = self.known.iter().position(|shape| parts.take_as(shape, encoded).is_some()) {
            self.last = at;
            return Some(at);
        }
        if self.known.len() < MOST_SHAPES {
            let fields = parts.take(encoded)?;
            if self.is_new(&fields) {
                self.last = self.known.len();
                self.known.push(fields.iter().map(|(key, kind)| (Box::from(*key), *kind)).collect());
                return Some(self.last);
            }
        }
        None
    }

    /// Whether a shape is to become known.
    fn is_new(&mut self, fields: &[(&[u8], Kind)]) -> bool {
        let is_good = |at: usize| {
            let (key, _) = fields[at];
            key.len() <= LONGEST_KEY && fields[..at].iter().all(|(other, _)| *other != key)
        };
        if !(0..fields.len()).all(is_good) {
            return false;
        }
        let hash = hash(fields);
        let place = &mut self.seen[(hash >> 32) as usize % PLACES];
        *place = if place.0 == hash { (hash, place.1.saturating_add(1)) } else { (hash, 1) };
        place.1 >= OFTEN
    }

    /// Code that makes tables of a shape of what a call has laid on the desk, or nothing if that is not the last call any more. Whatever bytes the keys
    /// are, in the code they are digits.
    ///
    /// A hook may call in between at any point: so positions are taken off the desk, all of one call, before anything is looked at by them.
    pub(super) fn code(&self, shape: usize) -> Option<String> {
        let shape = self.known.get(shape)?;
        let (mut positions, mut fields) = (String::new(), String::new());
        for (at, (key, kind)) in shape.iter().enumerate() {
            fields.push_str("[\"");
            key.iter().for_each(|byte| fields.push_str(&format!("\\{byte:03}")));
            fields.push_str(&match kind {
                Kind::Text => {
                    positions.push_str(&format!("local start{at}, size{at} = starts[{at}], sizes[{at}]\n"));
                    format!("\"] = string_of(bytes + start{at}, size{at}), ")
                }
                Kind::Number => format!("\"] = numbers[{at}], "),
                Kind::Flag => format!("\"] = numbers[{at}] ~= 0, "),
            });
        }
        Some(format!(
            "local state, numbers, starts, sizes, bytes, string_of = ...\n\
             return function(call)\n{positions}if state.calls ~= call then return end\nreturn {{{fields}}} end"
        ))
    }
}

/// FNV-1a: of keys that are short, and rarely.
fn hash(fields: &[(&[u8], Kind)]) -> u64 {
    let bytes = fields.iter().flat_map(|(key, kind)| key.iter().copied().chain([0xff, *kind as u8]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Code that lays the parts of a table on the desk, and says how many fields it has; 0 if it is none that compiled code sets. No metamethod is run.
///
/// Without a loop: LuaJIT gives up loops that end after a few rounds, and with them the script's own around.
pub(super) fn lay_code() -> String {
    let mut code = String::from(
        "local numbers, sizes, bytes, copy, type, next = ...\n\
         return function(value) local at, size, kind, key, field = 0\n",
    );
    for field in 0..MOST_FIELDS {
        let (previous, key_size, value_size) = (if field == 0 { "" } else { ", key" }, 2 * field, 2 * field + 1);
        let text = |of: &str, slot: usize| {
            format!(
                "size = #{of} if at + size > {ROOM} then return 0 end \
                 copy(bytes + at, {of}, size) sizes[{slot}] = size at = at + size\n"
            )
        };
        code.push_str(&format!(
            "key, field = next(value{previous})\n\
             if key == nil then return {field} end\n\
             if type(key) ~= 'string' then return 0 end\n\
             {}kind = type(field)\n\
             if kind == 'string' then {}\
             elseif kind == 'number' then numbers[{field}] = field sizes[{value_size}] = {NUMBER}\n\
             elseif kind == 'boolean' then sizes[{value_size}] = field and {TRUE} or {FALSE}\n\
             else return 0 end\n",
            text("key", key_size),
            text("field", value_size),
        ));
    }
    code.push_str(&format!("if next(value, key) ~= nil then return 0 end return {MOST_FIELDS} end"));
    code
}

/// Encodes a table of so many fields, whose parts compiled code has laid out: keys and values in their order, with the strings one after the other.
///
/// # Errors
/// Of the encoder. `Ok(false)`: they lie as they should not.
pub(super) fn write(
    count: usize,
    numbers: &[f64; MOST_FIELDS],
    sizes: &[i32; 2 * MOST_FIELDS],
    bytes: &[u8],
    encoder: &mut Encoder<'_>,
) -> Result<bool> {
    let mut at = 0_usize;
    let mut text = |size: i32| {
        let start = at;
        at = at.checked_add(usize::try_from(size).ok()?)?;
        bytes.get(start..at)
    };
    let open = encoder.begin_map(count)?;
    let (parts, _) = sizes.as_chunks::<2>();
    for (number, [key, value]) in numbers.iter().zip(parts).take(count) {
        let Some(key) = text(*key) else { return Ok(false) };
        encoder.string(key)?;
        match *value {
            TRUE => encoder.bool(true)?,
            FALSE => encoder.bool(false)?,
            NUMBER => match exact(*number) {
                Number::Integer(number) => encoder.int(number)?,
                Number::Float(number) => encoder.float(number)?,
            },
            size => {
                let Some(value) = text(size) else { return Ok(false) };
                encoder.string(value)?;
            }
        }
    }
    encoder.end(open, count)?;
    Ok(true)
}
