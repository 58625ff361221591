//! The arguments of the trait's operations: checked, resolved, borrowed.

use crate::{Key, Lifetime, Version};

/// When a put may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Condition<'a> {
    /// Always.
    #[default]
    Always,
    /// Only if no live entry has the key; else ALREADY_EXISTS.
    IfAbsent,
    /// Only if a live entry has the key; else NOT_FOUND.
    IfPresent,
    /// Only if the live entry has this version; else CONFLICT, or NOT_FOUND if there is none.
    IfVersion(&'a Version),
}

/// How to put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Put<'a> {
    /// How long the entry lives.
    pub lifetime: Lifetime,
    /// Leave the deadline of a live entry as it is; `lifetime` then counts only if there is none.
    pub keep_ttl: bool,
    /// When to put.
    pub condition: Condition<'a>,
}

impl Put<'_> {
    /// Puts always, with this lifetime.
    #[must_use]
    pub const fn always(lifetime: Lifetime) -> Put<'static> {
        Put { lifetime, keep_ttl: false, condition: Condition::Always }
    }
}

/// How to increment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Increment {
    /// What to add; may be negative.
    pub delta: i64,
    /// What an absent key counts from.
    pub initial: i64,
    /// How long a newly created entry lives. A live one keeps its deadline.
    pub lifetime: Lifetime,
}

/// One item of a batch write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchWrite<'a> {
    /// The key.
    pub key: Key<'a>,
    /// The encoded value.
    pub value: &'a [u8],
    /// How long the entry lives.
    pub lifetime: Lifetime,
}

/// What a listing should bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// Keys alone.
    Keys,
    /// Keys with value, version and TTL.
    Entries,
}

/// One page of an ordered listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct List<'a> {
    /// Only keys with this prefix. Any bytes, also none.
    pub prefix: &'a [u8],
    /// Only keys greater than this one.
    pub after: Option<&'a [u8]>,
    /// At most this many entries; 1 or more.
    pub limit: usize,
    /// What to bring.
    pub want: Want,
}

/// A page of an ordered listing.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ListPage {
    /// Live entries in byte order of their keys.
    pub items: Vec<crate::Item>,
    /// Where the next page begins (after this key); `None` when no live entry follows.
    ///
    /// Set although fewer than `limit` items came, when the page ended at the backend's budget of examined entries. It is
    /// then the last key examined, which may belong to no live entry.
    pub resume: Option<Box<[u8]>>,
}

/// Where an unordered scan stands. Opaque to everyone but the backend that made it; not for storing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanCursor(pub Box<[u8]>);

/// One step of an unordered scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan<'a> {
    /// Only keys with this prefix.
    pub prefix: &'a [u8],
    /// Where the last step ended; `None` begins.
    pub cursor: Option<&'a ScanCursor>,
    /// About how many entries to bring.
    pub limit: usize,
    /// What to bring.
    pub want: Want,
}

/// A step of an unordered scan.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ScanPage {
    /// Live entries, in any order. An entry live throughout the whole scan comes at least once.
    pub items: Vec<crate::Item>,
    /// Where to go on; `None` at the end.
    pub next: Option<ScanCursor>,
}

/// One bounded step of a clear.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ClearStep {
    /// How many live entries this step deleted.
    pub deleted: u64,
    /// Where to go on; `None` when everything with the prefix is gone.
    pub next: Option<ScanCursor>,
}
