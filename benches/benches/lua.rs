//! Calls from Lua: of a store, and beside it of a map behind raw mlua, which has no TTL, no version, no limits and no rights. `benches/lua` measures
//! more of them, beside nginx.
#![allow(clippy::expect_used, reason = "a benchmark that cannot run has nothing to say")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde::{Deserialize, Serialize};
use store_lua::mlua::{Error, Function, Lua, LuaString, Table};
use store_lua::{Configuration, open};

const CALLS: usize = 1000;

/// What the raw functions know of a table: its two fields, by serde and MessagePack. The store takes any table.
#[derive(Serialize, Deserialize)]
struct Row {
    user_id: i64,
    role: String,
}

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
    let reads = Map::default();
    let map = Arc::clone(&reads);
    let get_row = lua.create_function(move |lua, key: LuaString| {
        let found = reads.lock().unwrap_or_else(PoisonError::into_inner).get(&*key.as_bytes()).cloned();
        let Some(bytes) = found else { return Ok(None) };
        let row: Row = rmp_serde::from_slice(&bytes).map_err(Error::external)?;
        let table = lua.create_table_with_capacity(0, 2)?;
        table.raw_set("user_id", row.user_id)?;
        table.raw_set("role", row.role)?;
        Ok(Some(table))
    })?;
    let set_row = lua.create_function(move |_, (key, table): (LuaString, Table)| {
        let row = Row { user_id: table.raw_get("user_id")?, role: table.raw_get("role")? };
        let bytes = rmp_serde::to_vec_named(&row).map_err(Error::external)?;
        map.lock().unwrap_or_else(PoisonError::into_inner).insert(key.as_bytes().to_vec(), bytes);
        Ok(true)
    })?;
    for (name, function) in [("get", get), ("set", set), ("get_row", get_row), ("set_row", set_row)] {
        lua.globals().set(name, function)?;
    }
    lua.load(
        "cache = require('store').get('app:cache')
         keys, row = {}, { user_id = 123, role = 'admin' }
         for i = 1, 1000 do
           keys[i] = 'user:alice:' .. i
           local value = i .. string.rep('x', 100)
           assert(cache:set(keys[i], value) and set(keys[i], value))
           assert(cache:set('t' .. keys[i], row) and set_row('t' .. keys[i], row))
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
        ("lua, table get", &[("raw mlua", "get_row('tuser:alice:1')"), ("store", "cache:get('tuser:alice:1')")]),
        ("lua, table set", &[("raw mlua", "set_row('t', row)"), ("store", "cache:set('t', row, 300)")]),
    ] {
        let mut group = criterion.benchmark_group(group);
        group.throughput(Throughput::Elements(CALLS as u64));
        for (name, body) in contenders {
            let source = format!(
                "local cache, keys, row, get, set, get_row, set_row = cache, keys, row, get, set, get_row, set_row
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
