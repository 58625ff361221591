//! The calls that are made most, for LuaJIT's compiler.
//!
//! LuaJIT compiles no call of a C function that uses the C API of Lua; but it compiles calls of plain functions through its FFI. So there is
//! one of these for each short way, and Lua code around it (`front.lua`) that turns arguments and answers into plain ones. They do less than
//! the functions in [`hot`](super::hot), which come next: no tables but [flat] ones, and an error is left to be found again.
//!
//! # Why this is sound
//! What is called from compiled code must not enter Lua, whose state is in registers then. Nothing here does; and nothing of a host's runs here
//! that could: only handles of a module without a host's own code are answered, and on the store that they were given out for, whatever is loaded
//! meanwhile ([`Inner::of_ours`](crate::handle::Inner::of_ours)). None of it unwinds ([`guarded`]). Pointers are those of the desk, which is a userdata that all
//! functions hold, and of strings that are arguments of the Lua function around. What lies on the desk is good until the next call; who has laid or
//! reads something there looks at the number of calls after that, since a hook of the host's may have called in between.

mod calls;
mod codes;
mod desk;
mod flat;

use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::sync::Arc;

use mlua::ffi::{self, lua_State};
use mlua::{Function, LightUserData, Lua, LuaString, Table, Value};

use self::desk::Desk;
use self::flat::MOST_CODE;
use super::hot::SMALL;
use super::{Live, decode, guarded};
use crate::sandbox::{is_sandbox, load_ffi};
use crate::value::ArrayMark;

/// Puts functions that can be compiled in front of methods, if this VM has a compiler, and lets us use it.
pub(crate) fn compile(
    lua: &Lua,
    methods: &Table,
    mark: &ArrayMark,
    live: &Arc<Live>,
    fetch: &Function,
) -> mlua::Result<()> {
    let Some(library) = library(lua)? else { return Ok(()) };
    let functions = lua.create_table()?;
    for (name, function) in calls::NAMED {
        functions.raw_set(*name, Value::LightUserData(LightUserData(function.0.cast_mut().cast())))?;
    }
    let (desk, push, describe) = desk(lua, mark, live)?;
    let load = lua.create_function(|lua, source: LuaString| {
        let chunk = lua.load(source.as_bytes().to_vec()).set_name("=[store]");
        chunk.set_mode(mlua::chunk::ChunkMode::Text).into_function()
    })?;
    let globals = lua.globals();
    lua.load(include_str!("jit/front.lua")).set_name("=[store]").call((
        methods,
        functions,
        desk,
        push,
        fetch,
        describe,
        load,
        flat::lay_code(),
        library,
        globals.raw_get::<Value>("type")?,
        globals.raw_get::<Value>("next")?,
    ))
}

/// The desk, and the C functions that push what lies encoded on it, and the code of shapes.
fn desk(lua: &Lua, mark: &ArrayMark, live: &Arc<Live>) -> mlua::Result<(Value, Function, Function)> {
    let (live, shapes) = (Arc::into_raw(Arc::clone(live)), Box::into_raw(Box::default()));
    let mut taken = false;
    let owned = &mut taken;
    // SAFETY: the closure is a plain frame. It takes the owners when nothing can fail any more.
    let made = unsafe {
        lua.exec_raw::<(Value, Function, Function)>(mark.table(), |state| {
            let desk: *mut Desk = ffi::lua_newuserdata(state, size_of::<Desk>()).cast();
            Desk::lay_out(desk);
            ffi::lua_createtable(state, 0, 1);
            ffi::lua_pushlstring(state, c"__gc".as_ptr(), 4);
            ffi::lua_pushcfunction(state, forget);
            ffi::lua_rawset(state, -3);
            ffi::lua_setmetatable(state, 2);
            ffi::lua_pushvalue(state, 2);
            ffi::lua_pushvalue(state, 1);
            ffi::lua_pushcclosure(state, push, 2);
            ffi::lua_pushvalue(state, 2);
            ffi::lua_pushcclosure(state, describe, 1);
            ffi::lua_remove(state, 1);
            (&raw mut (*desk).live).write(live);
            (&raw mut (*desk).shapes).write(shapes);
            *owned = true;
        })
    };
    if !taken {
        // SAFETY: nobody else took them.
        unsafe {
            drop(Arc::from_raw(live));
            drop(Box::from_raw(shapes));
        }
    }
    made
}

/// Frees what the desk points at. A finaliser may call the functions even after that, when the VM ends: they find nothing then.
unsafe extern "C-unwind" fn forget(state: *mut lua_State) -> c_int {
    // SAFETY: only the desk has this finaliser.
    unsafe {
        let desk: *mut Desk = ffi::lua_touserdata(state, 1).cast();
        if !desk.is_null() && !(*desk).live.is_null() {
            let live = std::mem::replace(&mut (*desk).live, std::ptr::null());
            let shapes = std::mem::replace(&mut (*desk).shapes, std::ptr::null_mut());
            let _ = guarded(|| {
                drop(Arc::from_raw(live));
                drop(Box::from_raw(shapes));
            });
        }
    }
    0
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

/// Pushes the code that makes tables of a shape, whose number it gets; nothing if there is none. A C function, with the desk as its upvalue.
///
/// It does not come by the desk: code must be nothing but what was made for it.
unsafe extern "C-unwind" fn describe(state: *mut lua_State) -> c_int {
    let mut room = [const { MaybeUninit::<u8>::uninit() }; MOST_CODE];
    // SAFETY: a plain frame. The shapes are there until `forget` writes null; and what is pushed was written.
    unsafe {
        let desk: *const Desk = ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast();
        let number = ffi::lua_tointeger(state, 1);
        let written = guarded(|| {
            let code = (*desk).shapes.as_ref()?.code(usize::try_from(number).ok()?)?;
            room.get_mut(..code.len())?.write_copy_of_slice(code.as_bytes());
            Some(code.len())
        });
        let Ok(Some(size)) = written else { return 0 };
        ffi::lua_pushlstring(state, room.as_ptr().cast(), size);
    }
    1
}
