//! Values as JSON and back, without loss.
//!
//! JSON has no bytes, no NaN and no table keys but strings. What it lacks is an object with one field:
//! `{"$base64": "/w=="}` is a string that is not UTF-8, `{"$float": "nan"}` (`inf`, `-inf`) a float, and `{"$map": [[1, "a"], [true, "b"]]}` a table
//! with keys that are not all UTF-8 strings, or whose one key begins with `$`. Integers have no point and floats always have one.

use serde_json::{Map, Number, Value as Json};
use store::Value;

/// The deepest nesting that is read. Deeper values cannot be stored anyway.
const MAX_DEPTH: usize = store::codec::MAX_DEPTH;

/// A value as JSON.
pub(crate) fn from_value(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(bool) => Json::Bool(*bool),
        Value::Integer(number) => Json::from(*number),
        Value::Unsigned(number) => Json::from(*number),
        Value::Float(number) => float(*number),
        Value::String(bytes) => from_bytes(bytes),
        Value::Array(items) => Json::Array(items.iter().map(from_value).collect()),
        Value::Map(entries) => from_entries(entries),
    }
}

fn float(number: f64) -> Json {
    match Number::from_f64(number) {
        Some(number) => Json::Number(number),
        None => one_field(
            "$float",
            Json::from(if number.is_nan() {
                "nan"
            } else if number > 0.0 {
                "inf"
            } else {
                "-inf"
            }),
        ),
    }
}

/// A string of any bytes as JSON.
pub(crate) fn from_bytes(bytes: &[u8]) -> Json {
    match std::str::from_utf8(bytes) {
        Ok(text) => Json::from(text),
        Err(_) => one_field("$base64", Json::from(base64(bytes))),
    }
}

fn from_entries(entries: &[(Value, Value)]) -> Json {
    let names: Option<Vec<&str>> = entries.iter().map(|(key, _)| key.as_str()).collect();
    let plain = names.filter(|names| !matches!(names[..], [only] if only.starts_with('$')));
    match plain {
        Some(names) => {
            let values = entries.iter().map(|(_, value)| from_value(value));
            Json::Object(names.into_iter().map(str::to_owned).zip(values).collect())
        }
        None => {
            let pairs = entries.iter().map(|(key, value)| Json::Array(vec![from_value(key), from_value(value)]));
            one_field("$map", Json::Array(pairs.collect()))
        }
    }
}

fn one_field(name: &str, value: Json) -> Json {
    Json::Object(Map::from_iter([(name.to_owned(), value)]))
}

/// Reads JSON as it is printed here. On failure, says why; the value is not repeated.
pub(crate) fn parse(text: &[u8]) -> Result<Value, String> {
    let json: Json = serde_json::from_slice(text).map_err(|error| format!("not JSON: {error}"))?;
    to_value(json, MAX_DEPTH)
}

fn to_value(json: Json, depth: usize) -> Result<Value, String> {
    let Some(deeper) = depth.checked_sub(1) else { return Err("the JSON is nested too deeply".to_owned()) };
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(bool) => Value::from(bool),
        Json::Number(number) => to_number(&number)?,
        Json::String(text) => Value::from(text),
        Json::Array(items) => {
            Value::Array(items.into_iter().map(|item| to_value(item, deeper)).collect::<Result<_, _>>()?)
        }
        Json::Object(mut fields) => {
            let special = fields.keys().next().filter(|name| fields.len() == 1 && name.starts_with('$')).cloned();
            match special {
                Some(name) => special_value(&name, fields.remove(&name).unwrap_or_default(), deeper)?,
                None => {
                    let entries =
                        fields.into_iter().map(|(name, field)| Ok((Value::from(name), to_value(field, deeper)?)));
                    Value::Map(entries.collect::<Result<_, String>>()?)
                }
            }
        }
    })
}

fn to_number(number: &Number) -> Result<Value, String> {
    if let Some(number) = number.as_i64() {
        return Ok(Value::Integer(number));
    }
    if let Some(number) = number.as_u64() {
        return Ok(Value::Unsigned(number));
    }
    number.as_f64().map(Value::Float).ok_or_else(|| "a number does not fit 64 bits".to_owned())
}

fn special_value(name: &str, field: Json, depth: usize) -> Result<Value, String> {
    match (name, field) {
        ("$base64", Json::String(text)) => {
            unbase64(text.as_bytes()).map(Value::String).ok_or_else(|| "$base64 is not followed by base64".to_owned())
        }
        ("$float", Json::String(text)) => match text.as_str() {
            "nan" => Ok(Value::Float(f64::NAN)),
            "inf" => Ok(Value::Float(f64::INFINITY)),
            "-inf" => Ok(Value::Float(f64::NEG_INFINITY)),
            _ => Err("$float is nan, inf or -inf".to_owned()),
        },
        ("$map", Json::Array(pairs)) => {
            let pair = |pair| match pair {
                Json::Array(pair) => match <[Json; 2]>::try_from(pair) {
                    Ok([key, value]) => Ok((to_value(key, depth)?, to_value(value, depth)?)),
                    Err(_) => Err("$map is a list of [key, value]".to_owned()),
                },
                _ => Err("$map is a list of [key, value]".to_owned()),
            };
            let entries: Vec<(Value, Value)> = pairs.into_iter().map(pair).collect::<Result<_, _>>()?;
            let twice =
                entries.iter().enumerate().any(|(at, (key, _))| entries[..at].iter().any(|(other, _)| other == key));
            if twice { Err("$map has a key twice".to_owned()) } else { Ok(Value::Map(entries)) }
        }
        _ => Err("an object whose one field begins with $ is {\"$base64\": ...}, {\"$float\": ...} or {\"$map\": ...}"
            .to_owned()),
    }
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 with padding (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let value = (bits >> (18 - 6 * digit)) & 63;
            out.push(if digit <= chunk.len() { char::from(DIGITS[value as usize]) } else { '=' });
        }
    }
    out
}

fn unbase64(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    if !text.len().is_multiple_of(4) {
        return None;
    }
    for (index, chunk) in text.chunks(4).enumerate() {
        let digits = chunk.iter().rposition(|byte| *byte != b'=')? + 1;
        if digits < 2 || (digits < 4 && (index + 1) * 4 != text.len()) {
            return None;
        }
        let mut bits = 0_u32;
        for at in 0..4 {
            let value = match chunk.get(at).filter(|_| at < digits) {
                Some(byte) => u32::try_from(DIGITS.iter().position(|digit| digit == byte)?).ok()?,
                None => 0,
            };
            bits = bits << 6 | value;
        }
        let bytes = bits.to_be_bytes();
        // What the last digit has too many must be zero, so that there is one text for the same bytes.
        if bytes[digits..].iter().any(|rest| *rest != 0) {
            return None;
        }
        out.extend_from_slice(&bytes[1..digits]);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &Value) -> String {
        from_value(value).to_string()
    }

    #[test]
    fn v2_what_is_printed_reads_back_exactly() {
        let values = [
            Value::from(i64::MIN),
            Value::Unsigned(u64::MAX),
            Value::from(1i64),
            Value::from(1.0),
            Value::from(-0.0),
            Value::from(0.1),
            Value::from(1e300),
            Value::from(f64::INFINITY),
            Value::from(f64::NEG_INFINITY),
            Value::from(true),
            Value::from("h\u{e9}\n\0"),
            Value::from(&b"\xff\0"[..]),
            Value::Array(vec![Value::Null, Value::Array(vec![])]),
            Value::Map(vec![]),
            Value::Map(vec![(Value::from("$a"), Value::from("x"))]),
            Value::Map(vec![(Value::from("$a"), Value::from("x")), (Value::from("b"), Value::from("y"))]),
            Value::Map(vec![(Value::from(1i64), Value::from("x")), (Value::from(1.0), Value::from(&b"\xff"[..]))]),
        ];
        for value in values {
            let read = parse(text(&value).as_bytes()).unwrap();
            assert_eq!(read, value, "{}", text(&value));
            assert_eq!(text(&read), text(&value), "-0.0 stays");
        }
        assert_eq!(text(&Value::from(f64::NAN)), r#"{"$float":"nan"}"#);
        assert!(matches!(parse(br#"{"$float":"nan"}"#), Ok(Value::Float(nan)) if nan.is_nan()));
    }

    #[test]
    fn what_is_none_of_the_forms_is_refused() {
        for text in [
            "",
            "{",
            "1 2",
            r#"{"$x":1}"#,
            r#"{"$base64":"a"}"#,
            r#"{"$base64":"ab=="}"#,
            r#"{"$base64":"=AAA"}"#,
            r#"{"$base64":"AA==AAAA"}"#,
            r#"{"$base64":1}"#,
            r#"{"$float":"1"}"#,
            r#"{"$map":[[1]]}"#,
            r#"{"$map":[[1,2],[1,3]]}"#,
            "1e999",
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(parse(format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000)).as_bytes()).is_err());
    }

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"foob", "Zm9vYg=="),
            (b"fooba", "Zm9vYmE="),
            (b"foobar", "Zm9vYmFy"),
            (b"\xff\xfe\xfd", "//79"),
        ] {
            assert_eq!(base64(bytes), text);
            assert_eq!(unbase64(text.as_bytes()).as_deref(), Some(bytes));
        }
    }
}
