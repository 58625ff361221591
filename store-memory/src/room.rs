//! What happens when a store is full (rule E6): room is made, or the write is refused.

use std::sync::atomic::Ordering::Relaxed;

use store_core::Result;

use crate::config::OnFull;
use crate::limits::Need;
use crate::store::Inner;

/// Writers that keep losing the room they made to others give up after so many rounds.
const ROUNDS: usize = 64;
/// Expired entries that are freed under one lock while a writer looks for room.
const STEP: usize = 32;

/// A writer's way to room, over as many attempts as it takes.
#[derive(Debug, Default)]
pub(crate) struct Attempts(usize);

impl Inner {
    /// Makes room in a full store: expired entries first, whichever shard they are in; then, if the store evicts, the least
    /// valuable. No lock may be held. `Ok` means: try again.
    #[cold]
    pub(crate) fn make_room(&self, attempts: &mut Attempts, need: Need, shard: usize, key: &[u8]) -> Result<()> {
        let Some(limits) = &self.limits else { return Ok(()) };
        attempts.0 += 1;
        if attempts.0 > ROUNDS || limits.max_bytes.is_some_and(|max| need.bytes > max) {
            return Err(limits.error(need));
        }
        let count = self.shards.len();
        let mut freed = Vec::new();
        for number in 0..count {
            loop {
                let step = self.shards[(shard + number) % count].write().reclaim(self.clock.coarse(), STEP, &mut freed);
                self.counters.swept_by_writes.fetch_add(freed.len() as u64, Relaxed);
                self.counters.reclaimed.fetch_add(freed.len() as u64, Relaxed);
                freed.clear();
                if limits.has_room(need) {
                    return Ok(());
                }
                if step.done {
                    break;
                }
            }
        }
        if limits.on_full == OnFull::Reject {
            return Err(limits.error(need));
        }
        let mut without = 0;
        let mut number = shard;
        while without < count {
            let evicted = {
                let mut shard = self.shards[number % count].write();
                let victim = shard.victim(key);
                victim.and_then(|slot| shard.remove_slot(slot))
            };
            match evicted {
                Some(_) => {
                    without = 0;
                    self.counters.evicted.fetch_add(1, Relaxed);
                    if limits.has_room(need) {
                        return Ok(());
                    }
                }
                None => without += 1,
            }
            number += 1;
        }
        Err(limits.error(need))
    }
}
