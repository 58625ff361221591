//! Policies with conditions, as scripts meet them, on every backend.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

mod common;

use common::{Bench, Vm};
use store_lua::store_core::config::Document;
use store_lua::store_core::{Actor, Backends, Context};
use store_lua::{Options, with_context};

const POLICIES: &str = r#"
[[security.policies]]
id = "acquire"
actions = ["store.get", "store.info"]
resources = ["app:*"]
effect = "allow"

[[security.policies]]
id = "seniors"
actions = ["store.key.*"]
resources = ["app:cache"]
effect = "allow"
conditions = [{ field = "actor.meta.level", operator = "gte", value = 3 }]

[[security.policies]]
id = "numbered-drafts"
actions = ["store.key.*"]
resources = ["app:cache"]
effect = "allow"
conditions = [{ field = "key", operator = "matches", value = "^draft:[0-9]*$" }]

[[security.policies]]
id = "tenants-apart"
actions = ["store.key.*"]
resources = ["app:cache"]
effect = "deny"
conditions = [
    { field = "key", operator = "contains", value = "tenant:" },
    { field = "key", operator = "ncontains", value_from = "actor.meta.tenant" },
]
"#;

fn caller(level: Option<i64>, tenant: Option<&str>) -> Context {
    let mut actor = Actor::new("alice");
    if let Some(level) = level {
        actor = actor.with_meta("level", level);
    }
    if let Some(tenant) = tenant {
        actor = actor.with_meta("tenant", tenant);
    }
    Context::new(Some(actor), Some(Vec::new()))
}

fn s3_conditions_hold(bench: Bench) {
    let vm = Vm::with_options(bench, POLICIES, Options::new().context(caller(Some(3), Some("t1"))));
    let run = |context: Context, source: &str| {
        let script = vm.lua.load(source).set_name("@conditions.lua").exec_async();
        vm.block_on(with_context(context, script)).unwrap();
    };
    let senior = "
        cache = cache or open()
        assert(cache:set('draft:1', 1)) assert(cache:set('plan', 2)) assert(cache:set('tenant:t1:x', 3))
        fails('PERMISSION_DENIED', nil, cache:set('tenant:t2:x', 4))
        fails('PERMISSION_DENIED', nil, cache:set_many({ { key = 'draft:2', value = 1 }, { key = 'tenant:t2:x', value = 4 } }))
        local keys = {}
        for key in cache:each() do keys[#keys + 1] = key end
        equal(table.concat(keys, ' '), 'draft:1 plan tenant:t1:x')";
    run(caller(Some(3), Some("t1")), senior);
    // The same handle in other hands; what cannot be told counts against access.
    for context in [caller(Some(2), Some("t1")), caller(None, Some("t1"))] {
        run(
            context,
            "equal(cache:get('draft:1'), 1)
             fails('PERMISSION_DENIED', nil, cache:get('plan'))
             fails('PERMISSION_DENIED', nil, cache:list())
             local page = cache:list({ prefix = 'draft:' })
             equal(#page.items, 1)",
        );
    }
    run(
        caller(Some(9), None),
        "equal(cache:get('plan'), 2)
         fails('PERMISSION_DENIED', nil, cache:get('tenant:t1:x'))
         equal(cache:clear(), 2)",
    );
    run(caller(Some(3), Some("t1")), "equal(cache:get('tenant:t1:x'), 3) equal(cache:get('plan'), nil)");
    // Replaced policies hold for handles that are out.
    let replaced = Document::parse(&POLICIES.replace("value = 3", "value = 10"), "policies").unwrap();
    vm.registry.replace_policies(replaced.resolve(None, &Backends::new(), &|_| None).unwrap().policies);
    run(
        caller(Some(9), Some("t1")),
        "fails('PERMISSION_DENIED', nil, cache:get('plan')) equal(cache:get('draft:7'), nil)",
    );
}

#[test]
fn s3_conditions_hold_memory() {
    s3_conditions_hold(Bench::Memory);
}

#[test]
fn s3_conditions_hold_sled() {
    s3_conditions_hold(Bench::Sled);
}

#[test]
fn s3_conditions_hold_redis() {
    s3_conditions_hold(Bench::Redis);
}
