//! Access through handles: rules S1 to S4.

use std::sync::{Arc, Mutex, PoisonError};

use crate::config::Settings;
use crate::conformance::direct::{Direct, Must, NEVER, number, refused, text};
use crate::conformance::run::{Cx, ID};
use crate::policy::{Action, ConditionSpec, Effect, Operator, Policy, PolicySet, PolicySpec};
use crate::testing::{FailingStore, Fault};
use crate::{
    Actor, Audit, Context, Denial, Error, Expiry, Handle, Kind, ListOptions, LoadOptions, Loaded, Payload, PutOptions,
    Result, Value, Version,
};

fn policy(effect: Effect, actions: &[&str], keys: Option<&[&str]>) -> Policy {
    let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
    let spec = PolicySpec {
        id: format!("{effect:?}"),
        actions: owned(actions),
        resources: owned(&["conformance:*"]),
        keys: keys.map(owned),
        conditions: Vec::new(),
        effect,
        groups: vec!["users".into()],
    };
    compile(spec)
}

fn compile(spec: PolicySpec) -> Policy {
    match Policy::compile(spec) {
        Ok(policy) => policy,
        Err(problems) => panic!("{problems:?}"),
    }
}

/// A policy on keys, under a condition.
fn conditional(effect: Effect, field: &str, operator: Operator, value: impl Into<Value>) -> Policy {
    compile(PolicySpec {
        id: format!("{effect:?} {operator:?}"),
        actions: vec!["store.key.*".into()],
        resources: vec!["*".into()],
        keys: None,
        conditions: vec![ConditionSpec { field: field.into(), operator, value: Some(value.into()), value_from: None }],
        effect,
        groups: Vec::new(),
    })
}

fn alice() -> Context {
    Context::new(Some(Actor::new("alice")), Some(vec!["users".into()]))
}

fn handle(cx: &Cx, store: &Direct, policies: Vec<Policy>) -> Handle {
    handle_for(cx, store, PolicySet::new(true, policies), alice())
}

fn handle_for(cx: &Cx, store: &Direct, policies: PolicySet, caller: Context) -> Handle {
    Handle::on(cx.slot(store.store.clone(), Settings::default(), policies, None), caller)
}

/// What each operation answers on a key, by name.
async fn operations(handle: &Handle, key: &str) -> Vec<(&'static str, Result<()>)> {
    let version = Version::from_u64(1);
    vec![
        ("get", handle.get::<Payload>(key).await.map(drop)),
        ("has", handle.has(key).await.map(drop)),
        ("entry", handle.entry::<Payload>(key).await.map(drop)),
        ("ttl", handle.ttl(key).await.map(drop)),
        ("get_many", handle.get_many::<Payload>(&[key]).await.map(drop)),
        ("touch", handle.touch(key, Expiry::Never).await.map(drop)),
        ("touch_if", handle.touch_if(key, Expiry::Never, &version).await.map(drop)),
        ("get_and_touch", handle.get_and_touch::<Payload>(key, Expiry::Never).await.map(drop)),
        ("increment", handle.increment(key, 1).await.map(drop)),
        (
            "get_or_set",
            handle.get_or_set(key, LoadOptions::default(), || async { Ok(Loaded::value(1)) }).await.map(drop),
        ),
        ("set", handle.set(key, &1, Expiry::Never).await),
        ("put", handle.put(key, &1, &PutOptions::new()).await.map(drop)),
        ("set_many", handle.set_many(&[(key, 1, Expiry::Never)]).await),
        ("delete_if", handle.delete_if(key, &version).await.map(drop)),
        ("delete", handle.delete(key).await.map(drop)),
        ("delete_many", handle.delete_many(&[key]).await.map(drop)),
        ("take", handle.take::<Payload>(key).await.map(drop)),
        ("list", handle.list(&ListOptions::prefix(key)).await.map(drop)),
        ("clear", handle.clear(key).await.map(drop)),
        ("info", handle.info().map(drop)),
    ]
}

/// What each operation needs.
fn needs(operation: &str) -> &'static [Action] {
    match operation {
        "get" | "entry" | "ttl" | "get_many" => &[Action::KeyGet],
        "has" => &[Action::KeyHas],
        "set" | "put" | "touch" | "touch_if" | "increment" | "set_many" => &[Action::KeySet],
        "delete" | "delete_if" | "delete_many" => &[Action::KeyDelete],
        "take" => &[Action::KeyGet, Action::KeyDelete],
        "get_and_touch" | "get_or_set" => &[Action::KeyGet, Action::KeySet],
        "list" => &[Action::KeyList],
        "clear" => &[Action::KeyList, Action::KeyDelete],
        "info" => &[Action::Info],
        _ => panic!("unknown operation {operation}"),
    }
}

fn is_denied<T>(answer: &Result<T>) -> bool {
    answer.as_ref().is_err_and(|error| error.kind() == Kind::PermissionDenied)
}

pub(crate) async fn s1_each_operation_needs_its_actions(cx: &Cx) {
    let store = cx.open().await;
    store.put("k", &number(1), NEVER).await;
    for granted in Action::ALL {
        let handle = handle(cx, &store, vec![policy(Effect::Allow, &[granted.as_str()], None)]);
        for (operation, answer) in operations(&handle, "k").await {
            let allowed = needs(operation).iter().all(|need| *need == granted);
            assert_eq!(!is_denied(&answer), allowed, "{operation} with {granted}: {answer:?}");
        }
    }
    for withheld in Action::ALL {
        let policies = vec![policy(Effect::Allow, &["*"], None), policy(Effect::Deny, &[withheld.as_str()], None)];
        let handle = handle(cx, &store, policies);
        for (operation, answer) in operations(&handle, "k").await {
            let allowed = !needs(operation).contains(&withheld);
            assert_eq!(!is_denied(&answer), allowed, "{operation} without {withheld}: {answer:?}");
        }
    }
}

pub(crate) async fn s1_a_denied_operation_does_not_reach_the_backend(cx: &Cx) {
    let store = cx.open().await;
    let failing = FailingStore::new(store.store.clone());
    failing.inject(Fault::anywhere().before_applying(Error::internal("the backend was asked")));
    let handle = handle(cx, &Direct::new(Arc::new(failing)), vec![]);
    for (operation, answer) in operations(&handle, "k").await {
        assert!(is_denied(&answer), "{operation}: {answer:?}");
    }
}

pub(crate) async fn s1_batches_are_refused_whole_for_one_denied_key(cx: &Cx) {
    let store = cx.open().await;
    store.put("mine:1", &number(1), NEVER).await;
    store.put("other", &number(1), NEVER).await;
    let handle = handle(cx, &store, vec![policy(Effect::Allow, &["store.key.*"], Some(&["mine:*"]))]);
    refused(handle.get_many::<i64>(&["mine:1", "other"]).await, Kind::PermissionDenied);
    refused(
        handle.set_many(&[("mine:1", 2, Expiry::Never), ("other", 2, Expiry::Never)]).await,
        Kind::PermissionDenied,
    );
    refused(handle.delete_many(&["mine:1", "other"]).await, Kind::PermissionDenied);
    assert_eq!(store.get("mine:1").await.as_deref(), Some(&*number(1)), "nothing was done");
    assert_eq!(handle.get_many::<i64>(&["mine:1", "mine:2"]).await.must(), [Some(1), None]);
}

pub(crate) async fn s1_listing_shows_only_what_may_be_read(cx: &Cx) {
    let store = cx.open().await;
    if super::without_list(&store).await {
        return;
    }
    for index in 0..40 {
        let owner = if index % 3 == 0 { "mine" } else { "other" };
        store.put(format!("k{index:02}:{owner}"), &number(index), NEVER).await;
    }
    let list = policy(Effect::Allow, &["store.key.list"], None);
    let read = policy(Effect::Allow, &["store.key.get"], Some(&["*:mine"]));
    let handle = handle(cx, &store, vec![list.clone(), read]);
    let mut seen = Vec::new();
    let mut options = ListOptions::prefix("").limit(3);
    loop {
        let page = handle.list(&options).await.must();
        assert!(page.items.len() <= 3);
        seen.extend(page.items.into_iter().map(|item| Box::<[u8]>::from(item.key)));
        assert!(seen.len() < 1000, "the listing does not end");
        assert_eq!(page.has_more, page.cursor.is_some());
        let Some(cursor) = page.cursor else { break };
        let position = crate::decode_cursor(ID, &cursor).must();
        assert!(position.ends_with(b":mine"), "a cursor must not carry what its caller may not see");
        options = options.after(cursor);
    }
    assert_eq!(seen.len(), 14);
    assert!(seen.iter().all(|key| key.ends_with(b":mine")));
    assert_eq!(handle.list(&ListOptions::prefix("").keys_only()).await.must().items, [], "keys alone need has");
    let has = policy(Effect::Allow, &["store.key.has"], Some(&["k00*"]));
    let handle = self::handle(cx, &store, vec![list, has]);
    let keys = handle.list(&ListOptions::prefix("").keys_only()).await.must();
    assert_eq!(keys.items.len(), 1);
    assert_eq!(handle.list(&ListOptions::prefix("")).await.must().items, [], "entries need get");
}

pub(crate) async fn s1_listing_needs_its_prefix(cx: &Cx) {
    let store = cx.open().await;
    if super::without_list(&store).await {
        return;
    }
    store.put("user:1:a", &number(1), NEVER).await;
    store.put("user:2:a", &number(1), NEVER).await;
    let handle = handle(cx, &store, vec![policy(Effect::Allow, &["store.key.*"], Some(&["user:1:*"]))]);
    assert_eq!(handle.list(&ListOptions::prefix("user:1:")).await.must().items.len(), 1);
    assert_eq!(handle.list(&ListOptions::prefix("user:1:b")).await.must().items.len(), 0);
    for prefix in ["", "user:", "user:2:"] {
        refused(handle.list(&ListOptions::prefix(prefix)).await, Kind::PermissionDenied);
    }
    refused(handle.each("").next().await.must().map(drop), Kind::PermissionDenied);
}

pub(crate) async fn s1_clear_deletes_only_what_may_be_deleted(cx: &Cx) {
    let store = cx.open().await;
    for index in 0..30 {
        store.put(format!("{}:{index}", if index % 2 == 0 { "mine" } else { "other" }), &number(index), NEVER).await;
    }
    let policies = vec![
        policy(Effect::Allow, &["store.key.list"], None),
        policy(Effect::Allow, &["store.key.delete"], Some(&["mine:*"])),
    ];
    let handle = handle(cx, &store, policies);
    assert_eq!(handle.clear("").await.must(), 15);
    assert_eq!(store.scan_keys("", 100).await.len(), 15);
    assert_eq!(store.scan_keys("mine", 100).await.len(), 0);
}

pub(crate) async fn s2_deny_wins_and_no_match_is_a_denial(cx: &Cx) {
    let store = cx.open().await;
    store.put("open", &number(1), NEVER).await;
    store.put("secret", &number(1), NEVER).await;
    let allow = policy(Effect::Allow, &["store.key.get"], None);
    let deny = policy(Effect::Deny, &["store.key.*"], Some(&["secret*"]));
    for policies in [vec![allow.clone(), deny.clone()], vec![deny, allow]] {
        let handle = handle(cx, &store, policies);
        assert_eq!(handle.get::<i64>("open").await.must(), Some(1));
        refused(handle.get::<i64>("secret").await, Kind::PermissionDenied);
        refused(handle.has("open").await, Kind::PermissionDenied);
    }
}

pub(crate) async fn s2_without_a_scope_everything_is_allowed_unless_strict(cx: &Cx) {
    let store = cx.open().await;
    store.put("k", &number(1), NEVER).await;
    let policies = || vec![policy(Effect::Deny, &["*"], None)];
    for caller in [Context::none(), Context::new(Some(Actor::new("alice")), None)] {
        let open = handle_for(cx, &store, PolicySet::new(false, policies()), caller.clone());
        assert_eq!(open.get::<i64>("k").await.must(), Some(1));
        let strict = handle_for(cx, &store, PolicySet::new(true, policies()), caller);
        refused(strict.get::<i64>("k").await, Kind::PermissionDenied);
    }
    let scoped = handle_for(cx, &store, PolicySet::permissive(), Context::new(None, Some(vec![])));
    refused(scoped.get::<i64>("k").await, Kind::PermissionDenied);
}

pub(crate) async fn s3_actors_are_kept_to_their_own_keys(cx: &Cx) {
    let store = cx.open().await;
    store.put("user:alice:x", &number(1), NEVER).await;
    store.put("user:bob:x", &number(2), NEVER).await;
    let own = || vec![policy(Effect::Allow, &["store.key.*"], Some(&["user:${actor.id}:*"]))];
    let for_actor = |id: &str| {
        let caller = Context::new(Some(Actor::new(id)), Some(vec!["users".into()]));
        handle_for(cx, &store, PolicySet::new(true, own()), caller)
    };
    assert_eq!(for_actor("alice").get::<i64>("user:alice:x").await.must(), Some(1));
    refused(for_actor("alice").get::<i64>("user:bob:x").await, Kind::PermissionDenied);
    for trick in ["*", "?????", "", "alice:x", "al*"] {
        refused(for_actor(trick).get::<i64>("user:alice:x").await, Kind::PermissionDenied);
    }
    let shared = for_actor("alice");
    let bob = Context::new(Some(Actor::new("bob")), Some(vec!["users".into()]));
    let as_bob = shared.with_context(&bob);
    assert_eq!(as_bob.get::<i64>("user:bob:x").await.must(), Some(2));
    refused(as_bob.get::<i64>("user:alice:x").await, Kind::PermissionDenied);
    assert_eq!(shared.get::<i64>("user:alice:x").await.must(), Some(1), "each context is judged apart");
}

pub(crate) async fn s3_conditions_decide_by_actor_and_key(cx: &Cx) {
    let store = cx.open().await;
    for key in ["draft:1", "final:1", "final:x"] {
        store.put(key, &number(1), NEVER).await;
    }
    let with_level = |level: i64| {
        let actor = Actor::new("alice").with_meta("level", level);
        Context::new(Some(actor), Some(vec!["users".into()]))
    };
    let policies = || {
        vec![
            conditional(Effect::Allow, "actor.meta.level", Operator::Gte, 3i64),
            conditional(Effect::Deny, "key", Operator::Matches, "^final:[0-9]+$"),
        ]
    };
    let senior = handle_for(cx, &store, PolicySet::new(true, policies()), with_level(3));
    assert_eq!(senior.get::<i64>("draft:1").await.must(), Some(1));
    refused(senior.get::<i64>("final:1").await, Kind::PermissionDenied);
    assert_eq!(senior.get::<i64>("final:x").await.must(), Some(1));
    refused(senior.get_many::<i64>(&["draft:1", "final:1"]).await, Kind::PermissionDenied);
    let junior = senior.with_context(&with_level(2));
    refused(junior.get::<i64>("draft:1").await, Kind::PermissionDenied);
    refused(junior.has("nothing").await, Kind::PermissionDenied);
    assert_eq!(senior.clear("").await.must(), 2, "what is denied is left alone");
    assert_eq!(store.get("final:1").await.as_deref(), Some(&*number(1)));
    if !super::without_list(&store).await {
        let page = senior.list(&ListOptions::prefix("")).await.must();
        assert_eq!(page.items, [], "what may not be read is not shown");
    }
}

pub(crate) async fn s2_a_condition_that_cannot_be_told_counts_against_access(cx: &Cx) {
    let store = cx.open().await;
    store.put("k", &number(1), NEVER).await;
    for operator in [Operator::Eq, Operator::Ne, Operator::Lt, Operator::Gte, Operator::Contains, Operator::Ncontains] {
        // alice has no level: neither a policy that allows by it nor one that denies by it lets her pass.
        let allow = conditional(Effect::Allow, "actor.meta.level", operator, "3");
        let handle = handle(cx, &store, vec![allow]);
        refused(handle.get::<i64>("k").await, Kind::PermissionDenied);
        let deny = conditional(Effect::Deny, "actor.meta.level", operator, "3");
        let handle = self::handle(cx, &store, vec![policy(Effect::Allow, &["*"], None), deny]);
        refused(handle.get::<i64>("k").await, Kind::PermissionDenied);
        refused(handle.set("k", &2, Expiry::Never).await, Kind::PermissionDenied);
    }
    let deny = conditional(Effect::Deny, "actor.meta.level", Operator::Exists, true);
    let handle = handle(cx, &store, vec![policy(Effect::Allow, &["*"], None), deny]);
    assert_eq!(handle.get::<i64>("k").await.must(), Some(1), "whether it is there can be told");
}

pub(crate) async fn s4_a_denial_is_the_same_whether_or_not_the_key_exists(cx: &Cx) {
    let store = cx.open().await;
    store.put("there", &text("v"), NEVER).await;
    let handle = handle(cx, &store, vec![policy(Effect::Deny, &["*"], None)]);
    let (present, absent) = (operations(&handle, "there").await, operations(&handle, "gone!").await);
    for ((operation, present), (_, absent)) in present.into_iter().zip(absent) {
        let (present, absent) = (refused(present, Kind::PermissionDenied), refused(absent, Kind::PermissionDenied));
        assert_eq!(format!("{present} {present:?}"), format!("{absent} {absent:?}"), "{operation}");
        assert!(!present.is_retryable());
    }
}

#[derive(Debug, Default)]
struct Seen(Mutex<Vec<String>>);

#[derive(Debug)]
struct Observer(Arc<Seen>);

impl Audit for Observer {
    fn denied(&self, denial: &Denial<'_>) {
        let actor = denial.context.actor().map(|actor| actor.id.as_str()).unwrap_or_default();
        let key = denial.key.map(|key| key.escape_ascii().to_string());
        let line = format!("{} {} {key:?} {actor} {:?}", denial.action, denial.store, denial.policy.as_deref());
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

pub(crate) async fn s4_a_host_can_observe_denials(cx: &Cx) {
    let store = cx.open().await;
    let seen = Arc::new(Seen::default());
    let policies = PolicySet::new(true, vec![policy(Effect::Deny, &["store.key.set"], None)]);
    let slot = cx.slot(store.store.clone(), Settings::default(), policies, Some(Arc::new(Observer(seen.clone()))));
    let handle = Handle::on(slot, alice());
    refused(handle.set("k", &1, Expiry::Never).await, Kind::PermissionDenied);
    refused(handle.get::<i64>("j").await, Kind::PermissionDenied);
    let seen = std::mem::take(&mut *seen.0.lock().unwrap_or_else(PoisonError::into_inner));
    assert_eq!(
        seen,
        [
            format!("store.key.set {ID} Some(\"k\") alice Some(\"Deny\")"),
            format!("store.key.get {ID} Some(\"j\") alice None"),
        ]
    );
}
