//! Freeing what has expired, a few entries under a lock at a time.

use std::sync::atomic::Ordering::Relaxed;

use crate::store::Inner;
use crate::sweeper::Sweep;

/// Entries freed under one lock: as few as make an operation that comes in between wait hardly longer than it takes itself.
const STEP: usize = 2;

/// Entries of a shard that are brought into the processor's caches at once, before they are freed. Waiting for them takes longer
/// than freeing them, and needs only a lock that readers share.
const AHEAD: usize = 16;

impl Sweep for Inner {
    fn now(&self) -> u64 {
        self.clock.millis()
    }

    fn sweep(&self) -> Option<u64> {
        self.free(usize::MAX).1
    }
}

impl Inner {
    /// Frees at most `max` expired entries.
    pub(crate) fn purge(&self, max: usize) -> usize {
        self.free(max).0
    }

    /// Frees at most `max` expired entries; says how many, and when there will be more to do, in milliseconds.
    ///
    /// The shards take turns: one whose lock was taken again at once would hardly ever be free for anybody else, while one that
    /// has just had its turn is free until all others have had theirs.
    fn free(&self, max: usize) -> (usize, Option<u64>) {
        let (mut count, mut next) = (0, None);
        let mut freed = Vec::with_capacity(STEP);
        let mut left: Vec<_> = self.shards.iter().collect();
        while !left.is_empty() && count < max {
            for shard in &left {
                shard.read().bring_expired(self.clock.coarse(), AHEAD);
            }
            for _ in 0..AHEAD / STEP {
                left.retain(|shard| {
                    let (step, turn) = {
                        let mut shard = shard.write();
                        let step = shard.reclaim(self.clock.coarse(), STEP.min(max - count), &mut freed);
                        (step, shard.next_turn())
                    };
                    count += step.reclaimed;
                    self.counters.reclaimed.fetch_add(step.reclaimed as u64, Relaxed);
                    freed.clear();
                    if step.done {
                        next = next.into_iter().chain(turn).min();
                    }
                    !step.done
                });
            }
        }
        (count, next)
    }
}
