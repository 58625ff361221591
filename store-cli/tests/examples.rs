//! The scripts in examples/lua run in every environment of examples/store.toml.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::Path;

use common::Place;
use store_testkit::RedisServer;

#[test]
fn scripts_of_the_examples_run_on_each_backend() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let configuration = std::fs::read_to_string(examples.join("store.toml")).unwrap();
    let url = RedisServer::shared().url();
    let mut ran = 0;
    for entry in std::fs::read_dir(examples.join("lua")).unwrap() {
        let script = entry.unwrap().path();
        if script.extension().is_none_or(|extension| extension != "lua") {
            continue;
        }
        // Where `../target` of the configuration is a folder of our own.
        let place = Place::new();
        std::fs::create_dir(place.path().join("examples")).unwrap();
        place.file("examples/store.toml", &configuration);
        // A database of its own for each script: they use the same keys.
        let url = format!("{url}/{}", ran / 3);
        for environment in ["", "edge", "production"] {
            let script = script.to_str().unwrap();
            let args = ["run", "--config", "examples/store.toml", "--env", environment, script];
            place.run_with(&args, &[("REDIS_URL", &url)]).well();
            ran += 1;
        }
    }
    assert!(ran >= 3);
}

#[test]
fn quickstart_tells_what_it_did() {
    let quickstart = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/lua/quickstart.lua");
    let said = Place::new().run(&["run", quickstart]).well().stdout;
    for line in [
        "Store app:cache on memory",
        "  Alice (admin) has 1 article in the cart: lamp",
        "  her session ends in about 30 minutes unless she comes back",
        "  signed out; the session is gone",
        "  a session of 100 ms was there: true; after that: false",
        "  worker 1 has it; worker 2 is told that worker 1 does",
        "  worker 1 let go; worker 2 has it now",
        "  there are 9592 primes below 100000",
        "  computed once",
        "  this script ran 1 time on this store",
    ] {
        assert!(said.lines().any(|said| said == line), "{line:?} is not in\n{said}");
    }
}
