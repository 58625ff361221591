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
    let said = succeeds(&["road", "--try", "--save", "--runs", "2"]);
    assert!(said.contains("nothing saved yet to compare `road` with"), "{said}");
    let saved = folder.join("saved/road.jsonl");
    let lines = std::fs::read_to_string(&saved).unwrap();
    // What is held to a target twice, the rest once; every line says of which run it is.
    for (slice, run, times) in [("overhead", 1, 1), ("overhead", 2, 1), ("policy", 1, 1), ("policy", 2, 0)] {
        let head = format!("{{\"section\":\"road\",\"slice\":\"{slice}\",\"run\":{run},\"date\":\"20");
        assert_eq!(lines.matches(&head).count(), times, "{head}: {lines}");
    }
    assert!(lines.lines().all(|line| line.contains("\"run\":")), "{lines}");
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
    // An interrupted run is resumed where it was: nothing of this is left to measure.
    let said = succeeds(&["road", "--try", "--resume"]);
    assert!(said.contains("0 to measure, about 0 seconds") && !said.contains("seconds\n    road/"), "{said}");
    assert!(succeeds(&["road", "--try", "--list"]).contains("run 1  road/overhead           8 s  measured"));
    // What was saved stays, until it is asked for.
    assert!(std::fs::read_to_string(&saved).unwrap().contains("0.0001"));
}

/// Every benchmark runs, and has the raw engine beside the store.
#[test]
fn every_benchmark_runs_with_the_raw_engine_beside() {
    let said = succeeds(&["--try"]);
    for (group, engines) in [
        ("get", ["raw map", "memory"].as_slice()),
        ("increment", &["raw map", "memory"]),
        ("set, sled", &["raw sled", "store"]),
        ("new key and delete, redis", &["redis-rs", "store"]),
        ("ttl", &["raw map, another deadline", "touch to a later deadline"]),
        ("move a deadline, redis", &["redis-rs", "store"]),
        ("list", &["raw sorted map", "memory"]),
        ("page of 100, sled", &["raw sled", "store"]),
        ("batch of 100", &["get, raw map", "get_many", "set, raw map", "set_many"]),
        ("get 100, redis", &["redis-rs", "store"]),
        ("contention", &["95 % reads, 2 threads, raw map", "95 % reads, 2 threads, memory"]),
        ("contention, sled", &["95 % reads, 2 threads, raw sled", "95 % reads, 2 threads, store"]),
        ("lua, string get", &["raw mlua", "store"]),
        ("lua, table set", &["raw mlua", "store"]),
    ] {
        for engine in engines {
            assert!(said.contains(&format!("Testing {group}/{engine}\nSuccess")), "{group}/{engine}: {said}");
        }
    }
    // Those that are not by criterion: overhead, policy, disk and redis.
    for row in [
        "get of a 100-byte value\n",
        "check of an operation\n",
        "set, 64 writers, store-sled sync, tasks\n",
        "GET, 512 callers\n",
    ] {
        assert!(said.contains(row), "{row}: {said}");
    }
}

#[test]
fn mistakes_are_told_before_anything_is_built() {
    for (args, told) in [
        (&["road/none"][..], "there is no section or slice `road/none`; there are inproc/get"),
        (&["ops", "ttl"], "one benchmark at a time"),
        (&["road", "--runs", "0"], "a number of runs is 1 to 9"),
        (&["road", "--runs"], "a number of runs is 1 to 9"),
        (&["ops", "--resume"], "are for the sections of `peers`"),
        (&["--fast"], "unknown option `--fast`"),
    ] {
        let output = bench(args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(told), "{args:?}: {said}");
    }
}
