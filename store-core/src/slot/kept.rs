//! What is replaced now and then, and what each of its users makes of it and keeps until it has been. Every order of what threads do here is run by
//! `models/src/kept.rs`.

use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Release};

use crate::sync::{ArcSwap, AtomicU64, Guard};

/// A value that is replaced now and then, and how often it was.
#[derive(Debug)]
pub(super) struct Latest<T> {
    value: ArcSwap<T>,
    generation: AtomicU64,
}

impl<T> Latest<T> {
    pub(super) fn new(value: T) -> Latest<T> {
        Latest { value: ArcSwap::from_pointee(value), generation: AtomicU64::new(0) }
    }

    /// Who asks for the generation from now on is told of a later one.
    pub(super) fn replace(&self, value: T) {
        self.value.store(Arc::new(value));
        self.generation.fetch_add(1, Release);
    }

    #[inline]
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Acquire)
    }

    /// A generation, and its value or a later one.
    pub(super) fn get(&self) -> (u64, Guard<Arc<T>>) {
        // The generation first: of a value that is replaced in between it is too early, so that what is made of it is made again the next time.
        let generation = self.generation();
        (generation, self.value.load())
    }
}

/// What was made of such a value.
#[derive(Debug)]
pub(super) struct Kept<T>(ArcSwap<T>);

impl<T> Kept<T> {
    pub(super) fn new(made: T) -> Kept<T> {
        Kept(ArcSwap::from_pointee(made))
    }

    /// What is kept, if it still is good; else it is made anew.
    pub(super) fn current(&self, is_good: impl FnOnce(&T) -> bool, make: impl FnOnce() -> T) -> Guard<Arc<T>> {
        let kept = self.0.load();
        if is_good(&kept) {
            return kept;
        }
        let made = Arc::new(make());
        self.0.store(Arc::clone(&made));
        // Not what is kept by now: that may be another thread's, who began before the last replacement.
        Guard::from_inner(made)
    }
}
