//! What LuaJIT compiles of us (ADR 0044) does what the C functions behind it do, whatever the values are and whoever else is at work.
//!
//! The handle `ours` is answered by compiled code where it can be. `plain` is one of a module on the same registry that is not, since a host might have made
//! it.
#![cfg(feature = "luajit")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use store_lua::mlua::{Function, HookTriggers, Lua, VmState};
use store_lua::store_core::codec::{self, Limits, Raw};
use store_lua::store_core::config::Document;
use store_lua::store_core::{Expiry, Handle, Payload, Registry, Value, block_on};
use store_lua::{Configuration, Options};

const STORES: &str = "[stores.'app:cache']\nbackend = 'memory'\n\
                      [stores.'app:small']\nbackend = 'memory'\nmax_value_size = 40\nmax_depth = 1\n";

/// Repeats what LuaJIT is to compile: it does from about 60 rounds on.
const HELPERS: &str = "
    function same(a, b)
      if type(a) ~= type(b) then return false end
      if type(a) ~= 'table' then return a == b and (a ~= 0 or 1 / a == 1 / b) or (a ~= a and b ~= b) end
      if getmetatable(a) ~= getmetatable(b) then return false end
      for key, value in next, a do if not same(value, b[key]) then return false end end
      for key in next, b do if a[key] == nil then return false end end
      return true
    end
    function read(cache, key, rounds)
      local value, err
      for _ = 1, rounds do value, err = cache:get(key) end
      return value, err
    end
    function write(cache, key, value, rounds)
      local done, err
      for _ = 1, rounds do done, err = cache:set(key, value) end
      return done, err
    end
";

struct Vm {
    lua: Lua,
    registry: Registry,
    handle: Handle,
}

impl Vm {
    fn new() -> Vm {
        let lua = Lua::new();
        let text = Configuration::text(STORES);
        let (ours, registry) = store_lua::open_table(&lua, text, None, Options::new()).unwrap();
        let plain = store_lua::create(&lua, registry.clone(), Options::new()).unwrap();
        lua.globals().set("errors", ours.get::<store_lua::mlua::Value>("errors").unwrap()).unwrap();
        lua.globals().set("modules", vec![ours, plain]).unwrap();
        lua.load("store = modules[1] ours, plain = modules[1].get('app:cache'), modules[2].get('app:cache')")
            .exec()
            .unwrap();
        lua.load(HELPERS).exec().unwrap();
        let handle = block_on(registry.get("app:cache")).unwrap();
        Vm { lua, registry, handle }
    }

    fn function(&self, source: &str) -> Function {
        self.lua.load(source).into_function().unwrap()
    }

    fn bytes(&self, key: &str) -> Option<Vec<u8>> {
        block_on(self.handle.get::<Payload>(key)).unwrap().map(|payload| payload.as_bytes().to_vec())
    }
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        prop_oneof![-40..300_i64, any::<i64>(), (1_i64 << 53) - 2..(1_i64 << 53) + 2].prop_map(Value::Integer),
        any::<u64>().prop_map(|bits| Value::Float(f64::from_bits(bits))),
        prop::sample::select(vec![0.0, -0.0, f64::NAN, -f64::NAN, f64::INFINITY, 9_007_199_254_740_994.0, 0.5])
            .prop_map(Value::Float),
        // NaNs in whose bits LuaJIT would see something else.
        any::<u64>().prop_map(|bits| Value::Float(f64::from_bits(bits | 0xfff0_0000_0000_0001))),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::String),
        ".{0,20}".prop_map(Value::from),
    ]
}

/// Mostly what compiled code takes: a few string keys, and scalars.
fn table() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        8 => "[a-e]".prop_map(Value::from),
        4 => "[a-z_\"\\\\\n\0]{0,70}".prop_map(Value::from),
        1 => prop::collection::vec(any::<u8>(), 0..5).prop_map(Value::String),
        1 => (0..4_i64).prop_map(Value::Integer),
        1 => Just(Value::Bool(true)),
    ];
    let value = prop_oneof![
        20 => scalar(),
        1 => Just(Value::Null),
        1 => Just(Value::Array(vec![])),
        1 => Just(Value::Map(vec![(Value::from("x"), Value::Integer(1))])),
    ];
    prop::collection::vec((key, value), 0..19).prop_map(Value::Map)
}

#[test]
fn tables_are_written_by_compiled_code_as_by_c() {
    let vm = Vm::new();
    let check = vm.function(
        "if plain:get('from') == nil then return false end
         local value = plain:get('from')
         local done, err = write(ours, 'ours', value, 70)
         local plain_done, plain_err = write(plain, 'plain', value, 1)
         assert(done == plain_done and (err == nil) == (plain_err == nil))
         return true",
    );
    proptest!(ProptestConfig::with_cases(300), |(value in prop_oneof![9 => table(), 1 => scalar()])| {
        vm.registry_write(&value);
        if check.call::<bool>(()).unwrap() {
            prop_assert_eq!(vm.bytes("ours"), vm.bytes("plain"));
        }
    });
}

impl Vm {
    fn registry_write(&self, value: &Value) {
        let mut bytes = Vec::new();
        codec::encode(value, &Limits::default(), &mut bytes).unwrap();
        block_on(self.handle.set("from", &Raw(&bytes), Expiry::Default)).unwrap();
    }
}

#[test]
fn tables_are_read_by_compiled_code_as_by_c_also_bytes_that_are_almost_right() {
    let vm = Vm::new();
    let check = vm.function(
        "local expected, expected_err = plain:get('from')
         local value, err = read(ours, 'from', 70)
         assert(same(value, expected))
         assert(tostring(err) == tostring(expected_err))
         local entry, other = nil, plain:entry('from')
         for _ = 1, 70 do entry = ours:entry('from') end
         assert(same(entry, other))
         return value ~= nil and type(value) or 'nil'",
    );
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    let tables = AtomicUsize::new(0);
    proptest!(ProptestConfig::with_cases(500), |(value in table(), changes in changes)| {
        let mut bytes = Vec::new();
        codec::encode(&value, &Limits::default(), &mut bytes).unwrap();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        prop_assume!(block_on(vm.handle.set("from", &Raw(&bytes), Expiry::Default)).is_ok());
        let kind: String = check.call(()).unwrap();
        tables.fetch_add(usize::from(kind == "table"), Ordering::Relaxed);
    });
    assert!(tables.load(Ordering::Relaxed) > 120);
}

#[test]
fn limits_hold_for_tables_that_compiled_code_writes() {
    let vm = Vm::new();
    vm.lua
        .load(
            "local small = store.get('app:small')
             for round = 1, 300 do
               local length = round % 3 == 0 and 60 or 10
               local done, err = small:set('k', { text = string.rep('x', length), n = round })
               assert(done == (length == 10 or nil) and (err ~= nil) == (length == 60))
               if err then assert(err:kind() == errors.INVALID and err:details().limit == 40) end
               assert(not small:set('k', { a = 1, b = { round } }))
               assert(small:get('k').n == (length == 10 and round or round - 1))
             end
             -- As many bytes as there is room for, and one more.
             for _, size in ipairs({ 16384 - 1, 16384 - 2, 20000 }) do
               for _ = 1, 70 do
                 assert(ours:set('large', { a = string.rep('x', size) }))
                 assert(#ours:get('large').a == size)
               end
             end",
        )
        .exec()
        .unwrap();
}

#[test]
fn there_may_be_many_shapes() {
    let vm = Vm::new();
    vm.lua
        .load(
            "for round = 1, 3 do
               for shape = 1, 200 do
                 local value = { ['key' .. shape] = shape, common = 'x' .. shape, [shape % 7 == 0 and 'flag' or 'text'] = shape % 7 == 0 or 'y' }
                 assert(ours:set('shape' .. shape, value, 60))
                 for _ = 1, 30 do assert(same(ours:get('shape' .. shape), value)) end
               end
             end
             for round = 1, 2000 do
               local shape = round * 7 % 200 + 1
               local value = ours:get('shape' .. shape)
               assert(value['key' .. shape] == shape and value.common == 'x' .. shape)
               -- What is read is the reader's own.
               value.common, value['key' .. shape] = nil, 'changed'
             end",
        )
        .exec()
        .unwrap();
}

#[test]
fn a_hook_in_the_middle_of_a_call_does_not_mix_tables() {
    let vm = Vm::new();
    vm.lua
        .load(
            "for _ = 1, 100 do
               ours:set('b', { user_id = 2, role = 'other', extra = 'longer than the other one' }) ours:get('b') ours:entry('b')
               ours:set('a', { user_id = 1, role = 'first' }) ours:get('a')
             end",
        )
        .exec()
        .unwrap();
    let other = vm.function(
        "hooked = (hooked or 0) + 1
         if hooked % 2 == 0 then ours:set('b', { user_id = 2, role = 'other', extra = 'longer than the other one' }) else ours:entry('b') end",
    );
    let hook = move |_: &Lua, _: &store_lua::mlua::debug::Debug<'_>| {
        other.call::<()>(())?;
        Ok(VmState::Continue)
    };
    vm.lua.set_hook(HookTriggers::new().every_nth_instruction(1), hook).unwrap();
    vm.lua
        .load(
            "for round = 1, 200 do
               assert(ours:set('a', { user_id = round, role = 'first' }))
               local value, entry = ours:get('a'), ours:entry('a')
               assert(value.user_id == round and value.role == 'first' and value.extra == nil)
               assert(entry.key == 'a' and entry.value.user_id == round and entry.ttl == math.huge)
             end
             assert(hooked > 1000)",
        )
        .exec()
        .unwrap();
    vm.lua.remove_hook();
}

#[test]
fn loops_of_calls_are_compiled_whole() {
    let vm = Vm::new();
    vm.lua
        .load(
            "assert(jit.status())
             local info, links = require('jit.util').traceinfo, {}
             jit.attach(function(what, trace) if what == 'stop' then links[#links + 1] = info(trace).linktype end end, 'trace')
             local function loop(cache)
               links = {}
               jit.flush()
               local seen
               for round = 1, 1000 do
                 cache:set('k', { user_id = round, role = 'admin', good = true }, 300)
                 cache:set('s', 'text') cache:set('n', round) cache:increment('i') cache:touch('k', 60)
                 seen = cache:get('k') seen = cache:get('s') seen = cache:get('absent') seen = cache:has('k') seen = cache:entry('k')
               end
               return table.concat(links, ' ')
             end
             local by_ours, by_plain = loop(ours), loop(plain)
             -- Where LuaJIT leaves a trace for a C function and comes back, it calls that a stitch.
             assert(by_ours:find('loop') and not by_ours:find('stitch'), by_ours)
             assert(by_plain:find('stitch'), by_plain)",
        )
        .exec()
        .unwrap();
}

#[test]
fn a_configuration_loaded_anew_holds_for_compiled_code() {
    let vm = Vm::new();
    let ttl = vm.function(
        "for round = 1, 200 do assert(ours:set('k', { n = round })) end
         return ours:ttl('k')",
    );
    assert_eq!(ttl.call::<f64>(()).unwrap(), f64::INFINITY);
    let text = STORES.replace("'memory'\n[", "'memory'\ndefault_ttl = '1h'\n[");
    let document = Document::parse(&text, "configuration").unwrap();
    let config = document.resolve(None, &store::backends(), &|_| None).unwrap();
    assert_eq!(block_on(vm.registry.reload(config)).unwrap().to_string(), "changed app:cache");
    let left = ttl.call::<f64>(()).unwrap();
    assert!((3590.0..=3600.0).contains(&left), "{left}");
    // Also for handles that are acquired after it.
    let left: f64 = vm.lua.load("ours = store.get('app:cache') ours:set('k', 1) return ours:ttl('k')").eval().unwrap();
    assert!((3590.0..=3600.0).contains(&left), "{left}");
}
