//! store-memory's sweeper: the thread that frees what has expired, and those who set deadlines meanwhile.

#[path = "../../store-memory/src/sweeper.rs"]
mod code;

use std::sync::Arc;

use loom::sync::{Condvar, Mutex};
use loom::thread;

use crate::explore;
use code::{Sweep, Sweeper};

/// A store of one shard, in which it is always the same time.
struct Store {
    /// The deadlines of the entries, under the shard's lock.
    shard: Mutex<Vec<u64>>,
    freed: Mutex<usize>,
    told: Condvar,
    sweeper: Sweeper,
}

const NOW: u64 = 1_000;

impl Store {
    fn new() -> Arc<Store> {
        Arc::new_cyclic(|store| Store {
            shard: Mutex::new(Vec::new()),
            freed: Mutex::new(0),
            told: Condvar::new(),
            sweeper: Sweeper::new(true, store.clone()),
        })
    }

    fn set(&self, deadline: u64) {
        self.shard.lock().unwrap().push(deadline);
        self.sweeper.note(deadline);
    }
}

impl Sweep for Store {
    fn now(&self) -> u64 {
        NOW
    }

    fn sweep(&self) -> Option<u64> {
        let mut shard = self.shard.lock().unwrap();
        let before = shard.len();
        shard.retain(|deadline| *deadline > NOW);
        let (freed, next) = (before - shard.len(), shard.iter().copied().min());
        drop(shard);
        *self.freed.lock().unwrap() += freed;
        self.told.notify_all();
        next
    }
}

/// One that is far ahead is set, so that the sweeper sleeps, and one that has come, by another thread. What has expired is freed without anybody's help, and the
/// sweeper ends with the store.
///
/// Finds: news that comes while the thread is about to sleep and does not wake it; a deadline that is noted before it can be found; a thread that sleeps through
/// the end.
pub(crate) fn what_has_expired_is_freed() {
    freed_are(1, NOW + 400, NOW - 1);
}

/// Both have come, the first one earlier. A thread with nothing to do does not wait for long, and ends.
///
/// Finds: a deadline that passes for known, because an earlier one had been, though the pass has missed it; one that is left to a thread that
/// is about to end.
pub(crate) fn what_a_pass_misses_is_news() {
    freed_are(2, NOW - 2, NOW - 1);
}

fn freed_are(expired: usize, first: u64, second: u64) {
    explore(move || {
        let store = Store::new();
        store.set(first);
        let other = thread::spawn({
            let store = store.clone();
            move || store.set(second)
        });
        let mut freed = store.freed.lock().unwrap();
        while *freed < expired {
            freed = store.told.wait(freed).unwrap();
        }
        drop(freed);
        other.join().unwrap();
        store.sweeper.stop();
    });
}
