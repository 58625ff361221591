//! Runnable examples of the store.
