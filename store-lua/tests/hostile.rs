//! A script can neither crash nor hang the host through this module.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

mod common;

use std::time::{Duration, Instant};

use common::{Bench, Vm};

/// With a limit that makes the worst of it small enough for a build without optimisation.
const MEDIUM: &str = "[stores.'app:medium']\nbackend = 'memory'\nmax_value_size = '64KiB'\nmax_depth = 256\n";

fn within(limit: Duration, source: &str) {
    let vm = Vm::new(Bench::MemorySync, MEDIUM);
    let started = Instant::now();
    vm.run("hostile.lua", source).unwrap();
    assert!(started.elapsed() < limit, "{:?}", started.elapsed());
}

#[test]
fn v5_tables_that_expand_beyond_the_limit_are_refused_in_time() {
    // Shared subtables, in every shape that could make the encoder begin again.
    for step in
        ["{ t, t }", "{ t, t, x = t }", "{ t, nil, t }", "{ x = t, y = t }", "{ [0] = t, t }", "{ t, [true] = t, t }"]
    {
        within(
            Duration::from_secs(10),
            &format!(
                "local medium = open('app:medium')
                 local t = {{ 'leaf' }}
                 for _ = 1, 200 do t = {step} end
                 fails('INVALID', 'more than 65536 bytes', medium:set('bomb', t))
                 t = {{ 'leaf' }}
                 for _ = 1, 5 do t = {step} end
                 assert(medium:set('small', t))
                 assert(same(medium:get('small'), t))"
            ),
        );
    }
}

#[test]
fn v3_deep_tables_are_stored_up_to_the_limit_and_refused_beyond() {
    within(
        Duration::from_secs(10),
        "local medium = open('app:medium')
         for _, wrap in ipairs({ function(t) return { t } end, function(t) return { x = t } end, function(t) return { t, x = 1 } end }) do
           local t = 1
           for _ = 1, 256 do t = wrap(t) end
           assert(medium:set('deep', t))
           local back = medium:get('deep')
           for _ = 1, 256 do t, back = t[1] or t.x, back[1] or back.x end
           assert(back == 1)
           fails('INVALID', 'nested deeper than 256', medium:set('deeper', wrap(medium:get('deep'))))
         end",
    );
}

#[test]
fn huge_strings_and_lengths_are_refused() {
    within(
        Duration::from_secs(20),
        "local cache = open()
         fails('INVALID', 'more than', cache:set('s', string.rep('x', 50 * 1024 * 1024)))
         fails('INVALID', 'key', cache:set(string.rep('k', 10 * 1024 * 1024), 1))
         fails('INVALID', 'more than', cache:set('t', { [string.rep('k', 9 * 1024 * 1024)] = 1 }))
         fails('NOT_FOUND', nil, require('store').get(string.rep('i', 1024 * 1024)))
         fails('INVALID', 'cursor', cache:list({ after = string.rep('c', 1024 * 1024) }))
         equal(#cache:list({ prefix = string.rep('p', 1024) }).items, 0)",
    );
}

#[test]
fn tables_that_change_under_a_loader_and_odd_receivers_do_not_hurt() {
    within(
        Duration::from_secs(10),
        "local cache = open()
         local close = cache.release
         for _ = 1, 3 do assert(close(cache)) end
         cache = open()
         -- Released in the middle of its own loader: the load ends, or says so.
         local value, err = cache:get_or_set('k', function() cache:release() return 1 end)
         assert(value == 1 or errors.is(err, errors.INVALID))
         cache = open()
         -- A loader that abandons its coroutine.
         local co = coroutine.create(function() return cache:get_or_set('k2', function() coroutine.yield('away') return 1 end) end)
         coroutine.resume(co)
         co = nil
         collectgarbage() collectgarbage()
         local again, again_err = cache:get_or_set('k3', function() return 2 end)
         assert(again == 2, again_err)
         -- Iterators outlive their loop and their handle.
         local each = cache:each()
         cache:release()
         assert(each() ~= nil)
         pcall(each) pcall(each) pcall(each)",
    );
}

#[test]
fn out_of_memory_is_an_error_and_the_vm_goes_on() {
    let vm = Vm::new(Bench::MemorySync, "");
    vm.run(
        "memory.lua",
        "cache = open()
         local t = {}
         for i = 1, 20000 do t[i] = 'some text ' .. i end
         assert(cache:set('big', t))",
    )
    .unwrap();
    vm.lua.gc_collect().unwrap();
    vm.lua.set_memory_limit(vm.lua.used_memory() + 300_000).unwrap();
    let ok: bool = vm.lua.load("return (pcall(cache.get, cache, 'big'))").eval().unwrap();
    assert!(!ok);
    vm.lua.set_memory_limit(0).unwrap();
    vm.run("after.lua", "assert(#cache:get('big') == 20000)").unwrap();
}

#[test]
fn chains_of_errors_end() {
    within(
        Duration::from_secs(20),
        "local caused, wrapped, last = errors.new('first'), errors.new('CONFLICT', 'first'), nil
         for n = 1, 100000 do caused = errors.new{ message = 'm', cause = caused } end
         for n = 1, 3000 do wrapped = errors.wrap(wrapped, 'c') end
         equal(wrapped:kind(), errors.CONFLICT)
         equal(#tostring(wrapped), 3 * 3000 + #'first')
         local depth, next = 0, caused
         while next do depth, next = depth + 1, next:cause() end
         assert(depth <= 65, depth)
         assert(#caused:stack() < 100000)
         caused, wrapped = nil, nil
         collectgarbage() collectgarbage()",
    );
}

/// Calls of everything with anything, in a sandbox: `STORE_DEEP=1` for hours.
#[test]
fn no_sequence_of_calls_crashes_or_hangs() {
    let script = include_str!("lua_random.lua");
    let deep = std::env::var_os("STORE_DEEP").is_some();
    for seed in 0..if deep { 20_000 } else { 12 } {
        let lua = store_lua::Sandbox::new().memory(256 << 20).lua().unwrap();
        let configuration = "[stores.'app:cache']\nbackend = 'memory'\n[stores.'app:other']\nbackend = 'memory'\n\
                             [stores.'app:small']\nbackend = 'memory'\nmax_value_size = '1KiB'\nmax_depth = 4\n";
        let registry = store_lua::open(&lua, store_lua::Configuration::text(configuration), None).unwrap();
        let ended = store_lua::enter_time_limit(&lua, Duration::from_secs(60), || {
            lua.load(script).set_name("@lua_random.lua").call::<()>((seed, 1500))
        });
        if let Err(error) = ended {
            panic!("seed {seed}: {error}");
        }
        drop(lua);
        assert_eq!(registry.handles_out(None), 0, "seed {seed}");
    }
}
