//! Conditions, and a host's own engine.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::*;

const ALL: [Operator; 14] = [
    Operator::Eq,
    Operator::Ne,
    Operator::Lt,
    Operator::Lte,
    Operator::Gt,
    Operator::Gte,
    Operator::In,
    Operator::Nin,
    Operator::Exists,
    Operator::Nexists,
    Operator::Contains,
    Operator::Ncontains,
    Operator::Matches,
    Operator::Nmatches,
];

fn condition(field: &str, operator: Operator, value: impl Into<Value>) -> ConditionSpec {
    ConditionSpec { field: field.into(), operator, value: Some(value.into()), value_from: None }
}

fn compared(field: &str, operator: Operator, from: &str) -> ConditionSpec {
    ConditionSpec { field: field.into(), operator, value: None, value_from: Some(from.into()) }
}

fn conditional(effect: Effect, actions: &[&str], conditions: Vec<ConditionSpec>) -> Policy {
    compile(PolicySpec { id: format!("{effect:?}"), conditions, ..spec(effect, actions) })
}

fn texts(items: &[&str]) -> Value {
    Value::Array(items.iter().map(|item| Value::from(*item)).collect())
}

fn someone() -> Actor {
    let nested = Value::Map(vec![(Value::from("level"), Value::from(3i64))]);
    Actor::new("alice")
        .with_meta("level", 5i64)
        .with_meta("ratio", 0.5)
        .with_meta("role", "admin")
        .with_meta("tenant", "t1")
        .with_meta("active", true)
        .with_meta("null", Value::Null)
        .with_meta("roles", texts(&["reader", "writer"]))
        .with_meta("team", nested)
        .with_meta("regex", "^k[0-9]+$")
        .with_meta("bad_regex", "(")
        .with_meta("long_regex", "a".repeat(1025))
}

/// Whether a condition holds, as policies of either effect show it: `None` if it counts against access both ways.
fn outcome(condition: ConditionSpec, action: Action, key: &[u8]) -> Option<bool> {
    let cx = Context::new(Some(someone()), Some(vec![]));
    let keyed = action.is_keyed().then_some(key);
    let allows = |policies| PolicySet::new(true, policies).access(&cx, "app:cache").allows(action, keyed);
    let allowed = allows(vec![conditional(Effect::Allow, &["*"], vec![condition.clone()])]);
    let denied = !allows(vec![allow(&["*"]), conditional(Effect::Deny, &["*"], vec![condition])]);
    match (allowed, denied) {
        (true, true) => Some(true),
        (false, false) => Some(false),
        (false, true) => None,
        (true, false) => panic!("it allows without holding"),
    }
}

fn on_key(condition: ConditionSpec, key: &str) -> Option<bool> {
    outcome(condition, Action::KeyGet, key.as_bytes())
}

#[test]
fn s3_each_operator_says_what_it_says() {
    use Operator::{Contains, Eq, Exists, Gt, Gte, In, Lt, Lte, Matches};
    let numbers = Value::Array(vec![Value::from(4i64), Value::from(5.0)]);
    for (field, operator, value, holds) in [
        ("actor.id", Eq, Value::from("alice"), true),
        ("actor.id", Eq, "Alice".into(), false),
        ("actor.meta.level", Eq, 5i64.into(), true),
        ("actor.meta.level", Eq, 5.0.into(), true),
        ("actor.meta.level", Eq, 6i64.into(), false),
        ("actor.meta.active", Eq, true.into(), true),
        ("actor.meta.active", Eq, false.into(), false),
        ("actor.meta.team.level", Eq, 3i64.into(), true),
        ("action", Eq, "store.key.get".into(), true),
        ("action", Eq, "store.get".into(), false),
        ("resource", Eq, "app:cache".into(), true),
        ("actor.meta.level", Lt, 6i64.into(), true),
        ("actor.meta.level", Lt, 5i64.into(), false),
        ("actor.meta.level", Lte, 5i64.into(), true),
        ("actor.meta.level", Gt, 4.5.into(), true),
        ("actor.meta.level", Gt, 5i64.into(), false),
        ("actor.meta.level", Gte, 5i64.into(), true),
        ("actor.meta.ratio", Lt, 1i64.into(), true),
        ("actor.id", Lt, "bob".into(), true),
        ("actor.id", Gte, "alice".into(), true),
        ("actor.id", In, texts(&["zoe", "alice"]), true),
        ("actor.id", In, texts(&["zoe"]), false),
        ("actor.meta.level", In, numbers, true),
        ("resource", In, texts(&["app:cache"]), true),
        ("actor.meta.role", Exists, true.into(), true),
        ("actor.meta.role", Exists, false.into(), false),
        ("actor.meta.nothing", Exists, true.into(), false),
        ("actor.meta.nothing", Exists, false.into(), true),
        ("actor.meta.null", Exists, true.into(), false),
        ("actor.meta.role", Contains, "dmi".into(), true),
        ("actor.meta.role", Contains, "x".into(), false),
        ("actor.meta.roles", Contains, "writer".into(), true),
        ("actor.meta.roles", Contains, "write".into(), false),
        ("resource", Contains, ":".into(), true),
        ("actor.meta.role", Matches, "^adm.n$".into(), true),
        ("actor.meta.role", Matches, "^dm".into(), false),
        ("actor.meta.role", Matches, "dm".into(), true),
        ("actor.meta.role", Matches, "(?i)ADMIN".into(), true),
    ] {
        assert_eq!(
            on_key(condition(field, operator, value.clone()), "k"),
            Some(holds),
            "{field} {operator:?} {value:?}"
        );
        let opposite = match operator {
            Eq => Operator::Ne,
            Lt => Operator::Gte,
            Lte => Operator::Gt,
            Gt => Operator::Lte,
            Gte => Operator::Lt,
            In => Operator::Nin,
            Exists => Operator::Nexists,
            Contains => Operator::Ncontains,
            _ => Operator::Nmatches,
        };
        assert_eq!(
            on_key(condition(field, opposite, value.clone()), "k"),
            Some(!holds),
            "{field} {opposite:?} {value:?}"
        );
    }
}

#[test]
fn s3_conditions_look_at_the_key() {
    use Operator::{Contains, Eq, Gt, In, Lt, Matches, Ncontains, Nin};
    for (condition, key, holds) in [
        (condition("key", Eq, "a"), "a", true),
        (condition("key", Eq, "a"), "b", false),
        (condition("key", Lt, "m"), "a", true),
        (condition("key", Lt, "m"), "z", false),
        (condition("key", In, texts(&["b", "a", "c"])), "c", true),
        (condition("key", In, texts(&["b", "a", "c"])), "d", false),
        (condition("key", Nin, texts(&["b", "a"])), "d", true),
        (condition("key", Contains, ":x:"), "a:x:b", true),
        (condition("key", Ncontains, ":x:"), "a:x", true),
        (condition("key", Matches, "^user:[0-9]+$"), "user:12", true),
        (condition("key", Matches, "^user:[0-9]+$"), "user:12\n", false),
        (condition("key", Matches, r"^\w+$"), "user", true),
        (condition("key", Matches, r"^.$"), "é", false),
        (compared("key", Eq, "actor.id"), "alice", true),
        (compared("key", Contains, "actor.meta.tenant"), "x:t1:y", true),
        (compared("key", Contains, "actor.meta.tenant"), "x:t2:y", false),
        (compared("actor.meta.roles", Contains, "key"), "writer", true),
        (compared("key", In, "actor.meta.roles"), "writer", true),
        (compared("key", In, "actor.meta.roles"), "owner", false),
        (compared("key", In, "actor.meta.role"), "admin", true),
        (compared("key", Matches, "actor.meta.regex"), "k12", true),
        (compared("key", Matches, "actor.meta.regex"), "x", false),
        (compared("key", Gt, "actor.id"), "bob", true),
        (compared("key", Eq, "key"), "x", true),
    ] {
        assert_eq!(on_key(condition.clone(), key), Some(holds), "{condition:?} on {key}");
    }
    let bytes = outcome(condition("key", Operator::Matches, r"^a\xff$"), Action::KeyGet, b"a\xff");
    assert_eq!(bytes, Some(true), "keys are bytes");
}

#[test]
fn s2_what_a_condition_cannot_tell_counts_against_access() {
    for operator in ALL {
        let value = match operator {
            Operator::In | Operator::Nin => texts(&["x"]),
            Operator::Exists | Operator::Nexists => continue,
            _ => Value::from("x"),
        };
        // Not there; of another kind; nothing that compares.
        for field in
            ["actor.meta.nothing", "actor.meta.null", "actor.meta.level", "actor.meta.active", "actor.meta.team"]
        {
            assert_eq!(on_key(condition(field, operator, value.clone()), "k"), None, "{field} {operator:?}");
        }
        for from in [
            "actor.meta.nothing",
            "actor.meta.level",
            "actor.meta.team",
            "actor.meta.bad_regex",
            "actor.meta.long_regex",
        ] {
            let regex = matches!(operator, Operator::Matches | Operator::Nmatches);
            if regex || !from.ends_with("regex") {
                assert_eq!(on_key(compared("key", operator, from), "k"), None, "{operator:?} {from}");
            }
        }
    }
    let empty = Context::new(Some(Actor::new("")), Some(vec![]));
    let contains = conditional(Effect::Allow, &["*"], vec![compared("key", Operator::Contains, "actor.id")]);
    assert!(!PolicySet::new(true, vec![contains]).access(&empty, "s").allows(Action::KeyGet, Some(b"k")));
    let nobody = Context::new(None, Some(vec![]));
    for operator in [Operator::Eq, Operator::Ne] {
        let deny = conditional(Effect::Deny, &["*"], vec![condition("actor.id", operator, "x")]);
        let access = PolicySet::new(true, vec![allow(&["*"]), deny]).access(&nobody, "s");
        assert!(!access.allows(Action::KeyGet, Some(b"k")), "{operator:?}");
    }
}

#[test]
fn s2_exists_guards_the_conditions_beside_it() {
    let guarded = |field: &str| {
        let conditions = vec![condition(field, Operator::Exists, true), condition(field, Operator::Lt, 3i64)];
        let cx = Context::new(Some(someone()), Some(vec![]));
        let deny = conditional(Effect::Deny, &["*"], conditions);
        PolicySet::new(true, vec![allow(&["*"]), deny]).access(&cx, "s").allows(Action::KeyGet, Some(b"k"))
    };
    assert!(guarded("actor.meta.nothing"), "what is not there is not below 3, and the guard says so");
    assert!(guarded("actor.meta.level"));
    assert!(!guarded("actor.meta.role"), "there, but not a number");
}

#[test]
fn s3_all_conditions_must_hold_and_what_is_known_is_decided_before_the_key() {
    let both = |level: i64| {
        vec![condition("actor.meta.level", Operator::Gte, level), condition("key", Operator::Matches, "^a")]
    };
    let cx = Context::new(Some(someone()), Some(vec![]));
    let access =
        |conditions| PolicySet::new(true, vec![conditional(Effect::Allow, &["*"], conditions)]).access(&cx, "s");
    assert!(access(both(5)).allows(Action::KeyGet, Some(b"a")) && !access(both(5)).allows(Action::KeyGet, Some(b"b")));
    assert!(!access(both(6)).allows(Action::KeyGet, Some(b"a")));
    assert!(access(both(5)).depends_on_key(Action::KeyGet) && !access(both(6)).depends_on_key(Action::KeyGet));
    let known = access(vec![condition("actor.meta.role", Operator::Eq, "admin")]);
    assert!(known.allows(Action::Acquire, None) && !known.depends_on_key(Action::KeyGet));
    // A condition on the key speaks of keys only.
    assert!(!access(both(5)).allows(Action::Acquire, None) && !access(both(5)).allows(Action::KeyGet, None));
    let denied = conditional(Effect::Deny, &["*"], vec![condition("key", Operator::Eq, "x")]);
    assert!(PolicySet::new(true, vec![allow(&["*"]), denied]).access(&cx, "s").allows(Action::Acquire, None));
    // Patterns and conditions must both hold.
    let keys = Some(vec!["a*".into()]);
    let spec =
        PolicySpec { keys, conditions: vec![condition("key", Operator::Matches, "z$")], ..spec(Effect::Allow, &["*"]) };
    let access = PolicySet::new(true, vec![compile(spec)]).access(&cx, "s");
    let allowed = ["az", "a", "z"].map(|key| access.allows(Action::KeyGet, Some(key.as_bytes())));
    assert_eq!(allowed, [true, false, false]);
}

#[test]
fn s3_listing_shows_nothing_that_a_condition_denies() {
    let secret = || condition("key", Operator::Matches, "^secret:");
    let with =
        |actions: &[&str], conditions| access(vec![allow(&["*"]), conditional(Effect::Deny, actions, conditions)]);
    // Entries are asked for one by one.
    let hiding = with(&["store.key.*"], vec![secret()]);
    assert!(hiding.allows(Action::KeyList, Some(b"")) && !hiding.allows(Action::KeyList, Some(b"secret:")));
    assert!(!hiding.allows(Action::KeyGet, Some(b"secret:x")) && !hiding.allows(Action::KeyHas, Some(b"secret:x")));
    // Listing alone is denied, so nothing would leave them out; or only where the action is another; or not for certain.
    for (actions, conditions) in [
        (&["store.key.list"][..], vec![secret()]),
        (&["store.key.list", "store.key.get"], vec![secret()]),
        (&["*"], vec![secret(), condition("action", Operator::Ne, "store.key.get")]),
        (&["*"], vec![compared("action", Operator::Contains, "key")]),
    ] {
        let open = with(actions, conditions.clone());
        for prefix in ["", "sec", "secret:", "other"] {
            assert!(!open.allows(Action::KeyList, Some(prefix.as_bytes())), "{conditions:?} {prefix}");
        }
    }
    let other = with(&["*"], vec![secret(), condition("action", Operator::Eq, "store.key.get")]);
    assert!(other.allows(Action::KeyList, Some(b"secret:")), "it does not speak of listing");
    // Allowing holds the condition against the prefix.
    let allowed =
        access(vec![conditional(Effect::Allow, &["store.key.*"], vec![condition("key", Operator::Matches, "^mine:")])]);
    assert!(allowed.allows(Action::KeyList, Some(b"mine:")) && !allowed.allows(Action::KeyList, Some(b"")));
}

#[test]
fn s3_conditions_that_make_no_sense_are_mistakes() {
    use Operator::{Contains, Eq, Exists, In, Lt, Matches};
    let list = |items: Vec<Value>| Value::Array(items);
    for (wrong, key, word) in [
        (condition("actor.name", Eq, "x"), "field", "actor.name"),
        (condition("actor.meta.", Eq, "x"), "field", "no field"),
        (condition("resuorce", Eq, "x"), "field", "did you mean resource"),
        (ConditionSpec { value: None, ..condition("key", Eq, "x") }, "value", "missing"),
        (ConditionSpec { value_from: Some("key".into()), ..condition("key", Eq, "x") }, "value_from", "not both"),
        (compared("key", Eq, "actor.naem"), "value_from", "actor.naem"),
        (compared("actor.id", Matches, "key"), "value_from", "no regular expression"),
        (compared("actor.id", Exists, "key"), "value_from", "exists"),
        (condition("actor.id", Exists, "yes"), "value", "exists"),
        (condition("actor.id", Eq, 1i64), "value", "is a string"),
        (condition("key", Contains, 1i64), "value", "is a string"),
        (condition("key", Contains, ""), "value", "empty"),
        (condition("actor.meta.x", Eq, texts(&["x"])), "value", "expected"),
        (condition("actor.meta.x", Eq, Value::Map(vec![])), "value", "expected"),
        (condition("actor.meta.x", Eq, f64::NAN), "value", "NaN"),
        (condition("actor.meta.x", Lt, true), "value", "order"),
        (condition("actor.meta.x", In, "x"), "value", "list"),
        (condition("actor.meta.x", In, list(vec![])), "value", "empty"),
        (condition("actor.meta.x", In, list(vec![1i64.into(), "x".into()])), "value", "one kind"),
        (condition("actor.meta.x", In, list(vec![list(vec![])])), "value", "expected"),
        (condition("key", In, list(vec![1i64.into()])), "value", "is a string"),
        (condition("action", Eq, "store.read"), "value", "no action"),
        (condition("action", In, texts(&["store.read"])), "value", "no action"),
        (condition("key", Matches, 1i64), "value", "string"),
        (condition("key", Matches, "a("), "value", "unclosed group"),
        (condition("key", Matches, r"\p{L}"), "value", "regular expression"),
        (condition("key", Matches, "(((a{100}){100}){100})"), "value", "too large"),
    ] {
        let spec =
            PolicySpec { conditions: vec![condition("key", Eq, "ok"), wrong.clone()], ..spec(Effect::Allow, &["*"]) };
        let problems = Policy::compile(spec).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(
            (problems[0].field, problems[0].index, problems[0].key),
            ("conditions", Some(1), Some(key)),
            "{wrong:?}"
        );
        assert!(problems[0].message.contains(word) && !problems[0].message.contains('\n'), "{}", problems[0]);
    }
    let several = condition("nothing", In, "x");
    let problems =
        Policy::compile(PolicySpec { conditions: vec![several], ..spec(Effect::Allow, &["*"]) }).unwrap_err();
    assert_eq!(problems.iter().map(|problem| problem.key).collect::<Vec<_>>(), [Some("field"), Some("value")]);
    let unkeyed = PolicySpec { conditions: vec![condition("key", Eq, "x")], ..spec(Effect::Allow, &["store.get"]) };
    assert!(
        Policy::compile(unkeyed).unwrap_err()[0]
            .to_string()
            .starts_with("actions: a policy with a condition on the key")
    );
}

#[test]
fn s3_regular_expressions_take_linear_time() {
    let evil = condition("key", Operator::Matches, "^(a|a)*(a|aa)+$");
    let key = [vec![b'a'; 1023], b"b".to_vec()].concat();
    let started = std::time::Instant::now();
    for _ in 0..20 {
        assert_eq!(outcome(evil.clone(), Action::KeyGet, &key), Some(false));
    }
    assert!(started.elapsed() < std::time::Duration::from_secs(5), "{:?}", started.elapsed());
}

/// Says what it is told to, and remembers what it was asked.
#[derive(Debug)]
struct Engine {
    answer: Option<bool>,
    asked: Mutex<Vec<(Action, Option<Vec<u8>>)>>,
}

impl Authorizer for Engine {
    fn check(&self, cx: &Context, action: Action, store: &str, key: Option<&[u8]>) -> Option<Decision> {
        assert_eq!((cx.actor().map(|actor| &*actor.id), store), (Some("alice"), "app:cache"));
        self.asked.lock().unwrap().push((action, key.map(<[u8]>::to_vec)));
        self.answer.map(|allowed| Decision { allowed, policy: Some("engine".into()) })
    }
}

#[test]
fn s2_a_hosts_engine_is_one_more_voice() {
    let scopeless = Context::new(Some(Actor::new("alice")), None);
    for (answer, cx, strict, policies, expected) in [
        // Deny wins, whoever says it.
        (Some(true), alice(), false, vec![allow(&["*"]), deny(&["*"])], (false, Some("deny"))),
        (Some(false), alice(), false, vec![allow(&["*"])], (false, Some("engine"))),
        (Some(false), scopeless.clone(), false, vec![], (false, Some("engine"))),
        // Then allow.
        (Some(true), alice(), true, vec![], (true, Some("engine"))),
        (Some(true), scopeless.clone(), true, vec![], (true, Some("engine"))),
        // It need not say anything.
        (None, alice(), false, vec![allow(&["*"])], (true, Some("allow"))),
        (None, alice(), false, vec![], (false, None)),
        (None, scopeless.clone(), false, vec![], (true, None)),
        (None, scopeless, true, vec![], (false, None)),
    ] {
        let engine = Arc::new(Engine { answer, asked: Mutex::default() });
        let access = PolicySet::new(strict, policies).access(&cx, "app:cache");
        let access = access.with_authorizer(engine.clone(), &cx, "app:cache");
        let decision = access.decide(Action::KeyGet, Some(b"k"));
        assert_eq!((decision.allowed, decision.policy.as_deref()), expected);
        let denied = decision.policy.as_deref() == Some("deny");
        assert_eq!(engine.asked.lock().unwrap().len(), usize::from(!denied));
        assert_eq!(access.allows(Action::KeyGet, Some(b"k")), expected.0);
        assert_eq!(access.depends_on_key(Action::KeyGet), !denied, "it may answer differently for each key");
        assert!(!access.is_unrestricted() && !access.depends_on_key(Action::Acquire));
    }
}

/// Conditions of all kinds, most of them sound.
fn any_condition() -> impl Strategy<Value = ConditionSpec> {
    let field = prop::sample::select(vec![
        "actor.id",
        "actor.meta.role",
        "actor.meta.level",
        "actor.meta.roles",
        "actor.meta.nothing",
        "action",
        "resource",
        "key",
    ]);
    let value = prop_oneof![
        "[a-z:^$*.]{0,6}".prop_map(|text| Value::from(text.as_str())),
        (-3i64..8).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        prop::collection::vec("[a-z]{1,6}".prop_map(|text| Value::from(text.as_str())), 0..3).prop_map(Value::Array),
    ];
    let from = prop::option::of(field.clone().prop_map(str::to_owned));
    (field, prop::sample::select(ALL.to_vec()), value, from).prop_map(|(field, operator, value, value_from)| {
        ConditionSpec { field: field.to_owned(), operator, value: value_from.is_none().then_some(value), value_from }
    })
}

proptest! {
    #[test]
    fn s2_an_operator_and_its_opposite_agree_on_what_cannot_be_told(stated in any_condition(), key in "[a-z:]{1,6}") {
        let opposite = ConditionSpec { operator: ALL[ALL.iter().position(|o| *o == stated.operator).unwrap() ^ 1], ..stated.clone() };
        // The order of `ALL` has opposites side by side, but for the four of order.
        prop_assume!(!matches!(stated.operator, Operator::Lt | Operator::Lte | Operator::Gt | Operator::Gte));
        let compiles = |condition: &ConditionSpec| {
            Policy::compile(PolicySpec { conditions: vec![condition.clone()], ..spec(Effect::Allow, &["*"]) }).is_ok()
        };
        prop_assert_eq!(compiles(&stated), compiles(&opposite));
        prop_assume!(compiles(&stated));
        for action in [Action::KeyGet, Action::KeySet] {
            let (yes, no) = (outcome(stated.clone(), action, key.as_bytes()), outcome(opposite.clone(), action, key.as_bytes()));
            prop_assert_eq!(yes.map(|yes| !yes), no);
        }
    }

    #[test]
    fn s3_conditions_only_ever_narrow_what_is_allowed_and_what_is_denied(
        conditions in prop::collection::vec(any_condition(), 1..4), key in "[a-z:]{1,6}",
    ) {
        let sound = |condition: &ConditionSpec| {
            Policy::compile(PolicySpec { conditions: vec![condition.clone()], ..spec(Effect::Allow, &["*"]) }).is_ok()
        };
        let conditions: Vec<_> = conditions.into_iter().filter(sound).collect();
        let expected = conditions.iter().map(|condition| outcome(condition.clone(), Action::KeyGet, key.as_bytes()));
        let (mut holds, mut fails) = (true, false);
        for outcome in expected {
            holds &= outcome == Some(true);
            fails |= outcome == Some(false);
        }
        let cx = Context::new(Some(someone()), Some(vec![]));
        let allows = |policies| PolicySet::new(true, policies).access(&cx, "app:cache").allows(Action::KeyGet, Some(key.as_bytes()));
        prop_assert_eq!(allows(vec![conditional(Effect::Allow, &["*"], conditions.clone())]), holds);
        prop_assert_eq!(!allows(vec![allow(&["*"]), conditional(Effect::Deny, &["*"], conditions)]), !fails);
    }
}
