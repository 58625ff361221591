//! What goes wrong between serde and the codec, and where in the value.

use std::borrow::Cow;
use std::fmt::{self, Display, Write as _};

use serde::de::{self, Expected, Unexpected};
use serde::ser;

use super::decoder::{Decoder, Token};
use crate::{Error, Result};

/// An error that collects its place while it travels outwards. It never holds a part of the value, except keys that look like names.
#[derive(Debug)]
pub(super) struct Fault(Box<Cause>);

#[derive(Debug)]
enum Cause {
    /// Complete as it is: malformed bytes, or a size limit, of which no single place is the cause.
    Plain(Error),
    /// Something at a place. The steps of the path come innermost first.
    Placed { message: Cow<'static, str>, limit: Option<usize>, path: Vec<Step> },
}

#[derive(Debug)]
enum Step {
    Index(usize),
    Field(&'static str),
    Key(String),
}

/// The longest path that a message shows in full.
const MAX_PATH: usize = 160;

impl Fault {
    #[cold]
    pub(super) fn new(message: impl Into<Cow<'static, str>>) -> Fault {
        Fault(Box::new(Cause::Placed { message: message.into(), limit: None, path: Vec::new() }))
    }

    #[cold]
    pub(super) fn limit(message: String, limit: usize) -> Fault {
        Fault(Box::new(Cause::Placed { message: message.into(), limit: Some(limit), path: Vec::new() }))
    }

    #[cold]
    pub(super) fn at_index(self, index: usize) -> Fault {
        self.at(|| Step::Index(index))
    }

    #[cold]
    pub(super) fn at_field(self, name: &'static str) -> Fault {
        self.at(|| Step::Field(name))
    }

    /// `key` is the encoded key.
    #[cold]
    pub(super) fn at_key(self, key: &[u8]) -> Fault {
        self.at(|| Step::Key(describe_key(key)))
    }

    fn at(mut self, step: impl FnOnce() -> Step) -> Fault {
        if let Cause::Placed { path, .. } = &mut *self.0 {
            path.push(step());
        }
        self
    }

    /// Whether the bytes themselves are at fault.
    pub(super) fn is_plain(&self) -> bool {
        matches!(*self.0, Cause::Plain(_))
    }

    #[cold]
    pub(super) fn into_error(self) -> Error {
        match *self.0 {
            Cause::Plain(error) => error,
            Cause::Placed { message, limit, path } => {
                let path = render(&path);
                let error = Error::invalid(format!("{path}: {message}")).with_detail("path", path);
                match limit {
                    Some(limit) => error.with_detail("limit", limit),
                    None => error,
                }
            }
        }
    }
}

impl From<Error> for Fault {
    #[cold]
    fn from(error: Error) -> Fault {
        Fault(Box::new(Cause::Plain(error)))
    }
}

fn render(path: &[Step]) -> String {
    let mut text = String::from("value");
    for step in path.iter().rev() {
        // Writing to a string cannot fail.
        let _ = match step {
            Step::Index(index) => write!(text, "[{index}]"),
            Step::Field(name) => write!(text, ".{name}"),
            Step::Key(key) => write!(text, "{key}"),
        };
    }
    if text.len() <= MAX_PATH {
        return text;
    }
    let head = text.floor_char_boundary(MAX_PATH / 2);
    let tail = text.ceil_char_boundary(text.len() - MAX_PATH / 2);
    format!("{}...{}", &text[..head], &text[tail..])
}

/// Keys that look like names, integers and booleans are shown; others may be anything, and are not.
fn describe_key(encoded: &[u8]) -> String {
    match Decoder::new(encoded).token() {
        Ok(Token::Str(bytes)) => match name(bytes) {
            Some(name) => format!(".{name}"),
            None => "[...]".to_string(),
        },
        Ok(Token::Int(n)) => format!("[{n}]"),
        Ok(Token::Bool(bool)) => format!("[{bool}]"),
        _ => "[...]".to_string(),
    }
}

fn name(bytes: &[u8]) -> Option<&str> {
    let (first, rest) = bytes.split_first()?;
    let named = (first.is_ascii_alphabetic() || *first == b'_')
        && rest.len() < 64
        && rest.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    if named { std::str::from_utf8(bytes).ok() } else { None }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Cause::Plain(error) => error.fmt(f),
            Cause::Placed { message, .. } => f.write_str(message),
        }
    }
}

impl std::error::Error for Fault {}

/// Texts of serde itself that hold nothing but names of types. What other code has to say may quote the value, and is left out.
const KNOWN: [&str; 9] = [
    "data did not match any variant of ",
    "no variant of enum ",
    "can only flatten structs and maps",
    "cannot serialize tagged newtype variant ",
    "the enum variant ",
    "path contains invalid UTF-8 characters",
    "already mutably borrowed",
    "lock poison error",
    "SystemTime must be later than UNIX_EPOCH",
];

fn custom(message: &impl Display, otherwise: &'static str) -> Fault {
    let message = message.to_string();
    if KNOWN.iter().any(|known| message.starts_with(known)) { Fault::new(message) } else { Fault::new(otherwise) }
}

impl ser::Error for Fault {
    #[cold]
    fn custom<T: Display>(message: T) -> Fault {
        custom(&message, "its type refuses to be serialized")
    }
}

impl de::Error for Fault {
    #[cold]
    fn custom<T: Display>(message: T) -> Fault {
        custom(&message, "its type does not accept what is stored")
    }

    #[cold]
    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Fault {
        Fault::new(format!("expected {expected}, found {}", kind(found)))
    }

    #[cold]
    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Fault {
        let why = match found {
            Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => " out of its range",
            // Bytes are only ever offered where UTF-8 was wanted, and say so themselves.
            Unexpected::Bytes(_) => "",
            _ => " that is none",
        };
        Fault::new(format!("expected {expected}, found {}{why}", kind(found)))
    }

    #[cold]
    fn invalid_length(length: usize, expected: &dyn Expected) -> Fault {
        Fault::new(format!("expected {expected}, found {length} items"))
    }

    #[cold]
    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Fault {
        Fault::new(format!("unknown variant, expected {}", one_of(expected)))
    }

    #[cold]
    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Fault {
        let expected = one_of(expected);
        match name(field.as_bytes()) {
            Some(field) => Fault::new(format!("unknown field `{field}`, expected {expected}")),
            None => Fault::new(format!("unknown field, expected {expected}")),
        }
    }

    #[cold]
    fn missing_field(field: &'static str) -> Fault {
        Fault::new(format!("missing field `{field}`"))
    }

    #[cold]
    fn duplicate_field(field: &'static str) -> Fault {
        Fault::new(format!("duplicate field `{field}`"))
    }
}

/// What sort of thing it is, without what it is.
fn kind(found: Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "an integer",
        Unexpected::Float(_) => "a float",
        Unexpected::Char(_) | Unexpected::Str(_) => "a string",
        // Strings that are UTF-8 are always offered as such.
        Unexpected::Bytes(_) => "a string that is not UTF-8",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq => "an array",
        Unexpected::Map => "a map",
        Unexpected::NewtypeStruct
        | Unexpected::Enum
        | Unexpected::UnitVariant
        | Unexpected::NewtypeVariant
        | Unexpected::TupleVariant
        | Unexpected::StructVariant => "a variant",
        Unexpected::Other(_) => "something else",
    }
}

fn one_of(names: &[&str]) -> String {
    if names.is_empty() {
        return "none".to_string();
    }
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// Turns the outcome of serde into that of the library.
pub(super) fn settle<T>(result: Result<T, Fault>) -> Result<T> {
    result.map_err(Fault::into_error)
}
