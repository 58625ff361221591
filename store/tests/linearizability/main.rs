//! Concurrent clients on each backend, and a checker that looks for an order that explains what they saw (rule C1).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod checker;
mod kills;
mod run;

use checker::{Event, Op, check};

fn event(client: usize, id: u64, begin: u64, end: u64, op: Op) -> Event {
    Event { client, id, begin, end, op }
}

#[test]
fn checker_accepts_overlapping_operations_in_either_order() {
    for seen in [None, Some(1)] {
        check(vec![event(0, 1, 0, 10, Op::Set(1)), event(1, 2, 5, 8, Op::Get(seen))])
            .map_err(|e| e.to_string())
            .unwrap();
    }
}

#[test]
fn checker_refuses_a_stale_read() {
    let history =
        vec![event(0, 1, 0, 1, Op::Set(1)), event(0, 2, 2, 3, Op::Set(2)), event(1, 3, 4, 5, Op::Get(Some(1)))];
    let text = check(history).err().unwrap().to_string();
    assert!(text.contains("stuck") && text.contains("Get(Some(1))"), "{text}");
}

#[test]
fn checker_refuses_a_lost_update_and_two_winners() {
    let lost = vec![event(0, 1, 0, 5, Op::Increment(1, 1)), event(1, 2, 0, 5, Op::Increment(1, 1))];
    assert!(check(lost).is_err());
    let winners = vec![event(0, 1, 0, 5, Op::Add(1, true)), event(1, 2, 0, 5, Op::Add(2, true))];
    assert!(check(winners).is_err());
}

#[test]
fn checker_refuses_a_version_that_was_overwritten() {
    let history = vec![
        event(0, 1, 0, 1, Op::Put(1, Ok(11))),
        event(0, 2, 2, 3, Op::Put(2, Ok(12))),
        event(1, 3, 4, 5, Op::Cas(11, 3, Ok(13))),
    ];
    assert!(check(history).is_err());
}

#[test]
fn checker_refuses_early_and_late_expiry() {
    let written = event(0, 1, 0, 1, Op::Set(1));
    let expire = event(9, 2, 100, 110, Op::Expire(1));
    let get = |begin, end, seen| event(1, 3, begin, end, Op::Get(seen));
    assert!(check(vec![written.clone(), expire.clone(), get(50, 60, None)]).is_err(), "early");
    assert!(check(vec![written.clone(), expire.clone(), get(120, 130, Some(1))]).is_err(), "late");
    for seen in [None, Some(1)] {
        assert!(check(vec![written.clone(), expire.clone(), get(90, 130, seen)]).is_ok());
    }
}

#[test]
fn checker_lets_an_unanswered_write_happen_later_or_never() {
    let unanswered = event(0, 1, 0, u64::MAX, Op::Set(1));
    for (early, late) in [(None, None), (None, Some(1)), (Some(1), Some(1))] {
        let history = vec![unanswered.clone(), event(1, 2, 10, 11, Op::Get(early)), event(1, 3, 20, 21, Op::Get(late))];
        assert!(check(history).is_ok());
    }
    let back = vec![unanswered, event(1, 2, 10, 11, Op::Get(Some(1))), event(1, 3, 20, 21, Op::Get(None))];
    assert!(check(back).is_err());
}
