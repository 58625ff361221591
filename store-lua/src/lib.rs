//! The Lua module of the store: `require("store")`, the `errors` library, and values stored exactly.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use store_lua::{Configuration, mlua::Lua};
//!
//! let lua = Lua::new();
//! let registry = store_lua::open(&lua, Configuration::text("[stores.'app:cache']\nbackend = 'memory'"), None)?;
//! lua.load(r#"
//!     local store = require("store")
//!     local cache = store.get("app:cache")
//!     cache:set("session:abc", {user_id = 123, role = "admin"}, 300)
//!     assert(cache:get("session:abc").user_id == 123)
//!
//!     local ok, err = cache:put("session:abc", {}, {only_if_absent = true})
//!     assert(err:kind() == errors.ALREADY_EXISTS)
//! "#).exec()?;
//! # Ok(())
//! # }
//! ```
//!
//! What scripts can do is in the guide of the repository, `docs/lua.md`.
//!
//! # Which function do I need?
//! | | |
//! |---|---|
//! | [`open`] | selects the backends by a configuration; which ones there are, the features `memory`, `sled` and `redis` say |
//! | [`install`] | takes a [`Registry`](store_core::Registry) that the service has already |
//! | [`create`] | gives the module as a table, for a `require` of your own |
//! | [`with_context`], [`enter_context`] | who a request acts as, however many share the VM |
//! | [`Sandbox`], [`with_time_limit`], [`enter_time_limit`] | a VM for scripts that are not trusted, and how long one may run |
//! | [`release_after`], [`enter_release_after`] | gives back whatever handles a run leaves behind; [`handles_collected`] counts them otherwise |
//! | [`error_from_lua`], [`value_from_lua`] and their twins | errors and values that cross the border by hand |
//!
//! # Waiting
//! An operation that can be answered at once makes no future. One that has to wait suspends its coroutine; run scripts with mlua's
//! asynchronous calls. Where nothing can be suspended, the script is told (UNAVAILABLE, `would_block`), or the thread blocks, if
//! [`Options::blocking`] says so.
//!
//! # Safety
//! A script can neither crash nor hang the host through this module: values are limited while they are encoded, cycles and
//! tables that would expand are refused, no metamethod runs. What else a script may do is for the host to limit: with a [`Sandbox`], and
//! [`Options::max_handles`].
//!
//! # Lua versions
//! One of the features `lua54` (default), `lua55`, `lua53`, `lua52`, `lua51`, `luajit`, `luau`; `vendored` (default) builds it from
//! source; `send` lets a VM move between threads.

mod args;
mod beside;
mod context;
mod convert;
mod coroutines;
mod errors;
mod handle;
mod held;
mod install;
mod module;
mod ops;
mod options;
mod raw;
mod reply;
mod sandbox;
mod shim;
mod value;
mod vm;
mod wait;

pub use context::{WithContext, enter_context, with_context};
pub use convert::{error_from_lua, error_to_lua, value_from_lua, value_to_lua};
pub use held::{ReleaseAfter, enter_release_after, handles_collected, release_after};
pub use install::{create, install, install_with, open, open_table, open_with, registry};
pub use options::{Configuration, Options};
pub use sandbox::{Sandbox, WithTimeLimit, enter_time_limit, with_time_limit};

// The versions that this crate's interface speaks of.
pub use mlua;
pub use store_core;

/// The guide's Rust blocks.
#[cfg(doctest)]
#[doc = include_str!("../../docs/lua.md")]
struct Guide;
