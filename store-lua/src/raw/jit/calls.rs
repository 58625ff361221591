//! The functions that compiled code calls.

use std::ffi::c_void;

use store_core::codec::{Encoder, encode_short_string};
use store_core::{Expiry, Payload};

use super::super::ask::{Ask, Verdict};
use super::super::stack::{Number, exact};
use super::codes::{ENCODED, FALSE, NIL, NUMBER, SHAPES, SLOW, TRUE};
use super::desk::{Desk, Text, answer};
use super::flat::{self, Parts};
use crate::ops::with_buffer;
use crate::reply::seconds;

/// Tickets of errors as answers of `increment`, which are integers up to 2^53 else: from here, by steps that a float can take.
const TICKETS: f64 = 18_014_398_509_481_984.0;
const STEP: f64 = 4.0;

/// The address of a function.
pub(super) struct Address(pub(super) *const ());

// SAFETY: functions are where they are for all threads.
unsafe impl Sync for Address {}

/// By the names that `front.lua` knows them by.
pub(super) static NAMED: &[(&str, Address)] = &[
    ("get", Address(get as *const ())),
    ("entry", Address(entry as *const ())),
    ("has", Address(has as *const ())),
    ("delete", Address(delete as *const ())),
    ("touch", Address(touch as *const ())),
    ("increment", Address(increment as *const ())),
    ("set_string", Address(set_string as *const ())),
    ("set_number", Address(set_number as *const ())),
    ("set_bool", Address(set_bool as *const ())),
    ("set_flat", Address(set_flat as *const ())),
];

impl Desk {
    /// Lays a value out, and says what it is. What is left to the C function, which finds the same, is dropped.
    #[inline]
    fn lay(&mut self, ask: &Ask<'_>, verdict: Verdict) -> i32 {
        match verdict {
            Verdict::Text(size) => to_size(size),
            Verdict::Nil => NIL,
            Verdict::Bool(true) => TRUE,
            Verdict::Bool(false) => FALSE,
            Verdict::Integer(number) => {
                self.numbers[0] = to_float(number);
                NUMBER
            }
            Verdict::Small(size) => {
                self.size = to_size(size);
                let (numbers, starts, sizes) = (&mut self.numbers, &mut self.starts, &mut self.sizes);
                // SAFETY: so many bytes were just written, and the shapes are there until `forget`, as the handles are.
                let shape = unsafe {
                    let encoded = self.bytes[..size].assume_init_ref();
                    (*self.shapes).read(encoded, Parts { numbers, starts, sizes })
                };
                match shape {
                    Some(shape) => SHAPES - to_size(shape),
                    None => ENCODED,
                }
            }
            verdict => leave(ask, verdict),
        }
    }
}

/// What is left to the C function, which finds the same.
#[cold]
fn leave(ask: &Ask<'_>, verdict: Verdict) -> i32 {
    match verdict {
        // SAFETY: it is the asker's.
        Verdict::Large(payload) => drop(unsafe { Box::from_raw(payload) }),
        Verdict::Ticket(ticket) => drop(ask.live.fetch(ticket)),
        _ => {}
    }
    SLOW
}

#[inline]
fn told(ask: &Ask<'_>, verdict: Verdict) -> i32 {
    match verdict {
        Verdict::Bool(true) => TRUE,
        Verdict::Bool(false) => FALSE,
        verdict => leave(ask, verdict),
    }
}

unsafe extern "C" fn get(desk: *mut Desk, address: *const c_void, start: *const u8, length: i32) -> i32 {
    // SAFETY: see `answer`. So for all of them.
    unsafe {
        answer(desk, address, Text { start, length }, SLOW, |ask, desk| {
            let verdict = ask.get(&mut desk.bytes);
            Some(desk.lay(ask, verdict))
        })
    }
}

/// The value as `get` has it, and version and TTL beside it.
unsafe extern "C" fn entry(desk: *mut Desk, address: *const c_void, start: *const u8, length: i32) -> i32 {
    // SAFETY: see `get`.
    unsafe {
        answer(desk, address, Text { start, length }, SLOW, |ask, desk| {
            let Some(entry) = ask.handle.try_entry::<Payload>(ask.key)?.ok()? else { return Some(NIL) };
            let version = entry.version.as_u64()?;
            for (at, digit) in desk.version.iter_mut().enumerate() {
                *digit = b"0123456789abcdef"[(version >> (60 - 4 * at) & 15) as usize];
            }
            desk.ttl = seconds(entry.ttl);
            let verdict = super::super::ask::value(entry.value, &mut desk.bytes);
            Some(desk.lay(ask, verdict))
        })
    }
}

unsafe extern "C" fn has(desk: *mut Desk, address: *const c_void, start: *const u8, length: i32) -> i32 {
    // SAFETY: see `get`.
    unsafe { answer(desk, address, Text { start, length }, SLOW, |ask, _| Some(told(ask, ask.has()))) }
}

unsafe extern "C" fn delete(desk: *mut Desk, address: *const c_void, start: *const u8, length: i32) -> i32 {
    // SAFETY: see `get`.
    unsafe { answer(desk, address, Text { start, length }, SLOW, |ask, _| Some(told(ask, ask.delete()))) }
}

unsafe extern "C" fn touch(desk: *mut Desk, address: *const c_void, start: *const u8, length: i32, ttl: f64) -> i32 {
    // SAFETY: see `get`.
    unsafe { answer(desk, address, Text { start, length }, SLOW, |ask, _| Some(told(ask, ask.touch(expiry(ttl)?)))) }
}

unsafe extern "C" fn increment(
    desk: *mut Desk,
    address: *const c_void,
    start: *const u8,
    length: i32,
    delta: f64,
) -> f64 {
    // SAFETY: see `get`.
    unsafe {
        answer(desk, address, Text { start, length }, f64::NAN, |ask, _| match exact(delta) {
            Number::Integer(delta) => match ask.increment(delta) {
                Verdict::Integer(sum) => Some(to_float(sum)),
                // Perhaps it was done, and only cannot be told: so it is not to be done again.
                Verdict::Ticket(ticket) => Some(TICKETS + STEP * to_float(ticket)),
                _ => None,
            },
            Number::Float(_) => None,
        })
    }
}

unsafe extern "C" fn set_string(
    desk: *mut Desk,
    address: *const c_void,
    start: *const u8,
    length: i32,
    value: *const u8,
    size: i32,
    ttl: f64,
) -> i32 {
    // SAFETY: see `get`.
    unsafe {
        let value = Text { start: value, length: size }.bytes();
        answer(desk, address, Text { start, length }, SLOW, |ask, desk| {
            let expiry = expiry(ttl)?;
            // What is most frequent is a short string.
            match encode_short_string(value, desk.scratch()) {
                Some(encoded) => Some(told(ask, ask.set(encoded, expiry))),
                None => write(ask, desk, expiry, |_, encoder| encoder.string(value).is_ok()),
            }
        })
    }
}

unsafe extern "C" fn set_number(
    desk: *mut Desk,
    address: *const c_void,
    start: *const u8,
    length: i32,
    value: f64,
    ttl: f64,
) -> i32 {
    // SAFETY: see `get`.
    unsafe {
        set(desk, address, Text { start, length }, ttl, |_, encoder| {
            match exact(value) {
                Number::Integer(number) => encoder.int(number),
                Number::Float(number) => encoder.float(number),
            }
            .is_ok()
        })
    }
}

unsafe extern "C" fn set_bool(
    desk: *mut Desk,
    address: *const c_void,
    start: *const u8,
    length: i32,
    value: i32,
    ttl: f64,
) -> i32 {
    // SAFETY: see `get`.
    unsafe { set(desk, address, Text { start, length }, ttl, |_, encoder| encoder.bool(value != 0).is_ok()) }
}

/// A table of so many fields, whose parts were laid out by this call.
unsafe extern "C" fn set_flat(
    desk: *mut Desk,
    address: *const c_void,
    start: *const u8,
    length: i32,
    count: i32,
    call: i32,
    ttl: f64,
) -> i32 {
    // SAFETY: see `get`. If nobody called in between, it has written what it says.
    unsafe {
        if (*desk).calls != call {
            return SLOW;
        }
        let count = usize::try_from(count).unwrap_or(0);
        set(desk, address, Text { start, length }, ttl, |desk, encoder| {
            matches!(flat::write(count, &desk.numbers, &desk.sizes, desk.bytes(), encoder), Ok(true))
        })
    }
}

#[inline(always)]
unsafe fn set(
    desk: *mut Desk,
    address: *const c_void,
    key: Text,
    ttl: f64,
    encode: impl FnOnce(&Desk, &mut Encoder<'_>) -> bool,
) -> i32 {
    // SAFETY: see `get`.
    unsafe { answer(desk, address, key, SLOW, |ask, desk| write(ask, desk, expiry(ttl)?, encode)) }
}

#[inline]
fn write(
    ask: &Ask<'_>,
    desk: &Desk,
    expiry: Expiry,
    encode: impl FnOnce(&Desk, &mut Encoder<'_>) -> bool,
) -> Option<i32> {
    let limits = &ask.handle.settings().limits;
    with_buffer(|buffer| encode(desk, &mut Encoder::new(buffer, limits)).then(|| told(ask, ask.set(buffer, expiry))))
}

/// A TTL in seconds; negative is none given, which scripts cannot pass.
#[inline]
fn expiry(ttl: f64) -> Option<Expiry> {
    if ttl < 0.0 { Some(Expiry::default()) } else { Expiry::from_seconds(ttl).ok() }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "at most the room on the desk")]
fn to_size(size: usize) -> i32 {
    size as i32
}

#[allow(clippy::cast_precision_loss, reason = "integers of this Lua, and tickets")]
fn to_float(number: i64) -> f64 {
    number as f64
}
