//! The conformance cases run under busted, as Lua programmers run their tests: `spec/conformance_spec.lua`.
#![cfg(not(any(feature = "luajit", feature = "lua51", feature = "lua52", feature = "lua53", feature = "lua55")))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// The library as `store.so`, in a folder. Cargo does not build a shared library for tests by itself.
fn library() -> PathBuf {
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_path_buf();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--lib", "--features", "lua54"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    assert!(cargo.env("CARGO_TARGET_DIR", &target).status().unwrap().success());
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("busted-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let built = if cfg!(target_os = "macos") { "libstore.dylib" } else { "libstore.so" };
    std::fs::copy(target.join("debug").join(built), folder.join("store.so")).unwrap();
    folder
}

/// How many cases the scripts have.
fn cases() -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/lua_cases");
    let scripts =
        std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
    scripts.map(|script| script.lines().filter(|line| line.starts_with("function cases.")).count()).sum()
}

#[test]
fn the_conformance_cases_hold_under_busted() {
    let (library, cases) = (library(), cases());
    for options in
        ["backend = 'memory'", "backend = 'sled'\noptions = { path = 'DIRECTORY/db', durability = 'interval' }"]
    {
        let mut busted = Command::new("busted");
        busted.args(["--lua=lua5.4", "--output=plainTerminal", "spec"]).current_dir(env!("CARGO_MANIFEST_DIR"));
        busted.env("LUA_CPATH", format!("{}/?.so;;", library.display())).env("STORE_SPEC_OPTIONS", options);
        busted.env("TMPDIR", &library).env_remove("STORE_CONFIG").env_remove("STORE_ENV");
        let output = busted.output().unwrap_or_else(|error| {
            panic!("busted: {error}; `cargo xtask needs` or `luarocks install busted` installs it")
        });
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{options}: {out}{err}");
        assert!(out.contains(&format!("{cases} successes / 0 failures / 0 errors")), "{options}: {out}");
    }
    let _ = std::fs::remove_dir_all(library);
}
