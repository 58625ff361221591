//! Values between Lua and MessagePack, in one pass and exact (rules V1 to V6).

mod decode;
mod encode;
mod path;
mod tree;

pub(crate) use decode::decode;
pub(crate) use encode::{Fault, encode};
pub(crate) use path::Path;
pub(crate) use tree::{from_lua, to_lua};

use std::ffi::c_void;

use mlua::{Lua, Table};

/// Whether this Lua has one number type. An integral value within 2^53 then counts as an integer.
pub(crate) const ONE_NUMBER_TYPE: bool =
    cfg!(any(feature = "lua52", feature = "lua51", feature = "luajit", feature = "luau"));

/// The integers that a float holds exactly, all of them: up to here.
pub(crate) const MAX_EXACT: i64 = 1 << 53;

/// Whether this integer is one on this Lua.
pub(crate) fn is_integer_here(number: i64) -> bool {
    !ONE_NUMBER_TYPE || (-MAX_EXACT..=MAX_EXACT).contains(&number)
}

/// How a VM tells empty arrays from empty maps: `store.array` gives a table this metatable.
#[derive(Clone, Debug)]
pub(crate) struct ArrayMark(Table);

impl ArrayMark {
    pub(crate) fn new(lua: &Lua) -> mlua::Result<ArrayMark> {
        let mark = lua.create_table_with_capacity(0, 1)?;
        mark.raw_set("__name", "store.array")?;
        Ok(ArrayMark(mark))
    }

    pub(crate) fn table(&self) -> &Table {
        &self.0
    }

    /// What tells it from other tables.
    pub(crate) fn address(&self) -> *const c_void {
        self.0.to_pointer()
    }

    pub(crate) fn put_on(&self, table: &Table) -> mlua::Result<()> {
        table.set_metatable(Some(self.0.clone()))
    }
}
