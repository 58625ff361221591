//! `store bench` and `store top` at a terminal.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
#[path = "common/terminal.rs"]
mod terminal;

use common::Place;
use store_testkit::RedisServer;
use terminal::{Terminal, at_terminal};

fn place(url: &str) -> Place {
    Place::with(&format!("[stores.cache]\nbackend = 'redis'\noptions = {{ url = '{url}' }}\n"))
}

#[test]
fn a_bench_asks_and_shows_how_far_it_is() {
    let server = RedisServer::start();
    let place = place(&server.url());
    let bench = ["bench", "cache", "--duration", "1s", "--keys", "100"];
    let (code, screen) = at_terminal(place.store(&bench), "n\n");
    assert!(code == Some(1) && screen.contains("and remove them again? [y/N] "), "{screen}");
    assert!(screen.contains("nothing was changed"), "{screen}");
    let mut command = place.store(&bench);
    command.env("TERM", "xterm").env_remove("NO_COLOR");
    let (code, screen) = at_terminal(command, "y\n");
    assert!(code == Some(0) && screen.contains(" s of 1.0 s, ") && screen.contains("calls/s"), "{screen}");
    assert!(screen.contains("\x1b[36mget       \x1b[0m") && screen.contains("█"), "{screen}");
    assert_eq!(server.cli(&["DBSIZE"]).integer(), 0);
}

#[test]
fn top_goes_on_until_it_is_interrupted_and_leaves_the_screen_as_it_was() {
    let server = RedisServer::start();
    let place = place(&server.url());
    place.run(&["set", "cache", "user:1", "v"]).well();
    let mut command = place.store(&["top", "cache", "--interval", "100ms"]);
    command.env("TERM", "xterm").env_remove("NO_COLOR");
    let mut terminal = Terminal::run(command);
    terminal.wait_for("\x1b[?1049h");
    terminal.wait_for("user:");
    terminal.wait_for("commands/s");
    // What is written meanwhile is seen in a later picture.
    place.run(&["set", "cache", "session:1", "v"]).well();
    terminal.wait_for("session:");
    // A server that goes away is told, and one that comes back is seen.
    server.kill();
    terminal.wait_for("UNAVAILABLE");
    server.revive();
    terminal.wait_for("commands/s");
    terminal.signal("-INT");
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(130), "{screen}");
    let left = screen.rfind("\x1b[?25h\x1b[?1049l").unwrap();
    assert!(!screen[left..].contains("user:"), "{screen}");
}
