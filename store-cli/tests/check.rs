//! `store check`: what each store is in each environment.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::Place;

const CONFIGURATION: &str = r#"
[stores."app:cache"]
backend = "memory"
default_ttl = "1h"
options = { max_entries = 100000 }

[stores.plain]
backend = "sled"
options = { path = "data" }

[env.production.stores."app:cache"]
backend = "redis"
options = { url = "${REDIS_URL}" }
"#;

#[test]
fn check_prints_each_store_in_each_environment() {
    let place = Place::with(CONFIGURATION);
    let said = place.run(&["check"]).well().stdout;
    assert!(said.starts_with("# store.toml: no mistakes\n"), "{said}");
    let (without, production) = said.split_once("\n# in the environment production\n").unwrap();
    assert!(without.contains("# without an environment (selected)"), "{without}");
    for part in [
        "[stores.\"app:cache\"]\nbackend = \"memory\"",
        "default_ttl = \"1h\"",
        "max_entries = 100000",
        "[stores.plain]",
    ] {
        assert!(without.contains(part), "{part}: {without}");
    }
    for part in
        ["[env.production.stores.\"app:cache\"]\nbackend = \"redis\"", "${REDIS_URL}", "[env.production.stores.plain]"]
    {
        assert!(production.contains(part), "{part}: {production}");
    }
    assert!(!place.path().join("data").exists(), "nothing is opened");
}

#[test]
fn what_check_prints_is_a_configuration_that_says_the_same() {
    let place = Place::with(CONFIGURATION);
    let run = |args: &[&str]| {
        place.run_with(args, &[("REDIS_URL", "redis://127.0.0.1:1"), ("STORE_ENV", "production")]).well().stdout
    };
    let first = run(&["check"]);
    assert!(first.contains("# in the environment production (selected)"), "{first}");
    place.file("again.toml", &first);
    let second = run(&["check", "--config", "again.toml"]);
    assert_eq!(first.split_once('\n').unwrap().1, second.split_once('\n').unwrap().1);
}

#[test]
fn check_of_the_built_in_configuration() {
    let said = Place::new().run(&["check"]).well().stdout;
    assert!(said.contains("[stores.\"app:cache\"]\nbackend = \"memory\"\n"), "{said}");
}
