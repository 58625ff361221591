//! `cargo xtask fuzz`: the fuzz targets, with libFuzzer and AddressSanitizer.

use crate::run::{Failed, cargo, command, output, root, step};

/// What cargo-fuzz says to the compiler: tell libFuzzer which branches are taken and what is compared, and check every access. Stable compilers
/// refuse the sanitizer without `RUSTC_BOOTSTRAP`, so that neither a nightly toolchain nor cargo-fuzz is needed here.
const FLAGS: &str = "--cfg fuzzing -Cdebug-assertions -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Zsanitizer=address";

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
    let version = output(command("rustc", &["-vV"]))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
    for target in targets.iter().filter(|target| named.is_none_or(|named| named == *target)) {
        // What is found anew goes to the first folder, and the committed seeds stay as they are.
        let found = root().join("target").join("fuzz-corpus").join(target);
        let artifacts = root().join("fuzz").join("artifacts").join(target);
        for folder in [&found, &artifacts] {
            std::fs::create_dir_all(folder)
                .map_err(|error| Failed::new(format!("cannot make {}: {error}", folder.display())))?;
        }
        let line = [
            "run",
            "--release",
            "--locked",
            "--manifest-path",
            "fuzz/Cargo.toml",
            "--target",
            host,
            "--bin",
            target,
            "--",
        ];
        let mut fuzz = cargo(&line);
        fuzz.arg(&found).arg(format!("fuzz/corpus/{target}")).arg(format!("-max_total_time={seconds}"));
        // Inputs that fail are kept there. (libFuzzer wants the last slash.)
        fuzz.arg(format!("-artifact_prefix={}/", artifacts.display()));
        fuzz.args(["-print_final_stats=1", "-verbosity=0", "-timeout=60", "-rss_limit_mb=4096"]);
        fuzz.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", FLAGS).env("ASAN_OPTIONS", "detect_leaks=0");
        fuzz.env("CARGO_TARGET_DIR", root().join("target").join("fuzz"));
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
