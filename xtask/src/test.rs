//! `cargo xtask test` and `cargo xtask deep`.

use crate::need;
use crate::run::{Failed, cargo, step};

/// Installs what is missing and runs the tests: of the workspace, or of the named packages.
///
/// The workspace is tested by one cargo, so that features unify once and every dependency is built once. That no crate
/// lives on a feature which only a neighbour turned on is shown elsewhere: `ci` checks each of them alone.
pub(crate) fn run(args: &[String]) -> Result<(), Failed> {
    need::install()?;
    let (packages, rest) = match args.iter().position(|arg| arg == "--") {
        Some(at) => (&args[..at], &args[at..]),
        None => (args, [].as_slice()),
    };
    if let Some(flag) = packages.iter().find(|package| package.starts_with('-')) {
        return Err(Failed::usage(format!("unknown option `{flag}`; what is meant for the tests comes after `--`")));
    }
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
    step(what, cargo(&line))
}

/// The same tests without bounds: `STORE_DEEP=1` multiplies rounds, cases and sizes. Optimised, since it takes hours.
/// Then an hour of fuzzing for each target.
pub(crate) fn deep() -> Result<(), Failed> {
    need::install()?;
    let mut command = cargo(&["test", "--locked", "--no-fail-fast", "--workspace", "--release"]);
    command.env("STORE_DEEP", "1");
    step("all tests, unbounded", command)?;
    crate::fuzz::run(&["3600".to_owned()])
}
