//! Value trees: details of errors.

use mlua::{Lua, Value};
use store_core::codec::{self, Limits};

use super::encode::Fault;
use super::{ArrayMark, decode, encode};

/// Copies a Lua value.
pub(crate) fn from_lua(lua: &Lua, value: &Value, mark: &ArrayMark) -> Result<store_core::Value, Fault> {
    let mut bytes = Vec::new();
    encode(lua, value, mark, &Limits::default(), &mut bytes)?;
    codec::decode(&bytes).map_err(Fault::Value)
}

/// A fresh copy for Lua. What no Lua value can be is left out.
pub(crate) fn to_lua(lua: &Lua, value: &store_core::Value, mark: &ArrayMark) -> mlua::Result<Value> {
    let mut bytes = Vec::new();
    let limits = Limits { max_value_size: usize::MAX, max_depth: codec::MAX_DEPTH };
    if codec::encode(value, &limits, &mut bytes).is_err() {
        return Ok(Value::Nil);
    }
    match decode(lua, mark, &bytes) {
        Ok(value) => Ok(value),
        Err(Fault::Value(_)) => Ok(Value::Nil),
        Err(Fault::Vm(error)) => Err(error),
    }
}
