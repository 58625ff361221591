//! The one error type: what went wrong, whether to try again, and what became of the write.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use crate::Value;

/// The result of every operation of a store.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What sort of failure it was. The set is closed to users but may grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// The caller's mistake: a bad argument, a released handle, a malformed configuration.
    Invalid,
    /// A store id that is not configured, or a key that a conditional write required.
    NotFound,
    /// `only_if_absent` met a live key.
    AlreadyExists,
    /// The policy said no. The same answer whether or not the key exists.
    PermissionDenied,
    /// The version was another one: read again and retry.
    Conflict,
    /// The backend cannot serve now: down, full, overloaded, closed.
    Unavailable,
    /// A deadline passed.
    Timeout,
    /// Too many requests.
    RateLimited,
    /// The operation was given up on purpose.
    Canceled,
    /// Damaged or foreign data, or a defect.
    Internal,
    /// An error made by a user without a kind.
    Unknown,
}

impl Kind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Kind; 11] = [
        Kind::Invalid,
        Kind::NotFound,
        Kind::AlreadyExists,
        Kind::PermissionDenied,
        Kind::Conflict,
        Kind::Unavailable,
        Kind::Timeout,
        Kind::RateLimited,
        Kind::Canceled,
        Kind::Internal,
        Kind::Unknown,
    ];

    /// The value that Lua scripts compare with: `"Invalid"`, `"NotFound"`, ... and `""` for unknown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Invalid => "Invalid",
            Kind::NotFound => "NotFound",
            Kind::AlreadyExists => "AlreadyExists",
            Kind::PermissionDenied => "PermissionDenied",
            Kind::Conflict => "Conflict",
            Kind::Unavailable => "Unavailable",
            Kind::Timeout => "Timeout",
            Kind::RateLimited => "RateLimited",
            Kind::Canceled => "Canceled",
            Kind::Internal => "Internal",
            Kind::Unknown => "",
        }
    }

    /// The name of the constant: `"INVALID"`, `"NOT_FOUND"`, ...
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Invalid => "INVALID",
            Kind::NotFound => "NOT_FOUND",
            Kind::AlreadyExists => "ALREADY_EXISTS",
            Kind::PermissionDenied => "PERMISSION_DENIED",
            Kind::Conflict => "CONFLICT",
            Kind::Unavailable => "UNAVAILABLE",
            Kind::Timeout => "TIMEOUT",
            Kind::RateLimited => "RATE_LIMITED",
            Kind::Canceled => "CANCELED",
            Kind::Internal => "INTERNAL",
            Kind::Unknown => "UNKNOWN",
        }
    }

    /// The kind with this value or constant name (`"Conflict"` or `"CONFLICT"`).
    #[must_use]
    pub fn parse(text: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == text || kind.name() == text)
    }

    /// Whether errors of this kind are worth retrying, unless the error itself says otherwise.
    /// `None` for [`Kind::Unknown`]: nobody knows.
    #[must_use]
    pub const fn retryable(self) -> Option<bool> {
        match self {
            Kind::Conflict | Kind::Unavailable | Kind::Timeout | Kind::RateLimited => Some(true),
            Kind::Unknown => None,
            _ => Some(false),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What became of a write that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// Nothing was written, and nothing will be.
    NotApplied,
    /// The write was handed over and no answer came: it may have taken effect, or may still.
    Unknown,
}

/// A failure of a store. One word long and cheap to clone, so that waiters can share it.
///
/// `Display` is one line and never repeats [`source`](StdError::source). No secret and no value is ever part of it.
#[derive(Clone)]
pub struct Error(Arc<Repr>);

#[derive(Clone)]
struct Repr {
    kind: Kind,
    retryable: Option<bool>,
    outcome: Outcome,
    message: Cow<'static, str>,
    details: BTreeMap<Cow<'static, str>, Value>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of this kind, with the kind's default of [`retryable`](Error::retryable); nothing was applied.
    #[cold]
    #[must_use]
    pub fn new(kind: Kind, message: impl Into<Cow<'static, str>>) -> Error {
        Error(Arc::new(Repr {
            kind,
            retryable: kind.retryable(),
            outcome: Outcome::NotApplied,
            message: message.into(),
            details: BTreeMap::new(),
            source: None,
        }))
    }

    /// [`Kind::Invalid`]: the caller's mistake.
    #[cold]
    #[must_use]
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Error {
        Error::new(Kind::Invalid, message)
    }

    /// [`Kind::Internal`]: damaged or foreign data, or a defect.
    #[cold]
    #[must_use]
    pub fn internal(message: impl Into<Cow<'static, str>>) -> Error {
        Error::new(Kind::Internal, message)
    }

    /// [`Kind::Unavailable`]: the backend cannot serve now.
    #[cold]
    #[must_use]
    pub fn unavailable(message: impl Into<Cow<'static, str>>) -> Error {
        Error::new(Kind::Unavailable, message)
    }

    /// [`Kind::Invalid`] with reason `unsupported`: what this backend, or this mode of it, cannot do.
    #[cold]
    #[must_use]
    pub fn unsupported(message: impl Into<Cow<'static, str>>) -> Error {
        Error::invalid(message).with_reason("unsupported")
    }

    /// [`Kind::Internal`] with reason `foreign`: bytes in the backend that this library did not write.
    #[cold]
    #[must_use]
    pub fn foreign(message: impl Into<Cow<'static, str>>) -> Error {
        Error::internal(message).with_reason("foreign")
    }

    /// [`Kind::Internal`] with reason `loader`: a loader of [`get_or_set`](crate::Handle::get_or_set) failed with an error of its own,
    /// which is the [`source`](StdError::source).
    ///
    /// ```
    /// # use store_core::{Error, Loaded};
    /// # fn query() -> std::io::Result<u64> { Ok(1) }
    /// let loader = || async { Ok::<_, Error>(Loaded::value(query().map_err(Error::loader)?)) };
    /// ```
    #[cold]
    #[must_use]
    pub fn loader(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        Error::internal("the loader failed").with_reason("loader").with_source(source)
    }

    /// [`Kind::Unavailable`] with reason `capacity`: the store is full.
    #[cold]
    #[must_use]
    pub fn capacity(message: impl Into<Cow<'static, str>>) -> Error {
        Error::unavailable(message).with_reason("capacity")
    }

    /// `only_if_absent` met a live key.
    #[cold]
    #[must_use]
    pub fn already_exists() -> Error {
        Error::new(Kind::AlreadyExists, "the key already exists")
    }

    /// A conditional write met no live key.
    #[cold]
    #[must_use]
    pub fn absent() -> Error {
        Error::new(Kind::NotFound, "the key does not exist")
    }

    /// `if_version` met another version.
    #[cold]
    #[must_use]
    pub fn version_conflict() -> Error {
        Error::new(Kind::Conflict, "the entry has another version")
    }

    /// The store, or its registry, was closed: no operation will ever succeed again.
    #[cold]
    #[must_use]
    pub fn closed() -> Error {
        Error::unavailable("the store is closed").with_reason("closed").with_retryable(false)
    }

    /// Overrides the kind's default.
    #[must_use]
    pub fn with_retryable(self, retryable: impl Into<Option<bool>>) -> Error {
        self.edit(|repr| repr.retryable = retryable.into())
    }

    /// States what became of the write.
    #[must_use]
    pub fn with_outcome(self, outcome: Outcome) -> Error {
        self.edit(|repr| repr.outcome = outcome)
    }

    /// Adds a finer cause as `details.reason`.
    #[must_use]
    pub fn with_reason(self, reason: &'static str) -> Error {
        self.with_detail("reason", reason)
    }

    /// Adds a detail, replacing one of the same name.
    #[must_use]
    pub fn with_detail(self, name: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Error {
        self.edit(|repr| {
            repr.details.insert(name.into(), value.into());
        })
    }

    /// Adds a detail unless one of that name is there: what is nearest to the cause knows best.
    #[must_use]
    pub fn or_detail(self, name: &'static str, value: impl FnOnce() -> Value) -> Error {
        if self.0.details.contains_key(name) {
            return self;
        }
        self.with_detail(name, value())
    }

    /// Attaches the underlying error.
    #[must_use]
    pub fn with_source(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        let source: Arc<dyn StdError + Send + Sync> = Arc::from(source.into());
        self.edit(|repr| repr.source = Some(source))
    }

    fn edit(self, change: impl FnOnce(&mut Repr)) -> Error {
        let mut arc = self.0;
        change(Arc::make_mut(&mut arc));
        Error(arc)
    }

    /// What sort of failure it was.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Whether the same call may succeed later; `None` where nobody knows ([`Kind::Unknown`]).
    #[must_use]
    pub fn retryable(&self) -> Option<bool> {
        self.0.retryable
    }

    /// Whether the same call is known to be worth repeating. Look at [`outcome`](Error::outcome) before repeating a write.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.retryable == Some(true)
    }

    /// What became of the write. Meaningless for reads.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    /// The message, without operation and store.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The finer cause: `auth`, `capacity`, `foreign`, `unsupported`, `closed`, ...
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.detail("reason").and_then(Value::as_str)
    }

    /// One detail.
    #[must_use]
    pub fn detail(&self, name: &str) -> Option<&Value> {
        self.0.details.get(name)
    }

    /// All details, by name: `store`, `operation`, `backend`, `key` where policy allows, `reason`, `limit`, ...
    pub fn details(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.0.details.iter().map(|(name, value)| (name.as_ref(), value))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |name| self.detail(name).and_then(Value::as_str);
        match (word("operation"), word("store")) {
            (Some(operation), Some(store)) => write!(f, "{operation} on {store}: {}", self.0.message),
            (Some(operation), None) => write!(f, "{operation}: {}", self.0.message),
            (None, Some(store)) => write!(f, "{store}: {}", self.0.message),
            (None, None) => f.write_str(&self.0.message),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("retryable", &self.0.retryable)
            .field("outcome", &self.0.outcome)
            .field("details", &self.0.details)
            .field("source", &self.0.source.as_ref().map(ToString::to_string))
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| &**source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e3_kinds_have_their_values_and_defaults() {
        assert_eq!(Kind::parse("CONFLICT"), Some(Kind::Conflict));
        assert_eq!(Kind::parse("Conflict"), Some(Kind::Conflict));
        assert_eq!(Kind::parse(""), Some(Kind::Unknown));
        assert_eq!(Kind::parse("conflict"), None);
        assert_eq!(Error::new(Kind::Unknown, "x").retryable(), None);
        assert!(Error::new(Kind::Timeout, "x").is_retryable());
        assert!(!Error::invalid("x").is_retryable());
    }

    #[test]
    fn display_names_operation_and_store_and_not_the_source() {
        let error = Error::unavailable("connection refused")
            .with_detail("operation", "get")
            .with_detail("store", "app:cache")
            .with_source(std::io::Error::other("secret source"));
        assert_eq!(error.to_string(), "get on app:cache: connection refused");
        assert_eq!(StdError::source(&error).map(ToString::to_string).as_deref(), Some("secret source"));
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }
}
