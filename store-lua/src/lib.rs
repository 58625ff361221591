//! The Lua module of the store: `require("store")`, the `errors` library, and values stored exactly.

mod args;
mod context;
mod convert;
mod coroutines;
mod errors;
mod handle;
mod install;
mod module;
mod ops;
mod reply;
mod shim;
mod value;
mod wait;

pub use context::{WithContext, enter_context, with_context};
pub use convert::{error_from_lua, error_to_lua, value_from_lua, value_to_lua};
pub use install::{Configuration, Options, create, install, install_with, open, open_with, registry};

// The versions that this crate's interface speaks of.
pub use mlua;
pub use store_core;

/// The guide's Rust blocks.
#[cfg(doctest)]
#[doc = include_str!("../../docs/lua.md")]
struct Guide;
