//! The arguments of a handle's operations, as users give them, and their checks.

use crate::{Condition, Error, Expiry, Item, Payload, Result, Ttl, Version};

/// How to put. Conflicting options are refused, not resolved.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PutOptions {
    /// How long the entry lives.
    pub expiry: Expiry,
    /// Leave the deadline of a live entry as it is.
    pub keep_ttl: bool,
    /// Only if the key is absent; else ALREADY_EXISTS.
    pub only_if_absent: bool,
    /// Only if the key is live; else NOT_FOUND.
    pub only_if_present: bool,
    /// Only if the entry has this version; else CONFLICT, or NOT_FOUND if it is absent.
    pub if_version: Option<Version>,
}

impl PutOptions {
    /// Puts always, with the store's default TTL.
    #[must_use]
    pub fn new() -> PutOptions {
        PutOptions::default()
    }

    /// Sets how long the entry lives.
    #[must_use]
    pub fn expiry(mut self, expiry: impl Into<Expiry>) -> PutOptions {
        self.expiry = expiry.into();
        self
    }

    /// Keeps the deadline of a live entry.
    #[must_use]
    pub fn keep_ttl(mut self) -> PutOptions {
        self.keep_ttl = true;
        self
    }

    /// Puts only if the key is absent.
    #[must_use]
    pub fn only_if_absent(mut self) -> PutOptions {
        self.only_if_absent = true;
        self
    }

    /// Puts only if the key is live.
    #[must_use]
    pub fn only_if_present(mut self) -> PutOptions {
        self.only_if_present = true;
        self
    }

    /// Puts only if the entry has this version.
    #[must_use]
    pub fn if_version(mut self, version: Version) -> PutOptions {
        self.if_version = Some(version);
        self
    }

    /// # Errors
    /// INVALID for options that contradict each other.
    pub(crate) fn condition(&self) -> Result<Condition<'_>> {
        let conflict = |a, b| Err(Error::invalid(format!("{a} and {b} exclude each other")));
        if self.keep_ttl && self.expiry != Expiry::Default {
            return conflict("ttl", "keep_ttl");
        }
        match (self.only_if_absent, self.only_if_present, &self.if_version) {
            (true, true, _) => conflict("only_if_absent", "only_if_present"),
            (true, _, Some(_)) => conflict("only_if_absent", "if_version"),
            (true, false, None) => Ok(Condition::IfAbsent),
            (false, _, Some(version)) => Ok(Condition::IfVersion(version)),
            (false, true, None) => Ok(Condition::IfPresent),
            (false, false, None) => Ok(Condition::Always),
        }
    }
}

/// How to increment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IncrementOptions {
    /// What to add; may be negative. 1 unless said otherwise.
    pub delta: i64,
    /// What an absent key counts from. 0 unless said otherwise.
    pub initial: i64,
    /// How long a newly created entry lives. A live one keeps its deadline.
    pub expiry: Expiry,
}

impl Default for IncrementOptions {
    fn default() -> Self {
        IncrementOptions { delta: 1, initial: 0, expiry: Expiry::Default }
    }
}

impl IncrementOptions {
    /// Adds this much.
    #[must_use]
    pub fn by(delta: i64) -> IncrementOptions {
        IncrementOptions { delta, ..IncrementOptions::default() }
    }

    /// Sets what an absent key counts from.
    #[must_use]
    pub fn initial(mut self, initial: i64) -> IncrementOptions {
        self.initial = initial;
        self
    }

    /// Sets how long a newly created entry lives.
    #[must_use]
    pub fn expiry(mut self, expiry: impl Into<Expiry>) -> IncrementOptions {
        self.expiry = expiry.into();
        self
    }
}

/// What to list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListOptions {
    /// Only keys with this prefix. Any bytes, also none.
    pub prefix: Vec<u8>,
    /// The cursor of the page before.
    pub after: Option<String>,
    /// At most this many entries: 1 to 1000. 100 unless said otherwise.
    pub limit: usize,
    /// Bring keys alone.
    pub keys_only: bool,
}

impl Default for ListOptions {
    fn default() -> Self {
        ListOptions { prefix: Vec::new(), after: None, limit: ListOptions::DEFAULT_LIMIT, keys_only: false }
    }
}

impl ListOptions {
    /// Entries of a page, unless said otherwise.
    pub const DEFAULT_LIMIT: usize = 100;
    /// The most entries of a page.
    pub const MAX_LIMIT: usize = 1000;

    /// Everything with a prefix.
    #[must_use]
    pub fn prefix(prefix: impl Into<Vec<u8>>) -> ListOptions {
        ListOptions { prefix: prefix.into(), ..ListOptions::default() }
    }

    /// Goes on after a page.
    #[must_use]
    pub fn after(mut self, cursor: impl Into<String>) -> ListOptions {
        self.after = Some(cursor.into());
        self
    }

    /// Sets how many entries a page has at most.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> ListOptions {
        self.limit = limit;
        self
    }

    /// Brings keys alone.
    #[must_use]
    pub fn keys_only(mut self) -> ListOptions {
        self.keys_only = true;
        self
    }
}

/// A page of a listing.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Page {
    /// Live entries in byte order of their keys.
    pub items: Vec<Item>,
    /// What to pass as `after` for the next page; `None` at the end.
    pub cursor: Option<String>,
    /// Whether there is a next page.
    pub has_more: bool,
}

/// One live entry with its value decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedEntry<V = Payload> {
    /// The value.
    pub value: V,
    /// Its version.
    pub version: Version,
    /// How long it has left.
    pub ttl: Ttl,
}

/// What a loader brought: a value or nothing, and perhaps how long the value lives.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded<V> {
    /// The value; `None` if there is none.
    pub value: Option<V>,
    /// How long it lives; as the options of the call say, if not said here.
    pub expiry: Option<Expiry>,
}

impl<V> From<Option<V>> for Loaded<V> {
    fn from(value: Option<V>) -> Loaded<V> {
        Loaded { value, expiry: None }
    }
}

impl<V> Loaded<V> {
    /// A value with the TTL of the call.
    #[must_use]
    pub fn value(value: V) -> Loaded<V> {
        Loaded { value: Some(value), expiry: None }
    }

    /// Nothing: the call gives `None`.
    #[must_use]
    pub fn nothing() -> Loaded<V> {
        Loaded { value: None, expiry: None }
    }

    /// Sets how long the value lives.
    #[must_use]
    pub fn expiry(mut self, expiry: impl Into<Expiry>) -> Loaded<V> {
        self.expiry = Some(expiry.into());
        self
    }
}
