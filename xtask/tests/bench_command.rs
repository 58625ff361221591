//! `cargo xtask bench` from its command line to what it leaves behind, as small as it goes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn bench(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask")).arg("bench").args(args).current_dir(root()).output().unwrap()
}

fn succeeds(args: &[&str]) -> String {
    let output = bench(args);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{args:?}\n{said}\n{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// One test, since all of it is about the same files.
#[test]
fn a_run_is_measured_saved_compared_and_drawn() {
    let folder = root().join("target/bench/try");
    let _ = std::fs::remove_dir_all(&folder);
    let said = succeeds(&["road", "--try", "--save"]);
    assert!(said.contains("nothing saved yet to compare `road` with"), "{said}");
    let saved = folder.join("saved/road.jsonl");
    let lines = std::fs::read_to_string(&saved).unwrap();
    assert!(lines.starts_with("{\"section\":\"road\",\"date\":\"20"), "{lines}");
    for row in ["get of a 100-byte value", "get of a 100-byte value: allocations", "check of an operation"] {
        assert!(lines.contains(&format!("\"row\":\"{row}\"")), "{row}: {lines}");
    }
    // A run that was a hundred times as fast: what is slower now is told.
    let faster: String = lines
        .lines()
        .map(|line| match (line.find("\"ratio\":"), line.contains("\"contender\":\"dyn, future\"")) {
            (Some(at), true) => {
                format!("{}\"ratio\":0.0001{}\n", &line[..at], &line[line[at..].find(',').unwrap() + at..])
            }
            _ => format!("{line}\n"),
        })
        .collect();
    assert_ne!(faster, lines);
    std::fs::write(&saved, faster).unwrap();
    let said = succeeds(&["road/overhead", "--try"]);
    assert!(said.contains("road: get of a 100-byte value, dyn, future: 0.00 -> "), "{said}");
    // What was saved stays, until it is asked for.
    assert!(std::fs::read_to_string(&saved).unwrap().contains("0.0001"));
    let said = succeeds(&["batch", "--try", "--save"]);
    assert!(said.contains("saved as baseline `saved-try`"), "{said}");
    assert!(root().join("target/criterion").is_dir());
}

#[test]
fn mistakes_are_told_before_anything_is_built() {
    for (args, told) in [
        (&["road/none"][..], "there is no section or slice `road/none`; there are inproc/get"),
        (&["ops", "ttl"], "one benchmark at a time"),
        (&["--fast"], "unknown option `--fast`"),
    ] {
        let output = bench(args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(told), "{args:?}: {said}");
    }
}
