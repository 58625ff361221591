//! store-memory's clocks: a reading of the processor's counter, and a time that the kernel told after it.

#[path = "../../store-memory/src/tagged.rs"]
mod code;

use loom::sync::Arc;
use loom::thread;

use crate::explore;
use code::Tagged;

/// T6: two threads that have asked the clock publish, and a third reads. The value that belongs to a tag is ten times the tag.
///
/// Finds: a tag that is stored or read without Release and Acquire, or before the value; a value that is stored and not only raised.
pub(crate) fn who_reads_a_tag_reads_at_least_its_value() {
    explore(|| {
        let pair = Arc::new(Tagged::new(0));
        let threads = [1, 2].map(|tag| {
            let pair = pair.clone();
            thread::spawn(move || pair.publish(tag, tag * 10))
        });
        let (tag, value) = pair.get();
        assert!(value >= tag * 10, "{tag}: {value}");
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

/// T8: whatever a thread was told, by a read or by publishing, no later read is told an earlier value, nor is any thread that hears of it.
///
/// Finds: a value that is stored and not only raised; a publisher that is told its own value though there is a later one.
pub(crate) fn the_value_never_falls() {
    explore(|| {
        let pair = Arc::new(Tagged::new(0));
        let threads = [1, 2].map(|tag| {
            let pair = pair.clone();
            thread::spawn(move || {
                let (_, before) = pair.get();
                let told = pair.publish(tag, tag * 10);
                let (_, after) = pair.get();
                assert!(before <= told && told <= after, "{before}, {told}, {after}");
                told
            })
        });
        let told = threads.map(|thread| thread.join().unwrap());
        let (tag, value) = pair.get();
        assert!(tag == 1 || tag == 2);
        assert!(value == 20 && told.contains(&20), "{value}, {told:?}");
    });
}
