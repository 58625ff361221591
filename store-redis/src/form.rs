//! The two forms that entries can have in Redis, and what is common to both.

use std::borrow::Cow;

use redis::{RedisWrite, ToRedisArgs, Value};
use serde::Deserialize;
use store_core::{Entry, Payload, Result, Version};

use crate::envelope::{self, Wrapped};
use crate::error::bad_reply;
use crate::raw;
use crate::times::ttl_of;

/// How values lie in Redis.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Format {
    /// With a header that holds a version, and exactly as they were: every rule of the contract holds.
    #[default]
    Envelope,
    /// As strings, numbers and JSON that any Redis client reads and writes. Strings that look like numbers come back as such then,
    /// versions are digests, and what JSON cannot hold is refused: `info()` says so (`exact_values`, `unique_versions`), and the README
    /// has the table. Not with `ordered_index`.
    Raw,
}

/// An entry on its way to Redis.
#[derive(Clone)]
pub(crate) enum Stored<'a> {
    Wrapped(Wrapped<'a>),
    Raw(Cow<'a, [u8]>),
}

impl Stored<'_> {
    /// The version that it will have.
    pub(crate) fn version(&self) -> Version {
        match self {
            Stored::Wrapped(wrapped) => Version::from_u64(wrapped.version()),
            Stored::Raw(bytes) => raw::version(bytes),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Stored::Wrapped(wrapped) => wrapped.len(),
            Stored::Raw(bytes) => bytes.len(),
        }
    }
}

impl ToRedisArgs for Stored<'_> {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        match self {
            Stored::Wrapped(wrapped) => wrapped.write_redis_args(out),
            Stored::Raw(bytes) => out.write_arg(bytes),
        }
    }
}

impl Format {
    /// What to send for an encoded value.
    ///
    /// # Errors
    /// INVALID, reason `unsupported`, for what the raw form cannot hold.
    pub(crate) fn stored(self, version: u64, payload: &[u8]) -> Result<Stored<'_>> {
        match self {
            Format::Envelope => Ok(Stored::Wrapped(Wrapped::new(version, payload))),
            Format::Raw => Ok(Stored::Raw(raw::to_redis(payload)?.into())),
        }
    }

    /// The value in an answer of GET and its kin.
    pub(crate) fn value(self, answer: Value) -> Result<Option<Payload>> {
        match (self, answer) {
            (_, Value::Nil) => Ok(None),
            (Format::Envelope, Value::BulkString(bytes)) => envelope::open(bytes).map(|(value, _)| Some(value)),
            (Format::Raw, Value::BulkString(bytes)) => raw::from_redis(bytes).map(Some),
            _ => Err(bad_reply()),
        }
    }

    /// Value and version in an answer of GET and its kin.
    pub(crate) fn opened(self, answer: Value) -> Result<Option<(Payload, Version)>> {
        match (self, answer) {
            (_, Value::Nil) => Ok(None),
            (Format::Envelope, Value::BulkString(bytes)) => envelope::open(bytes).map(Some),
            (Format::Raw, Value::BulkString(bytes)) => {
                let version = raw::version(&bytes);
                Ok(Some((raw::from_redis(bytes)?, version)))
            }
            _ => Err(bad_reply()),
        }
    }

    /// GET and PTTL of one moment.
    pub(crate) fn entry(self, value: Value, pttl: &Value) -> Result<Option<Entry>> {
        let Some((value, version)) = self.opened(value)? else { return Ok(None) };
        match pttl {
            Value::Int(pttl) => Ok(ttl_of(*pttl).map(|ttl| Entry { value, version, ttl })),
            _ => Err(bad_reply()),
        }
    }

    /// What a script compares a stored version with; nothing that it can equal if no store of this form made it.
    pub(crate) fn expected(self, version: &Version) -> Vec<u8> {
        match (self, version.as_u64()) {
            (Format::Envelope, Some(version)) => version.to_be_bytes().to_vec(),
            (Format::Envelope, None) => Vec::new(),
            (Format::Raw, _) => version.to_string().into_bytes(),
        }
    }
}
