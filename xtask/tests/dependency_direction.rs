//! Who may depend on whom, asked of `cargo tree`. See docs/adr and the table in the README.
//!
//! - `store-core` names no backend, no runtime, no Lua.
//! - Backends depend on `store-core` and their engine, never on each other.
//! - `store` brings exactly the engines of the features that are on: a service on memory builds no sled, redis or mlua.
//! - `store-lua` touches no engine; it gets its stores from `store`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// What a package builds, itself included: names of packages, without development dependencies.
fn built(package: &str, features: &str) -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let output = Command::new(env!("CARGO"))
        .current_dir(root)
        .args(["tree", "--locked", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"])
        .args(["-p", package, "--no-default-features", "--features", features])
        .output()
        .unwrap();
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let names: BTreeSet<String> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect();
    assert!(names.contains(package), "cargo tree listed {names:?}");
    names
}

/// The packages of ours and the engines: what the rules speak of.
const SPOKEN_OF: [&str; 13] = [
    "store-core",
    "store-memory",
    "store-sled",
    "store-redis",
    "store",
    "store-lua",
    "store-cli",
    "store-testkit",
    "sled",
    "redis",
    "mlua",
    "mlua-sys",
    "tokio",
];

fn spoken_of(package: &str, features: &str) -> Vec<&'static str> {
    let built = built(package, features);
    SPOKEN_OF.into_iter().filter(|name| *name != package && built.contains(*name)).collect()
}

#[test]
fn core_names_no_backend_no_runtime_and_no_lua() {
    assert_eq!(spoken_of("store-core", ""), [""; 0]);
    let suite = spoken_of("store-core", "conformance");
    assert!(suite.is_empty(), "the conformance suite is for every runtime: {suite:?}");
}

#[test]
fn backends_depend_on_core_and_their_engine_alone() {
    assert_eq!(spoken_of("store-memory", ""), ["store-core"]);
    let sled = spoken_of("store-sled", "");
    assert!(sled.contains(&"sled"), "{sled:?}");
    assert!(sled.iter().all(|name| ["store-core", "sled", "tokio"].contains(name)), "{sled:?}");
    assert_eq!(spoken_of("store-redis", ""), ["store-core", "redis", "tokio"]);
}

#[test]
fn a_service_builds_only_the_backends_whose_features_it_turns_on() {
    assert_eq!(spoken_of("store", ""), ["store-core"]);
    assert_eq!(spoken_of("store", "memory"), ["store-core", "store-memory"]);
    let sled = spoken_of("store", "sled");
    assert!(!sled.contains(&"redis") && !sled.contains(&"mlua") && !sled.contains(&"store-memory"), "{sled:?}");
    let redis = spoken_of("store", "redis");
    assert!(!redis.contains(&"sled") && !redis.contains(&"mlua") && !redis.contains(&"store-memory"), "{redis:?}");
}

#[test]
fn lua_with_memory_brings_no_other_engine() {
    let lua = spoken_of("store-lua", "lua54,vendored,memory");
    assert!(lua.contains(&"mlua") && lua.contains(&"store-memory"), "{lua:?}");
    assert!(!lua.contains(&"sled") && !lua.contains(&"redis"), "{lua:?}");
}

#[test]
fn no_library_depends_on_the_test_kit_or_the_command() {
    for package in ["store-core", "store-memory", "store-sled", "store-redis", "store"] {
        let built = built(package, "");
        for never in ["store-testkit", "store-cli", "store-benches", "criterion", "xtask"] {
            assert!(!built.contains(never), "{package} builds {never}");
        }
    }
}

#[test]
fn the_command_has_every_backend_by_default() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let output = Command::new(env!("CARGO"))
        .current_dir(root)
        .args(["tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}", "-p", "store-cli"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for name in ["store-memory ", "store-sled ", "store-redis ", "mlua "] {
        assert!(text.lines().any(|line| line.starts_with(name)), "missing {name}");
    }
}
