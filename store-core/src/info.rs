//! What a store says of itself.

use std::fmt;

/// What reads may see of concurrent writes (rule C1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Consistency {
    /// Linearizable per key.
    Linearizable,
    /// As linearizable, but acknowledged writes can be lost when a primary is.
    Failover,
    /// Reads may lag behind by a stated bound (near cache).
    Bounded,
}

impl Consistency {
    /// `"linearizable"`, `"failover"` or `"bounded"`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Consistency::Linearizable => "linearizable",
            Consistency::Failover => "failover",
            Consistency::Bounded => "bounded",
        }
    }
}

impl fmt::Display for Consistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a backend can do. What it cannot is refused as INVALID with reason `unsupported`, never done differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// `ttl` and every expiry.
    pub ttl: bool,
    /// `put` with `if_version`, conditional delete and touch.
    pub versions: bool,
    /// `increment`.
    pub increment: bool,
    /// `list` in byte order.
    pub ordered_list: bool,
    /// Every value comes back as it went in (rule V2). Without it values are kept in a form that others understand: strings may come
    /// back as the numbers that they look like, and what the form cannot hold is refused.
    pub exact_values: bool,
    /// Versions never repeat for a key (rule C2). Without it a version is a digest of the value: writing the same value again leaves
    /// it, and a value that was changed and changed back passes for unchanged.
    pub unique_versions: bool,
    /// The clock can be injected, so that tests need not sleep.
    pub injected_clock: bool,
    /// `purge_expired` frees memory or disk; otherwise the server does by itself.
    pub purge: bool,
}

impl Capabilities {
    /// Everything.
    pub const ALL: Capabilities = Capabilities {
        ttl: true,
        versions: true,
        increment: true,
        ordered_list: true,
        exact_values: true,
        unique_versions: true,
        injected_clock: true,
        purge: true,
    };

    /// Names and values, for people and for Lua.
    #[must_use]
    pub const fn flags(&self) -> [(&'static str, bool); 8] {
        [
            ("ttl", self.ttl),
            ("versions", self.versions),
            ("increment", self.increment),
            ("ordered_list", self.ordered_list),
            ("exact_values", self.exact_values),
            ("unique_versions", self.unique_versions),
            ("injected_clock", self.injected_clock),
            ("purge", self.purge),
        ]
    }
}

/// What a backend says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendInfo {
    /// Its name: `memory`, `sled`, `redis`, ...
    pub backend: &'static str,
    /// What reads may see.
    pub consistency: Consistency,
    /// Whether entries survive a restart of the process.
    pub durable: bool,
    /// What it can do.
    pub capabilities: Capabilities,
    /// About how many entries it holds, expired ones perhaps included, where that is cheap to know.
    pub entries: Option<u64>,
    /// The most entries it may hold, if that is limited.
    pub max_entries: Option<u64>,
}

/// What a backend counts about itself: [`Store::stats`](crate::Store::stats). What it does not know is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct BackendStats {
    /// Entries, expired ones that are not yet freed perhaps included.
    pub entries: Option<u64>,
    /// Bytes that the entries take, about: in memory, or on disk.
    pub bytes: Option<u64>,
    /// Expired entries freed since the store was opened.
    pub expirations: Option<u64>,
    /// Live entries dropped to make room since the store was opened.
    pub evictions: Option<u64>,
    /// How often a lost connection was made anew since the store was opened.
    pub reconnects: Option<u64>,
}
