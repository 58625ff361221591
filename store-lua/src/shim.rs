//! The Lua side of every function: a few lines of Lua around a synchronous Rust function.
//!
//! Rust functions give three results. The third says what they are: `nil`, the first two go to the caller; `false`, the second is a
//! message to raise where the caller is, as a string with a position, as Lua programmers expect of a programming mistake; anything
//! else, the first stands for an operation that has to wait. A value comes alone, so that it can be passed on to functions that
//! count their arguments (`table.insert`); absence is two `nil`s. So a call that need not wait makes no future and no coroutine switch.

use mlua::{Function, IntoLua, Lua, Table, Value};
use store_core::Error;

use crate::errors::ErrorObject;

/// What a Rust function gives to its Lua side.
pub(crate) type Results = (Value, Value, Value);

/// How a function ends, unless with a value.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A programming mistake: raised where the caller is.
    Raise(String),
    /// Returned as `nil, err`.
    Fail(Error),
    /// The VM itself is in trouble (memory): raised as it is.
    Vm(mlua::Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Fail(error)
    }
}

impl From<mlua::Error> for Stop {
    fn from(error: mlua::Error) -> Stop {
        Stop::Vm(error)
    }
}

impl From<crate::value::Fault> for Stop {
    fn from(fault: crate::value::Fault) -> Stop {
        match fault {
            crate::value::Fault::Value(error) => Stop::Fail(error),
            crate::value::Fault::Vm(error) => Stop::Vm(error),
        }
    }
}

/// The results of a function that ended.
pub(crate) fn results(lua: &Lua, ended: Result<Value, Stop>) -> mlua::Result<Results> {
    match ended {
        Ok(value) => Ok((value, Value::Nil, Value::Nil)),
        Err(Stop::Fail(error)) => Ok((Value::Nil, ErrorObject::from(error).give(lua)?, Value::Nil)),
        Err(Stop::Raise(message)) => Ok((Value::Nil, message.into_lua(lua)?, Value::Boolean(false))),
        Err(Stop::Vm(error)) => Err(error),
    }
}

/// `bad argument #1 to 'get' (string expected, got table)`
#[cold]
pub(crate) fn bad_argument(position: usize, function: &str, expected: &str, got: &Value) -> Stop {
    Stop::Raise(format!("bad argument #{position} to '{function}' ({expected} expected, got {})", type_name(got)))
}

/// The name of a value's type, as scripts know it.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nil",
        Value::Integer(_) | Value::Number(_) => "number",
        Value::LightUserData(_) | Value::Error(_) => "userdata",
        // Of LuaJIT's FFI.
        Value::Other(_) if cfg!(feature = "luajit") => "cdata",
        other => other.type_name(),
    }
}

/// The short ways of some functions.
#[cfg_attr(feature = "luau", allow(dead_code, reason = "it has no C functions"))]
pub(crate) enum Hot {
    /// There are none.
    None,
    /// C functions by the same names, which the Lua side asks first.
    Around(Around),
    /// C functions that will stand in front of those by these names.
    Behind(Vec<&'static str>),
}

/// C functions that the Lua side asks first.
///
/// Their first result is the answer if the second is `nil`. Else that is `true`, nothing was done and the Rust function is to be asked, or the
/// ticket of an error, which `fetch` turns into results.
pub(crate) struct Around {
    pub(crate) functions: Table,
    pub(crate) fetch: Function,
}

/// A table of functions, each the Lua side of one Rust function: (name, parameters, function).
///
/// `wait` finishes what has to wait; it gets the first result.
pub(crate) fn functions(
    lua: &Lua,
    functions: &[(&str, &str, Function)],
    wait: &Value,
    hot: Hot,
) -> mlua::Result<Table> {
    let (around, behind) = match hot {
        Hot::None => (None, Vec::new()),
        Hot::Around(around) => (Some(around), Vec::new()),
        Hot::Behind(names) => (None, names),
    };
    let raw = lua.create_table_with_capacity(0, functions.len())?;
    let mut source = String::from("local raw, wait_, raise_, hot, fetch_ = ...\nlocal M = {}\n");
    for (name, parameters, function) in functions {
        raw.raw_set(*name, function)?;
        let has_hot = around.as_ref().is_some_and(|around| around.functions.raw_get::<Function>(*name).is_ok());
        let ask = if has_hot {
            format!(
                "local value_, state_ = hot_({parameters})\n\
                 if value_ then return value_ end\n\
                 local err_\n\
                 if not state_ then if value_ == nil then return nil, nil end return value_\n\
                 elseif state_ == true then value_, err_, state_ = raw_({parameters})\n\
                 else value_, err_, state_ = fetch_(state_) end\n"
            )
        } else {
            format!("local value_, err_, state_ = raw_({parameters})\n")
        };
        // Where the caller is.
        let level = if behind.contains(name) { 3 } else { 2 };
        let local = if has_hot { format!("local hot_ = hot.{name}\n") } else { String::new() };
        source.push_str(&format!(
            "do local raw_ = raw.{name}\n{local}\
             M.{name} = function({parameters})\n{ask}\
             if state_ then value_, err_ = wait_(value_)\n\
             elseif state_ == false then raise_(err_, {level}) end\n\
             if err_ == nil and value_ ~= nil then return value_ end\n\
             return value_, err_\n\
             end end\n"
        ));
    }
    source.push_str("return M");
    let error: Value = lua.globals().raw_get("error")?;
    let (hot, fetch) = around.map(|around| (around.functions, around.fetch)).unzip();
    lua.load(source).set_name("=[store]").set_mode(mlua::chunk::ChunkMode::Text).call((raw, wait, error, hot, fetch))
}

/// A read-only view of a table: a table that looks its fields up there and refuses new ones.
pub(crate) fn read_only(lua: &Lua, name: &str, fields: Table) -> mlua::Result<Table> {
    let view = lua.create_table()?;
    let metatable = lua.create_table()?;
    let next: Value = lua.globals().raw_get("next")?;
    let shown = fields.clone();
    metatable
        .raw_set("__pairs", lua.create_function(move |_, _: Value| Ok((next.clone(), shown.clone(), Value::Nil)))?)?;
    metatable.raw_set("__index", fields)?;
    let error: Value = lua.globals().raw_get("error")?;
    let refuse: Function = lua
        .load("local name, error = ...\nreturn function() error(name .. ' is read-only', 2) end")
        .set_name("=[store]")
        .call((name, error))?;
    metatable.raw_set("__newindex", refuse)?;
    metatable.raw_set("__metatable", false)?;
    metatable.raw_set("__name", name)?;
    view.set_metatable(Some(metatable))?;
    Ok(view)
}
