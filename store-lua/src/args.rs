//! Arguments, checked: what scripts pass, and how they are told that it is wrong.

use mlua::{Table, Value};
use store_core::{Error, Expiry, Version};

use crate::shim::{Stop, bad_argument, type_name};
use crate::value::is_integer_here;

/// A key or an id: a string, or the decimal text of an integer.
pub(crate) enum Bytes {
    Text(mlua::string::BorrowedBytes),
    Digits(String),
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        match self {
            Bytes::Text(bytes) => bytes,
            Bytes::Digits(digits) => digits.as_bytes(),
        }
    }
}

/// A key or an id. Anything but a string or an integer is a programming mistake, and raised.
pub(crate) fn bytes(function: &str, position: usize, value: &Value) -> Result<Bytes, Stop> {
    match value {
        Value::String(text) => Ok(Bytes::Text(text.as_bytes())),
        Value::Integer(number) if is_integer_here(*number) => Ok(Bytes::Digits(number.to_string())),
        // What a float looks like differs from Lua to Lua.
        Value::Number(_) | Value::Integer(_) => {
            Err(Stop::Raise(format!("bad argument #{position} to '{function}' (string expected, got float)")))
        }
        other => Err(bad_argument(position, function, "string", other)),
    }
}

/// A TTL in seconds; `nil` is the store's default.
pub(crate) fn ttl(value: &Value) -> Result<Expiry, Error> {
    seconds("ttl", value).map(|seconds| seconds.unwrap_or_default())
}

/// A duration in seconds; `None` for `nil`.
#[expect(clippy::cast_precision_loss, reason = "whole seconds beyond 2^53 are clamped anyway")]
pub(crate) fn seconds(name: &'static str, value: &Value) -> Result<Option<Expiry>, Error> {
    let seconds = match value {
        Value::Nil => return Ok(None),
        Value::Integer(seconds) => *seconds as f64,
        Value::Number(seconds) => *seconds,
        other => return Err(wrong(name, "a number of seconds", other)),
    };
    match Expiry::from_seconds(seconds) {
        Ok(expiry) => Ok(Some(expiry)),
        Err(_) => Err(Error::invalid(format!("{name} must be 0 or more seconds, got {seconds}"))),
    }
}

/// `ttl must be a number of seconds, got string`
#[cold]
pub(crate) fn wrong(name: &str, expected: &str, got: &Value) -> Error {
    let got = match got {
        // `1.0`, where that is why it is wrong.
        Value::Number(number) => format!("{number:?}"),
        Value::Integer(number) => number.to_string(),
        other => type_name(other).to_owned(),
    };
    Error::invalid(format!("{name} must be {expected}, got {got}")).with_detail("argument", name.to_owned())
}

/// An integer, not a float that is whole.
pub(crate) fn integer(name: &str, value: &Value) -> Result<Option<i64>, Error> {
    match value {
        Value::Nil => Ok(None),
        Value::Integer(number) if is_integer_here(*number) => Ok(Some(*number)),
        other => Err(wrong(name, "an integer", other)),
    }
}

/// A table of options: every name in it must be known.
pub(crate) struct Options(Option<Table>);

impl Options {
    /// # Errors
    /// INVALID: neither a table nor nil; an unknown name.
    pub(crate) fn new(value: &Value, known: &'static [&'static str]) -> Result<Options, Stop> {
        let table = match value {
            Value::Nil => return Ok(Options(None)),
            Value::Table(table) => table,
            other => return Err(wrong("options", "a table", other).into()),
        };
        for pair in table.pairs::<Value, Value>() {
            let name = match pair?.0 {
                Value::String(name) if known.iter().any(|known| *known.as_bytes() == *name.as_bytes()) => continue,
                Value::String(name) => format!("'{}'", name.to_string_lossy().escape_debug()),
                Value::Integer(index) => format!("[{index}]"),
                other => format!("of type {}", type_name(&other)),
            };
            let known = known.join(", ");
            return Err(Error::invalid(format!("unknown option {name}; there is {known}")).into());
        }
        Ok(Options(Some(table.clone())))
    }

    /// An option's value; nil if it is not given.
    pub(crate) fn get(&self, name: &str) -> mlua::Result<Value> {
        match &self.0 {
            Some(table) => table.raw_get(name),
            None => Ok(Value::Nil),
        }
    }

    pub(crate) fn ttl(&self) -> Result<Expiry, Stop> {
        Ok(ttl(&self.get("ttl")?)?)
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool, Stop> {
        match self.get(name)? {
            Value::Nil => Ok(false),
            Value::Boolean(flag) => Ok(flag),
            other => Err(wrong(name, "a boolean", &other).into()),
        }
    }

    pub(crate) fn version(&self) -> Result<Option<Version>, Stop> {
        match self.get("if_version")? {
            Value::Nil => Ok(None),
            // Text that no backend ever made matches nothing, which is what it deserves.
            Value::String(version) => Ok(Some(Version::parse(&version.to_string_lossy()))),
            other => Err(wrong("if_version", "a version (a string)", &other).into()),
        }
    }

    /// A string of any bytes.
    pub(crate) fn string(&self, name: &str) -> Result<Option<Vec<u8>>, Stop> {
        match self.get(name)? {
            Value::Nil => Ok(None),
            Value::String(text) => Ok(Some(text.as_bytes().to_vec())),
            other => Err(wrong(name, "a string", &other).into()),
        }
    }
}

/// The items of a batch: a table with the keys 1 to n, where n is its field `n` if it has one, else its length.
pub(crate) fn items(name: &str, value: &Value) -> Result<Vec<Value>, Stop> {
    let Value::Table(table) = value else { return Err(wrong(name, "a table", value).into()) };
    let length = match table.raw_get("n")? {
        Value::Nil => table.raw_len(),
        Value::Integer(length) if length >= 0 => usize::try_from(length).unwrap_or(usize::MAX),
        other => return Err(wrong("n", "an integer of 0 or more", &other).into()),
    };
    let limit = store_core::MAX_BATCH;
    if length > limit {
        let error = Error::invalid(format!("a batch of {length} items; at most {limit} are allowed"));
        return Err(error.with_detail("limit", limit).into());
    }
    let mut items = Vec::with_capacity(length);
    for index in 1..=length {
        items.push(table.raw_get(index)?);
    }
    Ok(items)
}
