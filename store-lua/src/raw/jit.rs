//! The calls that are made most, for LuaJIT's compiler.
//!
//! LuaJIT compiles no call of a C function that uses the C API of Lua; but it compiles calls of plain functions through its FFI. So there is
//! one of these for each short way, and Lua code around it (`jit.lua`) that turns arguments and answers into plain ones. They do less than
//! the functions in [`hot`](super::hot), which come next: no tables are encoded, and an error is left to be found again.
//!
//! # Why this is sound
//! What is called from compiled code must not enter Lua, whose state is in registers then. Nothing here does; and nothing of a host's runs here
//! that could: only handles of a module without a host's own code are answered ([`Module::is_ours`](crate::module::Module)). None of it
//! unwinds ([`guarded`]). Pointers are those of the desk, which is a userdata that all functions hold, and of strings that are arguments of
//! the Lua function around. Answers lie on the desk until the next call; who reads them looks at the number of calls after that, since a
//! hook of the host's may have called in between.

use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::sync::Arc;

use mlua::ffi::{self, lua_State};
use mlua::{Function, LightUserData, Lua, Table, Value};
use store_core::Expiry;
use store_core::codec::Encoder;

use super::ask::{Ask, Verdict};
use super::hot::{SMALL, forget};
use super::stack::{Number, exact};
use super::{Live, decode, guarded};
use crate::module::Current;
use crate::ops::with_buffer;
use crate::sandbox::{is_sandbox, load_ffi};
use crate::value::ArrayMark;

/// Values up to this many bytes are answered, larger ones left alone.
const ROOM: usize = 16 << 10;

/// Where answers lie. `jit.lua` knows this layout.
#[repr(C)]
struct Desk {
    /// First, where `forget` expects it.
    live: *const Live,
    number: f64,
    calls: i32,
    size: i32,
    bytes: [MaybeUninit<u8>; ROOM],
}

/// What functions answer that is not a number of bytes. `jit.lua` knows these.
const NIL: i32 = -1;
const SLOW: i32 = -2;
const TRUE: i32 = -3;
const FALSE: i32 = -4;
const NUMBER: i32 = -5;
const ENCODED: i32 = -6;

/// Tickets of errors as answers of `increment`, which are integers up to 2^53 else: from here, by steps that a float can take.
const TICKETS: f64 = 18_014_398_509_481_984.0;
const STEP: f64 = 4.0;

/// Puts functions that can be compiled in front of methods, if this VM has a compiler, and lets us use it.
pub(crate) fn compile(
    lua: &Lua,
    methods: &Table,
    mark: &ArrayMark,
    live: &Arc<Live>,
    fetch: &Function,
) -> mlua::Result<()> {
    let Some(library) = library(lua)? else { return Ok(()) };
    let pointer = |function: *const ()| Value::LightUserData(LightUserData(function.cast_mut().cast()));
    let functions = lua.create_table()?;
    functions.raw_set("get", pointer(get as *const ()))?;
    functions.raw_set("has", pointer(has as *const ()))?;
    functions.raw_set("delete", pointer(delete as *const ()))?;
    functions.raw_set("touch", pointer(touch as *const ()))?;
    functions.raw_set("increment", pointer(increment as *const ()))?;
    functions.raw_set("set_string", pointer(set_string as *const ()))?;
    functions.raw_set("set_number", pointer(set_number as *const ()))?;
    functions.raw_set("set_bool", pointer(set_bool as *const ()))?;
    let (desk, push) = desk(lua, mark, live)?;
    let globals = lua.globals();
    lua.load(include_str!("jit.lua")).set_name("=[store]").call((
        methods,
        functions,
        desk,
        push,
        fetch,
        library,
        globals.raw_get::<Value>("type")?,
    ))
}

/// The desk, and the C function that pushes what lies encoded on it.
fn desk(lua: &Lua, mark: &ArrayMark, live: &Arc<Live>) -> mlua::Result<(Value, Function)> {
    let owner = Arc::into_raw(Arc::clone(live));
    let mut taken = false;
    let owned = &mut taken;
    // SAFETY: the closure is a plain frame. It takes the owner when nothing can fail any more.
    let made = unsafe {
        lua.exec_raw::<(Value, Function)>(mark.table(), |state| {
            let desk: *mut Desk = ffi::lua_newuserdata(state, size_of::<Desk>()).cast();
            (&raw mut (*desk).live).write(std::ptr::null());
            (&raw mut (*desk).number).write(0.0);
            (&raw mut (*desk).calls).write(0);
            (&raw mut (*desk).size).write(0);
            ffi::lua_createtable(state, 0, 1);
            ffi::lua_pushlstring(state, c"__gc".as_ptr(), 4);
            ffi::lua_pushcfunction(state, forget);
            ffi::lua_rawset(state, -3);
            ffi::lua_setmetatable(state, 2);
            ffi::lua_pushvalue(state, 2);
            ffi::lua_pushvalue(state, 1);
            ffi::lua_pushcclosure(state, push, 2);
            ffi::lua_remove(state, 1);
            (&raw mut (*desk).live).write(owner);
            *owned = true;
        })
    };
    if !taken {
        // SAFETY: nobody else took it.
        drop(unsafe { Arc::from_raw(owner) });
    }
    made
}

/// LuaJIT's library for C functions; `None` if it would not help, or this VM is not to have it.
fn library(lua: &Lua) -> mlua::Result<Option<Table>> {
    let Value::Table(jit) = lua.globals().raw_get("jit")? else { return Ok(None) };
    if is_sandbox(lua) || !jit.get::<Function>("status")?.call::<bool>(())? {
        return Ok(None);
    }
    let Value::Table(loaded) = lua.named_registry_value("_LOADED")? else { return Ok(None) };
    let is_there = !loaded.raw_get::<Value>("ffi")?.is_nil();
    let Some(library) = load_ffi(lua)? else { return Ok(None) };
    // Scripts get it only where they had it, or could have loaded it.
    let is_offered = match lua.named_registry_value("_PRELOAD")? {
        Value::Table(preload) => !preload.raw_get::<Value>("ffi")?.is_nil(),
        _ => false,
    };
    if !is_there && !is_offered {
        loaded.raw_set("ffi", Value::Nil)?;
    }
    Ok(Some(library))
}

/// A key as it is passed: bytes of a Lua string.
#[derive(Clone, Copy)]
struct Text {
    start: *const u8,
    length: i32,
}

impl Text {
    /// # Safety
    /// It is a Lua string, which is held meanwhile.
    unsafe fn bytes<'a>(self) -> &'a [u8] {
        // SAFETY: as this function's.
        unsafe { std::slice::from_raw_parts(self.start, usize::try_from(self.length).unwrap_or(0)) }
    }
}

/// Asks a question, without entering Lua or code of the host's.
///
/// # Safety
/// Of this and of all functions of the FFI: `jit.lua` calls them, with its desk and strings that it holds.
#[inline(always)]
unsafe fn answer(
    desk: *mut Desk,
    address: *const c_void,
    key: Text,
    question: impl FnOnce(&Ask<'_>, &mut [MaybeUninit<u8>]) -> Verdict,
) -> Verdict {
    // SAFETY: a VM is used by one thread at a time, and nobody else looks at the desk meanwhile.
    let (desk, key) = unsafe { (&mut *desk, key.bytes()) };
    desk.calls = desk.calls.wrapping_add(1);
    // SAFETY: it is shared by the desk until `forget` writes null.
    let Some(live) = (unsafe { desk.live.as_ref() }) else { return Verdict::Slow };
    let bytes = &mut desk.bytes;
    let done = guarded(|| {
        let Some(inner) = live.find(address as usize).filter(|inner| inner.module.is_ours()) else {
            return Verdict::Slow;
        };
        let handle = Current::new(&inner.module, &inner.handle);
        question(&Ask { live, handle: &handle, key }, bytes)
    });
    done.unwrap_or(Verdict::Slow)
}

/// What is left to the C function, which finds the same.
#[cold]
unsafe fn leave(desk: *mut Desk, verdict: Verdict) -> i32 {
    // SAFETY: as `answer`; and the value is the asker's.
    unsafe {
        let _ = guarded(|| match verdict {
            Verdict::Large(payload) => drop(Box::from_raw(payload)),
            Verdict::Ticket(ticket) => drop((*desk).live.as_ref().map(|live| live.fetch(ticket))),
            _ => {}
        });
    }
    SLOW
}

unsafe extern "C" fn get(desk: *mut Desk, address: *const c_void, start: *const u8, length: i32) -> i32 {
    // SAFETY: see `answer`.
    unsafe {
        match answer(desk, address, Text { start, length }, |ask, bytes| ask.get(bytes)) {
            Verdict::Text(size) => to_size(size),
            Verdict::Nil => NIL,
            Verdict::Bool(true) => TRUE,
            Verdict::Bool(false) => FALSE,
            Verdict::Integer(number) => {
                (*desk).number = to_float(number);
                NUMBER
            }
            Verdict::Small(size) => {
                (*desk).size = to_size(size);
                ENCODED
            }
            verdict => leave(desk, verdict),
        }
    }
}

unsafe extern "C" fn has(desk: *mut Desk, address: *const c_void, start: *const u8, length: i32) -> i32 {
    // SAFETY: see `answer`.
    unsafe {
        let verdict = answer(desk, address, Text { start, length }, |ask, _| ask.has());
        told(desk, verdict)
    }
}

unsafe extern "C" fn delete(desk: *mut Desk, address: *const c_void, start: *const u8, length: i32) -> i32 {
    // SAFETY: see `answer`.
    unsafe {
        let verdict = answer(desk, address, Text { start, length }, |ask, _| ask.delete());
        told(desk, verdict)
    }
}

unsafe extern "C" fn touch(desk: *mut Desk, address: *const c_void, start: *const u8, length: i32, ttl: f64) -> i32 {
    // SAFETY: see `answer`.
    unsafe {
        let verdict = answer(desk, address, Text { start, length }, |ask, _| match expiry(ttl) {
            Some(expiry) => ask.touch(expiry),
            None => Verdict::Slow,
        });
        told(desk, verdict)
    }
}

unsafe extern "C" fn increment(
    desk: *mut Desk,
    address: *const c_void,
    start: *const u8,
    length: i32,
    delta: f64,
) -> f64 {
    // SAFETY: see `answer`.
    let verdict = unsafe {
        answer(desk, address, Text { start, length }, |ask, _| match exact(delta) {
            Number::Integer(delta) => ask.increment(delta),
            Number::Float(_) => Verdict::Slow,
        })
    };
    match verdict {
        Verdict::Integer(sum) => to_float(sum),
        // Perhaps it was done, and only cannot be told: so it is not to be done again.
        Verdict::Ticket(ticket) => TICKETS + STEP * to_float(ticket),
        _ => f64::NAN,
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
    // SAFETY: see `answer`.
    unsafe {
        let value = Text { start: value, length: size }.bytes();
        set(desk, address, Text { start, length }, ttl, |encoder| encoder.string(value))
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
    // SAFETY: see `answer`.
    unsafe {
        set(desk, address, Text { start, length }, ttl, |encoder| match exact(value) {
            Number::Integer(number) => encoder.int(number),
            Number::Float(number) => encoder.float(number),
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
    // SAFETY: see `answer`.
    unsafe { set(desk, address, Text { start, length }, ttl, |encoder| encoder.bool(value != 0)) }
}

#[inline(always)]
unsafe fn set(
    desk: *mut Desk,
    address: *const c_void,
    key: Text,
    ttl: f64,
    encode: impl FnOnce(&mut Encoder<'_>) -> store_core::Result<()>,
) -> i32 {
    // SAFETY: see `answer`.
    unsafe {
        let verdict = answer(desk, address, key, |ask, _| {
            let Some(expiry) = expiry(ttl) else { return Verdict::Slow };
            let limits = &ask.handle.settings().limits;
            with_buffer(|buffer| match encode(&mut Encoder::new(buffer, limits)) {
                Ok(()) => ask.set(buffer, expiry),
                Err(_) => Verdict::Slow,
            })
        });
        told(desk, verdict)
    }
}

#[inline]
unsafe fn told(desk: *mut Desk, verdict: Verdict) -> i32 {
    match verdict {
        Verdict::Bool(true) => TRUE,
        Verdict::Bool(false) => FALSE,
        // SAFETY: see `answer`.
        verdict => unsafe { leave(desk, verdict) },
    }
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

/// Pushes what lies encoded on the desk since a call, if that was the last one: the number of the call. A C function, with desk and mark as upvalues.
unsafe extern "C-unwind" fn push(state: *mut lua_State) -> c_int {
    let mut small = [const { MaybeUninit::<u8>::uninit() }; SMALL];
    // SAFETY: a plain frame. What lies on the desk is copied first: whatever runs while values are pushed may use the desk.
    unsafe {
        let desk: *const Desk = ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast();
        let size = usize::try_from((*desk).size).unwrap_or(usize::MAX);
        let is_there = ffi::lua_tonumber(state, 1) == f64::from((*desk).calls);
        let (Some(room), true) = (small.get_mut(..size), is_there) else { return 0 };
        std::ptr::copy_nonoverlapping((&raw const (*desk).bytes).cast(), room.as_mut_ptr(), size);
        let bytes = std::slice::from_raw_parts(small.as_ptr().cast::<u8>(), size);
        let mut trouble = decode::Trouble::new();
        if !decode::push(state, ffi::lua_upvalueindex(2), bytes, &mut trouble) {
            // The C function finds it again, and says where.
            let error = trouble.take();
            let _ = guarded(|| drop(error));
            return 0;
        }
    }
    1
}
