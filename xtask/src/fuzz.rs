//! `cargo xtask fuzz`: the fuzz targets, with cargo-fuzz on a nightly toolchain.

use crate::run::{Failed, command, root, step};

/// Runs one target, or all of them one after the other, for so many seconds each.
pub(crate) fn run(args: &[String]) -> Result<(), Failed> {
    let (named, seconds) = match args {
        [] => (None, "60"),
        [one] if one.bytes().all(|byte| byte.is_ascii_digit()) => (None, one.as_str()),
        [one] => (Some(one.as_str()), "60"),
        [one, seconds] => (Some(one.as_str()), seconds.as_str()),
        _ => return Err(Failed::usage("at most a target and a number of seconds")),
    };
    let targets = targets()?;
    if let Some(named) = named
        && !targets.iter().any(|target| target == named)
    {
        return Err(Failed::usage(format!("there is no fuzz target `{named}`; there is {}", targets.join(", "))));
    }
    // Not the `cargo` of this toolchain, but the one that can choose another.
    let present = command("cargo", &["+nightly", "fuzz", "--version"]).output().is_ok_and(|done| done.status.success());
    if !present {
        return Err(Failed::new(
            "cargo-fuzz or a nightly toolchain is missing: rustup toolchain install nightly; cargo install cargo-fuzz --locked",
        ));
    }
    for target in targets.iter().filter(|target| named.is_none_or(|named| named == *target)) {
        // What is found anew goes to the first folder, and the committed seeds stay as they are.
        let found = root().join("target").join("fuzz-corpus").join(target);
        std::fs::create_dir_all(&found)
            .map_err(|error| Failed::new(format!("cannot make {}: {error}", found.display())))?;
        let found = found.to_string_lossy().into_owned();
        let seeds = format!("fuzz/corpus/{target}");
        let limit = format!("-max_total_time={seconds}");
        let line =
            ["+nightly", "fuzz", "run", target, &found, &seeds, "--", &limit, "-print_final_stats=1", "-verbosity=0"];
        let mut fuzz = command("cargo", &line);
        // Where cargo set these for this toolchain, they must not be told to the other one.
        fuzz.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO").env_remove("RUSTC");
        step(&format!("fuzz {target} for {seconds} s"), fuzz)?;
    }
    Ok(())
}

fn targets() -> Result<Vec<String>, Failed> {
    let folder = root().join("fuzz").join("fuzz_targets");
    let unreadable = |error| Failed::new(format!("cannot read {}: {error}", folder.display()));
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}
