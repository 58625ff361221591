//! What operators see at a terminal, where they can be asked.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
#[path = "common/terminal.rs"]
mod terminal;

use common::Place;
use terminal::at_terminal;

const SLED: &str = "[stores.cache]\nbackend = 'sled'\noptions = { path = 'data' }\n\
                    [stores.back]\nbackend = 'sled'\noptions = { path = 'data' }\n";

#[test]
fn clear_and_copy_ask_at_a_terminal() {
    let place = Place::with(SLED);
    place.run(&["set", "cache", "k", "v"]).well();
    for typed in ["n\n", "\n", "yess\n"] {
        let (code, screen) = at_terminal(place.store(&["clear", "cache"]), typed);
        assert_eq!(code, Some(1), "{screen}");
        assert!(screen.contains("Delete all entries of cache? [y/N] "), "{screen}");
        assert!(screen.contains("not confirmed; nothing was changed"), "{screen}");
    }
    place.run(&["has", "cache", "k"]).well();
    let (code, screen) = at_terminal(place.store(&["copy", "cache", "back"]), "yes\n");
    assert!(code == Some(0) && screen.contains("Overwrite back with all entries of cache? "), "{screen}");
    assert!(screen.contains("copied 1"), "{screen}");
    let (code, screen) = at_terminal(place.store(&["clear", "cache", "--prefix", "k"]), "y\n");
    assert!(code == Some(0) && screen.contains("Delete the entries with the prefix \"k\" of cache? "), "{screen}");
    assert!(screen.contains("deleted 1"), "{screen}");
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let place = Place::with(SLED);
    place.run(&["set", "cache", "k", "v"]).well();
    let list = || place.store(&["list", "cache", "--values"]);
    let at = |term: &str, no_color: &str| {
        let mut command = list();
        command.env("TERM", term).env("NO_COLOR", no_color);
        at_terminal(command, "").1
    };
    assert!(at("xterm", "").contains("\x1b[36mk\x1b[0m"), "{:?}", at("xterm", ""));
    assert!(!at("xterm", "1").contains('\x1b'));
    assert!(!at("dumb", "").contains('\x1b'));
    let piped = place.run(&["list", "cache", "--values"]).well().stdout;
    assert_eq!(piped, "k\tnever\t\"v\"\n");
    let mut json = place.store(&["list", "cache", "--json"]);
    json.env("TERM", "xterm").env_remove("NO_COLOR");
    assert!(!at_terminal(json, "").1.contains('\x1b'));
}
