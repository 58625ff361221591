//! The operations that are observed.

use std::fmt;

/// An operation of a handle, or the acquiring of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is named as the operation that it is")]
pub enum Operation {
    /// A handle was asked for: `Registry::get`. The first one opens the store.
    Acquire,
    Get,
    Has,
    Entry,
    Ttl,
    Set,
    Put,
    Delete,
    Touch,
    GetAndTouch,
    Take,
    Increment,
    GetMany,
    SetMany,
    DeleteMany,
    GetOrSet,
    /// One page.
    List,
    /// One step of a pass.
    Scan,
    Clear,
    Info,
    Ping,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Operation; 21] = [
        Operation::Acquire,
        Operation::Get,
        Operation::Has,
        Operation::Entry,
        Operation::Ttl,
        Operation::Set,
        Operation::Put,
        Operation::Delete,
        Operation::Touch,
        Operation::GetAndTouch,
        Operation::Take,
        Operation::Increment,
        Operation::GetMany,
        Operation::SetMany,
        Operation::DeleteMany,
        Operation::GetOrSet,
        Operation::List,
        Operation::Scan,
        Operation::Clear,
        Operation::Info,
        Operation::Ping,
    ];

    /// Its name, as errors and metrics have it: `get`, `set_many`, ...; `store.get` for [`Acquire`](Operation::Acquire).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Operation::Acquire => "store.get",
            Operation::Get => "get",
            Operation::Has => "has",
            Operation::Entry => "entry",
            Operation::Ttl => "ttl",
            Operation::Set => "set",
            Operation::Put => "put",
            Operation::Delete => "delete",
            Operation::Touch => "touch",
            Operation::GetAndTouch => "get_and_touch",
            Operation::Take => "take",
            Operation::Increment => "increment",
            Operation::GetMany => "get_many",
            Operation::SetMany => "set_many",
            Operation::DeleteMany => "delete_many",
            Operation::GetOrSet => "get_or_set",
            Operation::List => "list",
            Operation::Scan => "scan",
            Operation::Clear => "clear",
            Operation::Info => "info",
            Operation::Ping => "ping",
        }
    }

    /// Its place in [`ALL`](Operation::ALL).
    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_operations_are_in_their_places() {
        for (index, operation) in Operation::ALL.into_iter().enumerate() {
            assert_eq!(operation.index(), index, "{operation}");
        }
    }
}
