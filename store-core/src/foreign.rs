//! Bytes of values that lie elsewhere than in a record, in whatever form a backend received them.

use std::ops::Range;
use std::sync::Arc;

/// Holds the bytes of many payloads in whatever form a backend has them, so that a page of a listing need not copy its values.
pub trait Holder: Send + Sync {
    /// The bytes with this number, the same at each call; none for a number that was never handed out.
    fn bytes(&self, number: u32) -> &[u8];
}

pub(crate) enum Foreign {
    Owned(Vec<u8>, usize),
    Shared(Arc<[u8]>, Range<usize>),
    Held(Arc<Box<dyn Holder>>, u32),
}

impl Foreign {
    /// Not inlined, so that [`Payload::as_bytes`](crate::Payload::as_bytes) is small enough to be.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Foreign::Held(holder, number) => holder.bytes(*number),
            Foreign::Owned(bytes, start) => &bytes[*start..],
            Foreign::Shared(owner, range) => &owner[range.clone()],
        }
    }
}
