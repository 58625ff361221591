//! `cargo xtask ci`: what must hold before a change is merged.

use crate::run::{Failed, cargo, output, root, step};
use crate::test;

/// Feature sets that must compile alone: what a neighbour in the workspace turns on must not be what makes them build.
const FEATURE_SETS: &[(&str, &str)] = &[
    ("store-core", ""),
    ("store-core", "conformance"),
    ("store-memory", ""),
    ("store-sled", ""),
    ("store-redis", ""),
    ("store", ""),
    ("store", "memory"),
    ("store", "sled"),
    ("store", "redis"),
    ("store", "redis-tls"),
    ("store", "tower-sessions"),
    ("store-lua", "lua54,vendored"),
    ("store-lua", "lua54,vendored,memory"),
    ("store-lua", "lua54,vendored,memory,send"),
    ("store-cli", ""),
];

/// Workspaces of their own, with lock files of their own: a new dependency of a crate they use makes those stale.
const BESIDE: &[&str] = &["store-lua/module", "benches/lua", "benches/peers", "fuzz", "models"];

pub(crate) fn run() -> Result<(), Failed> {
    println!("toolchain: {}", output(cargo(&["--version"]))?.trim());
    msrv()?;
    step("format", cargo(&["fmt", "--all", "--check"]))?;
    step(
        "lints, warnings denied",
        cargo(&["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    )?;
    for workspace in BESIDE {
        let manifest = format!("{workspace}/Cargo.toml");
        let check = cargo(&["update", "--quiet", "--workspace", "--locked", "--manifest-path", &manifest]);
        step(&format!("lock file of {workspace}"), check)?;
        let format = cargo(&["fmt", "--all", "--check", "--manifest-path", &manifest]);
        step(&format!("format of {workspace}"), format)?;
    }
    for &(package, features) in FEATURE_SETS {
        let mut line = vec!["check", "--locked", "--quiet", "-p", package, "--no-default-features"];
        if !features.is_empty() {
            line.extend(["--features", features]);
        }
        let named = if features.is_empty() { "no features" } else { features };
        step(&format!("{package} with {named}"), cargo(&line))?;
    }
    let mut docs = cargo(&["doc", "--locked", "--workspace", "--no-deps"]);
    docs.env("RUSTDOCFLAGS", "-D warnings");
    step("documentation, warnings denied", docs)?;
    installs()?;
    crate::docs::book()?;
    crate::deny::run_local()?;
    test::run(&[])
}

/// The command installs from the repository, and what was installed runs. Built as the tests build, since an optimised one takes minutes.
fn installs() -> Result<(), Failed> {
    let place = root().join("target").join("tools").join("try");
    let mut install = cargo(&["install", "--path", "store-cli", "--locked", "--debug", "--quiet", "--force", "--root"]);
    install.arg(&place);
    step("the command, installed", install)?;
    let said = output(crate::run::command(place.join("bin").join("store"), &["--version"]))?;
    if said.starts_with("store ") { Ok(()) } else { Err(Failed::new(format!("the installed command says {said:?}"))) }
}

/// The oldest supported Rust is stated once, in Cargo.toml. A run with that version is the test of it; a run with a newer
/// one checks with the stated version too, where it is installed, and says so where it is not.
fn msrv() -> Result<(), Failed> {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml"))
        .map_err(|error| Failed::new(format!("cannot read Cargo.toml: {error}")))?;
    let stated = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"'))
        .ok_or_else(|| Failed::new("Cargo.toml states no rust-version"))?;
    let version = output(crate::run::command("rustc", &["--version"]))?;
    let running = version.split(' ').nth(1).unwrap_or_default();
    if running == stated || running.starts_with(&format!("{stated}.")) {
        println!("oldest supported Rust: {stated}, which is this one ({running})");
        return Ok(());
    }
    let toolchain = if stated.matches('.').count() == 1 { format!("{stated}.0") } else { stated.to_owned() };
    let installed = output(crate::run::command("rustup", &["toolchain", "list"])).unwrap_or_default();
    if !installed.lines().any(|line| line.starts_with(&toolchain)) {
        println!(
            "oldest supported Rust: {stated}; NOT tested by this run with {running}: rustup toolchain install {toolchain}"
        );
        return Ok(());
    }
    let target = root().join("target").join("msrv");
    let mut check = crate::run::command("rustup", &["run", &toolchain, "cargo", "check", "--locked", "--workspace"]);
    check.arg("--all-targets").arg("--target-dir").arg(target);
    step(&format!("oldest supported Rust, {stated}"), check)
}
