//! Freeing what has expired, a few entries under a lock at a time.

use std::sync::atomic::Ordering::Relaxed;

use crate::shard::Part;
use crate::store::Inner;
use crate::sweeper::Sweep;

/// Entries freed under one lock: as few as make an operation that comes in between wait hardly longer than it takes itself.
const STEP: usize = 1;

/// Entries of a shard that are brought into the processor's caches at once, before they are freed: waiting for them takes longer
/// than freeing them, and needs only a lock that readers share. As few as make a write that comes in between wait no longer than
/// for one that is freed.
const AHEAD: usize = 8;

/// Of these, those that are found under one lock: each leads to the next, so the processor waits for one after the other.
const FOUND: usize = 4;

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
        let mut left: Vec<_> = self.shards.iter().map(|shard| (shard, Vec::with_capacity(AHEAD))).collect();
        while !left.is_empty() && count < max {
            left.iter_mut().for_each(|(_, ahead)| ahead.clear());
            for _ in 0..AHEAD / FOUND {
                for (shard, ahead) in &mut left {
                    let now = self.clock.coarse();
                    shard.read().look_ahead(now, FOUND, ahead);
                }
            }
            for part in Part::ALL {
                left.iter().for_each(|(shard, ahead)| shard.read().bring_for_removal(part, ahead));
            }
            for _ in 0..AHEAD / STEP {
                left.retain(|(shard, _)| {
                    let now = self.clock.coarse();
                    let (step, turn) = {
                        let mut shard = shard.write();
                        let step = shard.reclaim(now, STEP.min(max - count), &mut freed);
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use store_core::{Deadline, ManualClock, VersionCipher};

    use super::*;
    use crate::record::Record;
    use crate::shard::Shard;
    use crate::tick::StoreClock;

    const COUNT: u32 = 20_000;

    fn hash(n: u32) -> u32 {
        n.wrapping_mul(0x9e37_79b9)
    }

    /// A shard of which all entries but one in ten have expired.
    fn expired() -> (Shard, StoreClock) {
        let manual = ManualClock::new();
        let clock = StoreClock::new(Some(Arc::new(manual.clone())));
        let mut shard = Shard::new(0, 1, VersionCipher::random(), None);
        let soon = Deadline::from_millis(clock.now().millis_ceil() + 5);
        for n in 0..COUNT {
            let deadline = if n % 10 == 0 { Deadline::NEVER } else { soon };
            shard.insert(hash(n), format!("key{n}").as_bytes(), b"value", deadline, &clock).unwrap();
        }
        manual.advance(Duration::from_millis(10));
        (shard, clock)
    }

    #[test]
    fn t7_one_entry_is_freed_under_a_lock_and_nothing_moves_while_others_wait_to_be_freed() {
        let (mut shard, clock) = expired();
        let (full, mut count, mut freed) = (shard.tables(), 0, Vec::new());
        while count < COUNT as usize * 9 / 10 {
            assert_eq!(shard.tables(), full, "after {count}");
            let step = shard.reclaim(clock.coarse(), STEP, &mut freed);
            assert_eq!((step.reclaimed, freed.len()), (freed.len(), step.reclaimed));
            assert!(step.reclaimed <= 1);
            count += step.reclaimed;
            freed.clear();
        }
        let mut steps = 0;
        while !shard.reclaim(clock.coarse(), STEP, &mut freed).done {
            steps += 1;
            assert!(steps <= COUNT);
        }
        assert!(freed.is_empty() && shard.memory() * 4 < full, "{} of {full}", shard.memory());
        for n in 0..COUNT {
            assert_eq!(shard.find(hash(n), format!("key{n}").as_bytes()).is_some(), n % 10 == 0);
        }
    }

    #[test]
    fn what_is_brought_ahead_is_what_is_freed_next_and_may_be_gone_by_then() {
        let (mut shard, clock) = expired();
        let (mut ahead, mut freed) = (Vec::new(), Vec::new());
        for found in [FOUND, AHEAD - FOUND] {
            shard.look_ahead(clock.coarse(), found, &mut ahead);
        }
        assert_eq!(ahead.len(), AHEAD);
        let keys: Vec<Vec<u8>> = ahead.iter().map(|&slot| shard.key(slot).to_vec()).collect();
        while freed.len() < AHEAD {
            Part::ALL.into_iter().for_each(|part| shard.bring_for_removal(part, &ahead));
            shard.reclaim(clock.coarse(), 1, &mut freed);
        }
        assert!(freed.iter().map(Record::key).eq(keys));
        // All of them gone, and the slots as well.
        while !shard.reclaim(clock.coarse(), 100, &mut freed).done {}
        shard.look_ahead(clock.coarse(), FOUND, &mut ahead);
        Part::ALL.into_iter().for_each(|part| shard.bring_for_removal(part, &ahead));
        assert_eq!(ahead.len(), AHEAD);
        drop(shard.clear());
        Part::ALL.into_iter().for_each(|part| shard.bring_for_removal(part, &ahead));
    }
}
