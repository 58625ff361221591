//! The seeds of the fuzz target `lua`, as an ordinary test: what was once found stays found.
#![cfg(not(feature = "luau"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use std::path::Path;

#[path = "../../fuzz/bodies/lua.rs"]
mod body;

/// Runs the target on its seeds, on beginnings of them, and with single bytes changed.
#[test]
fn lua_seeds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/lua");
    let mut seeds: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    seeds.sort();
    assert!(seeds.len() >= 10, "{} seeds", seeds.len());
    let most = if std::env::var_os("STORE_DEEP").is_some() { 1024 } else { 5 };
    for seed in seeds {
        let bytes = std::fs::read(&seed).unwrap();
        println!("{}", seed.display());
        body::lua(&bytes);
        let step = bytes.len() / most + 1;
        for at in (0..bytes.len()).step_by(step) {
            body::lua(&bytes[..at]);
            for byte in [0, 0x7f, 0x91, 0xff] {
                let mut changed = bytes.clone();
                changed[at] = byte;
                body::lua(&changed);
            }
        }
    }
}
