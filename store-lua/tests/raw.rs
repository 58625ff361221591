//! The code that calls Lua's C API, where it is easiest to get wrong: memory that runs out, finalisers in the middle, VMs that end, foreign
//! userdata, bytes that are almost right. `cargo xtask asan` runs this under AddressSanitizer.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

mod common;

use common::{Bench, Vm};
use proptest::prelude::*;
use store_lua::Options;
use store_lua::mlua::Lua;
use store_lua::store_core::codec::{self, Limits, Raw};
use store_lua::store_core::config::Document;
use store_lua::store_core::{Audit, Context, Denial, Expiry, Registry, Value, block_on};

const VALUES: &str = "
    local values = {
      'short', string.rep('x', 900), string.rep('y', 100000), 1, 1.5, true, {}, { 1, 2, 3 }, { a = { b = { c = {} } } },
    }
    local wide, deep = {}, 'leaf'
    for i = 1, 200 do wide[i] = { id = i, name = 'name ' .. i } end
    for _ = 1, 90 do deep = { deep, x = 1 } end
    values[#values + 1] = wide
    values[#values + 1] = deep
";

#[test]
fn memory_may_run_out_at_any_point_of_a_call() {
    let vm = Vm::new(Bench::MemorySync, "");
    vm.run(
        "fill.lua",
        &format!("{VALUES} cache, count = open(), #values kept = values for i, value in ipairs(values) do assert(cache:set('k' .. i, value)) end"),
    )
    .unwrap();
    let get = vm.lua.load("local i = ... return (pcall(cache.get, cache, 'k' .. i))").into_function().unwrap();
    let set = vm.lua.load("local i = ... return (pcall(cache.set, cache, 'k' .. i, kept[i]))").into_function().unwrap();
    let entry = vm.lua.load("local i = ... return (pcall(cache.entry, cache, 'k' .. i))").into_function().unwrap();
    let (mut failed, mut done) = (0, 0);
    for index in 1..=11 {
        for spare in (0..2000).step_by(40).chain((2000..400_000).step_by(20_000)) {
            vm.lua.gc_collect().unwrap();
            vm.lua.set_memory_limit(vm.lua.used_memory() + spare).unwrap();
            let mut got = get.call::<bool>(index).unwrap_or(false);
            let was_set = set.call::<bool>(index).unwrap_or(false);
            got &= entry.call::<bool>(index).unwrap_or(false);
            vm.lua.set_memory_limit(0).unwrap();
            failed += usize::from(!got);
            done += usize::from(got && was_set);
        }
    }
    assert!(failed > 50 && done > 50, "{failed} failed, {done} done");
    vm.run(
        "after.lua",
        "for i = 1, count do
           equal(cache:get('k' .. i), kept[i])
           local entry = cache:entry('k' .. i)
           equal(entry.value, kept[i])
           assert(entry.key == 'k' .. i and #entry.version == 16 and entry.ttl == math.huge)
         end
         assert(select('#', cache:entry('absent')) == 2)",
    )
    .unwrap();
}

#[test]
#[cfg(any(feature = "lua55", feature = "lua54", feature = "lua53", feature = "lua52"))]
fn finalisers_may_call_the_store_in_the_middle_of_a_call() {
    let vm = Vm::new(Bench::MemorySync, "");
    vm.run(
        "finalisers.lua",
        &format!(
            "{VALUES}
             local cache, ran = open(), 0
             for i, value in ipairs(values) do assert(cache:set('k' .. i, value)) end
             local function litter()
               for n = 1, 20 do
                 setmetatable({{}}, {{ __gc = function()
                   ran = ran + 1
                   assert(same(cache:get('k' .. (n % #values + 1)), values[n % #values + 1]))
                   assert(cache:set('gc', {{ n, {{ n }} }}))
                   -- A handle that goes while another call is under way.
                   open():release()
                 end }})
               end
             end
             if pcall(collectgarbage, 'setpause', 100) then
               collectgarbage('setstepmul', 400)
             else -- Lua 5.5
               collectgarbage('param', 'pause', 100)
               collectgarbage('param', 'stepmul', 400)
             end
             for round = 1, 8 do
               for i, value in ipairs(values) do
                 litter()
                 assert(same(cache:get('k' .. i), value))
                 assert(cache:set('k' .. i, value))
               end
             end
             assert(ran > 200, ran)"
        ),
    )
    .unwrap();
}

#[test]
#[cfg(not(feature = "luau"))]
fn finalisers_may_call_the_store_while_the_vm_ends() {
    for _ in 0..20 {
        let vm = Vm::new(Bench::MemorySync, "");
        vm.run(
            "end.lua",
            "local cache = open()
             assert(cache:set('k', { 1 }))
             kept = {}
             local make = newproxy and function(f) local p = newproxy(true) getmetatable(p).__gc = f return p end
               or function(f) return setmetatable({}, { __gc = f }) end
             for n = 1, 50 do
               kept[n] = make(function()
                 pcall(cache.get, cache, 'k') pcall(cache.set, cache, 'k', { n }) pcall(cache.get, cache, 1.5)
                 pcall(open) pcall(cache.get_or_set, cache, 'n' .. n, function() return n end) pcall(cache.list, cache)
               end)
             end",
        )
        .unwrap();
        drop(vm);
    }
}

#[test]
fn what_is_no_handle_is_told_so_whatever_it_is() {
    let vm = Vm::new(Bench::MemorySync, "");
    vm.run(
        "receivers.lua",
        "local store, cache = require('store'), open()
         for _, name in ipairs({ 'get', 'has', 'set', 'delete', 'touch', 'increment' }) do
           for _, self in ipairs({ errors.new('x'), store.null, 'text', 1, true, {}, print, coroutine.create(function() end) }) do
             raises('store.Store expected', cache[name], self, 'key', 1)
           end
           raises('store.Store expected', cache[name])
           for _, key in ipairs({ 1.5, true, {}, print, cache }) do
             raises('string expected', cache[name], cache, key, 1)
           end
         end
         -- Many handles, in any order, at addresses that are used again.
         local handles = {}
         for n = 1, 5000 do
           local at = n % 50 + 1
           handles[at] = open()
           assert(handles[at]:set('k' .. at, n))
           equal(handles[at]:get('k' .. at), n)
           if n % 500 == 0 then collectgarbage() end
         end
         cache:release()
         for _, name in ipairs({ 'get', 'has', 'delete', 'increment' }) do
           fails('INVALID', 'released', cache[name](cache, 'k'))
         end
         fails('INVALID', 'released', cache:set('k', print))
         fails('INVALID', 'released', cache:touch('k', 1))",
    )
    .unwrap();
}

#[cfg(feature = "luajit")]
#[test]
fn numbers_of_the_ffi_are_called_by_their_type() {
    let vm = Vm::new(Bench::MemorySync, "");
    vm.run(
        "cdata.lua",
        "local cache, number = open(), load('return 1LL')()
         fails('INVALID', 'value: cdata', cache:set('k', number))
         fails('INVALID', 'value.a: cdata', cache:set('k', { a = number }))
         fails('INVALID', 'got cdata', cache:set('k', 1, number))
         fails('INVALID', 'got cdata', cache:list({ limit = number }))
         raises('string expected, got cdata', cache.get, cache, number)
         raises('store.Store expected, got cdata', cache.get, number, 'k')",
    )
    .unwrap();
}

#[derive(Debug)]
struct Panics;

impl Audit for Panics {
    fn denied(&self, _: &Denial<'_>) {
        panic!("on purpose");
    }
}

#[test]
fn a_panic_of_the_hosts_own_code_is_an_error_for_the_script() {
    let text = "[stores.'app:cache']\nbackend = 'memory'\n[stores.'app:secret']\nbackend = 'memory'\n[security]\nstrict = true\n\
                [[security.policies]]\nid = 'get'\nactions = ['store.get']\nresources = ['app:cache']\neffect = 'allow'\n";
    let document = Document::parse(text, "configuration").unwrap();
    let config = document.resolve(None, &store::backends(), &|_| None).unwrap();
    let registry = Registry::builder(config).audit(Panics).build();
    let lua = Lua::new();
    let options = Options::new().context(Context::new(None, Some(vec![])));
    store_lua::install_with(&lua, registry, options).unwrap();
    lua.load(
        "local cache = assert(require('store').get('app:cache'))
         local function is_told(value, err)
           assert(value == nil and err:kind() == errors.INTERNAL and err:details().reason == 'panic', tostring(err))
         end
         for _ = 1, 3 do
           is_told(cache:get('k')) is_told(cache:has('k')) is_told(cache:set('k', 1)) is_told(cache:delete('k'))
           is_told(cache:touch('k', 1)) is_told(cache:increment('k')) is_told(cache:entry('k')) is_told(cache:ttl('k'))
           is_told(cache:put('k', 1)) is_told(cache:take('k')) is_told(cache:get_and_touch('k', 1)) is_told(cache:get_many({ 'k' }))
           is_told(cache:set_many({ { key = 'k', value = 1 } })) is_told(cache:delete_many({ 'k' })) is_told(cache:list())
           is_told(cache:each()) is_told(cache:clear()) is_told(cache:get_or_set('k', function() return 1 end))
           is_told(cache:get(1)) is_told(cache:info()) is_told(require('store').get('app:secret'))
         end
         assert(cache:release())",
    )
    .exec()
    .unwrap();
}

#[test]
fn v6_values_that_are_almost_right_hurt_nobody() {
    let vm = Vm::new(Bench::MemorySync, "");
    let handle = block_on(vm.registry.get("app:cache")).unwrap();
    vm.lua.load("cache = open()").exec().unwrap();
    let read = vm
        .lua
        .load(
            "local value, err = cache:get('bytes')
             local entry, entry_err = cache:entry('bytes')
             -- Both ways to read agree.
             if err then
               equal(entry_err:message(), err:message())
               equal(entry_err:kind(), err:kind())
               return err:kind()
             end
             equal(value, entry and entry.value)
             return 'value'",
        )
        .into_function()
        .unwrap();
    let value = prop::collection::vec((any::<u8>(), any::<i32>(), ".{0,12}"), 0..20).prop_map(|parts| {
        let items = parts.into_iter().map(|(which, number, text)| match which % 5 {
            0 => Value::Integer(number.into()),
            1 => Value::from(text),
            2 => Value::Array(vec![Value::Integer(number.into()), Value::Array(vec![])]),
            3 => Value::Map(vec![(Value::from(text), Value::Float(0.5)), (Value::Integer(number.into()), Value::Null)]),
            _ => Value::Bool(number > 0),
        });
        Value::Array(items.collect())
    });
    let outcomes = [const { std::cell::Cell::new(0) }; 2];
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4);
    proptest!(ProptestConfig::with_cases(1500), |(value in value, changes in changes, cut in any::<Option<u8>>())| {
        let mut bytes = Vec::new();
        codec::encode(&value, &Limits::default(), &mut bytes).unwrap();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(bytes.len().saturating_sub(usize::from(cut % 8)).max(1));
        }
        if block_on(handle.set("bytes", &Raw(&bytes), Expiry::Default)).is_err() {
            return Ok(());
        }
        let outcome: String = read.call(()).unwrap();
        prop_assert!(matches!(outcome.as_str(), "value" | "Internal" | "Invalid"), "{}", outcome);
        let count = &outcomes[usize::from(outcome == "value")];
        count.set(count.get() + 1);
    });
    assert!(outcomes.iter().all(|count| count.get() > 20), "{outcomes:?}");
}

/// Tables are not made for what bytes announce: sixty arrays of 200,000 items, one inside of the other, of which there are no more than that.
#[test]
fn v6_what_is_announced_and_not_there_takes_no_memory() {
    let vm = Vm::new(Bench::MemorySync, "");
    let handle = block_on(vm.registry.get("app:cache")).unwrap();
    let mut bytes = [0xdd, 0, 3, 13, 64].repeat(60);
    bytes.resize(bytes.len() + 200_000, 0xc0);
    block_on(handle.set("bytes", &Raw(&bytes), Expiry::Default)).unwrap();
    vm.lua.load("cache = open()").exec().unwrap();
    vm.lua.set_memory_limit(vm.lua.used_memory() + (32 << 20)).unwrap();
    for call in ["get('bytes')", "entry('bytes')", "list()", "get_many({ 'bytes' })"] {
        let source = format!("local value, err = cache:{call} return err:kind(), err:details().reason");
        let told: (String, String) = vm.lua.load(source).eval().unwrap();
        assert_eq!(told, ("Internal".to_owned(), "foreign".to_owned()), "{call}");
    }
}

#[test]
fn v6_what_no_table_can_have_as_a_key_is_foreign() {
    let vm = Vm::new(Bench::MemorySync, "");
    let handle = block_on(vm.registry.get("app:cache")).unwrap();
    // A map of one entry, whose key is: an array that ends in an integer, an empty one, a map, nil, NaN.
    let keys: [&[u8]; 5] =
        [&[0x91, 0x20], &[0x90], &[0x81, 0x01, 0x02], &[0xc0], &[0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0]];
    for key in keys {
        let bytes = [&[0x81], key, &[0x01]].concat();
        block_on(handle.set("k", &Raw(&bytes), Expiry::Default)).unwrap();
        vm.run(
            "key.lua",
            "local err = fails('INTERNAL', 'a key', open():get('k')) equal(err:details().reason, 'foreign')",
        )
        .unwrap();
    }
}

/// As often as it takes until a compiler of the VM's has compiled it.
/// `get` keeps strings that it gave: what it gives is what is stored all the same, whatever was there before, and in whichever store.
#[test]
fn a_string_that_was_read_before_is_the_one_that_is_there_now() {
    let vm = Vm::new(Bench::MemorySync, "");
    vm.run(
        "again.lua",
        "local caches, model, seed = { open(), open() }, {}, 7
         local function random(n) seed = (seed * 16807) % 2147483647 return seed % n + 1 end
         for round = 1, 60000 do
           local cache, key = caches[random(2)], 'key ' .. random(700)
           if random(3) == 1 then
             -- In place, most often: of the same length, and alike but for the end or the middle.
             local length = ({ 39, 40, 41, 42, 100, 100, 100, 256, 257, 1024, 1025, 3000 })[random(12)]
             local text = string.rep('x', length - 20) .. round
             text = text .. string.rep(random(2) == 1 and 'y' or '\\255', length - #text)
             assert(cache:set(key, text))
             model[key] = text
           elseif random(50) == 1 then
             cache:delete(key)
             model[key] = nil
           end
           for _ = 1, random(3) do
             assert(cache:get(key) == model[key], key)
           end
           if round % 10000 == 0 then collectgarbage() end
         end",
    )
    .unwrap();
}

#[test]
fn what_is_called_often_does_what_it_does_once() {
    let vm = Vm::new(Bench::MemorySync, "");
    vm.run(
        "often.lua",
        "local store, cache, other = require('store'), open(), require('store').get('app:other')
         local values = {
           'short', '', string.rep('x', 1000), string.rep('y', 16384), string.rep('z', 40000), 'a\\0b', 1, -1, 0, 1.5, 2 ^ 53, -2 ^ 53, 1e300,
           true, false, {}, { 1, 2, 3 }, { user_id = 1, role = 'admin' }, { { { 'deep' } } }, string.rep('w', 16385),
         }
         for round = 1, 400 do
           local at = round % #values + 1
           local key, value = 'k' .. at, values[at]
           assert(cache:set(key, value) == true)
           assert(same(cache:get(key), value), at)
           assert(cache:has(key) == true and cache:has('absent') == false)
           assert(select('#', cache:get(key)) == 1 and select('#', cache:get('absent')) == 2)
         end
         -- One kind of value for a long time, then another.
         for at = 1, #values do
           assert(cache:set('k', values[at], 300))
           for _ = 1, 150 do assert(same(cache:get('k'), values[at]), at) end
         end
         for round = 1, 300 do
           assert(cache:set('text' .. round % 7, 'text ' .. round, 60))
           assert(cache:get('text' .. round % 7) == 'text ' .. round)
           assert(cache:increment('n') == round and cache:increment('m', -2) == -2 * round)
           assert(cache:touch('n', 60) == true and cache:touch('absent', 60) == false)
           assert(cache:delete('text' .. round % 7) == true and cache:delete('text' .. round % 7) == false)
         end
         -- What is refused now and then, and in the end always.
         for round = 1, 300 do
           fails('INVALID', 'ttl', cache:set('k', 'v', -1))
           fails('INVALID', 'ttl', cache:set('k', 'v', 0 / 0))
           fails('INVALID', nil, cache:set('k', nil))
           fails('INVALID', 'key', cache:get(''))
           fails('INVALID', 'key', cache:set(string.rep('k', 1025), 'v'))
           fails('INVALID', 'integer', cache:increment('k'))
           raises('string expected', cache.get, cache, true)
           raises('store.Store expected', cache.get, errors.new('x'), 'k')
           raises('store.Store expected', cache.set, store.null, 'k', 'v')
           raises('store.Store expected', cache.has, {}, 'k')
         end
         for round = 1, 300 do
           if round == 200 then other:release() end
           local value, err = other:get('k')
           assert(value == nil and (err ~= nil) == (round >= 200))
         end
         local small = store.get('app:small')
         for round = 1, 300 do
           local big = round % 2 == 0
           local ok, err = small:set('k', string.rep('v', big and 2000 or 100))
           assert(ok == (not big or nil) and (err ~= nil) == big)
         end",
    )
    .unwrap();
}

#[test]
#[cfg(not(feature = "luau"))]
fn a_hook_that_calls_the_store_in_the_middle_of_a_call_changes_nothing() {
    use store_lua::mlua::{HookTriggers, VmState};
    let vm = Vm::new(Bench::MemorySync, "");
    vm.run(
        "fill.lua",
        "cache = open() cache:set('a', 'aaa') cache:set('b', 'other') cache:set('n', 7) cache:set('t', { x = 1 })",
    )
    .unwrap();
    let other = vm.lua.load("cache:get('b') hooked = (hooked or 0) + 1").into_function().unwrap();
    let triggers = HookTriggers::new().every_nth_instruction(1);
    vm.lua
        .set_hook(triggers, move |_, _| {
            other.call::<()>(()).unwrap();
            Ok(VmState::Continue)
        })
        .unwrap();
    vm.lua
        .load(
            "for round = 1, 200 do
               assert(cache:get('a') == 'aaa') assert(cache:get('n') == 7) assert(cache:get('t').x == 1)
               assert(cache:set('a', 'aaa')) assert(cache:increment('m') == round)
             end
             assert(hooked > 1000)",
        )
        .exec()
        .unwrap();
    vm.lua.remove_hook();
}

std::thread_local! {
    static VM: std::cell::RefCell<Option<Lua>> = const { std::cell::RefCell::new(None) };
}

/// Enters the VM whose script was denied something.
#[derive(Debug)]
struct Enters;

impl Audit for Enters {
    fn denied(&self, _: &Denial<'_>) {
        VM.with_borrow(|vm| {
            vm.as_ref().unwrap().load("denied = (denied or 0) + 1 collectgarbage('step')").exec().unwrap()
        });
    }
}

#[test]
fn a_hosts_own_code_may_use_the_vm_that_called_it() {
    let text = "[stores.'app:cache']\nbackend = 'memory'\n[security]\nstrict = true\n\
                [[security.policies]]\nid = 'get'\nactions = ['store.get']\nresources = ['*']\neffect = 'allow'\n";
    let document = Document::parse(text, "configuration").unwrap();
    let config = document.resolve(None, &store::backends(), &|_| None).unwrap();
    let registry = Registry::builder(config).audit(Enters).build();
    let lua = Lua::new();
    let options = Options::new().context(Context::new(None, Some(vec![])));
    store_lua::install_with(&lua, registry, options).unwrap();
    VM.set(Some(lua.clone()));
    lua.load(
        "local cache = assert(require('store').get('app:cache'))
         for round = 1, 300 do
           local kept, value, err = { round }, cache:get('k')
           assert(value == nil and err:kind() == errors.PERMISSION_DENIED and kept[1] == round)
         end
         assert(denied == 300, denied)",
    )
    .exec()
    .unwrap();
    VM.set(None);
}

/// What LuaJIT has to call C with is ours alone, unless the host gave it to scripts.
#[test]
#[cfg(feature = "luajit")]
fn scripts_do_not_get_the_ffi_from_us() {
    let vm = Vm::new(Bench::MemorySync, "");
    vm.run(
        "ffi.lua",
        "assert(package.loaded.ffi == nil and rawget(_G, 'ffi') == nil)
         assert(not pcall(require, 'ffi'))
         assert(type(load('return 1LL')()) == 'cdata')
         assert(package.loaded.ffi == nil and not pcall(require, 'ffi'))
         local cache = open()
         for round = 1, 200 do assert(cache:set('k', round) and cache:get('k') == round) end",
    )
    .unwrap();
}
