//! A value, and a tag that says when it was good, shared by all threads without a lock. Every order of what threads do here is run by `models/src/pair.rs`.

use std::sync::atomic::{Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

use crate::sync::AtomicU64;

/// Whoever reads a tag reads at least the value that was published with it. The value never falls; a tag may be replaced by an earlier one.
#[derive(Debug)]
pub(crate) struct Tagged {
    tag: AtomicU64,
    value: AtomicU64,
}

impl Tagged {
    pub(crate) fn new(tag: u64) -> Tagged {
        Tagged { tag: AtomicU64::new(tag), value: AtomicU64::new(0) }
    }

    /// The tag and the value.
    #[inline]
    pub(crate) fn get(&self) -> (u64, u64) {
        // In this order, see `publish`.
        let tag = self.tag.load(Acquire);
        (tag, self.value.load(Relaxed))
    }

    /// Returns the latest value there is by then.
    pub(crate) fn publish(&self, tag: u64, value: u64) -> u64 {
        // The value first, and never a lower one, in whatever order threads come.
        let before = self.value.fetch_max(value, Relaxed);
        self.tag.store(tag, Release);
        before.max(value)
    }
}
