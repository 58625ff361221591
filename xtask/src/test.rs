//! `cargo xtask test` and `cargo xtask deep`.

use crate::need;
use crate::run::{Failed, cargo, root, step};

/// Installs what is missing and runs the tests: of the workspace, or of the named packages.
///
/// The workspace is tested by one cargo, so that features unify once and every dependency is built once. That no crate
/// lives on a feature which only a neighbour turned on is shown elsewhere: `ci` checks each of them alone.
pub(crate) fn run(args: &[String]) -> Result<(), Failed> {
    let (packages, rest) = match args.iter().position(|arg| arg == "--") {
        Some(at) => (&args[..at], &args[at..]),
        None => (args, [].as_slice()),
    };
    if let Some(flag) = packages.iter().find(|package| package.starts_with('-')) {
        return Err(Failed::usage(format!("unknown option `{flag}`; what is meant for the tests comes after `--`")));
    }
    need::install(packages)?;
    let mut line = vec!["test", "--locked", "--no-fail-fast"];
    if packages.is_empty() {
        line.push("--workspace");
    }
    for package in packages {
        line.extend(["-p", package]);
        // Its tests compare the backends, and are left out of a build that has not all of them.
        if package == "store" {
            line.extend(["--features", "store/memory,store/sled,store/redis"]);
        }
    }
    line.extend(rest.iter().map(String::as_str));
    let what = if packages.is_empty() { "all tests" } else { "tests of the named packages" };
    step(what, cargo(&line))?;
    if packages.is_empty() {
        models(&[])?;
        in_luas(&["luajit", "luau"], &["--tests"])?;
        // The one that differs most in where it can wait; what it shares with the others is left to `deep`.
        in_luas(&["lua51"], &["--test", "suite", "--test", "cases"])?;
        stock_lua(need::INTERPRETERS)?;
    }
    Ok(())
}

/// `cargo xtask models`: what threads share without a lock, in every order that the memory model allows. A workspace of its own.
pub(crate) fn models(args: &[String]) -> Result<(), Failed> {
    let mut command = cargo(&["run", "--quiet", "--locked", "--manifest-path", "models/Cargo.toml", "--"]);
    command.args(args).env("CARGO_TARGET_DIR", target().join("models"));
    step("models of what threads share without a lock", command)
}

/// The Lua module in VMs other than the default one, built from source, on all backends.
fn in_luas(vms: &[&str], tests: &[&str]) -> Result<(), Failed> {
    for vm in vms {
        let features = format!("{vm},vendored,memory,sled,redis");
        let line = ["test", "--locked", "--no-fail-fast", "-p", "store-lua", "--no-default-features"];
        let mut command = cargo(&line);
        command.args(["--features", &features]).args(tests);
        step(&format!("store-lua in {vm}"), command)?;
    }
    Ok(())
}

/// The shared library for stock Lua, a workspace of its own, in the interpreters that load it.
fn stock_lua(interpreters: &[(&str, &str)]) -> Result<(), Failed> {
    for (interpreter, feature) in interpreters {
        if need::find(interpreter).is_none() {
            if std::env::var_os("CI").is_some() {
                return Err(Failed::new(format!("{interpreter} is not there to load the shared library")));
            }
            println!("\n    NOT TESTED here: the shared library in {interpreter}, which is not on PATH");
            continue;
        }
        let manifest = "store-lua/module/Cargo.toml";
        let mut command = cargo(&["test", "--locked", "--manifest-path", manifest, "--features", feature]);
        // As the workspace's, so that what both build is built once.
        command.env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only").env("CARGO_TARGET_DIR", target());
        step(&format!("the shared library in {interpreter}"), command)?;
    }
    Ok(())
}

/// Where the workspace builds.
fn target() -> std::path::PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into)
}

/// The same tests without bounds: `STORE_DEEP=1` multiplies rounds, cases and sizes. Optimised, since it takes hours.
/// Then an hour of fuzzing for each target.
pub(crate) fn deep() -> Result<(), Failed> {
    need::install_deep()?;
    let mut command = cargo(&["test", "--locked", "--no-fail-fast", "--workspace", "--release"]);
    command.env("STORE_DEEP", "1");
    step("all tests, unbounded", command)?;
    in_luas(&["luajit", "luau", "lua55", "lua53", "lua52", "lua51", "lua54,send"], &["--tests"])?;
    crate::asan::run()?;
    let peers = ["test", "--locked", "--manifest-path", "benches/peers/Cargo.toml"];
    step("what measures the store beside its competitors", cargo(&peers))?;
    stock_lua(need::INTERPRETERS)?;
    stock_lua(need::DEEP_INTERPRETERS)?;
    crate::fuzz::run(&["3600".to_owned()])
}
