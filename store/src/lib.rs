//! A key-value store with TTL: one API, the backend chosen by Cargo feature and by configuration.
