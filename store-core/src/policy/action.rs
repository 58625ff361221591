//! What policies are asked about.

use std::fmt;

/// What a caller wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// `store.get`: acquire a handle.
    Acquire,
    /// `store.info`: ask what the store is.
    Info,
    /// `store.key.get`: read a value, a version or a time to live.
    KeyGet,
    /// `store.key.set`: write a value or a time to live.
    KeySet,
    /// `store.key.delete`: delete a key.
    KeyDelete,
    /// `store.key.has`: ask whether a key exists.
    KeyHas,
    /// `store.key.list`: find keys by prefix.
    KeyList,
}

impl Action {
    /// Every action, in the order of the documentation.
    pub const ALL: [Action; 7] = [
        Action::Acquire,
        Action::Info,
        Action::KeyGet,
        Action::KeySet,
        Action::KeyDelete,
        Action::KeyHas,
        Action::KeyList,
    ];

    /// The name in policies: `store.get`, `store.key.get`, ...
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Action::Acquire => "store.get",
            Action::Info => "store.info",
            Action::KeyGet => "store.key.get",
            Action::KeySet => "store.key.set",
            Action::KeyDelete => "store.key.delete",
            Action::KeyHas => "store.key.has",
            Action::KeyList => "store.key.list",
        }
    }

    /// Whether the question comes with a key or a prefix.
    #[must_use]
    pub const fn is_keyed(self) -> bool {
        !matches!(self, Action::Acquire | Action::Info)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
