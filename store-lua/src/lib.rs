//! The Lua module of the store.
