//! `store repl`, as people use it: at a terminal, and from a pipe.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
#[path = "common/terminal.rs"]
mod terminal;

use std::io::Write;
use std::process::{Command, Stdio};

use common::{Ended, Place};
use terminal::Terminal;

fn piped(mut command: Command, lines: &str) -> Ended {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    Ended::from(child.wait_with_output().unwrap())
}

fn repl(place: &Place) -> Command {
    let mut command = place.store(&["repl"]);
    command.env("STORE_HISTORY", place.path().join("history")).env("TERM", "xterm");
    command
}

/// Types each text when the screen shows what it waits for.
#[track_caller]
fn dialogue(command: Command, steps: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut terminal = Terminal::run(command);
    for (awaited, typed) in steps {
        terminal.wait_for(awaited);
        terminal.type_in(typed);
    }
    terminal.end()
}

#[test]
fn lines_are_run_and_shown() {
    let place = Place::new();
    let ended = piped(
        repl(&place),
        "1 + 1\n\
         = 'a\"b\\n', nil, 2.0\n\
         cache = store.get('app:cache')\n\
         cache:set('k', { name = 'Alice', roles = { 'admin', 'user' }, [3] = true })\n\
         cache:get('k')\n\
         cache\n\
         cache:get('none')\n\
         for i = 1, 2 do\n\
         print(i)\n\
         end\n\
         local x = 5\n\
         (function() return end)()\n\
         store.null\n",
    );
    assert_eq!(
        ended.well().stdout,
        "2\n\"a\\\"b\\n\"  nil  2.0\ntrue\n\
         { [3] = true, name = \"Alice\", roles = { \"admin\", \"user\" } }\n\
         store.Store{}\nnil\n1\n2\nstore.null\n"
    );
}

#[test]
fn long_and_endless_tables_are_shown_in_bounds() {
    let place = Place::new();
    let ended = piped(
        repl(&place),
        "t = {} for i = 1, 1000 do t[i] = ('x'):rep(10) end\nt\nt = { name = 'loop' } t.self = t\nt\n{ a = { b = { c = { d = { e = 1 } } } } }\n",
    );
    let shown = ended.well().stdout;
    assert!(shown.contains("... 950 more") && shown.starts_with("{\n  \"xxxxxxxxxx\",\n"), "{shown}");
    assert!(shown.contains("{ name = \"loop\", self = {...} }\n"), "{shown}");
    assert!(shown.ends_with("{ a = { b = { c = { d = {...} } } } }\n"), "{shown}");
}

#[test]
fn errors_are_told_with_their_kind_and_do_not_end_it() {
    let place = Place::new();
    let ended = piped(
        repl(&place),
        "store.get('app:none')\ncache = store.get('app:cache')\ncache:set('k', -1, -1)\nerror('boo')\nx = = 1\n\
         error(errors.new('ALREADY_EXISTS', 'mine'))\ncache:set({}, 1)\n'still there'\n",
    );
    assert!(ended.stdout.ends_with("\"still there\"\n"), "{ended:#?}");
    ended.badly(
        1,
        &[
            "NOT_FOUND: store.get on app:none: there is no store",
            "INVALID: ",
            "line:1: boo",
            "unexpected symbol near '='",
            "ALREADY_EXISTS: mine",
            "bad argument #1 to 'set' (string expected, got table)",
            "6 of the lines failed",
        ],
    );
    piped(repl(&place), "for i = 1, 2 do\n").badly(1, &["in the middle of a statement"]);
}

#[test]
fn operations_that_wait_are_waited_for() {
    let url = store_testkit::RedisServer::shared().url();
    let place = Place::with(&format!(
        "[stores.'app:cache']\nbackend = 'redis'\noptions = {{ url = '{url}', prefix = 'repl' }}\n"
    ));
    let ended = piped(
        repl(&place),
        "cache = store.get('app:cache')\ncache:set('k', 7)\ncache:get('k')\ncoroutine.wrap(function() return cache:get('k') end)()\n",
    );
    assert_eq!(ended.well().stdout, "true\n7\n7\n");
}

#[test]
fn actor_and_scope_are_as_for_run() {
    let place = Place::with("[stores.'app:cache']\nbackend = 'memory'\n[security]\nstrict = true\n");
    piped(repl(&place), "store.get('app:cache')\n").badly(1, &["PERMISSION_DENIED: "]);
}

#[test]
fn at_a_terminal_there_are_completion_and_history() {
    let place = Place::new();
    // Tab completes a store's id and a method; Ctrl-D ends.
    let (code, screen) = dialogue(
        repl(&place),
        &[
            ("> ", "cache = store.get('app\t')\r"),
            ("\n", ""),
            ("> ", "cache:incr\t('visits', 41)\r"),
            ("\n41", ""),
            ("> ", "cache:increment('visits')\r"),
            ("\n42", ""),
            ("> ", "\x04"),
        ],
    );
    assert_eq!(code, Some(0), "{screen}");
    let history = std::fs::read_to_string(place.path().join("history")).unwrap();
    let kept = history.contains("cache = store.get('app:cache')") && history.contains("cache:increment('visits', 41)");
    assert!(kept, "{history}");
    // Up brings the lines of the session before.
    let (code, screen) = dialogue(
        repl(&place),
        &[
            ("> ", "\x1b[A\x1b[A\x1b[A\r"),
            ("\n", ""),
            ("> ", "cache:set('k', 'again')\r"),
            ("\ntrue", ""),
            ("> ", "cache:get('k')\r"),
            ("\n\"again\"", ""),
            ("> ", "\x04"),
        ],
    );
    assert_eq!(code, Some(0), "{screen}");
}

#[test]
fn an_unfinished_line_goes_on_and_ctrl_c_forgets_it() {
    let place = Place::new();
    let (code, screen) = dialogue(
        repl(&place),
        &[
            ("> ", "for i = 1, 2 do\r"),
            ("\n", ""),
            (">> ", "print('n' .. i)\r"),
            ("\n", ""),
            (">> ", "end\r"),
            ("\nn2", ""),
            ("> ", "if true then\r"),
            ("\n", ""),
            (">> ", "\x03"),
            ("\n", ""),
            ("> ", "40 + 2\r"),
            ("\n42", ""),
            ("> ", "\x04"),
        ],
    );
    assert_eq!(code, Some(0), "{screen}");
}
