//! How a program tests what it does when its store fails.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use store_core::testing::{FailingStore, Fault, Op};
use store_core::{Backend, Error, Expiry, Handle, Kind, OpenContext, Outcome, SystemTimer, Timer, block_on};
use store_examples::custom_backend::{ShelfBackend, ShelfOptions};

fn failing() -> (Arc<FailingStore>, Handle) {
    let store = block_on(ShelfBackend.open(&ShelfOptions::default(), OpenContext::new("app:cache"))).unwrap();
    let failing = Arc::new(FailingStore::new(store));
    let handle = Handle::new(failing.clone());
    (failing, handle)
}

fn set(handle: &Handle, value: i64) -> Result<(), (Kind, Outcome)> {
    block_on(handle.set("k", &value, Expiry::Never)).map_err(|error| (error.kind(), error.outcome()))
}

#[test]
fn a_fault_strikes_at_the_calls_it_was_made_for() {
    let (failing, handle) = failing();
    failing.inject(Fault::on(Op::Put).skip(1).times(2));
    let answers: Vec<bool> = (0..5).map(|value| set(&handle, value).is_ok()).collect();
    assert_eq!(answers, [true, false, false, true, true]);
    assert_eq!((failing.calls(Op::Put), failing.calls(Op::Get)), (5, 0));
    assert_eq!(block_on(handle.get::<i64>("k")).unwrap(), Some(4), "other operations work");
}

#[test]
fn a_write_fails_before_or_after_it_was_applied() {
    let (failing, handle) = failing();
    failing.inject(Fault::on(Op::Put).before_applying(Error::unavailable("down")).times(1));
    failing.inject(Fault::on(Op::Put).after_applying(Error::new(Kind::Timeout, "no answer")).times(1));
    assert_eq!(set(&handle, 1), Err((Kind::Unavailable, Outcome::NotApplied)));
    assert_eq!(block_on(handle.get::<i64>("k")).unwrap(), None);
    assert_eq!(set(&handle, 2), Err((Kind::Timeout, Outcome::Unknown)));
    assert_eq!(block_on(handle.get::<i64>("k")).unwrap(), Some(2));
}

#[test]
fn everything_fails_until_it_heals() {
    let (failing, handle) = failing();
    failing.inject(Fault::anywhere());
    assert_eq!(block_on(handle.has("k")).unwrap_err().kind(), Kind::Unavailable);
    assert_eq!(block_on(handle.clear("")).unwrap_err().kind(), Kind::Unavailable);
    failing.heal();
    assert!(!block_on(handle.has("k")).unwrap());
}

#[test]
fn answers_can_take_long_or_never_come() {
    let (failing, handle) = failing();
    failing.inject(Fault::on(Op::Get).delay(Duration::from_millis(30)));
    let started = Instant::now();
    assert_eq!(block_on(handle.get::<i64>("k")).unwrap(), None);
    assert!(started.elapsed() >= Duration::from_millis(30));
    failing.inject(Fault::on(Op::Has).hang());
    let answered = block_on(async {
        let mut asking = std::pin::pin!(handle.has("k"));
        let mut patience = SystemTimer.sleep(Duration::from_millis(30));
        std::future::poll_fn(|cx| {
            if asking.as_mut().poll(cx).is_ready() {
                return std::task::Poll::Ready(true);
            }
            patience.as_mut().poll(cx).map(|()| false)
        })
        .await
    });
    assert!(!answered);
}
