//! store-core's policies: replaced by one thread, while others judge by what they have made of them.

#[path = "../../store-core/src/slot/kept.rs"]
mod code;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;

use crate::explore;
use code::{Kept, Latest};

struct Handle {
    policies: Latest<u64>,
    /// The generation, and what was made of the policies.
    rights: Kept<(u64, u64)>,
    /// The policies that are known to be in force.
    told: AtomicU64,
}

impl Handle {
    fn judge(&self) -> u64 {
        let is_good = |rights: &(u64, u64)| rights.0 == self.policies.generation();
        let make = || {
            let (generation, policies) = self.policies.get();
            (generation, **policies)
        };
        self.rights.current(is_good, make).1
    }
}

/// S2: policies are replaced while two threads use one handle. An operation that begins after the replacement is judged by it, and by no earlier ones.
///
/// Finds: rights that another thread made of earlier policies, and put in place of those that this one has just made; a generation that is told before
/// its policies are there; a generation that is looked at after the policies, so that earlier ones pass for later.
pub(crate) fn who_begins_after_a_replacement_is_judged_by_it() {
    explore(|| {
        let handle = Arc::new(Handle { policies: Latest::new(0), rights: Kept::new((0, 0)), told: AtomicU64::new(0) });
        let threads = [(); 2].map(|()| {
            let handle = handle.clone();
            thread::spawn(move || {
                let told = handle.told.load(Ordering::Acquire);
                let judged_by = handle.judge();
                assert!(judged_by >= told, "{judged_by}, after {told} were in force");
            })
        });
        for policies in [1, 2] {
            handle.policies.replace(policies);
            handle.told.store(policies, Ordering::Release);
        }
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(handle.judge(), 2);
    });
}
