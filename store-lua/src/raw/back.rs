//! How the short ways of [`hot`](super::hot) end: with an answer, with an error, or by leaving the call to the function that goes through mlua.
//!
//! All of this is plain frames. What is here comes twice:
//!
//! - Where a C function can call one that yields (Lua 5.3 and later), the C functions are the methods themselves. They call the function that goes
//!   through mlua, and what fetches an error, with a continuation.
//! - Where it cannot, each has a Lua function around it (`shim`), which learns from a second result what to do: none, the first is the answer;
//!   `true`, nothing was done; a number, the ticket of an error.

use std::ffi::c_int;

use mlua::ffi::{self, lua_State};

/// Whether the C functions are the methods themselves.
pub(crate) const DIRECT: bool = cfg!(any(feature = "lua55", feature = "lua54", feature = "lua53"));

#[cfg(any(feature = "lua55", feature = "lua54", feature = "lua53"))]
mod ends {
    use super::{c_int, ffi, lua_State, push_integer};

    /// The upvalues after those of all C functions, by their indices.
    const SLOW: c_int = 4;
    const FETCH: c_int = 5;

    /// Ends with what is on top; absence is two `nil`s.
    ///
    /// # Safety
    /// Of all of these: in a C function of ours, with stack slots to spare.
    #[inline]
    pub(in crate::raw) unsafe fn answered(state: *mut lua_State, is_nil: bool) -> c_int {
        if is_nil {
            // SAFETY: a slot is free.
            unsafe { ffi::lua_pushnil(state) };
        }
        1 + c_int::from(is_nil)
    }

    /// Ends with `nil` and an error.
    #[cold]
    pub(in crate::raw) unsafe fn refused(state: *mut lua_State, ticket: i64) -> c_int {
        // SAFETY: the slots of the arguments are free.
        unsafe {
            ffi::lua_settop(state, 0);
            ffi::lua_pushvalue(state, ffi::lua_upvalueindex(FETCH));
            push_integer(state, ticket);
            ffi::lua_call(state, 1, 2);
        }
        2
    }

    /// Leaves the call to the function that goes through mlua, which may yield.
    #[cold]
    pub(in crate::raw) unsafe fn slow(state: *mut lua_State, parameters: c_int) -> c_int {
        // SAFETY: a C function has more slots than these without asking.
        unsafe {
            ffi::lua_settop(state, parameters);
            ffi::lua_pushvalue(state, ffi::lua_upvalueindex(SLOW));
            ffi::lua_insert(state, 1);
            ffi::lua_callk(state, parameters, ffi::LUA_MULTRET, 0, Some(finished));
            finished(state, ffi::LUA_OK, 0)
        }
    }

    unsafe extern "C-unwind" fn finished(state: *mut lua_State, _: c_int, _: ffi::lua_KContext) -> c_int {
        // SAFETY: nothing but the results is on the stack.
        unsafe { ffi::lua_gettop(state) }
    }
}

#[cfg(not(any(feature = "lua55", feature = "lua54", feature = "lua53")))]
mod ends {
    use super::{c_int, ffi, lua_State, push_integer};

    /// Ends with what is on top.
    #[inline]
    pub(in crate::raw) unsafe fn answered(_: *mut lua_State, _: bool) -> c_int {
        1
    }

    /// Ends with an error.
    ///
    /// # Safety
    /// Of all of these: in a C function of ours, with stack slots to spare.
    #[cold]
    pub(in crate::raw) unsafe fn refused(state: *mut lua_State, ticket: i64) -> c_int {
        // SAFETY: the slots of the arguments are free.
        unsafe {
            ffi::lua_settop(state, 0);
            ffi::lua_pushnil(state);
            push_integer(state, ticket);
        }
        2
    }

    /// Leaves the call to the function that goes through mlua.
    #[cold]
    pub(in crate::raw) unsafe fn slow(state: *mut lua_State, _: c_int) -> c_int {
        // SAFETY: the slots of the arguments are free.
        unsafe {
            ffi::lua_settop(state, 0);
            ffi::lua_pushnil(state);
            ffi::lua_pushboolean(state, 1);
        }
        2
    }
}

pub(super) use ends::{answered, refused, slow};

#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "integers of this Lua only")]
pub(super) unsafe fn push_integer(state: *mut lua_State, number: i64) {
    // SAFETY: pushing a number never raises.
    unsafe {
        if crate::value::ONE_NUMBER_TYPE {
            ffi::lua_pushnumber(state, number as f64);
        } else {
            ffi::lua_pushinteger(state, number as ffi::lua_Integer);
        }
    }
}
