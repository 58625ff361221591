//! store-sled's numbers, of which versions are made: C2.

#[path = "../../store-sled/src/numbers.rs"]
mod code;

use std::convert::Infallible;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering::Relaxed};
use loom::thread;

use crate::explore;
use code::Numbers;

/// Two threads take more numbers than a block has, so that both come to its end. All are different, and whoever has one knows that it is reserved on the device.
///
/// Finds: a number that two threads take; one that is given out before, or without a sign that, its block is on the device; a block that is reserved without need.
pub(crate) fn no_number_is_given_out_twice_or_too_early() {
    explore(|| {
        let numbers = Arc::new((Numbers::new(0, 2), AtomicU64::new(2)));
        let take = |numbers: &(Numbers, AtomicU64)| {
            let (numbers, device) = numbers;
            let reserve = |limit| {
                device.store(limit, Relaxed);
                Ok::<(), Infallible>(())
            };
            let Ok(number) = numbers.take(reserve);
            assert!(number < device.load(Relaxed), "{number} is not on the device");
            number
        };
        let other = thread::spawn({
            let numbers = numbers.clone();
            move || [take(&numbers), take(&numbers)]
        });
        let mine = [take(&numbers), take(&numbers)];
        let mut all = [mine, other.join().unwrap()].concat();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3]);
        assert_eq!(numbers.1.load(Relaxed), 4, "what is reserved");
    });
}
