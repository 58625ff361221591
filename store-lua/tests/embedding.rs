//! What hosts rely on: contexts, handles, cancellation, blocking, closing.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

mod common;

use std::time::Duration;

use common::{Bench, Vm};
use store_lua::mlua::Lua;
use store_lua::store_core::{Actor, Context};
use store_lua::{Configuration, Options, enter_context, with_context};

const POLICIES: &str = r#"
[[security.policies]]
id = "own-keys"
actions = ["store.key.*"]
resources = ["app:cache"]
keys = ["user:${actor.id}:*"]
effect = "allow"
groups = ["users"]

[[security.policies]]
id = "acquire"
actions = ["store.get"]
resources = ["app:cache"]
effect = "allow"
groups = ["users"]
"#;

fn user(name: &str) -> Context {
    Context::new(Some(Actor::new(name)), Some(vec!["users".to_owned()]))
}

const REQUEST: &str = "
    local me, other = ...
    local cache = assert(require('store').get('app:cache'))
    for i = 1, 40 do
      assert(cache:set('user:' .. me .. ':n', i))
      sleep(0.0005)
      equal(cache:get('user:' .. me .. ':n'), i)
      fails('PERMISSION_DENIED', nil, cache:get('user:' .. other .. ':n'))
      fails('PERMISSION_DENIED', nil, cache:set('user:' .. other .. ':n', 'stolen'))
      fails('PERMISSION_DENIED', nil, shared:get('user:' .. other .. ':n'))
      equal(shared:get('user:' .. me .. ':n'), i)
    end
";

fn two_requests_on_one_vm(bench: Bench) {
    let vm = Vm::with_options(bench, POLICIES, Options::new().context(user("host")));
    vm.run("shared.lua", "shared = open()").unwrap();
    let request = |me: &str, other: &str| {
        let script = vm.lua.load(REQUEST).into_function().unwrap().call_async::<()>((me.to_owned(), other.to_owned()));
        with_context(user(me), script)
    };
    let (alice, bob) = (request("alice", "bob"), request("bob", "alice"));
    vm.block_on(async {
        let (alice, bob) = tokio::join!(alice, bob);
        alice.unwrap();
        bob.unwrap();
    });
}

#[test]
fn two_requests_on_one_vm_never_borrow_each_others_rights_memory() {
    two_requests_on_one_vm(Bench::Memory);
}

#[test]
fn two_requests_on_one_vm_never_borrow_each_others_rights_redis() {
    two_requests_on_one_vm(Bench::Redis);
}

#[test]
fn s4_a_denial_is_returned_and_tells_nothing() {
    let vm = Vm::with_options(Bench::MemorySync, POLICIES, Options::new().context(user("alice")));
    vm.run(
        "denied.lua",
        "local store = require('store')
         local cache = open()
         assert(cache:set('user:alice:k', 1))
         local err = fails('PERMISSION_DENIED', nil, cache:get('user:bob:k'))
         equal(err:retryable(), false)
         equal(err:details().key, nil)
         for _, call in ipairs({
           function(k) return cache:set(k, 1) end, function(k) return cache:has(k) end, function(k) return cache:delete(k) end,
           function(k) return cache:entry(k) end, function(k) return cache:ttl(k) end, function(k) return cache:put(k, 1) end,
           function(k) return cache:touch(k, 1) end, function(k) return cache:take(k) end,
           function(k) return cache:get_and_touch(k, 1) end, function(k) return cache:increment(k) end,
           function(k) return cache:get_many({ 'user:alice:k', k }) end, function(k) return cache:delete_many({ k }) end,
           function(k) return cache:set_many({ { key = k, value = 1 } }) end,
           function(k) return cache:get_or_set(k, function() error('not called') end) end,
         }) do
           fails('PERMISSION_DENIED', nil, call('user:bob:k'))
         end
         -- Arguments are judged before rights.
         fails('INVALID', 'ttl', cache:set('user:bob:k', 1, -1))
         fails('INVALID', 'value: function', cache:set('user:bob:k', print))
         -- An id is not told to who may not acquire it.
         fails('PERMISSION_DENIED', nil, store.get('app:other'))
         fails('PERMISSION_DENIED', nil, store.get('app:nothing'))",
    )
    .unwrap();
    let nobody = Context::new(None, Some(Vec::new()));
    enter_context(&nobody, || {
        vm.run("nobody.lua", "fails('PERMISSION_DENIED', nil, require('store').get('app:cache'))")
    })
    .unwrap();
}

#[test]
fn h1_handles_are_released_when_collected_closed_or_left() {
    let vm = Vm::new(Bench::MemorySync, "");
    vm.run("handles.lua", "a, b = open(), open('app:other') local c = open()").unwrap();
    assert_eq!(vm.registry.handles_out(None), 3);
    vm.lua.gc_collect().unwrap();
    vm.lua.gc_collect().unwrap();
    assert_eq!((vm.registry.handles_out(None), vm.registry.handles_out(Some("app:cache"))), (2, 1));
    vm.run("handles.lua", "a:release() a:release() b = nil collectgarbage() collectgarbage()").unwrap();
    assert_eq!(vm.registry.handles_out(None), 0);
    if cfg!(feature = "lua54") {
        vm.run(
            "close.lua",
            "local kept
             do local cache <close> = open() kept = cache assert(cache:set('k', 1)) end
             equal(tostring(kept), 'store.Store{released}')
             pcall(function() local cache <close> = open() kept = cache error('x') end)
             equal(tostring(kept), 'store.Store{released}')",
        )
        .unwrap();
        assert_eq!(vm.registry.handles_out(None), 0);
    }
    vm.run("left.lua", "left = open()").unwrap();
    let registry = vm.registry.clone();
    drop(vm);
    assert_eq!(registry.handles_out(None), 0);
}

#[test]
fn c3_a_script_that_is_cancelled_leaves_the_store_usable() {
    let vm = Vm::new(Bench::Redis, "");
    vm.run("before.lua", "cache = open() assert(cache:set('k', 'before'))").unwrap();
    for millis in 0..20 {
        let script =
            vm.lua.load("while true do assert(cache:set('k', 'after')) assert(cache:get('k')) end").exec_async();
        let cut = vm.block_on(async { tokio::time::timeout(Duration::from_micros(millis * 150), script).await });
        assert!(cut.is_err());
    }
    vm.run("after.lua", "assert(cache:get('k') == 'after' or cache:get('k') == 'before') assert(cache:set('k', 1)) equal(cache:get('k'), 1)")
        .unwrap();
}

/// Rights are those of whoever runs, at every point of a request: in its coroutines, in loaders that wait, and in what it goes on with after.
#[test]
fn two_requests_keep_their_rights_in_coroutines_and_loaders() {
    let vm = Vm::with_options(Bench::Redis, POLICIES, Options::new().context(user("host")));
    vm.run("shared.lua", "shared = open()").unwrap();
    let source = "
        local me, other = ...
        local function is_me(where)
          assert(shared:set('user:' .. me .. ':n', 1), where)
          fails('PERMISSION_DENIED', nil, shared:get('user:' .. other .. ':n'))
        end
        for i = 1, 10 do
          local co = coroutine.wrap(function()
            for _ = 1, 2 do
              is_me('coroutine')
              sleep(0.0005)
              is_me('coroutine, later')
              coroutine.yield()
            end
          end)
          co() sleep(0.0005) co()
          local key = 'user:' .. me .. ':' .. i
          assert(shared:get_or_set(key, function()
            is_me('loader')
            sleep(0.0005)
            is_me('loader, later')
            return i
          end))
          is_me('after')
          pcall(function() sleep(0.0005) is_me('pcall') end)
          fails('PERMISSION_DENIED', nil, shared:get_or_set('user:' .. other .. ':' .. i, function() error('not called') end))
          for key in shared:each{ prefix = 'user:' .. me .. ':' } do
            assert(key:find(me, 1, true))
            sleep(0.0005)
          end
        end";
    let request = |me: &str, other: &str| {
        let script = vm.lua.load(source).into_function().unwrap().call_async::<()>((me.to_owned(), other.to_owned()));
        with_context(user(me), script)
    };
    vm.block_on(async {
        let (alice, bob, carol) =
            tokio::join!(request("alice", "bob"), request("bob", "carol"), request("carol", "alice"));
        alice.unwrap();
        bob.unwrap();
        carol.unwrap();
    });
    assert!(with_host_rights(&vm), "the host is the host again");
}

fn with_host_rights(vm: &Vm) -> bool {
    vm.run(
        "after.lua",
        "fails('PERMISSION_DENIED', nil, shared:get('user:alice:n')) assert(shared:set('user:host:n', 1))",
    )
    .is_ok()
}

/// What converts values may be used before the module is there, and decides nothing for it.
#[test]
fn values_and_errors_may_cross_before_the_module_is_installed() {
    let other = Vm::new(Bench::Redis, "");
    let lua = Lua::new();
    let value = store_lua::store_core::Value::from(1_i64);
    assert_eq!(store_lua::value_to_lua(&lua, &value).unwrap().as_i64(), Some(1));
    let error = store_lua::error_to_lua(&lua, store_lua::store_core::Error::invalid("no")).unwrap();
    store_lua::install(&lua, other.registry.clone()).unwrap();
    lua.globals().set("before", error).unwrap();
    let script = "local cache = assert(require('store').get('app:cache'))
                  local read = coroutine.wrap(function() assert(cache:set('k', 5)) return cache:get('k') end)
                  return read(), before:kind() == errors.INVALID";
    let (read, is_known) = other.block_on(lua.load(script).eval_async::<(i64, bool)>()).unwrap();
    assert_eq!((read, is_known), (5, true));
}

/// A loader that must block inside of what blocks already: most `block_on`s panic at that, and with a lock the thread would wait for itself.
#[test]
fn a_host_that_blocks_is_not_asked_to_block_inside_of_that() {
    let vm = Vm::new(Bench::RedisBlocking, "");
    vm.run(
        "nested.lua",
        "local cache, inner = open()
         equal(cache:get_or_set('k', function()
           local t = { 2, 1 }
           table.sort(t, function(a, b) inner = inner or { cache:set('other', 1) } return a < b end)
           return t[1]
         end), 1)
         equal(inner[2]:details().reason, 'would_block')
         assert(cache:set('other', 1))",
    )
    .unwrap();
}

/// A handle that nothing but the operation holds, and a collector that runs whenever it waits; then a VM that ends while it waits.
#[test]
fn c3_garbage_is_collected_and_vms_end_in_the_middle_of_operations() {
    let vm = Vm::new(Bench::Redis, "");
    let source = "
        local store = require('store')
        local function temporary() return assert(store.get('app:cache')) end
        for i = 1, 20 do
          assert(temporary():set('k' .. i, { i, text = ('x'):rep(2000) }))
          local value = temporary():get('k' .. i)
          assert(value[1] == i and #value.text == 2000)
          assert(temporary():get_or_set('l' .. i, function() return { temporary():get('k' .. i)[1] } end)[1] == i)
          local co = coroutine.wrap(function() return temporary():entry('k' .. i).value[1] end)
          assert(co() == i)
        end";
    let lua = vm.lua.clone();
    let mut script = Box::pin(vm.lua.load(source).exec_async());
    let mut waited = 0;
    let run = std::future::poll_fn(|cx| {
        let polled = script.as_mut().poll(cx);
        if polled.is_pending() {
            waited += 1;
            lua.gc_collect().unwrap();
        }
        polled
    });
    vm.block_on(run).unwrap();
    assert!(waited > 80, "{waited}");
    drop(script);
    drop(lua);
    vm.lua.gc_collect().unwrap();
    vm.lua.gc_collect().unwrap();
    assert_eq!(vm.registry.handles_out(None), 0);

    for polls in 1..6 {
        let lua = Lua::new();
        store_lua::install(&lua, vm.registry.clone()).unwrap();
        let script = lua.load(source).exec_async();
        let mut left = polls;
        vm.block_on(async {
            let mut script = Box::pin(script);
            std::future::poll_fn(|cx| {
                left -= 1;
                if left == 0 || script.as_mut().poll(cx).is_ready() {
                    return std::task::Poll::Ready(());
                }
                std::task::Poll::Pending
            })
            .await;
            drop(lua);
        });
        assert_eq!(vm.registry.handles_out(None), 0, "{polls}");
    }
    vm.run("after.lua", "assert(open():set('k', 1))").unwrap();
}

/// What is dropped while it waits in coroutines of the script's ends at once, not when it happens to be collected: nobody waits for its loader.
#[test]
fn c3_what_is_dropped_inside_of_coroutines_ends_at_once() {
    let vm = Vm::new(Bench::Memory, "");
    vm.run("open.lua", "cache, went_on = open(), false").unwrap();
    vm.lua.gc_stop();
    for source in [
        "cache:get_or_set('k', function() sleep(60) end) went_on = true",
        "local co = coroutine.wrap(function() return cache:get_or_set('k', function() sleep(60) end) end) co() went_on = true",
        "local inner = coroutine.wrap(function() cache:get_or_set('k', function() sleep(60) end) went_on = true end)
         local co = coroutine.create(function() pcall(inner) went_on = true end) coroutine.resume(co) went_on = true",
        "cache:get_or_set('k', function() local co = coroutine.wrap(function() sleep(60) went_on = true end) co() went_on = true end)",
    ] {
        let script = vm.lua.load(source).exec_async();
        let cut = vm.block_on(async { tokio::time::timeout(Duration::from_millis(50), script).await });
        assert!(cut.is_err(), "{source}");
        let next = vm
            .lua
            .load("local v = cache:get_or_set('k', function() return 2 end) cache:delete('k') return v")
            .eval_async::<i64>();
        let value = vm.block_on(async { tokio::time::timeout(Duration::from_secs(10), next).await });
        assert_eq!(value.expect(source).unwrap(), 2, "{source}");
    }
    vm.run("after.lua", "equal(went_on, false)").unwrap();
}

#[test]
fn where_nobody_can_wait_an_operation_says_so_and_does_nothing() {
    let vm = Vm::new(Bench::Redis, "");
    // Not driven by an executor, and no blocking chosen: only opening a store may still work.
    vm.lua
        .load(
            "local cache, err = require('store').get('app:cache')
             if not cache then assert(errors.is(err, errors.UNAVAILABLE)) return end
             local err = fails('UNAVAILABLE', 'cannot yield', cache:set('k', 1))
             equal(err:details().reason, 'would_block')
             equal(err:retryable(), false)
             local co = coroutine.wrap(function() return cache:get('k') end)
             fails('UNAVAILABLE', 'cannot yield', co())
             fails('UNAVAILABLE', 'cannot yield', cache:get_or_set('k', function() return 1 end))",
        )
        .exec()
        .unwrap();
    vm.run("after.lua", "equal(open():get('k'), nil)").unwrap();
}

#[test]
fn e5_a_closed_registry_answers_unavailable() {
    let vm = Vm::new(Bench::Memory, "");
    vm.run("before.lua", "cache = open() assert(cache:set('k', 1))").unwrap();
    let registry = vm.registry.clone();
    vm.block_on(async move { registry.close().await }).unwrap();
    vm.run(
        "after.lua",
        "local err = fails('UNAVAILABLE', 'closed', cache:get('k'))
         equal(err:retryable(), false)
         fails('UNAVAILABLE', 'closed', require('store').get('app:cache'))
         equal(cache:release(), true)",
    )
    .unwrap();
}

#[test]
fn one_loader_runs_for_many_coroutines() {
    let vm = Vm::new(Bench::Memory, "");
    vm.run("setup.lua", "cache, calls = open(), 0").unwrap();
    let script =
        "local value = assert(cache:get_or_set('k', function() calls = calls + 1 sleep(0.02) return calls end))
                  assert(value == 1)";
    vm.block_on(async {
        let scripts = (0..20).map(|_| vm.lua.load(script).exec_async());
        let mut running = Vec::new();
        let local = tokio::task::LocalSet::new();
        for script in scripts {
            running.push(local.spawn_local(script));
        }
        local.await;
        for script in running {
            script.await.unwrap().unwrap();
        }
    });
    vm.run("after.lua", "equal(calls, 1)").unwrap();
}

#[test]
fn configurations_come_from_files_too_and_mistakes_name_their_line() {
    let folder = store_testkit::Folder::new();
    let file = folder.path().join("store.toml");
    std::fs::write(&file, "[stores.'app:cache']\nbackend = 'memory'\n[env.disk.stores.'app:cache']\nbackend = 'sled'\noptions = { path = 'db' }\n")
        .unwrap();
    for (environment, expected) in [(None, "memory"), (Some("disk"), "sled")] {
        let lua = Lua::new();
        let registry = store_lua::open(&lua, file.as_path(), environment).unwrap();
        let backend: String = store_lua::store_core::block_on(
            lua.load("return require('store').get('app:cache'):info().backend").eval_async(),
        )
        .unwrap();
        assert_eq!(backend, expected);
        store_lua::store_core::block_on(registry.close()).unwrap();
    }
    assert!(folder.path().join("db").exists());
    let lua = Lua::new();
    let error = store_lua::open(&lua, Configuration::text("[stores.'a']\nbackend = 'memroy'"), None).unwrap_err();
    assert!(error.message().contains("configuration:2"), "{error}");
    let error = store_lua::open(&lua, "/no/such/file.toml", None).unwrap_err();
    assert!(error.message().contains("/no/such/file.toml"), "{error}");
}

#[test]
fn two_modules_in_one_vm_keep_their_registries_and_contexts_apart() {
    let vm = Vm::with_options(Bench::MemorySync, POLICIES, Options::new().context(user("alice")));
    let bob = store_lua::create(&vm.lua, vm.registry.clone(), Options::new().context(user("bob"))).unwrap();
    let other = Vm::new(Bench::MemorySync, "");
    let elsewhere = store_lua::create(&vm.lua, other.registry.clone(), Options::new()).unwrap();
    vm.lua.globals().set("bob", bob).unwrap();
    vm.lua.globals().set("elsewhere", elsewhere).unwrap();
    vm.run(
        "modules.lua",
        "local alices, bobs, others = open(), assert(bob.get('app:cache')), assert(elsewhere.get('app:cache'))
         assert(alices:set('user:alice:k', 1))
         fails('PERMISSION_DENIED', nil, bobs:get('user:alice:k'))
         assert(bobs:set('user:bob:k', 2))
         fails('PERMISSION_DENIED', nil, alices:get('user:bob:k'))
         equal(others:get('user:bob:k'), nil)
         assert(others:set('anything', 3))
         assert(rawequal(bob.errors, errors))
         local ok, err = bob.get('')
         assert(errors.is(err, errors.INVALID))",
    )
    .unwrap();
}
