//! `require("store")` for stock Lua and LuaJIT, as a shared library.
//!
//! The configuration is the file that `STORE_CONFIG` names, else `store.toml` in the current folder if there is one, else one store in
//! memory, `app:cache`; `STORE_ENV` selects its environment. `store.open(file, {env, actor, meta, scope})` opens another.
//! It is looked at when the first store is asked for, not when the module is loaded.
//!
//! Operations that have to wait block the process, since there is nobody who could do something else meanwhile. The runtime that
//! they need is made when first needed. A child of `fork` makes a new runtime and opens the stores anew: nothing of its parent's
//! connections is used in two processes. (A sled folder can be open in one process only.)

mod forks;
mod open;
mod runtime;

use mlua::{Lua, Result, Table};

/// What `require("store")` calls.
#[mlua::lua_module(name = "store")]
fn store(lua: &Lua) -> Result<Table> {
    open::module(lua)
}
