//! Straight to the C API of Lua, where mlua's values would cost more than the operation: values between the Lua stack and
//! MessagePack, and the calls that are made most. `benches/lua` shows what that saves.
//!
//! # Why this is sound
//! An error that Lua raises leaves the frames below it without running destructors (`longjmp`, or an unwinding that is not Rust's). So
//! code here is of two kinds, and never of both at once:
//!
//! - **Plain frames** may call what raises (whatever allocates in Lua). They hold nothing that has a destructor: borrowed bytes, numbers, raw
//!   pointers. What they push comes from memory that their caller owns outside of the protected call, or that lies in the frame itself.
//! - **Guarded code** ([`guarded`]) owns things and may panic; a panic ends there. It calls only what never raises: functions that look at the
//!   stack, and `lua_next` over a table that nobody changes meanwhile. Nothing of it allocates in Lua, so no collector, finaliser, hook or
//!   other script code runs while it does.
//!
//! Stack slots are asked for in plain frames, before the guarded code that needs them; if it turns out to need more, it ends without having
//! done anything and begins again.
//!
//! Miri cannot run C, so `tests/properties.rs`, the conformance suites and `cargo xtask asan` (AddressSanitizer) stand in.
#![allow(unsafe_code, reason = "the C API of Lua; see above, and benches/lua for why")]

#[cfg_attr(feature = "luau", allow(dead_code, reason = "the C functions are not there"))]
mod again;
#[cfg(not(feature = "luau"))]
mod ask;
#[cfg(not(feature = "luau"))]
mod back;
mod decode;
mod encode;
#[cfg(not(feature = "luau"))]
mod hot;
#[cfg(feature = "luajit")]
mod jit;
#[cfg_attr(feature = "luau", allow(dead_code, reason = "the C functions are not there"))]
mod live;
mod stack;

#[cfg(not(feature = "luau"))]
pub(crate) use back::DIRECT;
#[cfg(not(feature = "luau"))]
pub(crate) use hot::{functions, names};
#[cfg(feature = "luajit")]
pub(crate) use jit::compile;
pub(crate) use live::{Live, Shared};

use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

use mlua::{Lua, Value, ffi};
use store_core::Error;
use store_core::codec::Limits;

use crate::value::{ArrayMark, Fault};

/// The stack slots that a C function has without asking (`LUA_MINSTACK`), less a few for its own use.
const SLOTS: c_int = ffi::LUA_MINSTACK - 4;

/// Runs code that may panic, and turns a panic into an error.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work))
        .map_err(|_| Error::internal("a bug in the library or its host: the operation panicked").with_reason("panic"))
}

/// Appends the encoding of a value.
pub(crate) fn encode(
    lua: &Lua,
    value: &Value,
    mark: &ArrayMark,
    limits: &Limits,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    let mark = mark.address();
    let mut slots = SLOTS;
    loop {
        let mut written = Ok(());
        let (target, bytes) = (&mut written, &mut *out);
        // SAFETY: the closure is a plain frame: it captures references and numbers, and what it assigns replaces what needs no dropping.
        let run = unsafe {
            lua.exec_raw::<()>(value, |state| {
                *target = match ffi::lua_checkstack(state, slots) {
                    0 => Err(encode::Trouble::Stack),
                    _ => guarded(|| encode::write(state, 1, slots, mark, limits, bytes))
                        .unwrap_or_else(|error| Err(encode::Trouble::Value(error))),
                };
                ffi::lua_settop(state, 0);
            })
        };
        run?;
        match written {
            Ok(()) => return Ok(()),
            Err(encode::Trouble::Value(error)) => return Err(Fault::Value(error)),
            Err(encode::Trouble::Stack) => return Err(Fault::Vm(mlua::Error::StackError)),
            Err(encode::Trouble::Slots) => slots = encode::slots(limits),
        }
    }
}

/// The value that the bytes encode.
pub(crate) fn decode(lua: &Lua, mark: &ArrayMark, bytes: &[u8]) -> Result<Value, Fault> {
    let mut trouble = None;
    let target = &mut trouble;
    // SAFETY: the closure is a plain frame: it captures references, and assigns once, where nothing needs dropping.
    let value = unsafe {
        lua.exec_raw::<Value>(mark.table(), |state| {
            let mut why = decode::Trouble::new();
            if !decode::push(state, 1, bytes, &mut why) {
                ffi::lua_settop(state, 0);
                *target = Some(why.take());
                return;
            }
            ffi::lua_remove(state, 1);
        })?
    };
    match trouble {
        None => Ok(value),
        Some(error) => Err(Fault::Value(error)),
    }
}
