//! The Lua side of the contract: every script of `tests/lua` on every backend, each its own test.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

mod common;

use common::{Bench, Vm, lua_folder};

fn run(bench: Bench, name: &str) {
    let source = std::fs::read_to_string(lua_folder().join(format!("{name}.lua"))).unwrap();
    let vm = Vm::for_scripts(bench);
    if let Err(error) = vm.run(&format!("{name}.lua"), &source) {
        panic!("{error}");
    }
}

macro_rules! scripts {
    ($($name:ident)*) => {
        const SCRIPTS: &[&str] = &[$(stringify!($name)),*];
        mod memory { $(#[test] fn $name() { super::run(super::Bench::Memory, stringify!($name)); })* }
        mod memory_sync { $(#[test] fn $name() { super::run(super::Bench::MemorySync, stringify!($name)); })* }
        mod sled { $(#[test] fn $name() { super::run(super::Bench::Sled, stringify!($name)); })* }
        mod redis { $(#[test] fn $name() { super::run(super::Bench::Redis, stringify!($name)); })* }
        mod redis_blocking { $(#[test] fn $name() { super::run(super::Bench::RedisBlocking, stringify!($name)); })* }
    };
}

scripts! {
    document
    e1_absent e2_arguments e4_errors e5_ids
    h1_handles
    k1_keys
    t1_expiry t5_overwrite
    v2_fidelity v3_refused
    batch conditional counters listing loading coroutines
}

#[test]
fn every_script_is_run() {
    let mut names: Vec<String> = std::fs::read_dir(lua_folder())
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".lua").map(str::to_owned))
        .filter(|name| name != "prelude")
        .collect();
    names.sort();
    let mut known: Vec<&str> = SCRIPTS.to_vec();
    known.sort_unstable();
    assert_eq!(names, known);
}
