//! Every mistake gives one clear error, of the right kind, with the right exit code, and loses nothing.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::{Duration, Instant};

use common::Place;
use store_testkit::RedisServer;

const HELLO: &str = "print('hello')";

/// A mistake in the configuration: the script never starts.
#[track_caller]
fn refused(configuration: &str, said: &[&str]) {
    let place = Place::with(configuration);
    let ended = place.script(HELLO).badly(2, said);
    assert!(ended.stdout.is_empty(), "the script ran: {ended:?}");
    assert!(ended.stderr.starts_with("store: INVALID: store.toml:"), "{}", ended.stderr);
    place.run(&["check"]).badly(2, said);
}

#[test]
fn mistakes_in_the_configuration() {
    refused("[stores.s]\nbackend = 'rediss'", &["store.toml:2: stores.s.backend: ", "did you mean redis?"]);
    refused(
        "[stores.s]\nbackend = 'memory'\noptions = { max_entires = 3 }",
        &["store.toml:3: stores.s.options.max_entires: ", "did you mean max_entries?"],
    );
    refused("[stores.s]\nbackend = 'memory'\ndefault_tll = '1h'", &["store.toml:3: ", "did you mean default_ttl?"]);
    refused("[stores.s]\nbackend = 'memory'\ndefault_ttl = 60", &["store.toml:3: ", "\"60s\""]);
    refused("[stores.s]\nbackend = 'sled'\n", &["store.toml:", "path"]);
    refused("[stores.s\nbackend = 'sled'\n", &["store.toml:1: not TOML"]);
    refused("[store.s]\nbackend = 'sled'\n", &["store.toml:1: ", "did you mean stores?"]);
}

#[test]
fn all_mistakes_at_once() {
    let place = Place::with(
        "[stores.a]\nbackend = 'nothing'\n[stores.b]\nbackend = 'memory'\noptions = { max_entries = 'many' }\n\
         [env.e.stores.a]\nbackend = 'memory'\ndefault_ttl = 'soon'\n",
    );
    let ended = place.script(HELLO).badly(2, &["store.toml:2: ", "store.toml:5: ", "store.toml:8: "]);
    assert_eq!(ended.stderr.lines().count(), 3, "{}", ended.stderr);
}

#[test]
fn a_missing_variable_is_named_where_it_is_needed() {
    let place = Place::with(
        "[stores.s]\nbackend = 'memory'\n[env.production.stores.s]\nbackend = 'redis'\noptions = { url = '${NO_SUCH_URL}' }",
    );
    place.script(HELLO).well();
    place.run(&["check"]).well();
    place.run(&["run", "--env", "production", "script.lua"]).badly(2, &["store.toml:5: ", "NO_SUCH_URL is not set"]);
    place.run(&["check", "--env", "production"]).badly(2, &["NO_SUCH_URL is not set"]);
}

#[test]
fn an_environment_that_does_not_exist() {
    let place = Place::with("[stores.s]\nbackend = 'memory'\n[env.production.stores.s]\nbackend = 'memory'\n");
    place.file("script.lua", HELLO);
    place.run(&["run", "--env", "prodution", "script.lua"]).badly(2, &["prodution", "production"]);
    place.run_with(&["run", "script.lua"], &[("STORE_ENV", "")]).well();
}

#[test]
fn configurations_that_cannot_be_read() {
    let place = Place::new();
    place.file("script.lua", HELLO);
    place.run(&["run", "--config", "nowhere.toml", "script.lua"]).badly(2, &["nowhere.toml", "No such file"]);
    place
        .run_with(&["run", "script.lua"], &[("STORE_CONFIG", "elsewhere.toml")])
        .badly(2, &["elsewhere.toml", "No such file"]);
    place.run(&["check", "--config", "."]).badly(2, &[".: the configuration cannot be read"]);
    std::fs::write(place.path().join("store.toml"), b"a = 1\n\xff").unwrap();
    place.run(&["run", "script.lua"]).badly(2, &["store.toml:2: not UTF-8"]);
}

#[test]
fn the_named_configuration_comes_before_the_variable_and_this_folder() {
    let place = Place::with("[stores.here]\nbackend = 'memory'");
    place.file("a.toml", "[stores.named]\nbackend = 'memory'");
    place.file("b.toml", "[stores.variable]\nbackend = 'memory'");
    place.file("script.lua", "print((select(2, require('store').get('?')):details()).available[1])");
    let said = |args: &[&str], variable: &str| place.run_with(args, &[("STORE_CONFIG", variable)]).well().stdout;
    assert_eq!(said(&["run", "--config", "a.toml", "script.lua"], "b.toml"), "named\n");
    assert_eq!(said(&["run", "script.lua"], "b.toml"), "variable\n");
    assert_eq!(said(&["run", "script.lua"], ""), "here\n");
}

#[test]
fn mistakes_on_the_command_line() {
    let place = Place::new();
    place.file("script.lua", HELLO);
    for args in [
        &["run"][..],
        &[],
        &["walk"],
        &["run", "--confg", "x", "script.lua"],
        &["run", "--actor"],
        &["run", "--actor", "a", "--actor-meta", "k", "script.lua"],
        &["check", "script.lua"],
        &["run", "nowhere.lua"],
        &["run", "."],
    ] {
        let ended = place.run(args).badly(2, &[]);
        assert!(!ended.stderr.is_empty() && ended.stdout.is_empty(), "{args:?}: {ended:?}");
    }
    place.run(&["run", "nowhere.lua"]).badly(2, &["cannot read the script nowhere.lua", "No such file"]);
    place.run(&["--help"]).well();
    place.run(&["--version"]).well();
}

fn redis(url: &str) -> Place {
    Place::with(&format!("[stores.'app:cache']\nbackend = 'redis'\noptions = {{ url = '{url}' }}\n"))
}

const PROBE: &str = "local cache, err = require('store').get('app:cache')\n\
    if not err then _, err = cache:set('key', 'value') end\n\
    print(err:kind(), err:retryable(), (err:details() or {}).reason)";

#[test]
fn wrong_password() {
    let server = RedisServer::builder().password("correct-horse").start();
    let url = server.url().replace("correct-horse", "battery-staple");
    let place = redis(&url);
    let ended = place.script(PROBE).well();
    assert_eq!(ended.stdout, "Unavailable\tfalse\tauth\n");
    let ended = place.script(&format!("{PROBE}\nerror(err)")).badly(1, &["store: UNAVAILABLE: ", "(reason: auth)"]);
    for secret in ["battery-staple", "correct-horse"] {
        assert!(!ended.stderr.contains(secret) && !ended.stdout.contains(secret), "{ended:?}");
    }
    let place = redis(&server.url());
    place.script("assert(require('store').get('app:cache')):set('key', 'value')").well();
}

#[test]
fn server_down() {
    let server = RedisServer::start();
    let place = redis(&server.url());
    server.kill();
    let start = Instant::now();
    let ended = place.script(PROBE).well();
    assert!(ended.stdout.starts_with("Unavailable\ttrue") || ended.stdout.starts_with("Timeout\ttrue"), "{ended:?}");
    assert!(start.elapsed() < Duration::from_secs(10), "nothing waits without a deadline: {:?}", start.elapsed());
    place.script(&format!("{PROBE}\nerror(err)")).badly(1, &["store: ", "stack traceback:"]);
}

#[test]
fn a_path_that_cannot_be_used() {
    let place = Place::with("[stores.'app:cache']\nbackend = 'sled'\noptions = { path = 'file/data' }\n");
    place.file("file", "not a folder");
    let ended =
        place.script("local cache, err = require('store').get('app:cache')\nprint(cache, err:kind()) error(err)");
    let ended = ended.badly(1, &["file/data"]);
    assert!(ended.stdout.starts_with("nil\t"), "{ended:?}");
    assert_eq!(std::fs::read_to_string(place.path().join("file")).unwrap(), "not a folder");
}

#[test]
fn secrets_are_never_printed() {
    let place = Place::with(
        "[stores.a]\nbackend = 'redis'\noptions = { url = 'redis://me:tr0ub4dor@127.0.0.1:1/0' }\n\
         [stores.b]\nbackend = 'redis'\noptions = { url = '${SECRET_URL}' }\n",
    );
    place.file(
        "script.lua",
        "for _, id in ipairs { 'a', 'b' } do local s, err = require('store').get(id)\n\
        if s then _, err = s:get('k') end print(err, err and err:stack()) end error(err)",
    );
    for args in [&["check"][..], &["run", "script.lua"]] {
        let ended = place.run_with(args, &[("SECRET_URL", "redis://:hunter2@127.0.0.1:1")]);
        for secret in ["tr0ub4dor", "hunter2"] {
            assert!(!ended.stdout.contains(secret) && !ended.stderr.contains(secret), "{args:?}: {ended:#?}");
        }
        assert!(ended.stdout.contains("127.0.0.1") || args[0] == "run", "{ended:?}");
    }
}
