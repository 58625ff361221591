//! The Redis and Valkey backend of the store.
