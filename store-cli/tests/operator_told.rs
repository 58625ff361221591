//! What an operator is told beside the answer: who is missing, where one looks, how to go on.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
#[path = "common/terminal.rs"]
mod terminal;

use common::Place;
use serde_json::{Value as Json, json};
use terminal::{Terminal, at_terminal};

const TWO: &str = "[stores.cache]\nbackend = 'memory'\n[stores.disk]\nbackend = 'sled'\noptions = { path = 'data' }\n";

fn error(said: &str) -> Json {
    serde_json::from_str::<Json>(said.trim()).unwrap_or_else(|_| panic!("{said}"))["error"].clone()
}

#[test]
fn a_person_is_told_that_a_store_in_memory_is_not_that_of_the_service() {
    let place = Place::with(TWO);
    for args in
        [&["get", "cache", "k"][..], &["set", "cache", "k", "v"], &["list", "cache"], &["clear", "cache", "--yes"]]
    {
        let (_, screen) = at_terminal(place.store(args), "");
        assert!(
            screen.contains("store: cache is in memory: what another process has in it cannot be seen"),
            "{screen}"
        );
        assert!(!place.run(args).stderr.contains("memory"), "programs know what they call");
        let (_, screen) = at_terminal(place.store(&[args, &["--json"]].concat()), "");
        assert!(!screen.contains("is in memory"), "{screen}");
    }
    let (_, screen) = at_terminal(place.store(&["set", "disk", "k", "v"]), "");
    assert!(screen.contains("version ") && !screen.contains("memory"), "{screen}");
    place.run(&["copy", "cache", "disk", "--yes"]).badly(2, &["cache is in memory: no other process can reach"]);
    place.run(&["copy", "disk", "cache", "--yes"]).well();
}

#[test]
fn who_names_nobody_is_told_how_to_name_somebody() {
    let place = Place::with(&format!("{TWO}[security]\nstrict = true\n"));
    for args in
        [&["get", "disk", "k"][..], &["export", "disk", "x.dump"], &["bench", "disk", "--yes"], &["top", "disk"]]
    {
        place.run(args).badly(1, &["PERMISSION_DENIED", "store: nobody was said to ask: --actor ID, --scope GROUP"]);
    }
    let said = error(&place.run(&["get", "disk", "k", "--json"]).badly(1, &[]).stderr);
    assert_eq!(said["details"]["hint"], json!("nobody was said to ask: --actor ID, --scope GROUP"));
    let named = place.run(&["get", "disk", "k", "--scope", "ops"]).badly(1, &["PERMISSION_DENIED"]);
    assert!(!named.stderr.contains("nobody"), "{named:?}");
}

#[test]
fn a_command_line_that_is_not_understood_is_told_to_programs_in_json() {
    let place = Place::new();
    for (args, part) in [
        (&["get", "cache", "--json"][..], "<KEY>"),
        (&["list", "cache", "--json", "--limit", "0"], "--limit"),
        (&["gett", "cache", "k", "--json"], "gett"),
    ] {
        let said = error(&place.run(args).badly(2, &[]).stderr);
        assert_eq!(said["kind"], json!("INVALID"));
        let message = said["message"].as_str().unwrap();
        assert!(message.contains(part) && !message.contains("Usage:") && !message.contains("--help"), "{message}");
    }
    let help = place.run(&["get", "--help", "--json"]).well().stdout;
    assert!(help.contains("Usage: store get "), "{help}");
    place.run(&["get", "cache"]).badly(2, &["error: ", "Usage: store get <ID> <KEY>"]);
    place.run(&["set", "cache", "k"]).badly(2, &["Usage: store set [OPTIONS] <ID> <KEY> <VALUE|--file <FILE>>"]);
}

#[test]
fn what_cannot_be_imported_is_named() {
    let place = Place::with(TWO);
    let said =
        place.run(&["import", "disk", "store.toml"]).badly(2, &["store: store.toml: this is no dump of a store"]);
    assert!(!said.stderr.contains("import on"), "{said:?}");
}

#[test]
fn a_copy_that_is_interrupted_says_how_to_go_on() {
    let server = store_testkit::RedisServer::start();
    let far = format!("backend = 'redis'\noptions = {{ url = '{}', timeout = '60s' }}\n", server.url());
    let place = Place::with(&format!("{TWO}[stores.far]\n{far}"));
    let fill = "local disk, items = require('store').get('disk'), {}
        for i = 1, 20000 do
            items[#items + 1] = { key = 'k' .. i, value = i }
            if #items == 1000 then assert(disk:set_many(items)) items = {} end
        end";
    place.script(fill).well();
    let mut terminal = Terminal::run(place.store(&["copy", "disk", "far", "--yes"]));
    terminal.wait_for("copied ");
    // In the middle, for as long as it takes.
    server.freeze();
    terminal.signal("-INT");
    let (code, screen) = terminal.end();
    server.thaw();
    assert_eq!(code, Some(130), "{screen}");
    assert!(screen.contains(" were copied before; go on with --keep-existing"), "{screen}");
    assert!(screen.contains("store: interrupted"), "{screen}");
    let said = place.run(&["copy", "disk", "far", "--keep-existing"]).well().stdout;
    assert!(said.starts_with("copied ") && said.ends_with(", verified 20 000\n"), "{said}");
}

#[test]
fn a_copy_shows_how_far_it_is() {
    let place = Place::with(&format!("{TWO}[stores.back]\nbackend = 'sled'\noptions = {{ path = 'data' }}\n"));
    place.run(&["set", "disk", "k", "v"]).well();
    let (code, screen) = at_terminal(place.store(&["copy", "disk", "back", "--yes"]), "");
    assert!(code == Some(0) && screen.contains("copied 1, "), "{screen}");
    assert!(screen.contains("compared 1 of about 1 ███████████████ 100%, 0 s left, "), "{screen}");

    // Redis counts the keys of a database, which may be those of several stores.
    let server = store_testkit::RedisServer::start();
    let redis = format!("backend = 'redis'\noptions = {{ url = '{}' }}\n", server.url());
    let place = Place::with(&format!("{TWO}[stores.far]\n{redis}[stores.other]\n{redis}"));
    for store in ["far", "other"] {
        place.run(&["set", store, "k", "v"]).well();
    }
    let (code, screen) = at_terminal(place.store(&["copy", "far", "disk", "--yes"]), "");
    assert!(code == Some(0) && screen.contains("copied 1 of at most 2 ███████▌        50%, at most "), "{screen}");
}
