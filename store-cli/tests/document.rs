//! One script, three backends: by changing only the configuration, and by changing only the environment's name.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Ended, Place};
use store_testkit::RedisServer;

const SCRIPT: &str = include_str!("lua/document.lua");

fn place(configuration: &str) -> Place {
    let place = Place::with(configuration);
    place.file("document.lua", SCRIPT);
    place
}

fn held_on(ended: Ended, backend: &str) {
    assert_eq!(ended.well().stdout, format!("every promise held on {backend}\n"));
}

#[test]
fn document_holds_without_any_configuration() {
    let place = Place::new();
    place.file("document.lua", SCRIPT);
    held_on(place.run(&["run", "document.lua"]), "memory");
}

#[test]
fn document_holds_on_each_backend_by_configuration_alone() {
    let url = RedisServer::shared().url();
    for (backend, options) in [
        ("memory", "{ max_entries = 1000 }".to_owned()),
        ("sled", "{ path = \"data\" }".to_owned()),
        ("redis", format!("{{ url = \"{url}\", prefix = \"by-configuration\" }}")),
    ] {
        let configuration = format!("[stores.\"app:cache\"]\nbackend = \"{backend}\"\noptions = {options}\n");
        held_on(place(&configuration).run(&["run", "document.lua"]), backend);
    }
}

#[test]
fn document_holds_on_each_backend_by_environment_alone() {
    let place = place(
        r#"
        [stores."app:cache"]
        backend = "memory"

        [env.edge.stores."app:cache"]
        backend = "sled"
        options = { path = "data" }

        [env.production.stores."app:cache"]
        backend = "redis"
        options = { url = "${REDIS_URL}", prefix = "by-environment" }
        "#,
    );
    let url = RedisServer::shared().url();
    for (environment, backend) in [("", "memory"), ("edge", "sled"), ("production", "redis")] {
        let variables = [("STORE_ENV", environment), ("REDIS_URL", &url)];
        held_on(place.run_with(&["run", "document.lua", backend], &variables), backend);
        let variables = [("STORE_ENV", "nonsense"), ("REDIS_URL", &url)];
        held_on(place.run_with(&["run", "--env", environment, "document.lua", backend], &variables), backend);
    }
}
