//! Values and errors across the border, for hosts that pass them themselves.

use mlua::{Lua, Value};
use store_core::Error;

use crate::errors::{ErrorObject, from_value};
use crate::shim::type_name;
use crate::value::{Fault, from_lua, to_lua};
use crate::vm::Base;

/// An error as the object that scripts know, with `kind()` and the rest.
///
/// # Errors
/// Of the VM: out of memory.
pub fn error_to_lua(lua: &Lua, error: Error) -> mlua::Result<Value> {
    Base::of(lua)?;
    ErrorObject::from(error).give(lua)
}

/// The error that an error object is; `None` for any other value. One that came from a store is that error again, and one that
/// a script made keeps what it says, with UNKNOWN for a kind of its own.
#[must_use]
pub fn error_from_lua(value: &Value) -> Option<Error> {
    from_value(value).map(ErrorObject::into_core)
}

/// A value as a store would give it to a script.
///
/// # Errors
/// Of the VM: out of memory.
pub fn value_to_lua(lua: &Lua, value: &store_core::Value) -> mlua::Result<Value> {
    to_lua(lua, value, &Base::of(lua)?.mark)
}

/// A value as a store would keep it.
///
/// # Errors
/// INVALID for what no store keeps: functions, cycles, nothing at all.
pub fn value_from_lua(lua: &Lua, value: &Value) -> store_core::Result<store_core::Value> {
    let trouble = |error: mlua::Error| Error::internal(format!("a {} cannot be read: {error}", type_name(value)));
    let base = Base::of(lua).map_err(trouble)?;
    from_lua(lua, value, &base.mark).map_err(|fault| match fault {
        Fault::Value(error) => error,
        Fault::Vm(error) => trouble(error),
    })
}
