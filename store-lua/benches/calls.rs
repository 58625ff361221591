//! What a call from Lua costs: `cargo bench -p store-lua`.
//!
//! Contenders are interleaved in rounds, and each figure is the median of the rounds, in nanoseconds per call, the loop of the
//! script included. Compare figures of one run only.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark fails by panicking")]

use std::time::Instant;

use store_lua::mlua::{Function, Lua, UserData, UserDataMethods, Value};
use store_lua::store_core::{Actor, Context, block_on};
use store_lua::{Configuration, Options};

/// So few that a round mostly ends before the machine gives its core to someone else.
const CALLS: u32 = 500;
const ROUNDS: usize = 501;

struct Object;

impl UserData for Object {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_method("method", |_, _, _: Value| Ok(true));
        methods.add_async_method("ready", |_, _, _: Value| async { Ok(true) });
    }
}

const PLAIN: &str = "[stores.'app:cache']\nbackend = 'memory'\n";

const POLICIES: &str = r#"
[[security.policies]]
id = "own-keys"
actions = ["store.key.*", "store.get"]
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

fn vm(toml: &str, context: Context) -> Lua {
    let lua = Lua::new();
    store_lua::open_with(&lua, Configuration::text(toml), None, Options::new().context(context)).unwrap();
    lua.globals().set("empty", lua.create_function(|_, ()| Ok(())).unwrap()).unwrap();
    lua.globals().set("object", Object).unwrap();
    lua.load(
        "cache = require('store').get('app:cache')
         for i = 0, 999 do
           cache:set('user:alice:' .. i, string.rep('x', 100), 3600)
           cache:set('user:alice:t' .. i, {user_id = i, role = 'admin'}, 3600)
         end
         keys, tables = {}, {}
         for i = 0, 999 do keys[i] = 'user:alice:' .. i tables[i] = 'user:alice:t' .. i end
         text = string.rep('y', 100)
         row = {user_id = 123, role = 'admin'}
         plain = {}",
    )
    .exec()
    .unwrap();
    lua
}

fn main() {
    let alice = Context::new(Some(Actor::new("alice")), Some(vec!["users".to_owned()]));
    let free = vm(PLAIN, Context::none());
    let ruled = vm(&format!("{PLAIN}{POLICIES}"), alice);
    let bodies: &[(&str, &Lua, &str)] = &[
        ("empty loop", &free, ""),
        ("empty Rust function", &free, "empty()"),
        ("userdata method", &free, "object:method(k)"),
        ("async method, ready", &free, "object:ready(k)"),
        ("in-VM table set", &free, "plain[k] = row"),
        ("string get", &free, "cache:get(k)"),
        ("string get, miss", &free, "cache:get('missing')"),
        ("string has", &free, "cache:has(k)"),
        ("string set, TTL", &free, "cache:set(k, text, 300)"),
        ("{user_id, role} get", &free, "cache:get(t)"),
        ("{user_id, role} set, TTL", &free, "cache:set(t, row, 300)"),
        ("increment", &free, "cache:increment('n')"),
        ("entry", &free, "cache:entry(k)"),
        ("get_or_set, hit (awaited)", &free, "cache:get_or_set(k, empty)"),
        ("string get, policies", &ruled, "cache:get(k)"),
        ("string set, policies", &ruled, "cache:set(k, text, 300)"),
    ];
    let functions: Vec<Function> = bodies
        .iter()
        .map(|(_, lua, body)| {
            let source = format!(
                "local cache, keys, tables, text, row, empty, object, plain, n = cache, keys, tables, text, row, empty, object, plain, ...
                 for i = 1, n do local k, t = keys[i % 1000], tables[i % 1000] {body} end"
            );
            lua.load(source).into_function().unwrap()
        })
        .collect();
    let mut results: Vec<Vec<f64>> = vec![Vec::new(); bodies.len()];
    for round in 0..=ROUNDS {
        for offset in 0..bodies.len() {
            let index = (round + offset) % bodies.len();
            let started = Instant::now();
            block_on(functions[index].call_async::<()>(CALLS)).unwrap();
            if round > 0 {
                results[index].push(started.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS));
            }
        }
    }
    println!("{:<30} {:>10}", "", "ns per call");
    for ((name, _, _), times) in bodies.iter().zip(&mut results) {
        times.sort_by(f64::total_cmp);
        println!("{name:<30} {:>10.0}", times[times.len() / 2]);
    }
}
