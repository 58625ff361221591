//! Strings that were pushed lately, so that who reads a value again gets the string that is there already.
//!
//! Lua interns strings of up to 40 bytes. A longer one is an allocation each time, and garbage that the collector has to find and free: a third of
//! what reading it costs. So `get` keeps some in a table, as LuaJIT and Lua 5.1 keep all. Where they are in it says the address of their bytes
//! in the store, which stays while an entry does; that they are the right ones, only their bytes.

use std::ffi::c_int;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use mlua::ffi::{self, lua_State};

use super::stack::bytes;

/// Shorter ones are interned. Longer ones are copied for longer than they are allocated; and what is kept for nothing is bounded.
const LENGTHS: RangeInclusive<usize> = 41..=256;

/// So many are kept: at most a quarter of a megabyte.
const BITS: u32 = 10;

/// These Luas do it themselves.
const NEEDED: bool = cfg!(not(any(feature = "luajit", feature = "lua51")));

/// After so many misses in a row the table is left alone for the rest of a round of 256.
const TRIES: u8 = 64;

/// Whether it is worth looking.
#[derive(Debug, Default)]
pub(super) struct Luck(AtomicU8);

impl Luck {
    #[inline]
    fn may_have(&self) -> bool {
        let misses = self.0.load(Relaxed);
        if misses < TRIES {
            return true;
        }
        self.0.store(misses.wrapping_add(1), Relaxed);
        false
    }
}

/// What became of a search.
pub(super) enum Found {
    /// The string is on top of the stack.
    Pushed,
    /// It belongs at this place.
    Missing(c_int),
    /// It is none of those that are kept.
    No,
}

/// Looks for a string in the table at an index.
///
/// # Safety
/// A stack slot is free.
#[inline]
pub(super) unsafe fn find(state: *mut lua_State, table: c_int, text: &[u8], luck: &Luck) -> Found {
    if !NEEDED || !LENGTHS.contains(&text.len()) || !luck.may_have() {
        return Found::No;
    }
    // Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4).
    let hash = (text.as_ptr() as u64 >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let place = (hash >> (u64::BITS - BITS)) as c_int + 1;
    // SAFETY: a slot is free; looking into a table never raises, nor at what was in it.
    unsafe {
        ffi::lua_rawgeti(state, table, place.into());
        if ffi::lua_type(state, -1) == ffi::LUA_TSTRING && bytes(state, -1) == text {
            luck.0.store(0, Relaxed);
            return Found::Pushed;
        }
        ffi::lua_settop(state, -2);
    }
    luck.0.store(luck.0.load(Relaxed).wrapping_add(1), Relaxed);
    Found::Missing(place)
}

/// Keeps the string that is on top of the stack.
///
/// # Safety
/// In a plain frame, with a stack slot free.
#[inline]
pub(super) unsafe fn keep(state: *mut lua_State, table: c_int, place: c_int) {
    // SAFETY: as this function's.
    unsafe {
        ffi::lua_pushvalue(state, -1);
        ffi::lua_rawseti(state, table, place.into());
    }
}
