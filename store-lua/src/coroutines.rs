//! Waiting inside of coroutines that scripts make.

use mlua::{Function, Lua, Table, Value};

/// A Lua function that says whether the running coroutine can be suspended up to the host.
///
/// With `replace`, `coroutine.resume` and `coroutine.wrap` become ones that pass waiting on: a script's own coroutines then wait as
/// if they were not there. The replacements know where waiting cannot pass (inside of `table.sort`, say), and so does the result.
pub(crate) fn can_yield(lua: &Lua, replace: bool) -> mlua::Result<Function> {
    let coroutine: Table = lua.globals().raw_get("coroutine")?;
    let global = |name: &str| lua.globals().raw_get::<Value>(name);
    lua.load(include_str!("coroutines.lua")).set_name("=[store]").call((
        coroutine,
        Lua::poll_pending(),
        replace,
        global("error")?,
        global("type")?,
        global("select")?,
    ))
}
