//! store-core's counts, of which each thread has its own.

#[path = "../../store-core/src/observe/lanes.rs"]
mod code;

use loom::sync::Arc;
use loom::thread;

use crate::explore;
use crate::sync::be;
use code::{Lanes, PROBES, place};

fn count_at(lanes: &Arc<Lanes<1>>, here: usize, times: usize) -> thread::JoinHandle<()> {
    let lanes = Arc::clone(lanes);
    thread::spawn(move || {
        be(here);
        (0..times).for_each(|_| lanes.add(0));
    })
}

/// Threads that look for a lane at the same place.
fn at_one_place(n: usize) -> usize {
    let here = 1 + (n << 54);
    assert_eq!(place(here), place(1));
    here
}

fn ended(threads: impl IntoIterator<Item = thread::JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// Two threads that look for a lane at the same place, and one who reads meanwhile.
///
/// Finds: a lane that two threads write to; a sum that falls, or is more than what was counted.
pub(crate) fn threads_count_exactly() {
    explore(|| {
        let lanes = Arc::new(Lanes::default());
        let threads = [0, 1].map(|n| count_at(&lanes, at_one_place(n), 2));
        let [first] = lanes.read();
        let [second] = lanes.read();
        assert!(first <= second && second <= 4, "{first}, {second}");
        ended(threads);
        assert_eq!(lanes.read(), [4]);
    });
}

/// A thread that comes to lie where another lay goes on where that one stopped: it began after the other had ended.
///
/// Finds: a lane that is begun anew.
pub(crate) fn a_lane_of_a_thread_that_has_ended_goes_on() {
    explore(|| {
        let lanes = Arc::new(Lanes::default());
        let other = count_at(&lanes, 2, 1);
        ended([count_at(&lanes, 1, 1)]);
        ended([count_at(&lanes, 1, 1), other]);
        assert_eq!(lanes.read(), [3]);
    });
}

/// Two threads for whom no lane is left.
///
/// Finds: an addition to the shared counts that is not one locked step.
pub(crate) fn those_without_a_lane_count_exactly() {
    explore(|| {
        let lanes = Arc::new(Lanes::default());
        for taken in 0..PROBES {
            be(at_one_place(taken));
            lanes.add(0);
        }
        let threads = [0, 1].map(|n| count_at(&lanes, at_one_place(PROBES + n), 1));
        ended(threads);
        assert_eq!(lanes.read(), [PROBES as u64 + 2]);
    });
}
