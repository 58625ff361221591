//! store-core's gate: operations of a store, and its end.

#[path = "../../store-core/src/slot/gate.rs"]
mod code;

use std::future::poll_fn;
use std::task::Poll;

use loom::future::block_on;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use loom::thread;

use crate::explore;
use code::Gate;

struct Store {
    gate: Gate,
    /// What whoever is turned away is to know of: that another store has taken its place.
    replaced: AtomicBool,
    /// What an operation writes without any care of its own, one each, and whoever ends the store reads.
    written: [AtomicU32; 2],
}

/// Two operations come and go while the store is closed. Whoever was let in has left before it is flushed, and what it wrote is seen.
///
/// Finds: an operation that is let in beside the flush; a last one who leaves without telling the one who waits, which never ends; an end that does not
/// see what was written; one who is turned away and does not see why.
pub(crate) fn closing_waits_for_who_was_let_in() {
    explore(|| {
        let replaced = AtomicBool::new(false);
        let store = Arc::new(Store { gate: Gate::new(), replaced, written: [AtomicU32::new(0), AtomicU32::new(0)] });
        let operations = [0, 1].map(|n| {
            let store = store.clone();
            thread::spawn(move || {
                let let_in = store.gate.enter();
                if let_in {
                    store.written[n].store(1, Relaxed);
                } else {
                    assert!(store.replaced.load(Relaxed));
                }
                store.gate.leave();
                let_in
            })
        });
        store.replaced.store(true, Relaxed);
        store.gate.close();
        block_on(store.gate.until_idle());
        let seen = [0, 1].map(|n| store.written[n].load(Relaxed));
        let let_in = operations.map(|operation| u32::from(operation.join().unwrap()));
        assert_eq!(seen, let_in);
        assert!(!store.gate.is_open() && store.gate.inside() == 0);
    });
}

/// An operation that waits for a backend which never answers is told to give up, and does.
///
/// Finds: a notification that falls between the look at the state and the sleep.
pub(crate) fn who_is_inside_is_told_to_give_up() {
    explore(|| {
        let gate = Arc::new(Gate::new());
        let operation = thread::spawn({
            let gate = gate.clone();
            move || {
                if gate.enter() {
                    let mut listener = None;
                    block_on(poll_fn(|cx| match gate.is_canceled(&mut listener, cx) {
                        true => Poll::Ready(()),
                        false => Poll::Pending,
                    }));
                }
                gate.leave();
            }
        });
        gate.close();
        // Its patience is over.
        gate.cancel();
        block_on(gate.until_idle());
        operation.join().unwrap();
    });
}
