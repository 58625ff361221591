//! The seeds of the fuzz targets, as an ordinary test: what was once found stays found.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::path::Path;

#[path = "../../fuzz/bodies/codec.rs"]
mod codec;
#[path = "../../fuzz/bodies/condition.rs"]
mod condition;
#[path = "../../fuzz/bodies/config.rs"]
mod config;
#[path = "../../fuzz/bodies/cursor.rs"]
mod cursor;
#[path = "../../fuzz/bodies/dump.rs"]
mod dump;
#[path = "../../fuzz/bodies/policy.rs"]
mod policy;

/// Runs a target on its seeds, on every beginning of them, and with single bytes changed.
fn run(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(name);
    let mut seeds: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    seeds.sort();
    assert!(seeds.len() >= 5, "{name} has {} seeds", seeds.len());
    for seed in seeds {
        let bytes = std::fs::read(&seed).unwrap();
        println!("{}", seed.display());
        target(&bytes);
        let step = bytes.len() / 64 + 1;
        for at in (0..bytes.len()).step_by(step) {
            target(&bytes[..at]);
            for byte in [0, b'*', b'"', 0x7f, 0x91, 0xff] {
                let mut changed = bytes.clone();
                changed[at] = byte;
                target(&changed);
            }
        }
    }
}

#[test]
fn codec_seeds() {
    run("codec", codec::codec);
}

#[test]
fn condition_seeds() {
    run("condition", condition::condition);
}

#[test]
fn cursor_seeds() {
    run("cursor", cursor::cursor);
}

#[test]
fn config_seeds() {
    run("config", config::config);
}

#[test]
fn dump_seeds() {
    run("dump", dump::dump);
}

#[test]
fn policy_seeds() {
    run("policy", policy::policy);
}
