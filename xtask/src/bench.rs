//! `cargo xtask bench`.

use crate::run::{Failed, cargo, step};

/// Runs the benchmarks of store-benches: all, or the one named.
pub(crate) fn run(args: &[String]) -> Result<(), Failed> {
    let quick = args.iter().any(|arg| arg == "--quick");
    let mut names = args.iter().filter(|arg| *arg != "--quick");
    let name = names.next();
    if let Some(extra) = names.next() {
        return Err(Failed::usage(format!("one benchmark at a time, got also `{extra}`")));
    }
    let mut line = vec!["bench", "--locked", "-p", "store-benches"];
    match name {
        Some(flag) if flag.starts_with('-') => return Err(Failed::usage(format!("unknown option `{flag}`"))),
        Some(name) => line.extend(["--bench", name]),
        None => line.push("--benches"),
    }
    if quick {
        line.extend(["--", "--quick"]);
    }
    step("benchmarks", cargo(&line))
}
