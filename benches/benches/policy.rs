//! What the check of an operation costs, for policies of several kinds, and what a caller costs when he comes.

use std::hint::black_box;

use store_benches::{Contender, Report, compare};
use store_core::policy::{Access, Action, ConditionSpec, Effect, Operator, Policy, PolicySet, PolicySpec};
use store_core::{Actor, Context, Value};

/// Not optimised, it only shows that it runs.
const TIMES: usize = if cfg!(debug_assertions) { 1000 } else { 20_000 };
const KEY: &[u8] = b"user:alice:cart";

fn policy(id: usize, effect: Effect, keys: Option<&str>, conditions: Vec<ConditionSpec>) -> Vec<Policy> {
    let compiled = Policy::compile(PolicySpec {
        id: format!("p{id}"),
        actions: vec!["store.key.*".into()],
        resources: vec!["app:*".into()],
        keys: keys.map(|key| vec![key.into()]),
        conditions,
        effect,
        groups: vec!["users".into()],
    });
    compiled.into_iter().collect()
}

fn condition(field: &str, operator: Operator, value: Value) -> Vec<ConditionSpec> {
    vec![ConditionSpec { field: field.into(), operator, value: Some(value), value_from: None }]
}

fn alice() -> Context {
    Context::new(Some(Actor::new("alice").with_meta("level", 3i64)), Some(vec!["users".into()]))
}

fn set(policies: Vec<Vec<Policy>>) -> PolicySet {
    PolicySet::new(true, policies.concat())
}

fn main() -> std::io::Result<()> {
    let mut report = Report::from_args("road")?;
    let keys = Value::Array((0..100).map(|n| Value::from(format!("key:{n:03}").as_str())).collect());
    let own = |id| policy(id, Effect::Allow, Some("user:${actor.id}:*"), vec![]);
    let twenty = (0..19).map(|id| policy(id, Effect::Deny, Some(&format!("secret{id}:*")), vec![]));
    let sets = [
        ("allowed, whatever the key", set(vec![policy(0, Effect::Allow, None, vec![])])),
        ("condition on the actor", {
            let conditions = condition("actor.meta.level", Operator::Gte, 3i64.into());
            set(vec![policy(0, Effect::Allow, None, conditions)])
        }),
        ("keys = user:${actor.id}:*", set(vec![own(0)])),
        ("condition: key contains", {
            let conditions = condition("key", Operator::Contains, ":alice:".into());
            set(vec![policy(0, Effect::Allow, None, conditions)])
        }),
        ("condition: key not in 100", {
            set(vec![policy(0, Effect::Allow, None, condition("key", Operator::Nin, keys))])
        }),
        ("condition: key matches", {
            let conditions = condition("key", Operator::Matches, "^user:[a-z]+:(cart|orders)$".into());
            set(vec![policy(0, Effect::Allow, None, conditions)])
        }),
        ("20 policies on keys", set(twenty.chain([own(19)]).collect())),
    ];
    let cx = alice();
    let unrestricted = ("no scope, no policy", PolicySet::permissive().access(&Context::none(), "app:cache"));
    let accesses: Vec<(&str, Access)> = std::iter::once(unrestricted)
        .chain(sets.iter().map(|(name, set)| (*name, set.access(&cx, "app:cache"))))
        .collect();
    let check = |access: &Access| {
        for _ in 0..TIMES {
            black_box(access.allows(Action::KeyGet, Some(black_box(KEY))));
        }
    };
    let quick = std::env::args().any(|word| word == "--quick" || word == "--test");
    let rounds = if quick { 11 } else { 101 };
    let outcomes = compare(
        accesses.iter().map(|(name, access)| Contender::timed(*name, TIMES, || check(access))).collect(),
        rounds,
    );
    for (name, access) in &accesses {
        assert!(access.allows(Action::KeyGet, Some(KEY)), "{name}: denied");
    }
    report.comparison("check of an operation", &outcomes)?;
    let come = |set: &PolicySet| {
        for _ in 0..TIMES / 20 {
            black_box(set.access(&cx, "app:cache"));
        }
    };
    let outcomes =
        compare(sets.iter().map(|(name, set)| Contender::timed(*name, TIMES / 20, || come(set))).collect(), rounds);
    report.comparison("new caller on a handle", &outcomes)
}
