//! Looking at what is on the stack. None of this raises.

use std::ffi::c_int;

use mlua::ffi::{self, lua_State};

use crate::value::{MAX_EXACT, ONE_NUMBER_TYPE, Path};

/// A number as it is stored.
pub(super) enum Number {
    Integer(i64),
    Float(f64),
}

/// The number on the stack. Where Lua has one number type, an integral value within 2^53 is an integer, other than -0.
///
/// # Safety
/// A number is at the index.
#[inline]
pub(super) unsafe fn number(state: *mut lua_State, index: c_int) -> Number {
    // SAFETY: conversions of numbers never raise.
    unsafe {
        if !ONE_NUMBER_TYPE {
            if ffi::lua_isinteger(state, index) != 0 {
                #[allow(clippy::useless_conversion, reason = "some Luas have integers of 32 bits")]
                return Number::Integer(ffi::lua_tointeger(state, index).into());
            }
            return Number::Float(ffi::lua_tonumber(state, index));
        }
        exact(ffi::lua_tonumber(state, index))
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "checked")]
pub(super) fn exact(float: f64) -> Number {
    let integer = float as i64;
    let is_integral = integer as f64 == float && (-MAX_EXACT..=MAX_EXACT).contains(&integer);
    if is_integral && (integer != 0 || float.is_sign_positive()) {
        Number::Integer(integer)
    } else {
        Number::Float(float)
    }
}

/// The bytes of a string on the stack, good as long as it stays there.
///
/// # Safety
/// A string is at the index.
#[inline]
pub(super) unsafe fn bytes<'a>(state: *mut lua_State, index: c_int) -> &'a [u8] {
    let mut length = 0;
    // SAFETY: of a string it gives the bytes, converts nothing and never raises.
    unsafe {
        let start = ffi::lua_tolstring(state, index, &raw mut length);
        std::slice::from_raw_parts(start.cast(), length)
    }
}

/// Adds the key at an index to the place of a mistake. A key that is itself at fault adds nothing: the place is its table.
///
/// # Safety
/// Something is at the index.
#[cold]
pub(super) unsafe fn mark_key(state: *mut lua_State, index: c_int, path: &mut Path) {
    // SAFETY: looking at a value never raises, and only a string is taken for one.
    unsafe {
        match ffi::lua_type(state, index) {
            ffi::LUA_TSTRING => path.at_key(bytes(state, index)),
            ffi::LUA_TNUMBER => match number(state, index) {
                Number::Integer(number) => path.at_index(number),
                Number::Float(_) => path.at("..."),
            },
            ffi::LUA_TBOOLEAN => path.at(if ffi::lua_toboolean(state, index) != 0 { "true" } else { "false" }),
            _ => {}
        }
    }
}
