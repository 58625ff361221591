mod conditions;

use super::*;
use crate::{Actor, Context, Value};

fn spec(effect: Effect, actions: &[&str]) -> PolicySpec {
    let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
    PolicySpec {
        id: "p".into(),
        actions: owned(actions),
        resources: owned(&["*"]),
        keys: None,
        conditions: vec![],
        effect,
        groups: vec![],
    }
}

fn keyed(effect: Effect, actions: &[&str], keys: &[&str]) -> Policy {
    let keys = Some(keys.iter().map(ToString::to_string).collect());
    compile(PolicySpec { keys, id: keys_id(effect), ..spec(effect, actions) })
}

fn keys_id(effect: Effect) -> String {
    format!("{effect:?}-keys")
}

fn compile(spec: PolicySpec) -> Policy {
    Policy::compile(spec).unwrap()
}

fn allow(actions: &[&str]) -> Policy {
    compile(PolicySpec { id: "allow".into(), ..spec(Effect::Allow, actions) })
}

fn deny(actions: &[&str]) -> Policy {
    compile(PolicySpec { id: "deny".into(), ..spec(Effect::Deny, actions) })
}

fn alice() -> Context {
    Context::new(Some(Actor::new("alice")), Some(vec!["users".into()]))
}

fn access(policies: Vec<Policy>) -> Access {
    PolicySet::new(true, policies).access(&alice(), "app:cache")
}

#[test]
fn s1_each_action_is_matched_by_its_name_and_by_patterns() {
    for action in Action::ALL {
        let access = access(vec![allow(&[action.as_str()])]);
        for other in Action::ALL {
            assert_eq!(access.allows(other, Some(b"k")), other == action, "{action} {other}");
        }
    }
    let access = access(vec![allow(&["store.key.*"])]);
    let allowed = Action::ALL.map(|action| access.allows(action, Some(b"k")));
    assert_eq!(allowed, [false, false, true, true, true, true, true]);
}

#[test]
fn s1_the_resource_is_the_store_id() {
    let set = PolicySet::new(
        true,
        vec![compile(PolicySpec { resources: vec!["app:*".into()], ..spec(Effect::Allow, &["*"]) })],
    );
    assert!(set.access(&alice(), "app:cache").allows(Action::Acquire, None));
    assert!(!set.access(&alice(), "other:cache").allows(Action::Acquire, None));
}

#[test]
fn s2_without_a_scope_allowed_unless_strict() {
    let policies = || vec![deny(&["*"])];
    let nobody = Context::none();
    let scopeless = Context::new(Some(Actor::new("alice")), None);
    for cx in [&nobody, &scopeless] {
        assert!(PolicySet::new(false, policies()).access(cx, "s").is_unrestricted());
        let strict = PolicySet::new(true, vec![allow(&["*"])]).access(cx, "s");
        assert!(!strict.is_unrestricted());
        assert!(Action::ALL.into_iter().all(|action| !strict.allows(action, Some(b"k"))));
    }
    assert!(PolicySet::permissive().access(&nobody, "s").is_unrestricted());
}

#[test]
fn s2_no_match_is_a_denial_as_soon_as_a_scope_is_set() {
    let cx = Context::new(None, Some(vec![]));
    let access = PolicySet::permissive().access(&cx, "s");
    assert_eq!(access.decide(Action::KeyGet, Some(b"k")), Decision { allowed: false, policy: None });
    assert!(!access.depends_on_key(Action::KeyGet));
}

#[test]
fn s2_deny_wins_in_any_order() {
    for policies in [vec![allow(&["*"]), deny(&["*.set"])], vec![deny(&["*.set"]), allow(&["*"])]] {
        let access = access(policies);
        assert_eq!(access.decide(Action::KeySet, Some(b"k")), Decision { allowed: false, policy: Some("deny".into()) });
        assert_eq!(access.decide(Action::KeyGet, Some(b"k")), Decision { allowed: true, policy: Some("allow".into()) });
        assert!(!access.depends_on_key(Action::KeySet));
    }
}

#[test]
fn s2_what_cannot_be_resolved_counts_against_access() {
    let nested = Value::Map(vec![(Value::from("level"), Value::from(3i64))]);
    let actor =
        Actor::new("alice").with_meta("list", Value::Array(vec![])).with_meta("empty", "").with_meta("nested", nested);
    let known = Context::new(Some(actor), Some(vec![]));
    let nobody = Context::new(None, Some(vec![]));
    for (cx, variable) in [
        (&known, "actor.meta.missing"),
        (&known, "actor.meta.list"),
        (&known, "actor.meta.empty"),
        (&known, "actor.meta.nested"),
        (&known, "actor.meta.nested.missing"),
        (&nobody, "actor.id"),
    ] {
        let pattern = format!("${{{variable}}}");
        for effect in [Effect::Allow, Effect::Deny] {
            let by_key = keyed(effect, &["store.key.*"], &[&pattern, "other"]);
            let set = PolicySet::new(true, vec![allow(&["store.key.get"]), by_key.clone()]);
            let access = set.access(cx, "s");
            assert_eq!(access.allows(Action::KeyGet, Some(b"k")), effect == Effect::Allow, "{variable}");
            assert!(!PolicySet::new(true, vec![by_key]).access(cx, "s").allows(Action::KeySet, Some(b"k")));

            let resources = vec![pattern.clone()];
            let by_store = compile(PolicySpec { resources, ..spec(effect, &["*"]) });
            let set = PolicySet::new(true, vec![allow(&["store.key.get"]), by_store]);
            assert_eq!(set.access(cx, "s").allows(Action::KeyGet, Some(b"k")), effect == Effect::Allow, "{variable}");
            assert!(!set.access(cx, "s").allows(Action::KeySet, Some(b"k")));
        }
    }
}

#[test]
fn s2_without_a_key_what_depends_on_it_counts_against_access() {
    let access = access(vec![keyed(Effect::Allow, &["*"], &["*"])]);
    assert!(!access.allows(Action::KeyGet, None));
    let denied = self::access(vec![allow(&["*"]), keyed(Effect::Deny, &["*"], &["x"])]);
    assert!(!denied.allows(Action::KeyGet, None));
}

#[test]
fn s3_groups_bring_a_policy_into_a_scope() {
    let grouped = compile(PolicySpec { groups: vec!["users".into(), "staff".into()], ..spec(Effect::Allow, &["*"]) });
    let set = PolicySet::new(true, vec![grouped]);
    let in_scope = |groups: &[&str]| {
        let scope = groups.iter().map(ToString::to_string).collect();
        set.access(&Context::new(None, Some(scope)), "s").allows(Action::Acquire, None)
    };
    assert!(in_scope(&["staff"]));
    assert!(in_scope(&["x", "users"]));
    assert!(!in_scope(&["x"]));
    assert!(!in_scope(&[]));
    let ungrouped = PolicySet::new(true, vec![allow(&["*"])]);
    assert!(ungrouped.access(&Context::new(None, Some(vec![])), "s").allows(Action::Acquire, None));
}

#[test]
fn s3_a_policy_with_keys_speaks_of_keyed_actions_only() {
    let access = access(vec![allow(&["*"]), keyed(Effect::Deny, &["*"], &["*"])]);
    assert!(access.allows(Action::Acquire, None) && access.allows(Action::Info, None));
    assert!(!access.allows(Action::KeyGet, Some(b"k")));
}

#[test]
fn s3_actors_substitute_literally() {
    let own = || keyed(Effect::Allow, &["store.key.*"], &["user:${actor.id}:*"]);
    let allows = |id: &str, key: &[u8]| {
        let cx = Context::new(Some(Actor::new(id)), Some(vec![]));
        PolicySet::new(true, vec![own()]).access(&cx, "s").allows(Action::KeyGet, Some(key))
    };
    assert!(allows("alice", b"user:alice:cart"));
    assert!(!allows("alice", b"user:bob:cart"));
    assert!(!allows("*", b"user:bob:cart"));
    assert!(allows("*", b"user:*:cart"));
    assert!(!allows("?", b"user:b:cart"));
    assert!(allows("\\*", b"user:\\*:cart"));
    assert!(allows("${actor.id}", b"user:${actor.id}:x"));
}

#[test]
fn s3_attributes_may_be_nested_and_of_simple_types() {
    let nested = Value::Map(vec![(Value::from("level"), Value::from(3i64))]);
    let actor = Actor::new("a").with_meta("team", nested).with_meta("admin", true).with_meta("x.y", "flat");
    let cx = Context::new(Some(actor), Some(vec![]));
    let pattern = "${actor.meta.team.level}/${actor.meta.admin}/${actor.meta.x.y}";
    let set = PolicySet::new(true, vec![keyed(Effect::Allow, &["store.key.get"], &[pattern])]);
    assert!(set.access(&cx, "s").allows(Action::KeyGet, Some(b"3/true/flat")));
}

#[test]
fn s3_listing_needs_a_prefix_inside_what_is_allowed() {
    let access = access(vec![keyed(Effect::Allow, &["store.key.*"], &["user:1:*"])]);
    for (prefix, expected) in [("user:1:", true), ("user:1:x", true), ("user:", false), ("", false), ("user:1", false)]
    {
        assert_eq!(access.allows(Action::KeyList, Some(prefix.as_bytes())), expected, "{prefix}");
    }
    assert!(access.depends_on_key(Action::KeyList));
}

#[test]
fn s3_listing_shows_nothing_of_what_is_denied() {
    // Denies reading too: a wider listing leaves these entries out, one by one.
    let hiding = access(vec![allow(&["*"]), keyed(Effect::Deny, &["store.key.*"], &["secret:*"])]);
    assert!(!hiding.allows(Action::KeyList, Some(b"secret:")));
    assert!(!hiding.allows(Action::KeyList, Some(b"secret:x")));
    assert!(hiding.allows(Action::KeyList, Some(b"")));
    assert!(!hiding.allows(Action::KeyGet, Some(b"secret:x")) && !hiding.allows(Action::KeyHas, Some(b"secret:x")));
    // Denies listing alone: nothing would leave them out.
    let open = access(vec![allow(&["*"]), keyed(Effect::Deny, &["store.key.list"], &["secret:*"])]);
    for (prefix, expected) in [("secret:x", false), ("secret:", false), ("sec", false), ("", false), ("other", true)] {
        assert_eq!(open.allows(Action::KeyList, Some(prefix.as_bytes())), expected, "{prefix}");
    }
}

#[test]
fn s3_all_mistakes_are_reported_at_once() {
    let problems = Policy::compile(PolicySpec {
        id: String::new(),
        actions: vec!["store.key.*".into(), "store.write".into(), "${actor.id}".into()],
        resources: vec![],
        keys: Some(vec!["a\\".into(), "${actor.name}".into(), "ok".into()]),
        conditions: vec![],
        effect: Effect::Allow,
        groups: vec!["g".into(), String::new()],
    })
    .unwrap_err();
    let places: Vec<_> = problems.iter().map(|problem| (problem.field, problem.index)).collect();
    let expected = [
        ("id", None),
        ("actions", Some(1)),
        ("actions", Some(2)),
        ("resources", None),
        ("keys", Some(0)),
        ("keys", Some(1)),
        ("groups", Some(1)),
    ];
    assert_eq!(places, expected);
    assert_eq!(problems[1].to_string().split(';').next(), Some("actions[1]: `store.write` matches no action"));
}

#[test]
fn s3_patterns_that_can_match_nothing_are_mistakes() {
    let field = |spec| Policy::compile(spec).unwrap_err()[0].field;
    let base = |actions: &[&str]| spec(Effect::Allow, actions);
    let keys = |keys: &[&str]| Some(keys.iter().map(ToString::to_string).collect::<Vec<_>>());
    assert_eq!(field(base(&[])), "actions");
    assert_eq!(field(PolicySpec { keys: keys(&["k"]), ..base(&["store.get"]) }), "actions");
    assert_eq!(field(PolicySpec { keys: keys(&[]), ..base(&["*"]) }), "keys");
    assert_eq!(field(PolicySpec { keys: keys(&[""]), ..base(&["store.key.get"]) }), "keys");
    assert_eq!(field(PolicySpec { keys: keys(&[&"k".repeat(1025)]), ..base(&["*"]) }), "keys");
    assert_eq!(field(PolicySpec { resources: vec![String::new()], ..base(&["*"]) }), "resources");
    compile(PolicySpec { keys: keys(&[""]), ..base(&["store.key.list"]) });
}

#[test]
fn s4_the_answer_does_not_know_what_exists() {
    // An Access is made from policy, caller and store id alone; the same question always has the same answer.
    let access = access(vec![keyed(Effect::Allow, &["store.key.get"], &["mine:*"])]);
    for _ in 0..2 {
        assert_eq!(access.decide(Action::KeyGet, Some(b"x")), Decision { allowed: false, policy: None });
        let allowed = access.decide(Action::KeyGet, Some(b"mine:x"));
        assert_eq!((allowed.allowed, allowed.policy.as_deref()), (true, Some("Allow-keys")));
    }
}
