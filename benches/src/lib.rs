//! Benchmarks of the store.
