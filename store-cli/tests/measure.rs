//! `store bench` and `store top`, as programs and pipes see them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Ended, Place};
use serde_json::{Value as Json, json};
use store_testkit::{RedisServer, Reply};

/// A store in memory; on sled at the edge, and on this server in production.
fn place(url: &str) -> Place {
    Place::with(&format!(
        "[stores.cache]\nbackend = 'memory'\n\
         [env.edge.stores.cache]\nbackend = 'sled'\noptions = {{ path = 'data' }}\n\
         [env.production.stores.cache]\nbackend = 'redis'\noptions = {{ url = '{url}' }}\n\
         [env.limited.stores.cache]\nbackend = 'memory'\nmax_value_size = '1 KiB'\n\
         [[security.policies]]\nid = 'all'\nactions = ['*']\nresources = ['*']\neffect = 'allow'\n\
         [[security.policies]]\nid = 'readers'\nactions = ['store.key.set', 'store.key.delete']\nresources = ['*']\n\
         effect = 'deny'\ngroups = ['readers']\n"
    ))
}

fn object(ended: Ended) -> Json {
    serde_json::from_str(ended.well().stdout.trim()).unwrap()
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

fn keys(server: &RedisServer) -> i64 {
    server.cli(&["DBSIZE"]).integer()
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(30), "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_bench_tells_what_it_saw_and_it_adds_up() {
    let place = place("redis://127.0.0.1:1");
    let mix = "get=6,set=2,has=1,touch=1,increment=1,delete=1,list=1";
    let args = ["bench", "cache", "--duration", "300ms", "--callers", "3", "--keys", "50", "--mix", mix, "--json"];
    let seen = object(place.run(&args));
    let number = |pointer: &str| seen.pointer(pointer).unwrap().as_f64().unwrap();
    assert_eq!((number("/callers"), number("/keys"), number("/value_size")), (3.0, 50.0, 100.0));
    assert_eq!((&seen["backend"], &seen["errors"], &seen["first_error"]), (&json!("memory"), &json!({}), &Json::Null));
    let operations = seen["operations"].as_object().unwrap();
    assert_eq!(operations.len(), 7);
    let calls: u64 = operations.values().map(|operation| operation["calls"].as_u64().unwrap()).sum();
    let rows: u64 = seen["histogram"].as_array().unwrap().iter().map(|row| row["calls"].as_u64().unwrap()).sum();
    assert_eq!((json!(calls), rows), (seen["all"]["calls"].clone(), calls));
    assert!(number("/seconds") >= 0.3 && number("/hits") > 0.0 && number("/misses") > 0.0, "{seen}");
    for of in ["/operations/get", "/operations/list", "/all"] {
        let times: Vec<f64> = ["p50", "p90", "p99", "p99.9", "max"].map(|name| number(&format!("{of}/{name}"))).into();
        assert!(times.is_sorted() && times[0] > 0.0 && number(&format!("{of}/mean")) > 0.0, "{seen}");
    }

    let text = place.run(&["bench", "cache", "--duration", "200ms"]).well().stdout;
    assert!(text.starts_with("cache (memory): 16 callers, 0.2 s, 10 000 keys, values of 100 B\n"), "{text}");
    for part in ["\nget ", "\nset ", "\nall ", "p99.9", "found 100.0 % of ", "  < ", "█"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert!(!text.contains('\x1b'), "{text}");
}

#[test]
fn a_bench_needs_yes_where_others_could_suffer_and_touches_no_other_key() {
    let server = RedisServer::start();
    let place = place(&server.url());
    for environment in ["edge", "production"] {
        for key in ["store-bench:mine", "store-bench:0000:0000001", "other"] {
            place.run(&["set", "cache", key, "v", "--env", environment]).well();
        }
        let before = place.run(&["list", "cache", "--values", "--env", environment]).well().stdout;
        let bench =
            ["bench", "cache", "--env", environment, "--duration", "200ms", "--mix", "set,delete,increment,get"];
        let said = "this would write 10 000 keys of 100 B under \"store-bench:";
        place.run(&bench).badly(2, &[said, "say so with --yes"]);
        let ended = place.run(&[&bench[..], &["--yes"]].concat()).well();
        assert!(ended.stdout.contains("increment "), "{ended:#?}");
        let after = place.run(&["list", "cache", "--values", "--env", environment]).well().stdout;
        assert_eq!(after, before);
    }
    assert_eq!(keys(&server), 3);
}

#[test]
fn an_interrupted_bench_removes_its_keys_and_a_killed_one_leaves_none_for_long() {
    let server = RedisServer::start();
    let place = place(&server.url());
    let start = || {
        let mut command = place.store(&["bench", "cache", "--env", "production", "--yes", "--duration", "5m"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        eventually("keys", || keys(&server) == 10_000);
        child
    };
    for (name, code) in [("-INT", 130), ("-TERM", 143)] {
        let child = start();
        signal(&child, name);
        Ended::from(child.wait_with_output().unwrap()).badly(code, &["interrupted"]);
        assert_eq!(keys(&server), 0);
    }
    let mut child = start();
    child.kill().unwrap();
    child.wait().unwrap();
    let key = server.cli(&["RANDOMKEY"]);
    let left = server.cli(&[b"PTTL", key.bytes()]);
    assert!(matches!(left, Reply::Integer(1..=900_000)), "{left:?}");
}

#[test]
fn what_a_bench_may_not_or_cannot_do_is_told_before_anything_is_written() {
    let server = RedisServer::start();
    let place = place(&server.url());
    let bench = ["bench", "cache", "--yes", "--env", "production"];
    place.run(&[&bench[..], &["--scope", "readers"]].concat()).badly(1, &["PERMISSION_DENIED"]);
    assert_eq!(keys(&server), 0);
    place
        .run(&["bench", "cache", "--env", "limited", "--value-size", "2 KiB"])
        .badly(1, &["INVALID", "more than 1024 bytes"]);
    place.run(&["bench", "nope"]).badly(1, &["NOT_FOUND", "there is no store \"nope\""]);
    for (option, value) in [
        ("--duration", "0s"),
        ("--duration", "11m"),
        ("--duration", "3"),
        ("--mix", "fetch"),
        ("--mix", "get=0"),
        ("--callers", "0"),
        ("--keys", "0"),
        ("--keys", "1000001"),
        ("--value-size", "huge"),
        ("--value-size", "1 GiB"),
    ] {
        place.run(&["bench", "cache", option, value]).badly(2, &[]);
    }
}

#[test]
fn a_bench_on_a_store_that_fails_says_so() {
    let place = place("redis://127.0.0.1:1");
    let ended = place.run(&["bench", "cache", "--yes", "--env", "production", "--duration", "300ms"]);
    ended.badly(1, &["UNAVAILABLE"]);
}

#[test]
fn top_tells_what_a_store_holds_and_what_its_server_does() {
    let server = RedisServer::start();
    let place = place(&server.url());
    place.file(
        "fill.lua",
        "local c = require('store').get('cache')
         for i = 1, 300 do c:set('user:' .. i .. ':name', ('x'):rep(98), i <= 100 and 600 or 0) end
         for i = 1, 20 do c:set('odd\\xff:' .. i, 1) end
         c:set('plain', 1)",
    );
    for environment in ["edge", "production"] {
        place.run(&["run", "--env", environment, "fill.lua"]).well();
        let top = ["top", "cache", "--once", "--env", environment, "--interval", "200ms"];
        let seen = object(place.run(&[&top[..], &["--json"]].concat()));
        let held = &seen["seen"];
        assert_eq!((&held["whole"], &held["entries"], &held["expiring"]), (&json!(true), &json!(321), &json!(100)));
        let prefixes: Vec<(&Json, &Json)> =
            held["prefixes"].as_array().unwrap().iter().map(|of| (&of["prefix"], &of["entries"])).collect();
        assert_eq!(
            prefixes,
            [(&json!("user:"), &json!(300)), (&json!({ "$base64": "b2Rk/zo=" }), &json!(20)), (&json!(""), &json!(1))]
        );
        assert!(seen["ping"].as_f64().unwrap() > 0.0 && seen["errors"] == json!([]), "{seen}");
        let text = place.run(&top).well().stdout;
        for part in ["321 entries", "31.2 % with a TTL; all of it", "\nuser: ", "\nodd\\xff: ", "\nwithout \":\" "] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
        let deep = object(place.run(&[&top[..], &["--json", "--depth", "2", "--prefixes", "1"]].concat()));
        let prefixes = deep["seen"]["prefixes"].as_array().unwrap();
        assert_eq!((prefixes.len(), &prefixes[0]["entries"]), (1, &json!(20)), "each of user:N: is smaller: {deep}");
        if environment == "production" {
            let said = &seen["server"];
            assert_eq!((&said["keys_in_database"], &said["servers"]), (&json!(321), &json!(1)));
            assert!(said["per_second"]["commands"].as_f64().unwrap() > 0.0, "{said}");
            assert!(said["commands"].as_array().unwrap().iter().any(|of| of["command"] == "ping"), "{said}");
            assert!(text.contains("of all its clients"), "{text}");
        } else {
            assert!(seen["server"].is_null() && text.contains("No rates: "), "{text}");
        }
    }
}

#[test]
fn top_says_what_cannot_be_seen_from_outside() {
    let place = place("redis://127.0.0.1:1");
    place.run(&["top", "cache"]).badly(2, &["lives inside the process that uses it"]);
    place.run(&["top", "cache", "--env", "production", "--interval", "100ms"]).badly(1, &[]);
    place.file("hold.lua", "require('store').get('cache'):set('k', 1) io.write('open\\n') io.flush() io.read()");
    let mut command = place.store(&["run", "--env", "edge", "hold.lua"]);
    let mut holder = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(holder.stdout.as_mut().unwrap()), &mut line).unwrap();
    place
        .run(&["top", "cache", "--env", "edge"])
        .badly(1, &["only that process's own metrics can tell", "UNAVAILABLE", "is in use by", "(reason: locked)"]);
    let error = place.run(&["top", "cache", "--env", "edge", "--json"]).badly(1, &[]).stderr;
    let error: Json = serde_json::from_str(&error).unwrap();
    assert!(error["error"]["details"]["hint"].as_str().unwrap().contains("metrics"), "{error}");
    drop(holder.stdin.take());
    holder.wait().unwrap();
}

#[test]
fn s1_top_counts_what_the_caller_may_read() {
    let place = Place::with(
        "[stores.cache]\nbackend = 'sled'\noptions = { path = 'data' }\n[security]\nstrict = true\n\
         [[security.policies]]\nid = 'all'\nactions = ['*']\nresources = ['*']\neffect = 'allow'\ngroups = ['ops']\n\
         [[security.policies]]\nid = 'hidden'\nactions = ['store.key.get']\nresources = ['*']\nkeys = ['secret:*']\n\
         effect = 'deny'\ngroups = ['ops']\n",
    );
    for key in ["open:1", "secret:1"] {
        place.run(&["set", "cache", key, "x", "--scope", "ops"]).well();
    }
    place.run(&["top", "cache"]).badly(1, &["PERMISSION_DENIED"]);
    let seen = object(place.run(&["top", "cache", "--scope", "ops", "--json"]));
    assert_eq!((&seen["seen"]["entries"], seen["seen"]["prefixes"].as_array().unwrap().len()), (&json!(1), 1));
    for (option, value) in
        [("--interval", "1ms"), ("--interval", "2h"), ("--separator", ""), ("--depth", "0"), ("--budget", "x")]
    {
        place.run(&["top", "cache", option, value]).badly(2, &[]);
    }
}
