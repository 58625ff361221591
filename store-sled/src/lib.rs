//! The embedded, durable backend of the store, on sled.
