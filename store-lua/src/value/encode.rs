//! From Lua to MessagePack.

use mlua::{Lua, Value};
use store_core::Error;
use store_core::codec::{Encoder, Limits};

use super::{ArrayMark, is_integer_here};
use crate::raw;

/// Why a value could not be encoded.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The value is at fault.
    Value(Error),
    /// The VM is: out of memory, out of stack.
    Vm(mlua::Error),
}

impl From<mlua::Error> for Fault {
    fn from(error: mlua::Error) -> Fault {
        Fault::Vm(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        Fault::Value(error)
    }
}

/// Appends the encoding of a value.
pub(crate) fn encode(
    lua: &Lua,
    value: &Value,
    mark: &ArrayMark,
    limits: &Limits,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    match value {
        // What is most frequent needs no protected call.
        Value::Boolean(bool) => Ok(Encoder::new(out, limits).bool(*bool)?),
        Value::Integer(number) if is_integer_here(*number) => Ok(Encoder::new(out, limits).int(*number)?),
        Value::String(string) => Ok(Encoder::new(out, limits).string(&string.as_bytes())?),
        Value::Nil => Err(Error::invalid("value is required; use delete").into()),
        null if null.is_null() => Err(Error::invalid("value is required; use delete").into()),
        other => raw::encode(lua, other, mark, limits, out),
    }
}
