//! What a script gets, and what becomes of how it ends.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::io::Write;
use std::process::Stdio;

use common::{Ended, Place};

#[test]
fn arguments_reach_the_script() {
    let place = Place::new();
    place.file("args.lua", "print(arg[0], #arg, ...) for i = 1, #arg do io.write('[', arg[i], ']') end");
    let ended = place.run(&["run", "args.lua", "--env", "x", "", "two words"]).well();
    assert_eq!(ended.stdout, "args.lua\t4\t--env\tx\t\ttwo words\n[--env][x][][two words]");
}

#[test]
fn scripts_have_the_whole_standard_library() {
    let ended = Place::new().script(
        "for _, name in ipairs { 'coroutine', 'debug', 'io', 'math', 'os', 'package', 'string', 'table', 'utf8' } do
             assert(type(_G[name]) == 'table', name)
         end
         assert(debug.traceback and io.popen and os.getenv and dofile and load(string.dump(function() return 1 end))() == 1)
         print(_VERSION)",
    );
    assert_eq!(ended.well().stdout, "Lua 5.4\n");
}

#[test]
fn a_script_can_come_from_standard_input() {
    let place = Place::new();
    let mut child = place.store(&["run", "-", "a"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"#!/usr/bin/env -S store run\nprint(arg[0], arg[1])").unwrap();
    assert_eq!(Ended::from(child.wait_with_output().unwrap()).stdout, "-\ta\n");
}

#[test]
fn an_error_is_reported_with_its_traceback_and_exit_code_1() {
    let place = Place::new();
    let ended = place.script("print('before')\nlocal function deep() error('boo') end\ndeep()");
    let ended = ended.badly(1, &["script.lua:2: boo", "stack traceback:", "script.lua:3: in main chunk"]);
    assert_eq!(ended.stdout, "before\n", "what was printed is not lost");
    assert!(!ended.stderr.contains("store run"), "no frames of ours: {}", ended.stderr);
    place.script("x = = 1").badly(1, &["script.lua:1: unexpected symbol near '='"]);
    place.script("error({ code = 2 })").badly(1, &["(error object is a table value)"]);
    place.script("error(setmetatable({}, { __tostring = function() return 'mine' end }))").badly(1, &["store: mine"]);
    place.script("error()").badly(1, &["store: nil"]);
    place
        .script("require('store').get({})")
        .badly(1, &["script.lua:1: bad argument #1 to 'get' (string expected, got table)"]);
}

#[test]
fn an_error_object_is_reported_with_kind_and_message() {
    let place = Place::new();
    let nowhere = "there is no store \"app:nowhere\"; there is app:cache";
    let raised = place.script("error(select(2, require('store').get('app:nowhere')))");
    raised.badly(1, &["store: NOT_FOUND: ", nowhere, "stack traceback:"]);
    place.script("assert(require('store').get('app:nowhere'))").badly(1, &["store: NOT_FOUND: ", nowhere]);
    place.script("error(errors.new('CONFLICT', 'taken'))").badly(1, &["store: CONFLICT: taken"]);
    place.script("error(errors.new('no kind'))").badly(1, &["store: no kind"]);
}

#[test]
fn nil_and_an_error_from_the_main_chunk_are_a_failure() {
    let place = Place::new();
    place.script("return require('store').get('app:nowhere')").badly(1, &["store: NOT_FOUND: "]);
    place.script("return nil, 'only a text'").well();
    place.script("return true, errors.new('not looked at')").well();
    place.script("return 1, 2, 3").well();
}

#[test]
fn os_exit_gives_its_code() {
    let place = Place::new();
    for (exit, code) in [
        ("os.exit()", 0),
        ("os.exit(true)", 0),
        ("os.exit(false)", 1),
        ("os.exit(7)", 7),
        ("os.exit(3.0)", 3),
        ("os.exit(0, true)", 0),
        ("pcall(os.exit, 9)", 9),
        ("coroutine.wrap(os.exit)(8)", 8),
        ("table.sort({2, 1}, function() os.exit(6) end)", 6),
    ] {
        let ended = place.script(&format!("io.write('written')\n{exit}\nprint('never')"));
        assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (Some(code), "written", ""), "{exit}");
    }
    place.script("os.exit('x')").badly(1, &["bad argument #1 to 'exit'"]);
}

const SLED: &str = "[stores.'app:cache']\nbackend = 'sled'\noptions = { path = 'data', durability = 'interval' }\n";

/// Acknowledged at once and written out later: only a close makes it safe.
fn assert_kept(place: &Place) {
    let ended = place.script("print((require('store').get('app:cache'):get('kept')))");
    assert_eq!(ended.well().stdout, "yes\n");
}

#[test]
fn nothing_acknowledged_is_lost_however_the_script_ends() {
    let set = "local cache = require('store').get('app:cache')\nassert(cache:set('kept', 'yes'))\n";
    for (end, code) in [
        ("", 0),
        ("os.exit(7)", 7),
        ("error('late')", 1),
        ("return nil, errors.new('late')", 1),
        ("local t = setmetatable({}, { __gc = function() error('in gc') end }) t = nil os.exit(0, true)", 0),
    ] {
        let place = Place::with(SLED);
        assert_eq!(place.script(&format!("{set}{end}")).code, Some(code), "{end}");
        assert_kept(&place);
    }
}

#[cfg(unix)]
#[test]
fn nothing_acknowledged_is_lost_when_interrupted() {
    use std::io::{BufRead, BufReader};
    use std::process::Command;
    let busy = "while true do end";
    let reading = "while true do cache:get('kept') end";
    for (signal, code, end) in [("INT", 130, busy), ("TERM", 143, busy), ("INT", 130, reading)] {
        let place = Place::with(SLED);
        place.file(
            "busy.lua",
            &format!(
                "local cache = require('store').get('app:cache')\nassert(cache:set('kept', 'yes'))\n\
                 print('set') io.stdout:flush()\n{end}"
            ),
        );
        let mut child = place.store(&["run", "busy.lua"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "set\n");
        let sent = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        assert_eq!(child.wait().unwrap().code(), Some(code), "{signal} while {end}");
        assert_kept(&place);
    }
}

#[test]
fn waiting_works_wherever_a_script_calls_from() {
    // On Redis every operation has to wait; a comparison function cannot be suspended, a coroutine of the script can.
    let url = store_testkit::RedisServer::shared().url();
    let place = Place::with(&format!(
        "[stores.'app:cache']\nbackend = 'redis'\noptions = {{ url = '{url}', prefix = 'wherever' }}\n"
    ));
    let ended = place.script(
        "local cache = require('store').get('app:cache')
         cache:set('a', 2) cache:set('b', 1)
         local keys = { 'a', 'b' }
         table.sort(keys, function(x, y) return cache:get(x) < cache:get(y) end)
         print(keys[1], keys[2])
         print(coroutine.wrap(function() coroutine.yield((cache:get('a'))) end)())
         print(select(2, pcall(cache.get, cache, 'a')))
         print(('ab'):gsub('.', function(key) return cache:get(key) end))",
    );
    assert_eq!(ended.well().stdout, "b\ta\n2\n2\n21\t2\n");
}

#[test]
fn actor_and_scope_come_from_the_command_line() {
    let place = Place::with(
        "[stores.'app:cache']\nbackend = 'memory'\n\
         [security]\nstrict = true\n\
         [[security.policies]]\nid = 'own'\nactions = ['store.get', 'store.key.*']\nresources = ['app:cache']\n\
         effect = 'allow'\ngroups = ['users']\n\
         [[security.policies]]\nid = 'not-theirs'\nactions = ['store.key.set']\nresources = ['*']\n\
         keys = ['admin:*']\neffect = 'deny'\n",
    );
    place.file(
        "who.lua",
        "local cache, err = require('store').get('app:cache')\n\
         if err then print(cache, (err:kind())) return end\n\
         print((cache:set('user:alice:x', 1)), (select(2, cache:set('admin:x', 1)):kind()))",
    );
    assert_eq!(place.run(&["run", "who.lua"]).well().stdout, "nil\tPermissionDenied\n");
    assert_eq!(place.run(&["run", "--scope", "others", "who.lua"]).well().stdout, "nil\tPermissionDenied\n");
    let ended = place.run(&["run", "--actor", "alice", "--scope", "others", "--scope", "users", "who.lua"]);
    assert_eq!(ended.well().stdout, "true\tPermissionDenied\n");
}

#[test]
fn a_sandbox_has_no_files_and_ends() {
    let place = Place::new();
    let script = |text: &str, options: &[&str]| {
        place.file("script.lua", text);
        place.run(&[&["run", "--sandbox"], options, &["script.lua", "a b"]].concat())
    };
    let told = script(
        "print(arg[1], io, os.exit, os.getenv, debug, load(('').dump or ''), pcall(require, 'os'))
         print(require('store').get('app:cache'):set('k', { 1 }))",
        &[],
    );
    assert!(told.stdout.starts_with("a b\tnil\tnil\tnil\tnil\tfunction: "), "{told:#?}");
    assert!(told.well().stdout.ends_with("true\n"));
    script("error('boo')", &[]).badly(1, &["script.lua:1: boo"]);
    script("return nil, errors.new('CONFLICT', 'taken')", &[]).badly(1, &["CONFLICT: taken"]);
    script("while true do pcall(error) end", &["--time-limit", "200ms"]).badly(1, &["the time limit has passed"]);
    script("local t = {} while true do t[#t + 1] = {} end", &["--memory-limit", "4 MiB"])
        .badly(1, &["not enough memory"]);
    // A single call into C that takes years: only the end of the process ends it.
    let endless = "string.find(('a'):rep(100000), '.-.-.-.-.-.-b')";
    script(endless, &["--time-limit", "200ms"]).badly(1, &["the time limit has passed"]);
    place.run(&["run", "--time-limit", "1s", "script.lua"]).badly(2, &["--sandbox"]);
    place.run(&["run", "--sandbox", "--time-limit", "1", "script.lua"]).badly(2, &["unit"]);
}
