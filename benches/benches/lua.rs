//! Calls from Lua: of a store, and beside it of a map behind raw mlua, which has no TTL, no version, no limits and no rights. `benches/lua` measures
//! more of them, beside nginx.
#![allow(clippy::expect_used, reason = "a benchmark that cannot run has nothing to say")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use store_lua::mlua::{Function, Lua, LuaString};
use store_lua::{Configuration, open};

const CALLS: usize = 1000;

type Map = Arc<Mutex<HashMap<Vec<u8>, Vec<u8>>>>;

fn vm() -> Result<Lua, Box<dyn std::error::Error>> {
    let lua = Lua::new();
    open(&lua, Configuration::text("[stores.'app:cache']\nbackend = 'memory'\n"), None)?;
    let map = Map::default();
    let reads = Arc::clone(&map);
    let get = lua.create_function(move |lua, key: LuaString| {
        let map = reads.lock().unwrap_or_else(PoisonError::into_inner);
        map.get(&*key.as_bytes()).map(|value| lua.create_string(value)).transpose()
    })?;
    let set = lua.create_function(move |_, (key, value): (LuaString, LuaString)| {
        let mut map = map.lock().unwrap_or_else(PoisonError::into_inner);
        map.insert(key.as_bytes().to_vec(), value.as_bytes().to_vec());
        Ok(true)
    })?;
    lua.globals().set("get", get)?;
    lua.globals().set("set", set)?;
    lua.load(
        "cache = require('store').get('app:cache')
         keys, row = {}, { user_id = 123, role = 'admin' }
         for i = 1, 1000 do
           keys[i] = 'user:alice:' .. i
           local value = i .. string.rep('x', 100)
           assert(cache:set(keys[i], value) and set(keys[i], value) and cache:set('t' .. keys[i], row))
         end",
    )
    .exec()?;
    Ok(lua)
}

fn lua(criterion: &mut Criterion) {
    let lua = vm().expect("a VM with a store");
    for (group, contenders) in [
        ("lua, string get", [("raw mlua", "get(k)"), ("store", "cache:get(k)")].as_slice()),
        ("lua, string set", &[("raw mlua", "set(k, 'value')"), ("store", "cache:set(k, 'value', 300)")]),
        ("lua, table", &[("get", "cache:get('tuser:alice:1')"), ("set", "cache:set('t', row, 300)")]),
    ] {
        let mut group = criterion.benchmark_group(group);
        group.throughput(Throughput::Elements(CALLS as u64));
        for (name, body) in contenders {
            let source = format!(
                "local cache, keys, row, get, set = cache, keys, row, get, set
                 return function(n) for i = 1, n do local k = keys[i] {body} end end"
            );
            let calls: Function = lua.load(source).eval().expect("a loop of calls");
            group.bench_function(*name, |b| b.iter(|| calls.call::<()>(CALLS).expect("calls that succeed")));
        }
        group.finish();
    }
}

criterion_group!(benches, lua);
criterion_main!(benches);
