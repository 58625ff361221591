//! A check of a policy allocates nothing: what does not depend on the key was decided before, and the rest looks at the key.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use store_core::policy::{Action, ConditionSpec, Effect, Operator, Policy, PolicySet, PolicySpec};
use store_core::{Actor, Context, Value};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

fn condition(field: &str, operator: Operator, value: Option<Value>, from: Option<&str>) -> ConditionSpec {
    ConditionSpec { field: field.into(), operator, value, value_from: from.map(str::to_owned) }
}

fn policy(id: usize, effect: Effect, keys: Option<&str>, conditions: Vec<ConditionSpec>) -> Policy {
    Policy::compile(PolicySpec {
        id: format!("p{id}"),
        actions: vec!["store.key.*".into()],
        resources: vec!["app:*".into()],
        keys: keys.map(|key| vec![key.into()]),
        conditions,
        effect,
        groups: vec!["users".into()],
    })
    .unwrap()
}

/// One test alone in its process, so that nobody else allocates meanwhile.
#[test]
fn s2_a_check_allocates_nothing() {
    let list = Value::Array((0..100).map(|n| Value::from(format!("key:{n:03}").as_str())).collect());
    let policies = vec![
        policy(0, Effect::Allow, Some("user:${actor.id}:*"), vec![]),
        policy(1, Effect::Allow, None, vec![condition("key", Operator::In, Some(list), None)]),
        policy(
            2,
            Effect::Allow,
            None,
            vec![condition("key", Operator::Matches, Some("^shared:[a-z]+:[0-9]{2}$".into()), None)],
        ),
        policy(3, Effect::Allow, None, vec![condition("key", Operator::Contains, None, Some("actor.meta.tenant"))]),
        policy(4, Effect::Deny, None, vec![condition("key", Operator::Matches, None, Some("actor.meta.never"))]),
        policy(5, Effect::Deny, None, vec![condition("actor.meta.level", Operator::Lt, Some(3i64.into()), None)]),
    ];
    let actor = Actor::new("alice")
        .with_meta("tenant", ":t1:")
        .with_meta("level", 3i64)
        .with_meta("never", "^secret|[0-9]{20}");
    let cx = Context::new(Some(actor), Some(vec!["users".into()]));
    let access = PolicySet::new(true, policies).access(&cx, "app:cache");
    let questions: [(&[u8], bool); 8] = [
        (b"user:alice:cart", true),
        (b"user:bob:cart", false),
        (b"key:050", true),
        (b"key:500", false),
        (b"shared:abc:07", true),
        (b"shared:abc:7", false),
        (b"x:t1:y", true),
        (b"secret:t1:y", false),
    ];
    let ask = || questions.map(|(key, _)| access.allows(Action::KeyGet, Some(key)));
    // The automata of regular expressions grow with what they see, and then no more.
    assert_eq!(ask(), questions.map(|(_, expected)| expected));
    let region = Region::new(ALLOCATOR);
    let answers = (0..100).all(|_| ask() == questions.map(|(_, expected)| expected));
    let change = region.change();
    assert!(answers);
    assert_eq!((change.allocations, change.reallocations), (0, 0));
}
