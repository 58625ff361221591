//! Values: Lua and Rust agree on every one of them, and no bytes hurt.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

mod common;

use std::collections::BTreeMap;

use common::{Bench, Vm};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use store_lua::mlua::Function;
use store_lua::store_core::codec::Raw;
use store_lua::store_core::{Expiry, Handle, Value, block_on};

/// Whether this Lua tells integers from floats. Where it does not, an integral number within 2^53 is an integer.
const ONE_NUMBER_TYPE: bool = cfg!(any(feature = "lua52", feature = "lua51", feature = "luajit", feature = "luau"));

fn integer() -> impl Strategy<Value = Value> {
    any::<i64>().prop_map(|n| Value::Integer(if ONE_NUMBER_TYPE { n >> 11 } else { n }))
}

fn key() -> impl Strategy<Value = Value> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..12).prop_map(Value::String),
        "[a-z]{1,8}".prop_map(Value::from),
        integer(),
        (-4..40_i64).prop_map(Value::Integer),
        any::<bool>().prop_map(Value::Bool),
        any::<f64>().prop_filter("a key that Lua keeps a float", |n| n.fract() != 0.0).prop_map(Value::Float),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        integer(),
        any::<i16>().prop_map(|n| Value::Integer(n.into())),
        any::<f64>().prop_map(Value::Float),
        any::<i16>().prop_map(|n| Value::Float(n.into())),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::String),
        ".{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 60, 8, |inner| {
        let inner = prop_oneof![9 => inner, 1 => Just(Value::Null)];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::Array),
            prop::collection::vec((key(), inner), 0..8).prop_map(Value::Map),
        ]
    })
}

/// A text that is equal exactly for values that are the same in Lua: tables without order, arrays as maps from 1, numbers by bits.
fn canonical(value: &Value) -> String {
    match value {
        Value::Float(number) if number.is_nan() => "nan".to_owned(),
        Value::Float(number) if ONE_NUMBER_TYPE && number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0 => {
            if number.to_bits() == (-0.0_f64).to_bits() {
                "-0".to_owned()
            } else {
                format!("{number:.0}")
            }
        }
        Value::Float(number) => format!("f{:x}", number.to_bits()),
        Value::Array(items) => {
            let pairs = (1..).zip(items).map(|(index, item)| (format!("{:?}", Value::Integer(index)), canonical(item)));
            format!("{:?}", pairs.collect::<BTreeMap<_, _>>())
        }
        Value::Map(entries) => {
            let pairs = entries.iter().map(|(key, value)| (canonical(key), canonical(value)));
            format!("{:?}", pairs.collect::<BTreeMap<_, _>>())
        }
        other => format!("{other:?}"),
    }
}

struct Fixture {
    vm: Vm,
    handle: Handle,
}

impl Fixture {
    fn new() -> Fixture {
        let vm = Vm::new(Bench::MemorySync, "");
        let handle = block_on(vm.registry.get("app:cache")).unwrap();
        vm.lua.load("cache = open()").exec().unwrap();
        Fixture { vm, handle }
    }

    fn function(&self, source: &str) -> Function {
        self.vm.lua.load(source).eval().unwrap()
    }
}

#[test]
fn v2_what_rust_stores_lua_stores_again_unchanged() {
    let fixture = Fixture::new();
    let copy = fixture.function(
        "function() local value, err = cache:get('from rust')
         assert(err == nil, err)
         assert(cache:set('from lua', value)) end",
    );
    proptest!(ProptestConfig::with_cases(600), |(value in value())| {
        block_on(fixture.handle.set("from rust", &value, Expiry::Default)).unwrap();
        copy.call::<()>(()).unwrap();
        let back: Value = block_on(fixture.handle.get("from lua")).unwrap().unwrap();
        prop_assert_eq!(canonical(&back), canonical(&value));
    });
}

#[test]
fn v6_no_bytes_hurt_and_foreign_ones_are_named() {
    let fixture = Fixture::new();
    let read = fixture.function(
        "function() local value, err = cache:get('bytes')
         if err then return err:kind(), err:details().reason, err:details().key end
         assert(value ~= nil) return 'value' end",
    );
    proptest!(ProptestConfig::with_cases(2000), |(bytes in prop::collection::vec(any::<u8>(), 1..40))| {
        if block_on(fixture.handle.set("bytes", &Raw(&bytes), Expiry::Default)).is_err() {
            return Ok(());
        }
        let (kind, reason, key): (String, Option<String>, Option<String>) = read.call(()).unwrap();
        match kind.as_str() {
            "value" => {}
            "Internal" => prop_assert_eq!((reason.as_deref(), key.as_deref()), (Some("foreign"), Some("bytes"))),
            "Invalid" => prop_assert_eq!(reason.as_deref(), Some("range")),
            other => prop_assert!(false, "{}", other),
        }
    });
}

#[derive(Serialize, Deserialize, Debug, PartialEq, Clone)]
struct User {
    name: String,
    visits: u32,
    ratio: f64,
    tags: Vec<String>,
    flags: BTreeMap<String, bool>,
    parent: Option<Box<User>>,
}

#[test]
fn v2_lua_tables_are_serde_structs_and_the_reverse() {
    let fixture = Fixture::new();
    fixture
        .vm
        .run(
            "serde.lua",
            "assert(cache:set('user', {name = 'Alice', visits = 3, ratio = 0.5, tags = {'a', 'b'}, flags = {admin = true},
             parent = {name = 'Eve', visits = 0, ratio = 1.0, tags = {}, flags = {}}}))",
        )
        .unwrap();
    let mut user: User = block_on(fixture.handle.get("user")).unwrap().unwrap();
    assert_eq!((user.name.as_str(), user.visits, user.tags.len()), ("Alice", 3, 2));
    let parent = user.parent.as_ref().unwrap();
    assert_eq!((parent.name.as_str(), parent.tags.len(), parent.flags.len()), ("Eve", 0, 0));
    user.visits += 1;
    block_on(fixture.handle.set("user", &user, Expiry::Default)).unwrap();
    fixture
        .vm
        .run(
            "serde.lua",
            "local user = cache:get('user')
             assert(user.visits == 4 and user.flags.admin == true and user.tags[2] == 'b' and user.parent.ratio == 1.0)
             assert(user.parent.parent == nil or user.parent.parent == require('store').null)
             assert(cache:set('user', user))",
        )
        .unwrap();
    assert_eq!(block_on(fixture.handle.get::<User>("user")).unwrap().unwrap(), user);
}

#[test]
fn v2_an_integer_that_lua_has_not_is_refused_and_never_rounded() {
    let fixture = Fixture::new();
    block_on(fixture.handle.set("big", &vec![1, u64::MAX], Expiry::Default)).unwrap();
    fixture
        .vm
        .run(
            "range.lua",
            "local err = fails('INVALID', 'value[2]', cache:get('big'))
             equal(err:details().reason, 'range')
             equal(err:details().key, 'big')
             assert(cache:has('big'))",
        )
        .unwrap();
}
