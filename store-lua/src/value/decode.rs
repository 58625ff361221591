//! From MessagePack to Lua.

use mlua::{Lua, Value};
use store_core::Error;
use store_core::codec::{Decoder, Token};

use super::encode::Fault;
use super::path::Path;
use super::{ArrayMark, MAX_EXACT, ONE_NUMBER_TYPE};

/// Tables are made for at most this many entries beforehand, whatever the bytes announce.
const MAX_PREALLOCATED: usize = 4096;

/// The value that the bytes encode.
pub(crate) fn decode(lua: &Lua, mark: &ArrayMark, bytes: &[u8]) -> Result<Value, Fault> {
    let mut walk = Walk { lua, mark, decoder: Decoder::new(bytes), path: Path::default() };
    let value = walk.value().map_err(|fault| match fault {
        Fault::Value(error) if error.reason() == Some("range") => Fault::Value(walk.path.place(error)),
        other => other,
    })?;
    walk.decoder.finish().map_err(Fault::Value)?;
    Ok(value)
}

struct Walk<'a> {
    lua: &'a Lua,
    mark: &'a ArrayMark,
    decoder: Decoder<'a>,
    path: Path,
}

impl Walk<'_> {
    fn value(&mut self) -> Result<Value, Fault> {
        match self.decoder.token().map_err(Fault::Value)? {
            Token::Nil => Ok(Value::NULL),
            Token::Bool(bool) => Ok(Value::Boolean(bool)),
            Token::Int(number) => integer(number),
            Token::UInt(_) => Err(out_of_range()),
            Token::Float(number) => Ok(Value::Number(number)),
            Token::Str(bytes) => Ok(Value::String(self.lua.create_string(bytes)?)),
            Token::Array(count) => self.array(count),
            Token::Map(count) => self.map(count),
        }
    }

    fn array(&mut self, count: usize) -> Result<Value, Fault> {
        self.decoder.enter().map_err(Fault::Value)?;
        let table = self.lua.create_table_with_capacity(count.min(MAX_PREALLOCATED), 0)?;
        for index in 1..=count {
            let value = self.value().inspect_err(|_| self.path.at_index(i64::try_from(index).unwrap_or(i64::MAX)))?;
            table.raw_set(index, value)?;
        }
        if count == 0 {
            self.mark.put_on(&table)?;
        }
        self.decoder.leave();
        Ok(Value::Table(table))
    }

    fn map(&mut self, count: usize) -> Result<Value, Fault> {
        self.decoder.enter().map_err(Fault::Value)?;
        let table = self.lua.create_table_with_capacity(0, count.min(MAX_PREALLOCATED))?;
        for _ in 0..count {
            let key = match self.decoder.token().map_err(Fault::Value)? {
                Token::Bool(bool) => Value::Boolean(bool),
                Token::Int(number) => integer(number)?,
                Token::UInt(_) => return Err(out_of_range()),
                Token::Float(number) if !number.is_nan() => Value::Number(number),
                Token::Str(bytes) => Value::String(self.lua.create_string(bytes)?),
                _ => return Err(Fault::Value(Error::foreign("the stored bytes hold a key that no table can have"))),
            };
            let value = match self.value() {
                Ok(value) => value,
                Err(fault) => {
                    match &key {
                        Value::String(name) => self.path.at_key(&name.as_bytes()),
                        Value::Integer(index) => self.path.at_index(*index),
                        _ => self.path.at("..."),
                    }
                    return Err(fault);
                }
            };
            table.raw_set(key, value)?;
        }
        self.decoder.leave();
        Ok(Value::Table(table))
    }
}

#[expect(clippy::cast_precision_loss, reason = "checked")]
fn integer(number: i64) -> Result<Value, Fault> {
    if !ONE_NUMBER_TYPE {
        return Ok(Value::Integer(number));
    }
    if (-MAX_EXACT..=MAX_EXACT).contains(&number) { Ok(Value::Number(number as f64)) } else { Err(out_of_range()) }
}

/// A stored integer that this Lua has no number for. It is never rounded.
#[cold]
fn out_of_range() -> Fault {
    Fault::Value(Error::invalid("the stored integer is beyond the integers of this Lua").with_reason("range"))
}
