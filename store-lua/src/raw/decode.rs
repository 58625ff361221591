//! From MessagePack to the Lua stack, in one pass.
//!
//! Tokens are read a few at a time in guarded code, and pushed from a plain frame. Tables that are being filled lie on the Lua stack, what is
//! missing in them in an array beside; nothing recurs, whatever the bytes say.

use std::ffi::c_int;
use std::mem::MaybeUninit;

use mlua::ffi::{self, lua_State};
use store_core::Error;
use store_core::codec::{Decoder, MAX_DEPTH, Token};

use super::guarded;
use super::stack::mark_key;
use crate::value::{MAX_EXACT, ONE_NUMBER_TYPE, Path};

/// Tables are made for at most this many entries beforehand, whatever the bytes announce.
const MAX_PREALLOCATED: usize = 4096;

/// How many tokens are read at a time.
const BATCH: usize = 8;

/// The error of a decoder, without a destructor, so that it can lie in a plain frame. Set at most once, taken exactly then.
pub(super) struct Trouble(MaybeUninit<Error>);

impl Trouble {
    pub(super) fn new() -> Trouble {
        Trouble(MaybeUninit::uninit())
    }

    fn set(&mut self, error: Error) -> bool {
        self.0.write(error);
        false
    }

    /// The error, after [`push`] said no.
    ///
    /// # Safety
    /// Once, and only then.
    pub(super) unsafe fn take(&mut self) -> Error {
        // SAFETY: `push` sets it whenever it says no.
        unsafe { self.0.assume_init_read() }
    }
}

/// A table that is being filled.
#[derive(Clone, Copy)]
struct Frame {
    /// Entries to come, the one at work included.
    left: usize,
    /// The index of the next item; 0 for a map.
    index: usize,
    /// In a map: whether a key waits for its value.
    has_key: bool,
}

/// The tables that are open.
///
/// # Safety
/// So many are.
unsafe fn open(frames: &[MaybeUninit<Frame>], depth: usize) -> &[Frame] {
    // SAFETY: they were written when the tables were opened.
    unsafe { std::slice::from_raw_parts(frames.as_ptr().cast(), depth) }
}

/// Tokens that were read and not yet used.
struct Batch<'a> {
    tokens: [Token<'a>; BATCH],
    next: usize,
    end: usize,
}

/// Pushes the value that the bytes encode. If it says no, the trouble is set and things may be left on the stack.
///
/// A plain frame: it raises if Lua is out of memory.
///
/// # Safety
/// The bytes stay where they are. The metatable of empty arrays is at the absolute index `mark`. A few stack slots are free.
pub(super) unsafe fn push(state: *mut lua_State, mark: c_int, bytes: &[u8], trouble: &mut Trouble) -> bool {
    let mut decoder = Decoder::new(bytes);
    let mut batch = Batch { tokens: [Token::Nil; BATCH], next: 0, end: 0 };
    let mut frames = [const { MaybeUninit::<Frame>::uninit() }; MAX_DEPTH];
    let mut depth = 0_usize;
    // SAFETY: each value pushed has the slot of the one before, or those asked for when its table was opened.
    unsafe {
        loop {
            if batch.next == batch.end && !fill(&mut decoder, &mut batch, trouble) {
                return false;
            }
            let token = batch.tokens[batch.next % BATCH];
            batch.next += 1;
            match token {
                Token::Str(text) => {
                    ffi::lua_pushlstring(state, text.as_ptr().cast(), text.len());
                }
                Token::Int(number) => {
                    if !push_integer(state, number) {
                        return out_of_range(state, open(&frames, depth), trouble);
                    }
                }
                Token::UInt(_) => return out_of_range(state, open(&frames, depth), trouble),
                Token::Float(number) => ffi::lua_pushnumber(state, number),
                Token::Bool(bool) => ffi::lua_pushboolean(state, bool.into()),
                Token::Nil => ffi::lua_pushlightuserdata(state, std::ptr::null_mut()),
                Token::Array(count) | Token::Map(count) => {
                    let is_map = matches!(token, Token::Map(_));
                    if wants_key(open(&frames, depth)) {
                        return trouble.set(foreign(BAD_KEY));
                    }
                    if depth == MAX_DEPTH || count > c_int::MAX as usize {
                        return trouble.set(foreign("deeper nesting or longer tables than are ever written"));
                    }
                    // For the table, a key and a value, and one more.
                    if ffi::lua_checkstack(state, 4) == 0 {
                        return trouble.set(foreign("deeper nesting than this Lua has a stack for"));
                    }
                    let room = c_int::try_from(count.min(MAX_PREALLOCATED)).unwrap_or(0);
                    ffi::lua_createtable(state, if is_map { 0 } else { room }, if is_map { room } else { 0 });
                    if count > 0 {
                        frames[depth] =
                            MaybeUninit::new(Frame { left: count, index: usize::from(!is_map), has_key: false });
                        depth += 1;
                        continue;
                    }
                    if !is_map {
                        ffi::lua_pushvalue(state, mark);
                        ffi::lua_setmetatable(state, -2);
                    }
                }
            }
            // A whole value is on top: it goes where it belongs, and perhaps makes another one whole.
            loop {
                let Some(top) = depth.checked_sub(1) else {
                    if batch.next == batch.end && decoder.remaining() == 0 {
                        return true;
                    }
                    return trouble.set(foreign("more than one value"));
                };
                let frame = frames[top % MAX_DEPTH].assume_init_mut();
                if frame.index > 0 {
                    ffi::lua_rawseti(state, -2, to_index(frame.index));
                    frame.index += 1;
                } else if frame.has_key {
                    ffi::lua_rawset(state, -3);
                    frame.has_key = false;
                } else {
                    if !may_be_key(&token) {
                        return trouble.set(foreign(BAD_KEY));
                    }
                    frame.has_key = true;
                    break;
                }
                frame.left -= 1;
                if frame.left > 0 {
                    break;
                }
                depth = top;
            }
        }
    }
}

/// Reads more tokens, at least one.
fn fill<'a>(decoder: &mut Decoder<'a>, batch: &mut Batch<'a>, trouble: &mut Trouble) -> bool {
    let read = guarded(|| {
        for (count, token) in batch.tokens.iter_mut().enumerate() {
            let before = decoder.clone();
            if count > 0 && before.remaining() == 0 {
                return Ok(count);
            }
            match decoder.token() {
                Ok(read) => *token = read,
                Err(error) if count == 0 => return Err(error),
                Err(_) => {
                    // For the next time: those before it come first.
                    *decoder = before;
                    return Ok(count);
                }
            }
        }
        Ok(BATCH)
    });
    match read.and_then(|read| read) {
        Ok(count) => {
            (batch.next, batch.end) = (0, count);
            true
        }
        Err(error) => trouble.set(error),
    }
}

const BAD_KEY: &str = "a key that no table can have";

/// Whether the next value is a key.
fn wants_key(frames: &[Frame]) -> bool {
    frames.last().is_some_and(|frame| frame.index == 0 && !frame.has_key)
}

/// Whether a value that is no table may be a key.
fn may_be_key(token: &Token<'_>) -> bool {
    match token {
        Token::Str(_) | Token::Int(_) | Token::Bool(_) => true,
        Token::Float(number) => !number.is_nan(),
        _ => false,
    }
}

/// Pushes an integer, if this Lua has it.
///
/// # Safety
/// A stack slot is free.
#[inline]
#[allow(clippy::cast_precision_loss, reason = "checked")]
#[allow(clippy::useless_conversion, reason = "some Luas have integers of 32 bits")]
unsafe fn push_integer(state: *mut lua_State, number: i64) -> bool {
    // SAFETY: pushing a number never raises.
    unsafe {
        if ONE_NUMBER_TYPE {
            let is_exact = (-MAX_EXACT..=MAX_EXACT).contains(&number);
            if is_exact {
                ffi::lua_pushnumber(state, number as f64);
            }
            return is_exact;
        }
        match ffi::lua_Integer::try_from(number) {
            Ok(number) => ffi::lua_pushinteger(state, number),
            Err(_) => return false,
        }
        true
    }
}

/// A stored integer that this Lua has no number for. It is never rounded. The error has its place.
#[cold]
unsafe fn out_of_range(state: *mut lua_State, frames: &[Frame], trouble: &mut Trouble) -> bool {
    let mut path = Path::default();
    // Innermost first. Each map has its key above it on the stack, unless it is the key that is at fault.
    let mut above = -1;
    for frame in frames.iter().rev() {
        if frame.index > 0 {
            path.at_index(i64::try_from(frame.index).unwrap_or(i64::MAX));
        } else if frame.has_key {
            // SAFETY: the key is there.
            unsafe { mark_key(state, above, &mut path) };
            above -= 1;
        }
        above -= 1;
    }
    trouble
        .set(path.place(Error::invalid("the stored integer is beyond the integers of this Lua").with_reason("range")))
}

#[cold]
fn foreign(what: &'static str) -> Error {
    Error::foreign(format!("the stored bytes are not a value of this library: {what}"))
}

#[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "at most c_int::MAX, which is checked")]
fn to_index(index: usize) -> ffi::lua_Integer {
    index as ffi::lua_Integer
}
