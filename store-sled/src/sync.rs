//! What threads share without a lock, by one name: `models/` puts loom's in its place, and runs the code that uses it in every order that the memory model allows.

pub(crate) use std::sync::Mutex as StdMutex;
pub(crate) use std::sync::atomic::AtomicU64;
