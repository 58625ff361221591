//! What threads share without a lock, by one name: `models/` puts loom's in its place, and runs the code that uses it in every order that the memory model allows.

use std::cell::Cell;

pub(crate) use std::sync::OnceLock;
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
pub(crate) use std::thread;

pub(crate) use arc_swap::{ArcSwap, Guard};
pub(crate) use event_listener::{Event, EventListener};

/// Where the memory of this thread lies, which no other thread has while this one lives.
#[inline]
pub(crate) fn here() -> usize {
    thread_local! {
        static HERE: Cell<u8> = const { Cell::new(0) };
    }
    HERE.with(|here| std::ptr::from_ref(here).addr())
}
