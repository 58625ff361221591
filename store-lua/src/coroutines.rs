//! Waiting inside of coroutines that scripts make.

use mlua::{Function, Lua, Table, Value};

/// The Luas that cannot be asked whether something can be suspended.
const OLD: Option<&str> = if cfg!(feature = "lua51") {
    Some("Lua 5.1")
} else if cfg!(feature = "lua52") {
    Some("Lua 5.2")
} else {
    None
};

/// What becomes of Lua's `coroutine`.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Coroutines {
    /// `resume` and `wrap` pass waiting on.
    Replaced,
    /// It stays as it is.
    LeftAlone,
    /// It stays as it is, and nothing is ever suspended.
    NeverSuspended,
}

/// A Lua function that says whether the running coroutine can be suspended up to the host.
///
/// If they are replaced, `coroutine.resume` and `coroutine.wrap` become ones that pass waiting on: a script's own coroutines then wait as
/// if they were not there. The replacements know where waiting cannot pass (inside of `table.sort`, say), and so does the result.
pub(crate) fn can_yield(lua: &Lua, coroutines: Coroutines) -> mlua::Result<Function> {
    if coroutines == Coroutines::NeverSuspended {
        return lua.load("return function() return false end").set_name("=[store]").call(());
    }
    let coroutine: Table = lua.globals().raw_get("coroutine")?;
    let global = |name: &str| lua.globals().raw_get::<Value>(name);
    let (can_yield, pcall): (Function, Option<Function>) =
        // By the name of its own function that waits mlua knows whom to tell that what runs was dropped.
        lua.load(include_str!("coroutines.lua")).set_name("=__mlua_async_poll").call((
            coroutine,
            Lua::poll_pending(),
            coroutines == Coroutines::Replaced,
            global("error")?,
            global("type")?,
            global("select")?,
            global("setmetatable")?,
            global("pcall")?,
            OLD,
            // In a coroutine that the host resumes.
            lua.create_function(|lua, room: Function| lua.create_thread(room)?.resume::<i64>(0))?,
        ))?;
    if let Some(pcall) = pcall {
        lua.globals().raw_set("pcall", pcall)?;
    }
    Ok(can_yield)
}
