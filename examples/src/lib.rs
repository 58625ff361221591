//! Runnable examples of the store.

pub mod custom_backend;
