//! Who may depend on whom, asked of Cargo itself.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::process::Command;

/// All packages that a package builds with, its own included; without tests and build scripts.
fn tree(package: &str, arguments: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}", "--package", package])
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap_or_else(|error| panic!("cargo does not run: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let names = text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned);
    let names = names.collect::<BTreeSet<_>>();
    assert!(names.contains(package), "{package} is not in its own tree");
    names
}

/// Nothing of `forbidden` builds with the package.
fn assert_free_of(package: &str, arguments: &[&str], forbidden: &[&str]) {
    let tree = tree(package, arguments);
    let found = forbidden.iter().filter(|name| tree.contains(**name)).collect::<Vec<_>>();
    assert!(found.is_empty(), "{package} {arguments:?} builds with {found:?}");
}

const RUNTIMES: [&str; 4] = ["tokio", "async-std", "smol", "async-executor"];
const ENGINES: [&str; 4] = ["sled", "redis", "mlua", "mlua-sys"];

#[test]
fn the_core_names_no_backend_no_runtime_and_no_lua() {
    for arguments in [&[][..], &["--all-features"]] {
        assert_free_of("store-core", arguments, &["store-memory", "store-sled", "store-redis", "store-lua", "store"]);
        assert_free_of("store-core", arguments, &RUNTIMES);
        assert_free_of("store-core", arguments, &ENGINES);
    }
}

#[test]
fn backends_depend_on_the_core_and_never_on_each_other() {
    let backends = ["store-memory", "store-sled", "store-redis"];
    for backend in backends {
        let others = backends.into_iter().filter(|other| *other != backend).chain(["store", "store-lua", "mlua"]);
        assert_free_of(backend, &["--all-features"], &others.collect::<Vec<_>>());
        assert!(tree(backend, &[]).contains("store-core"));
    }
    assert_free_of("store-memory", &["--all-features"], &RUNTIMES);
    assert_free_of("store-memory", &["--all-features"], &ENGINES);
    assert_free_of("store-sled", &["--all-features"], &["redis"]);
    assert_free_of("store-sled", &["--all-features"], &RUNTIMES);
    assert_free_of("store-redis", &["--all-features"], &["sled"]);
}

#[test]
fn a_build_has_what_its_features_ask_for_and_nothing_else() {
    let only = |feature| ["--no-default-features", "--features", feature];
    assert_free_of("store", &only("memory"), &["store-sled", "store-redis", "store-lua"]);
    assert_free_of("store", &only("memory"), &ENGINES);
    assert_free_of("store", &only("memory"), &RUNTIMES);
    assert_free_of("store", &only("sled"), &["store-memory", "store-redis", "redis", "mlua", "tokio"]);
    assert_free_of("store", &only("redis"), &["store-memory", "store-sled", "sled", "mlua"]);
    assert_free_of("store", &["--no-default-features"], &["store-memory", "store-sled", "store-redis"]);
    assert_eq!(tree("store", &only("memory")), tree("store", &[]), "memory is the default");
    let all = tree("store", &["--all-features"]);
    assert!(["store-memory", "store-sled", "store-redis"].iter().all(|backend| all.contains(*backend)));
    assert!(!all.contains("mlua"));
}
