//! `cargo xtask asan`: the module that calls Lua's C API, under AddressSanitizer.

use crate::run::{Failed, cargo, output, root, step};

/// Runs what drives store-lua's C API code hardest, with every allocation and access of Rust code checked, and Lua's allocations with them.
///
/// The sanitizer needs a flag that stable compilers refuse without `RUSTC_BOOTSTRAP`. Leaks are looked for elsewhere: tests leave servers and runtimes behind.
pub(crate) fn run() -> Result<(), Failed> {
    let version = output(crate::run::command("rustc", &["-vV"]))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
    // LuaJIT calls code that the others do not have.
    under(host, "store-lua", &["raw", "properties", "hostile", "suite", "corpus"], &[])?;
    let luajit = ["--no-default-features", "--features", "luajit,vendored,memory"];
    under(host, "store-lua in luajit", &["raw", "properties", "compiled"], &luajit)
}

fn under(host: &str, what: &str, tests: &[&str], features: &[&str]) -> Result<(), Failed> {
    let mut command = cargo(&["test", "--locked", "-p", "store-lua", "--target", host]);
    command.args(features).args(tests.iter().flat_map(|test| ["--test", test])).args(["--", "--skip", "redis"]);
    command.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", "-Zsanitizer=address");
    command.env("ASAN_OPTIONS", "detect_leaks=0").env("CARGO_TARGET_DIR", root().join("target").join("asan"));
    step(&format!("{what} under AddressSanitizer"), command)
}
