//! How many keys an answer found and missed.

use crate::{Payload, Written};

/// An answer, counted.
pub(crate) trait Tally {
    /// Keys found, and keys not found.
    fn tally(&self) -> (u64, u64);
}

/// What looks for one key.
impl<T> Tally for Option<T> {
    #[inline]
    fn tally(&self) -> (u64, u64) {
        self.is_some().tally()
    }
}

impl Tally for bool {
    #[inline]
    fn tally(&self) -> (u64, u64) {
        (u64::from(*self), u64::from(!*self))
    }
}

/// What looks for many.
impl<T: Tally> Tally for Vec<T> {
    #[inline]
    fn tally(&self) -> (u64, u64) {
        self.iter().fold((0, 0), |(hits, misses), one| {
            let (hit, miss) = one.tally();
            (hits + hit, misses + miss)
        })
    }
}

/// An answer that comes with its count, as that of `get_or_set`: whether the value was there before.
pub(crate) struct Counted<T> {
    pub(crate) answer: T,
    pub(crate) found: bool,
}

impl<T> Tally for Counted<T> {
    #[inline]
    fn tally(&self) -> (u64, u64) {
        self.found.tally()
    }
}

macro_rules! looks_for_none {
    ($($answer:ty),*) => {
        $(impl Tally for $answer {
            fn tally(&self) -> (u64, u64) {
                (0, 0)
            }
        })*
    };
}

looks_for_none!((), Written, i64, u64, Payload, crate::Page, crate::Info, crate::Handle);
