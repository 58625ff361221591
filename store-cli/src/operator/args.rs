//! The command lines of operators.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::args::{Common, Escaped};

/// What an operator does with a store.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print the value of a key.
    ///
    /// Exit code 1, and nothing on standard output, if the key is absent.
    Get(Get),
    /// Store a value, and print its version and TTL.
    Set(Set),
    /// Delete keys, and say which were there.
    Delete(Delete),
    /// Say whether a key is there: true, or false with exit code 1.
    Has(OneKey),
    /// Print how long a key has left, or never; exit code 1 if it is absent.
    Ttl(OneKey),
    /// Give a key a new TTL: true, or false with exit code 1 if it is absent.
    Touch(Touch),
    /// Add to a counter, and print the sum.
    Increment(Increment),
    /// Print the keys of a store, in byte order.
    List(List),
    /// Delete all entries of a store, or those with a prefix.
    ///
    /// Asks first; where nobody can be asked, needs --yes.
    Clear(Clear),
    /// Print what a store is and can do.
    Info(OneStore),
    /// Open stores, and ask each whether it can serve; exit code 1 if one cannot.
    Health(Health),
    /// Copy entries from a store to another, also of another environment.
    ///
    /// TTLs run on where they are. Afterwards the source is read again and compared with what the target holds. What was cut
    /// short goes on with --keep-existing. Asks first, since it overwrites; where nobody can be asked, needs --yes or
    /// --keep-existing.
    Copy(Copy),
}

#[derive(Debug, Args)]
pub(crate) struct OneStore {
    /// The store's id
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct OneKey {
    /// The store's id
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// The key
    #[arg(value_name = "KEY")]
    pub(crate) key: OsString,
    #[command(flatten)]
    pub(crate) escaped: Escaped,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct Get {
    #[command(flatten)]
    pub(crate) of: OneKey,
    /// Print the version and the TTL too
    #[arg(long, conflicts_with = "raw")]
    pub(crate) entry: bool,
    /// Write the bytes of a string as they are, and nothing else
    #[arg(long, conflicts_with = "json")]
    pub(crate) raw: bool,
}

#[derive(Debug, Args)]
#[command(override_usage = "store set [OPTIONS] <ID> <KEY> <VALUE|--file <FILE>>")]
#[command(group = clap::ArgGroup::new("what").required(true).args(["value", "file"]))]
pub(crate) struct Set {
    #[command(flatten)]
    pub(crate) of: OneKey,
    /// The value
    #[arg(value_name = "VALUE", allow_hyphen_values = true)]
    pub(crate) value: Option<OsString>,
    /// Take the value from a file (- is standard input): all its bytes
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// What the value is
    #[arg(long = "type", value_enum, default_value_t = Type::String, value_name = "TYPE")]
    pub(crate) kind: Type,
    /// The same as --type json
    #[arg(long, conflicts_with = "kind")]
    pub(crate) json_value: bool,
    /// How long it lives: 500ms, 30s, 5m, 1h30m, 7d, or never [default: the store's default_ttl]
    #[arg(long, conflicts_with = "keep_ttl")]
    pub(crate) ttl: Option<String>,
    /// Leave the TTL of a live key as it is
    #[arg(long)]
    pub(crate) keep_ttl: bool,
    /// Only if the key is absent
    #[arg(long, conflicts_with_all = ["if_present", "if_version"])]
    pub(crate) if_absent: bool,
    /// Only if the key is there
    #[arg(long)]
    pub(crate) if_present: bool,
    /// Only if the entry has this version
    #[arg(long, value_name = "VERSION")]
    pub(crate) if_version: Option<String>,
}

/// How a value on the command line is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Type {
    /// The bytes as they are
    String,
    /// An integer of 64 bits
    Int,
    /// A float: 1, 2.5, 1e-3, nan, inf
    Float,
    /// true or false
    Bool,
    /// JSON, in the form that --json prints
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// The store's id
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// The keys
    #[arg(value_name = "KEY", required = true)]
    pub(crate) keys: Vec<OsString>,
    /// Only if the entry has this version; with one key
    #[arg(long, value_name = "VERSION")]
    pub(crate) if_version: Option<String>,
    #[command(flatten)]
    pub(crate) escaped: Escaped,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct Touch {
    #[command(flatten)]
    pub(crate) of: OneKey,
    /// How long it lives from now: 500ms, 30s, 5m, 1h30m, 7d, never, or default
    #[arg(value_name = "TTL")]
    pub(crate) ttl: String,
}

#[derive(Debug, Args)]
pub(crate) struct Increment {
    #[command(flatten)]
    pub(crate) of: OneKey,
    /// What to add
    #[arg(value_name = "DELTA", default_value_t = 1, allow_negative_numbers = true)]
    pub(crate) delta: i64,
    /// What an absent key counts from
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    pub(crate) initial: i64,
    /// How long it lives, if it was absent
    #[arg(long)]
    pub(crate) ttl: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// The store's id
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Only keys with this prefix
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) prefix: OsString,
    /// At most this many [default: 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "all")]
    pub(crate) limit: Option<u64>,
    /// All of them
    #[arg(long)]
    pub(crate) all: bool,
    /// Print the TTLs and the values too
    #[arg(long)]
    pub(crate) values: bool,
    /// Go on where a listing ended
    #[arg(long, value_name = "CURSOR")]
    pub(crate) after: Option<String>,
    #[command(flatten)]
    pub(crate) escaped: Escaped,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct Clear {
    /// The store's id
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Only keys with this prefix
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) prefix: OsString,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) escaped: Escaped,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct Health {
    /// The stores' ids [default: all]
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<String>,
    /// How long each may take to open and to answer
    #[arg(long, value_name = "DURATION", default_value = "5s")]
    pub(crate) timeout: String,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct Copy {
    /// The id of the store to read
    #[arg(value_name = "FROM")]
    pub(crate) from: String,
    /// The id of the store to write
    #[arg(value_name = "TO")]
    pub(crate) to: String,
    /// Only keys with this prefix
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) prefix: OsString,
    /// The environment of FROM [default: that of --env]
    #[arg(long, value_name = "NAME")]
    pub(crate) from_env: Option<String>,
    /// The environment of TO [default: that of --env]
    #[arg(long, value_name = "NAME")]
    pub(crate) to_env: Option<String>,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    /// Leave entries that the target has as they are
    #[arg(long)]
    pub(crate) keep_existing: bool,
    #[command(flatten)]
    pub(crate) escaped: Escaped,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl Command {
    /// Whether to answer in JSON.
    pub(crate) fn json(&self) -> bool {
        let common = match self {
            Command::Get(get) => &get.of.common,
            Command::Set(set) => &set.of.common,
            Command::Touch(touch) => &touch.of.common,
            Command::Increment(increment) => &increment.of.common,
            Command::Has(of) | Command::Ttl(of) => &of.common,
            Command::Delete(delete) => &delete.common,
            Command::List(list) => &list.common,
            Command::Clear(clear) => &clear.common,
            Command::Info(info) => &info.common,
            Command::Health(health) => &health.common,
            Command::Copy(copy) => &copy.common,
        };
        common.json
    }
}
