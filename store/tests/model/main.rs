//! Random sequences of operations, with time and restarts among them, on each real backend and on a small reference at once:
//! every answer is compared. Failures shrink. More cases with STORE_DEEP set.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod operations;
mod reference;
mod subject;

use std::time::{Duration, Instant};

use operations::{Answer, Op, STEP, operations};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use reference::Model;
use store::ManualClock;
use store_testkit::RedisServer;
use subject::{Subject, within};

fn cases(bounded: u32) -> Config {
    let factor = if std::env::var_os("STORE_DEEP").is_some() { 50 } else { 1 };
    // A failure prints its shrunk sequence; there is nothing to keep in files.
    Config { cases: bounded * factor, failure_persistence: None, ..Config::default() }
}

/// Runs a sequence in injected time.
fn agrees(mut subject: Subject, clock: &ManualClock, ops: &[Op]) -> Result<(), TestCaseError> {
    let mut model = Model::default();
    for (number, op) in ops.iter().enumerate() {
        if let Op::Advance(millis) = op {
            clock.advance(Duration::from_millis(*millis));
        }
        let expected = model.apply(op);
        let seen = subject.apply(op).map_err(TestCaseError::fail)?;
        prop_assert!(within(&seen, &expected, 0), "operation {number} {op:?}: {seen:?}, not {expected:?}");
    }
    subject.close();
    Ok(())
}

#[test]
fn memory_answers_as_the_reference() {
    TestRunner::new(cases(512))
        .run(&operations(60), |ops| {
            let clock = ManualClock::new();
            agrees(Subject::new("[stores.s]\nbackend = 'memory'", "s", Some(clock.clone()), false), &clock, &ops)
        })
        .unwrap();
}

#[test]
fn sled_answers_as_the_reference_also_after_restarts() {
    TestRunner::new(cases(64))
        .run(&operations(60), |ops| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().display();
            let config =
                format!("[stores.s]\nbackend = 'sled'\noptions = {{ path = '{path}', durability = 'interval' }}");
            let clock = ManualClock::new();
            agrees(Subject::new(&config, "s", Some(clock.clone()), true), &clock, &ops)
        })
        .unwrap();
}

/// How near to a deadline an operation on a real server may not begin, in milliseconds: the server's clock has only those, and
/// the way to the server takes time.
const NEAR: u64 = 12;
const _: () = assert!(STEP > 3 * NEAR, "deadlines and steps of time must be apart");

/// Runs a sequence on a server with a clock of its own: an operation waits until no deadline is near.
fn agrees_in_real_time(subject: &mut Subject, ops: &[Op]) -> Result<(), TestCaseError> {
    let mut model = Model::default();
    let start = Instant::now();
    let now = || u64::try_from(start.elapsed().as_millis()).unwrap();
    for (number, op) in ops.iter().enumerate() {
        if let Op::Advance(millis) = op {
            std::thread::sleep(Duration::from_millis(*millis));
        }
        while model.deadlines().any(|deadline| deadline + NEAR >= now() && deadline <= now() + NEAR) {
            std::thread::sleep(Duration::from_millis(1));
        }
        model.now = now();
        let seen = subject.apply(op).map_err(TestCaseError::fail)?;
        let took = now() - model.now;
        if took >= NEAR {
            // The machine stood still; what a deadline did meanwhile nobody can tell. Rare, and the case says nothing.
            return Err(TestCaseError::reject("an operation took too long to compare"));
        }
        let expected = model.apply(if matches!(op, Op::Advance(_)) { &Op::Advance(0) } else { op });
        prop_assert!(within(&seen, &expected, NEAR), "operation {number} {op:?}: {seen:?}, not {expected:?}");
    }
    Ok(())
}

#[test]
fn redis_answers_as_the_reference() {
    let server = RedisServer::shared();
    let config =
        format!("[stores.model]\nbackend = 'redis'\noptions = {{ url = '{}', prefix = 'model:' }}", server.url());
    // One client for all cases: each begins with an empty store.
    let subject = std::cell::RefCell::new(Subject::new(&config, "model", None, false));
    TestRunner::new(Config { max_shrink_iters: 200, ..cases(24) })
        .run(&operations(40), |ops| {
            let mut subject = subject.borrow_mut();
            subject.apply(&Op::Clear(Vec::new())).map_err(TestCaseError::fail)?;
            subject.forget();
            agrees_in_real_time(&mut subject, &ops)
        })
        .unwrap();
}

#[test]
fn reference_follows_the_rules_of_ttl() {
    let key = b"k".to_vec();
    let one = store::Value::Integer(1);
    let mut model = Model::default();
    model.apply(&Op::Set(key.clone(), one.clone(), Some(50)));
    model.apply(&Op::Advance(49));
    assert_eq!(model.apply(&Op::Ttl(key.clone())), Answer::Ttl(Some(Some(1))));
    model.apply(&Op::Advance(1));
    assert_eq!(model.apply(&Op::Get(key.clone())), Answer::Value(None));
    assert_eq!(model.apply(&Op::Touch(key.clone(), None)), Answer::Bool(false));
}
