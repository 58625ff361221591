//! The recipes of `examples/lua`, on every backend.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

mod common;

use std::path::Path;

use common::{Bench, Vm};

fn run(bench: Bench, name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/lua");
    let source = std::fs::read_to_string(folder.join(format!("{name}.lua"))).unwrap();
    let vm = Vm::for_scripts(bench);
    if let Err(error) = vm.run(&format!("{name}.lua"), &source) {
        panic!("{error}");
    }
}

macro_rules! recipes {
    ($($name:ident)*) => {
        mod memory { $(#[test] fn $name() { super::run(super::Bench::Memory, stringify!($name)); })* }
        mod sled { $(#[test] fn $name() { super::run(super::Bench::Sled, stringify!($name)); })* }
        mod redis { $(#[test] fn $name() { super::run(super::Bench::Redis, stringify!($name)); })* }
    };
}

recipes! { cache_aside rate_limiter lock session cas_loop leader_lease }
