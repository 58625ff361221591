//! Freeing what has expired, a few entries under a lock at a time.

use std::sync::atomic::Ordering::Relaxed;

use crate::store::Inner;
use crate::sweeper::Sweep;

/// Entries freed under one lock.
const STEP: usize = 16;

impl Sweep for Inner {
    fn now(&self) -> u64 {
        self.clock.coarse().millis_floor()
    }

    fn sweep(&self) -> Option<u64> {
        let mut next = None;
        let mut freed = Vec::with_capacity(STEP);
        for shard in &self.shards {
            loop {
                let (step, turn) = {
                    let mut shard = shard.write();
                    let step = shard.reclaim(self.clock.coarse(), STEP, &mut freed);
                    (step, shard.next_turn())
                };
                self.counters.reclaimed.fetch_add(step.reclaimed as u64, Relaxed);
                freed.clear();
                if step.done {
                    next = next.into_iter().chain(turn).min();
                    break;
                }
            }
        }
        next
    }
}

impl Inner {
    /// Frees at most `max` expired entries.
    pub(crate) fn purge(&self, max: usize) -> usize {
        let mut freed = Vec::with_capacity(STEP);
        let mut count = 0;
        for shard in &self.shards {
            loop {
                let budget = STEP.min(max - count);
                if budget == 0 {
                    return count;
                }
                let step = shard.write().reclaim(self.clock.coarse(), budget, &mut freed);
                count += step.reclaimed;
                self.counters.reclaimed.fetch_add(step.reclaimed as u64, Relaxed);
                freed.clear();
                if step.done {
                    break;
                }
            }
        }
        count
    }
}
