//! The raw form (`format = "raw"`): what any Redis client reads and writes.
//!
//! | value | in Redis |
//! |---|---|
//! | string of bytes | its bytes |
//! | integer | in decimal: `42` |
//! | boolean | `true`, `false` |
//! | float | as JSON, always with a point or an exponent: `1.0`, `2.5e-7` |
//! | table | JSON: an array, or an object |
//!
//! The other way, whatever is in exactly this form is an integer, boolean or float; what begins with a brace or bracket and is JSON is a
//! table; everything else is a string of bytes. So a string that looks like a number comes back as one: that is the price of
//! having no mark.
//!
//! JSON has no infinite numbers, no bytes that are not UTF-8, and no keys but strings: such values are refused.

use serde_json::Value as Json;
use store_core::codec::{self, Limits, MAX_DEPTH};
use store_core::{Error, Payload, Result, Value, Version};

/// What an encoded value looks like in Redis.
///
/// # Errors
/// INVALID, reason `unsupported`, for what this form cannot hold.
pub(crate) fn to_redis(payload: &[u8]) -> Result<Vec<u8>> {
    let value =
        codec::decode::<Value>(payload).map_err(|_| Error::unsupported("the raw format holds encoded values alone"))?;
    match value {
        Value::String(bytes) => Ok(bytes),
        // Where 64 bits with a sign end, Redis cannot count, and readers would take the text for a string.
        Value::Unsigned(_) => Err(cannot_hold("an integer above 9223372036854775807")),
        Value::Null => Err(cannot_hold("null alone")),
        value => {
            check(&value)?;
            serde_json::to_vec(&value).map_err(|_| cannot_hold("this value"))
        }
    }
}

/// Refuses what JSON would change or drop in silence.
fn check(value: &Value) -> Result<()> {
    match value {
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Unsigned(_) => Ok(()),
        Value::Float(number) if number.is_finite() => Ok(()),
        Value::Float(_) => Err(cannot_hold("a float that is not finite")),
        Value::String(_) if value.as_str().is_some() => Ok(()),
        Value::String(_) => Err(cannot_hold("a string inside of a table that is not UTF-8")),
        Value::Array(items) => items.iter().try_for_each(check),
        Value::Map(entries) => entries.iter().try_for_each(|(key, value)| match key.as_str() {
            Some(_) => check(value),
            None => Err(cannot_hold("a table whose keys are not all UTF-8 strings")),
        }),
    }
}

#[cold]
fn cannot_hold(what: &str) -> Error {
    Error::unsupported(format!("the raw format of Redis cannot hold {what}"))
}

/// The encoded value of what lies in Redis.
///
/// # Errors
/// INTERNAL, reason `foreign`: larger or deeper than anything that could be handed out.
pub(crate) fn from_redis(bytes: Vec<u8>) -> Result<Payload> {
    let limits = Limits { max_value_size: usize::MAX, max_depth: MAX_DEPTH };
    let mut encoded = Vec::with_capacity(bytes.len() + 5);
    let value = read(bytes);
    codec::encode(&value, &limits, &mut encoded).map_err(|_| crate::envelope::foreign())?;
    Ok(Payload::from(encoded))
}

fn read(bytes: Vec<u8>) -> Value {
    match bytes.first() {
        Some(b'{' | b'[') => serde_json::from_slice(&bytes).unwrap_or(Value::String(bytes)),
        Some(b'-' | b'0'..=b'9') => number(&bytes).unwrap_or(Value::String(bytes)),
        Some(b't') if bytes == b"true" => Value::Bool(true),
        Some(b'f') if bytes == b"false" => Value::Bool(false),
        _ => Value::String(bytes),
    }
}

/// A number in the one form that it is written in.
fn number(text: &[u8]) -> Option<Value> {
    // Longer than the longest float.
    if text.len() > 32 {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    if let Ok(number) = text.parse::<i64>() {
        return (number.to_string() == text).then_some(Value::Integer(number));
    }
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite())?;
    let written = Json::from(number).to_string();
    (written == text).then_some(Value::Float(number))
}

/// The version of what lies in Redis: a digest of it, which scripts compute alike.
pub(crate) fn version(bytes: &[u8]) -> Version {
    Version::parse(&sha1_smol::Sha1::from(bytes).hexdigest())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(value: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        codec::encode(value, &Limits::default(), &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn values_have_the_documented_form_and_come_back() {
        let table = Value::Map(vec![
            (Value::from("name"), Value::from("\u{c4}lice")),
            (Value::from("roles"), Value::Array(vec![Value::Null, Value::Integer(-1), Value::Float(1.0)])),
            (Value::from("big"), Value::Unsigned(u64::MAX)),
        ]);
        for (value, text) in [
            (Value::from("plain"), &b"plain"[..]),
            (Value::from(""), b""),
            (Value::String(vec![0xff, 0]), b"\xff\0"),
            (Value::Integer(i64::MIN), b"-9223372036854775808"),
            (Value::Integer(0), b"0"),
            (Value::Bool(true), b"true"),
            (Value::Bool(false), b"false"),
            (Value::Float(1.0), b"1.0"),
            (Value::Float(-0.0), b"-0.0"),
            (Value::Float(2.5e-7), b"2.5e-7"),
            (Value::Array(vec![]), b"[]"),
            (Value::Map(vec![]), b"{}"),
            (table, "{\"name\":\"\u{c4}lice\",\"roles\":[null,-1,1.0],\"big\":18446744073709551615}".as_bytes()),
        ] {
            assert_eq!(to_redis(&encoded(&value)).unwrap(), text, "{value:?}");
            assert_eq!(*from_redis(text.to_vec()).unwrap(), *encoded(&value), "{value:?}");
        }
    }

    #[test]
    fn what_only_resembles_a_number_or_json_is_a_string() {
        for text in [
            "1.",
            "01",
            "+1",
            "-0",
            "1e5",
            "1.50",
            ".5",
            "NaN",
            "inf",
            "-",
            "9223372036854775808",
            " 1",
            "True",
            "{",
            "[1,]",
            "{\"a\":1} x",
            "null",
            "\"quoted\"",
            "0x10",
            "1_000",
        ] {
            assert_eq!(*from_redis(text.into()).unwrap(), *encoded(&Value::from(text)), "{text}");
        }
        let deep = [vec![b'['; 200], vec![b']'; 200]].concat();
        assert_eq!(read(deep.clone()), Value::String(deep));
    }

    #[test]
    fn what_json_cannot_hold_is_unsupported() {
        let inside = |value: Value| Value::Array(vec![value]);
        for value in [
            Value::Unsigned(u64::MAX),
            Value::Float(f64::NAN),
            inside(Value::Float(f64::INFINITY)),
            inside(Value::String(vec![0xff])),
            Value::Map(vec![(Value::Integer(1), Value::Bool(true)), (Value::from("x"), Value::Bool(true))]),
            inside(Value::Map(vec![(Value::String(vec![0xff]), Value::Null)])),
        ] {
            let error = to_redis(&encoded(&value)).unwrap_err();
            assert_eq!(error.reason(), Some("unsupported"), "{value:?}");
        }
        assert_eq!(to_redis(&[0xc1]).unwrap_err().reason(), Some("unsupported"));
    }

    #[test]
    fn versions_are_the_digest_that_scripts_compute() {
        assert_eq!(version(b"abc").to_string(), "a9993e364706816aba3e25717850c26c9cd0d89d");
    }
}
