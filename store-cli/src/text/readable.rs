//! Values and times for people.

use std::time::Duration;

use store::config::HumanDuration;
use store::{Ttl, Value};

use super::escape::quoted;

/// The longest value that stands in one line.
const LINE: usize = 80;

/// A value as a Lua table constructor: in one line if it is short, else indented.
pub(crate) fn value(value: &Value) -> String {
    let short = one_line(value);
    if short.chars().count() <= LINE {
        return short;
    }
    let mut out = String::new();
    indented(&mut out, value, 0);
    out
}

/// A value in one line, however long.
pub(crate) fn one_line(value: &Value) -> String {
    let list = |items: Vec<String>| format!("{{{}}}", items.join(", "));
    match value {
        Value::Array(items) => list(items.iter().map(one_line).collect()),
        Value::Map(entries) => {
            list(entries.iter().map(|(name, value)| format!("{} = {}", key(name), one_line(value))).collect())
        }
        scalar => text(scalar),
    }
}

fn indented(out: &mut String, value: &Value, depth: usize) {
    let fields: Vec<(String, &Value)> = match value {
        Value::Array(items) => items.iter().map(|item| (String::new(), item)).collect(),
        Value::Map(entries) => entries.iter().map(|(name, value)| (format!("{} = ", key(name)), value)).collect(),
        scalar => return out.push_str(&text(scalar)),
    };
    let indent = "  ".repeat(depth);
    out.push_str("{\n");
    for (name, value) in fields {
        out.push_str(&format!("{indent}  {name}"));
        let short = one_line(value);
        if indent.len() + name.len() + short.chars().count() <= LINE {
            out.push_str(&short);
        } else {
            indented(out, value, depth + 1);
        }
        out.push_str(",\n");
    }
    out.push_str(&format!("{indent}}}"));
}

fn text(value: &Value) -> String {
    match value {
        Value::String(bytes) => quoted(bytes),
        Value::Float(number) => format!("{number:?}").to_lowercase(),
        other => format!("{other:?}"),
    }
}

/// The key of a table: a bare name where Lua would take one.
fn key(value: &Value) -> String {
    const RESERVED: [&str; 22] = [
        "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local", "nil",
        "not", "or", "repeat", "return", "then", "true", "until", "while",
    ];
    let is_name = |name: &str| {
        !name.starts_with(|first: char| first.is_ascii_digit())
            && !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !RESERVED.contains(&name)
    };
    match value.as_str() {
        Some(name) if is_name(name) => name.to_owned(),
        _ => format!("[{}]", one_line(value)),
    }
}

/// A TTL: `never`, or the two or three units that matter.
pub(crate) fn ttl(ttl: Ttl) -> String {
    match ttl {
        Ttl::Never => "never".to_owned(),
        Ttl::Left(left) => duration(left),
    }
}

fn duration(left: Duration) -> String {
    let unit = match left.as_secs() {
        0 if left < Duration::from_millis(1) => return "<1ms".to_owned(),
        0..10 => 1,
        10..86_400 => 1000,
        86_400.. => 60_000,
    };
    let millis = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
    HumanDuration(Duration::from_millis(millis - millis % unit)).to_string()
}

/// A number with a space at each thousand.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// A number of things: `1 entry`, `12 345 entries`.
pub(crate) fn entries(number: u64) -> String {
    if number == 1 { "1 entry".to_owned() } else { format!("{} entries", count(number)) }
}

/// A text cut to so many characters.
pub(crate) fn cut(text: &str, width: usize) -> String {
    match text.char_indices().nth(width) {
        Some(_) => text.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_look_like_lua() {
        let table = Value::Map(vec![
            (Value::from("name"), Value::from("Al\"ice\n")),
            (Value::from("end"), Value::from(1i64)),
            (Value::from(2i64), Value::Array(vec![Value::from(1.0), Value::Null])),
            (Value::from("a b"), Value::from(&b"\xff"[..])),
        ]);
        assert_eq!(value(&table), r#"{name = "Al\"ice\n", ["end"] = 1, [2] = {1.0, null}, ["a b"] = "\xff"}"#);
        assert_eq!(value(&Value::Map(vec![])), "{}");
        assert_eq!(value(&Value::from(f64::NAN)), "nan");
        let long =
            Value::Map(vec![(Value::from("a"), Value::from("x".repeat(79))), (Value::from("b"), Value::from(1i64))]);
        assert_eq!(value(&long), format!("{{\n  a = \"{}\",\n  b = 1,\n}}", "x".repeat(79)));
    }

    #[test]
    fn times_have_the_units_that_matter() {
        for (millis, text) in [
            (1, "1ms"),
            (9_999, "9s999ms"),
            (59_999, "59s"),
            (299_998, "4m59s"),
            (3_600_000, "1h"),
            (90_061_001, "1d1h1m"),
            (86_400_000, "1d"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), text);
        }
        assert_eq!(duration(Duration::from_nanos(1)), "<1ms");
        assert_eq!(ttl(Ttl::Never), "never");
    }

    #[test]
    fn counts_and_cuts() {
        assert_eq!((count(7).as_str(), count(1234567).as_str(), count(123456).as_str()), ("7", "1 234 567", "123 456"));
        assert_eq!((cut("abc", 3).as_str(), cut("abcd", 3).as_str()), ("abc", "ab…"));
    }
}
