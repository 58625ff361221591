//! The error object: what scripts get as the second result.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::{Arc, OnceLock};

use store_core::{Error, Kind, Outcome, Value};

use crate::beside::Taken;

/// How many errors may lie beneath one. What is deeper is cut off: a script could make a chain without end, and dropping one goes down in it.
const MAX_CAUSES: usize = 64;

/// An error as scripts see it. Holds no reference into the VM, so it can travel through the store and between VMs.
#[derive(Clone)]
pub(crate) struct ErrorObject(Arc<Repr>);

struct Repr {
    /// The value of a constant (`"Conflict"`), or whatever else the script named.
    kind: Cow<'static, str>,
    message: String,
    /// What was being done: stands before the message in the text.
    context: Option<String>,
    retryable: Option<bool>,
    details: Option<Value>,
    cause: Option<ErrorObject>,
    /// How many lie beneath.
    depth: usize,
    trace: Trace,
    /// What it takes of the memory of the first VM that got it.
    taken: OnceLock<Option<Taken>>,
}

/// Where an error was made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    pub(crate) thread: String,
    pub(crate) frames: Vec<Frame>,
}

/// One level of the call stack.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) level: usize,
    pub(crate) source: String,
    pub(crate) line: Option<usize>,
    pub(crate) name: Option<String>,
    pub(crate) what: String,
}

/// What `errors.new` was given.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) kind: Cow<'static, str>,
    pub(crate) message: String,
    /// `None`: by the kind's default.
    pub(crate) retryable: Option<bool>,
    pub(crate) details: Option<Value>,
    pub(crate) cause: Option<ErrorObject>,
    pub(crate) trace: Trace,
}

/// The value of a constant for its value or its name; any other text as it is.
pub(crate) fn canonical_kind(text: &str) -> Cow<'static, str> {
    match Kind::parse(text) {
        Some(kind) => Cow::Borrowed(kind.as_str()),
        None => Cow::Owned(text.to_owned()),
    }
}

impl ErrorObject {
    pub(crate) fn new(parts: Parts) -> ErrorObject {
        let retryable = parts.retryable.or_else(|| Kind::parse(&parts.kind).and_then(Kind::retryable));
        ErrorObject::make(parts, None, retryable)
    }

    /// An error with the same kind, retryable and details, one context further out.
    pub(crate) fn wrap(parent: ErrorObject, context: String, trace: Trace) -> ErrorObject {
        let (message, retryable) = (parent.to_string(), parent.0.retryable);
        let (kind, details) = (parent.0.kind.clone(), parent.0.details.clone());
        let parts = Parts { kind, message, retryable, details, cause: Some(parent), trace };
        ErrorObject::make(parts, Some(context), retryable)
    }

    fn make(parts: Parts, context: Option<String>, retryable: Option<bool>) -> ErrorObject {
        let cause = parts.cause.filter(|cause| cause.0.depth < MAX_CAUSES);
        ErrorObject(Arc::new(Repr {
            kind: parts.kind,
            message: parts.message,
            context,
            retryable,
            details: parts.details,
            depth: cause.as_ref().map_or(0, |cause| cause.0.depth + 1),
            cause,
            trace: parts.trace,
            taken: OnceLock::new(),
        }))
    }

    /// Counts it as memory of a VM, unless it is counted already. `take` gets the number of bytes, those of its cause not among them.
    pub(super) fn count<E>(&self, take: impl FnOnce(usize) -> Result<Option<Taken>, E>) -> Result<(), E> {
        if self.0.taken.get().is_none() {
            let _ = self.0.taken.set(take(self.size())?);
        }
        Ok(())
    }

    fn size(&self) -> usize {
        let Repr { kind, message, context, details, trace, .. } = &*self.0;
        let frames = trace.frames.iter().map(|frame| {
            size_of::<Frame>() + frame.source.len() + frame.what.len() + frame.name.as_ref().map_or(0, String::len)
        });
        size_of::<Repr>()
            + kind.len()
            + message.len()
            + context.as_ref().map_or(0, String::len)
            + details.as_ref().map_or(0, size_of_value)
            + frames.sum::<usize>()
    }

    pub(crate) fn kind(&self) -> &str {
        &self.0.kind
    }

    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    pub(crate) fn retryable(&self) -> Option<bool> {
        self.0.retryable
    }

    pub(crate) fn details(&self) -> Option<&Value> {
        self.0.details.as_ref()
    }

    pub(crate) fn cause(&self) -> Option<&ErrorObject> {
        self.0.cause.as_ref()
    }

    pub(crate) fn trace(&self) -> &Trace {
        &self.0.trace
    }

    pub(crate) fn is(&self, other: &ErrorObject) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The text of `err:stack()`: the error, where it was made, and the same of its causes.
    pub(crate) fn stack(&self) -> String {
        let mut text = self.to_string();
        let mut next = Some(self);
        while let Some(error) = next {
            if !std::ptr::eq(error, self) {
                text.push_str("\ncaused by: ");
                text.push_str(&error.to_string());
            }
            if !error.0.trace.frames.is_empty() {
                text.push_str("\nstack traceback:");
            }
            for frame in &error.0.trace.frames {
                text.push_str("\n\t");
                text.push_str(&frame.to_string());
            }
            next = error.cause();
        }
        text
    }

    /// The error for Rust: one that came from the store unchanged, one that a script made as its source.
    pub(crate) fn into_core(self) -> Error {
        let kind = Kind::parse(&self.0.kind).unwrap_or(Kind::Unknown);
        Error::new(kind, self.to_string()).with_retryable(self.0.retryable).with_source(self)
    }
}

impl From<Error> for ErrorObject {
    fn from(error: Error) -> ErrorObject {
        // A script's own error that went through the store comes back as the same object.
        if let Some(own) = StdError::source(&error).and_then(|source| source.downcast_ref::<ErrorObject>()) {
            return own.clone();
        }
        let mut details: Vec<(Value, Value)> =
            error.details().map(|(name, value)| (Value::from(name), for_lua(name, value))).collect();
        if error.outcome() == Outcome::Unknown {
            details.push((Value::from("outcome"), Value::from("unknown")));
        }
        let text = error.to_string();
        let context = text.strip_suffix(error.message()).and_then(|before| before.strip_suffix(": "));
        let parts = Parts {
            kind: Cow::Borrowed(error.kind().as_str()),
            message: error.message().to_owned(),
            details: (!details.is_empty()).then_some(Value::Map(details)),
            cause: StdError::source(&error).map(from_source),
            ..Parts::default()
        };
        ErrorObject::make(parts, context.map(str::to_owned), error.retryable())
    }
}

fn size_of_value(value: &Value) -> usize {
    let beneath: usize = match value {
        Value::String(bytes) => bytes.len(),
        Value::Array(items) => items.iter().map(size_of_value).sum(),
        Value::Map(entries) => entries.iter().map(|(key, value)| size_of_value(key) + size_of_value(value)).sum(),
        _ => 0,
    };
    size_of::<Value>() + beneath
}

/// Positions in a batch count from 1 in Lua.
fn for_lua(name: &str, value: &Value) -> Value {
    match value {
        Value::Array(items) if matches!(name, "not_applied" | "unknown") => Value::Array(
            items
                .iter()
                .map(|item| item.as_i64().map_or_else(|| item.clone(), |index| Value::Integer(index.saturating_add(1))))
                .collect(),
        ),
        Value::Integer(index) if name == "index" => Value::Integer(index.saturating_add(1)),
        other => other.clone(),
    }
}

fn from_source(source: &(dyn StdError + 'static)) -> ErrorObject {
    if let Some(own) = source.downcast_ref::<ErrorObject>() {
        return own.clone();
    }
    if let Some(error) = source.downcast_ref::<Error>() {
        return ErrorObject::from(error.clone());
    }
    ErrorObject::new(Parts { message: source.to_string(), cause: source.source().map(from_source), ..Parts::default() })
}

impl fmt::Display for ErrorObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.context {
            Some(context) => write!(f, "{context}: {}", self.0.message),
            None => f.write_str(&self.0.message),
        }
    }
}

impl fmt::Debug for ErrorObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErrorObject")
            .field("kind", &self.0.kind)
            .field("text", &self.to_string())
            .finish_non_exhaustive()
    }
}

impl StdError for ErrorObject {}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        match &self.name {
            Some(name) => write!(f, ": in function '{name}'"),
            None if self.what == "main" => f.write_str(": in main chunk"),
            None => f.write_str(": in function"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e4_wrap_keeps_kind_retryable_and_details_and_stacks_contexts() {
        let inner = ErrorObject::new(Parts {
            kind: canonical_kind("CONFLICT"),
            message: "locked".into(),
            details: Some(Value::from(1_i64)),
            ..Parts::default()
        });
        let outer = ErrorObject::wrap(inner.clone(), "saving".into(), Trace::default());
        let outermost = ErrorObject::wrap(outer.clone(), "request".into(), Trace::default());
        assert_eq!(outer.message(), "locked");
        assert_eq!(outermost.to_string(), "request: saving: locked");
        assert_eq!((outermost.kind(), outermost.retryable()), ("Conflict", Some(true)));
        assert_eq!(outermost.details(), Some(&Value::from(1_i64)));
        assert!(outer.cause().is_some_and(|cause| cause.is(&inner)));
    }

    #[test]
    fn an_error_that_went_through_rust_is_the_same_object() {
        let error = ErrorObject::new(Parts { kind: "MY_KIND".into(), message: "m".into(), ..Parts::default() });
        let core = error.clone().into_core();
        assert_eq!(core.kind(), Kind::Unknown);
        assert!(ErrorObject::from(core).is(&error));
    }

    #[test]
    fn e7_a_store_error_shows_operation_and_outcome() {
        let error = Error::unavailable("connection lost")
            .with_detail("operation", "set")
            .with_detail("store", "app:cache")
            .with_outcome(Outcome::Unknown)
            .with_source(std::io::Error::other("reset by peer"));
        let object = ErrorObject::from(error);
        assert_eq!(object.message(), "connection lost");
        assert_eq!(object.to_string(), "set on app:cache: connection lost");
        assert_eq!(object.details().unwrap().get("outcome").unwrap().as_str(), Some("unknown"));
        assert_eq!(object.cause().unwrap().message(), "reset by peer");
        assert!(object.stack().contains("caused by: reset by peer"));
    }

    #[test]
    fn positions_in_a_batch_count_from_one() {
        let error = Error::unavailable("x").with_detail("not_applied", vec![Value::from(0_i64), Value::from(4_i64)]);
        let details = ErrorObject::from(error).details().cloned().unwrap();
        assert_eq!(details.get("not_applied"), Some(&Value::Array(vec![Value::from(1_i64), Value::from(5_i64)])));
    }
}
