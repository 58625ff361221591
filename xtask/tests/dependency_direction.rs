//! Who may depend on whom, for the packages above `store` (its own tests speak of it and of what is below).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// All packages that a package builds with, its own included; without tests.
fn built(package: &str, arguments: &[&str]) -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let output = Command::new(env!("CARGO"))
        .current_dir(root)
        .args(["tree", "--locked", "--edges", "normal,build", "--prefix", "none", "--format", "{p}", "-p", package])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let names: BTreeSet<String> = text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    assert!(names.contains(package), "{package} is not in its own tree: {names:?}");
    names
}

#[test]
fn lua_on_memory_brings_no_other_engine() {
    let lua = built("store-lua", &["--no-default-features", "--features", "lua54,vendored,memory"]);
    assert!(lua.contains("mlua") && lua.contains("store-memory"), "{lua:?}");
    for never in ["sled", "redis", "store-sled", "store-redis", "store-cli"] {
        assert!(!lua.contains(never), "store-lua on memory builds {never}");
    }
}

#[test]
fn the_command_has_every_backend_by_default_and_no_other_if_told_so() {
    let all = built("store-cli", &[]);
    for always in ["store-memory", "store-sled", "store-redis", "store-lua", "mlua"] {
        assert!(all.contains(always), "the command lacks {always}");
    }
    let memory = built("store-cli", &["--no-default-features", "--features", "memory"]);
    for never in ["sled", "redis"] {
        assert!(!memory.contains(never), "the command on memory alone builds {never}");
    }
}

#[test]
fn what_is_for_tests_stays_out_of_what_is_shipped() {
    for package in ["store-core", "store-memory", "store-sled", "store-redis", "store", "store-lua", "store-cli"] {
        let built = built(package, &[]);
        for never in ["store-testkit", "store-benches", "store-examples", "criterion", "proptest", "xtask"] {
            assert!(!built.contains(never), "{package} builds {never}");
        }
    }
}
