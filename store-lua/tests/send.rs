//! With the feature `send` a VM moves between threads: requests of one VM run wherever the runtime has a thread.
#![cfg(feature = "send")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

mod common;

use std::time::Duration;

use common::{Bench, Vm};
use store_lua::store_core::{Actor, Context};
use store_lua::{Options, release_after, with_context, with_time_limit};

const POLICIES: &str = r#"
[[security.policies]]
id = "own-keys"
actions = ["store.get", "store.key.*"]
resources = ["app:cache"]
effect = "allow"
groups = ["users"]

[[security.policies]]
id = "no-others"
actions = ["store.key.*"]
resources = ["app:cache"]
effect = "deny"
groups = ["users"]
conditions = [{ field = "key", operator = "ncontains", value_from = "actor.id" }]
"#;

#[test]
fn requests_keep_their_rights_whatever_thread_they_are_on() {
    let vm = Vm::with_options(Bench::Redis, POLICIES, Options::new());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    vm.lua.load("shared = nil").exec().unwrap();
    let source = "
        local me, other = ...
        local cache = assert(require('store').get('app:cache'))
        for i = 1, 20 do
          assert(cache:set(me .. i, i))
          local co = coroutine.wrap(function() return cache:get(me .. i) end)
          assert(co() == i)
          local _, err = cache:get(other .. i)
          assert(errors.is(err, errors.PERMISSION_DENIED), tostring(err))
          assert(cache:get_or_set(me .. 'l' .. i, function() return cache:get(me .. i) end) == i)
        end";
    let requests: Vec<_> = (0..8)
        .map(|number| {
            let (me, other) = (format!("user{number}:"), format!("user{}:", (number + 1) % 8));
            let context = Context::new(Some(Actor::new(me.clone())), Some(vec!["users".to_owned()]));
            let script = vm.lua.load(source).into_function().unwrap().call_async::<()>((me, other));
            let script = release_after(with_time_limit(&vm.lua, Duration::from_secs(30), script));
            runtime.spawn(with_context(context, script))
        })
        .collect();
    runtime.block_on(async {
        for request in requests {
            tokio::time::timeout(Duration::from_secs(60), request).await.unwrap().unwrap().unwrap();
        }
    });
    assert_eq!(vm.registry.handles_out(None), 0);
}
