//! Numbers that are never given out twice, in this run or another. Every order of what threads do here is run by `models/src/numbers.rs`.

use std::sync::PoisonError;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::sync::{AtomicU64, StdMutex};

/// Numbers up to a limit are reserved beforehand, a block at a time, so that taking one costs no write.
#[derive(Debug)]
pub(crate) struct Numbers {
    next: AtomicU64,
    limit: AtomicU64,
    block: u64,
    reserving: StdMutex<()>,
}

impl Numbers {
    /// From `first` on; the first block is reserved.
    pub(crate) fn new(first: u64, block: u64) -> Numbers {
        let limit = AtomicU64::new(first.saturating_add(block));
        Numbers { next: AtomicU64::new(first), limit, block, reserving: StdMutex::new(()) }
    }

    /// The next number. `reserve` has it written that numbers below this one are taken; once it has returned, that is there whatever happens.
    pub(crate) fn take<E>(&self, reserve: impl Fn(u64) -> Result<(), E>) -> Result<u64, E> {
        loop {
            let next = self.next.load(Relaxed);
            if next >= self.limit.load(Acquire) {
                self.raise(&reserve)?;
            } else if self.next.compare_exchange_weak(next, next + 1, Relaxed, Relaxed).is_ok() {
                return Ok(next);
            }
        }
    }

    #[cold]
    fn raise<E>(&self, reserve: impl Fn(u64) -> Result<(), E>) -> Result<(), E> {
        let _one = self.reserving.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = self.limit.load(Acquire);
        if self.next.load(Relaxed) < limit {
            return Ok(());
        }
        let raised = limit.saturating_add(self.block);
        reserve(raised)?;
        self.limit.store(raised, Release);
        Ok(())
    }
}
