//! From MessagePack to Lua.

use mlua::{Lua, Value};
use store_core::codec::{Decoder, Token};

use super::encode::Fault;
use super::{ArrayMark, is_integer_here};
use crate::raw;

/// The value that the bytes encode.
pub(crate) fn decode(lua: &Lua, mark: &ArrayMark, bytes: &[u8]) -> Result<Value, Fault> {
    let mut decoder = Decoder::new(bytes);
    if let Ok(token) = decoder.token()
        && decoder.remaining() == 0
    {
        // What is most frequent needs no protected call.
        match token {
            Token::Bool(bool) => return Ok(Value::Boolean(bool)),
            Token::Int(number) if is_integer_here(number) => return Ok(Value::Integer(number)),
            Token::Str(bytes) => return Ok(Value::String(lua.create_string(bytes)?)),
            _ => {}
        }
    }
    raw::decode(lua, mark, bytes)
}
