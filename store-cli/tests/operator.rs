//! What operators do on single stores: real processes, on sled and Redis (memory is empty in every process).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::collections::HashSet;
use std::io::Write;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use common::{Ended, Place};
use serde_json::{Value as Json, json};

const SLED: &str = "[stores.'app:cache']\nbackend = 'sled'\noptions = { path = 'data' }\n";

/// The objects of an answer, one a line.
fn objects(text: &str) -> Vec<Json> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn object(ended: Ended) -> Json {
    let ended = ended.well();
    let [object] = <[Json; 1]>::try_from(objects(&ended.stdout)).unwrap();
    object
}

/// The same on every backend that outlives a process.
fn everywhere(test: impl Fn(&Place)) {
    test(&Place::with(SLED));
    let url = store_testkit::RedisServer::shared().url();
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let prefix = format!("operator{}", NEXT.fetch_add(1, Ordering::Relaxed));
    test(&Place::with(&format!(
        "[stores.'app:cache']\nbackend = 'redis'\noptions = {{ url = '{url}', prefix = '{prefix}' }}\n"
    )));
}

#[test]
fn what_is_set_is_got_on_every_backend() {
    everywhere(|place| {
        let said = place.run(&["set", "app:cache", "user:1", "Alice", "--ttl", "5m"]).well().stdout;
        assert!(said.starts_with("version ") && said.trim_end().ends_with("ttl 5m"), "{said}");
        assert_eq!(place.run(&["get", "app:cache", "user:1"]).well().stdout, "\"Alice\"\n");
        assert_eq!(place.run(&["get", "app:cache", "user:1", "--raw"]).well().stdout, "Alice");
        assert_eq!(place.run(&["has", "app:cache", "user:1"]).well().stdout, "true\n");
        assert!(place.run(&["ttl", "app:cache", "user:1"]).well().stdout.starts_with("4m5"));
        assert_eq!(place.run(&["touch", "app:cache", "user:1", "never"]).well().stdout, "true\n");
        assert_eq!(place.run(&["ttl", "app:cache", "user:1"]).well().stdout, "never\n");
        let entry = place.run(&["get", "app:cache", "user:1", "--entry"]).well().stdout;
        assert!(entry.contains("\nttl     never\nvalue   \"Alice\"\n"), "{entry}");
        assert_eq!(place.run(&["increment", "app:cache", "n"]).well().stdout, "1\n");
        assert_eq!(place.run(&["increment", "app:cache", "n", "-5", "--ttl", "1h"]).well().stdout, "-4\n");
        assert_eq!(place.run(&["increment", "app:cache", "m", "2", "--initial", "-10"]).well().stdout, "-8\n");
        assert_eq!(place.run(&["get", "app:cache", "n"]).well().stdout, "-4\n");
        assert_eq!(place.run(&["delete", "app:cache", "user:1", "nope"]).well().stdout, "true\tuser:1\nfalse\tnope\n");
        assert_eq!(place.run(&["delete", "app:cache", "n"]).well().stdout, "true\n");
    });
}

#[test]
fn no_is_exit_code_1_and_says_so() {
    let place = Place::with(SLED);
    let absent = place.run(&["get", "app:cache", "nope"]).badly(1, &["store: nope is absent"]);
    assert_eq!(absent.stdout, "", "nothing that could be taken for a value");
    assert_eq!(place.run(&["has", "app:cache", "nope"]).badly(1, &[]).stdout, "false\n");
    assert_eq!(place.run(&["touch", "app:cache", "nope", "1h"]).badly(1, &[]).stdout, "false\n");
    place.run(&["ttl", "app:cache", "nope"]).badly(1, &["nope is absent"]);
    assert_eq!(place.run(&["delete", "app:cache", "nope"]).well().stdout, "false\n");
    for command in ["get", "has", "ttl"] {
        let ended = place.run(&[command, "app:cache", "nope", "--json"]).badly(1, &[]);
        assert_eq!(objects(&ended.stdout), [json!({ "key": "nope", "found": false })], "{command}");
        assert_eq!(ended.stderr, "");
    }
}

#[test]
fn values_are_typed_as_asked_and_exact_in_json() {
    everywhere(|place| {
        for (kind, text, value, shown) in [
            ("string", "12", json!("12"), "\"12\""),
            ("int", "-9223372036854775808", json!(i64::MIN), "-9223372036854775808"),
            ("int", "18446744073709551615", json!(u64::MAX), "18446744073709551615"),
            ("float", "1", json!(1.0), "1.0"),
            ("float", "nan", json!({ "$float": "nan" }), "nan"),
            ("bool", "false", json!(false), "false"),
            ("json", r#"{"a":[1,2.5,null,"x"]}"#, json!({ "a": [1, 2.5, null, "x"] }), "{a = {1, 2.5, null, \"x\"}}"),
            (
                "json",
                r#"{"$map":[[1,"one"],[true,2]]}"#,
                json!({ "$map": [[1, "one"], [true, 2]] }),
                "{[1] = \"one\", [true] = 2}",
            ),
            ("json", r#"{"$base64":"/wA="}"#, json!({ "$base64": "/wA=" }), "\"\\xff\\x00\""),
        ] {
            place.run(&["set", "app:cache", "k", text, "--type", kind]).well();
            assert_eq!(place.run(&["get", "app:cache", "k"]).well().stdout, format!("{shown}\n"));
            let entry = object(place.run(&["get", "app:cache", "k", "--json"]));
            assert_eq!(entry["value"], value, "{kind} {text}");
            assert_eq!((entry["found"].as_bool(), entry["ttl"].as_str()), (Some(true), Some("never")));
            // What is printed sets the same again.
            place.run(&["set", "app:cache", "again", &entry["value"].to_string(), "--json-value"]).well();
            assert_eq!(object(place.run(&["get", "app:cache", "again", "--json"]))["value"], value);
        }
    });
    let place = Place::with(SLED);
    for (kind, text) in
        [("int", "1.5"), ("int", "99999999999999999999"), ("float", "x"), ("bool", "1"), ("json", "{"), ("nil", "")]
    {
        place.run(&["set", "app:cache", "k", text, "--type", kind]).badly(2, &[]);
    }
    place.run(&["set", "app:cache", "k", "null", "--json-value"]).badly(1, &["INVALID", "use delete"]);
    place.run(&["has", "app:cache", "k"]).badly(1, &[]);
}

#[test]
fn values_can_come_from_a_file_and_from_standard_input() {
    let place = Place::with(SLED);
    std::fs::write(place.path().join("bytes"), b"\xff\0\n").unwrap();
    place.run(&["set", "app:cache", "k", "--file", "bytes"]).well();
    let raw = place.store(&["get", "app:cache", "k", "--raw"]).output().unwrap();
    assert_eq!(raw.stdout, b"\xff\0\n");
    let mut command = place.store(&["set", "app:cache", "j", "--type", "json", "--file", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"[1, 2]\n").unwrap();
    Ended::from(child.wait_with_output().unwrap()).well();
    assert_eq!(place.run(&["get", "app:cache", "j"]).well().stdout, "{1, 2}\n");
    place.run(&["get", "app:cache", "j", "--raw"]).badly(1, &["not a string"]);
    place.run(&["set", "app:cache", "k", "v", "--file", "bytes"]).badly(2, &[]);
    place.run(&["set", "app:cache", "k"]).badly(2, &[]);
}

#[test]
fn conditions_are_kept_and_conflicts_are_told() {
    everywhere(|place| {
        let first = object(place.run(&["set", "app:cache", "k", "1", "--if-absent", "--ttl", "1h", "--json"]));
        let version = first["version"].as_str().unwrap();
        place
            .run(&["set", "app:cache", "k", "2", "--if-absent"])
            .badly(1, &["store: ALREADY_EXISTS: put on app:cache"]);
        place.run(&["set", "app:cache", "nope", "2", "--if-present"]).badly(1, &["NOT_FOUND"]);
        let second =
            object(place.run(&["set", "app:cache", "k", "2", "--if-version", version, "--keep-ttl", "--json"]));
        assert_ne!(second["version"].as_str().unwrap(), version);
        let ttl = second["ttl"].as_f64().unwrap();
        assert!(ttl > 3500.0 && ttl <= 3600.1, "{ttl}");
        place.run(&["set", "app:cache", "k", "3", "--if-version", version]).badly(1, &["CONFLICT"]);
        let refused = place.run(&["delete", "app:cache", "k", "--if-version", version, "--json"]).badly(1, &[]);
        let error = &objects(&refused.stderr)[0]["error"];
        assert_eq!((&error["kind"], &error["retryable"]), (&json!("CONFLICT"), &json!(true)));
        assert_eq!((&error["details"]["store"], &error["details"]["key"]), (&json!("app:cache"), &json!("k")));
        place.run(&["delete", "app:cache", "k", "j", "--if-version", version]).badly(2, &["with one key"]);
        let version = second["version"].as_str().unwrap();
        assert_eq!(place.run(&["delete", "app:cache", "k", "--if-version", version]).well().stdout, "true\n");
    });
}

#[test]
fn k1_keys_of_any_bytes_are_printed_escaped_and_read_back() {
    everywhere(|place| {
        let odd = "a\\xff\\x00\\n\\\\\\\"é";
        place.run(&["set", "app:cache", odd, "v\\x01", "--escaped"]).well();
        place.run(&["set", "app:cache", "\\x41", "plain"]).well();
        assert_eq!(place.run(&["get", "app:cache", odd, "--escaped"]).well().stdout, "\"v\\x01\"\n");
        assert_eq!(place.run(&["has", "app:cache", "A"]).badly(1, &[]).stdout, "false\n", "not escaped unless asked");
        let listed = place.run(&["list", "app:cache"]).well().stdout;
        assert_eq!(listed, "\\\\x41\na\\xff\\x00\\n\\\\\"é\n");
        for key in listed.lines() {
            place.run(&["has", "app:cache", key, "--escaped"]).well();
        }
        let keys: Vec<Json> = objects(&place.run(&["list", "app:cache", "--json"]).well().stdout);
        assert_eq!(keys[0], json!({ "key": "\\x41" }));
        assert!(keys[1]["key"]["$base64"].is_string(), "{keys:?}");
        place.run(&["get", "app:cache", "\\xg0", "--escaped"]).badly(2, &["\\xNN"]);
        place.run(&["get", "app:cache", ""]).badly(1, &["INVALID", "empty"]);
    });
}

#[test]
fn listings_go_on_where_they_ended() {
    everywhere(|place| {
        for key in ["a:1", "a:2", "a:3", "b:1"] {
            place.run(&["set", "app:cache", key, "x", "--ttl", "1h"]).well();
        }
        assert_eq!(place.run(&["list", "app:cache"]).well().stdout, "a:1\na:2\na:3\nb:1\n");
        assert_eq!(place.run(&["list", "app:cache", "--prefix", "b"]).well().stdout, "b:1\n");
        let ended = place.run(&["list", "app:cache", "--prefix", "a", "--limit", "2"]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "a:1\na:2\n"));
        let cursor = ended.stderr.trim().rsplit(' ').next().unwrap().to_owned();
        assert_eq!(place.run(&["list", "app:cache", "--prefix", "a", "--after", &cursor]).well().stdout, "a:3\n");
        let page = objects(&place.run(&["list", "app:cache", "--limit", "3", "--values", "--json"]).well().stdout);
        assert_eq!(page.len(), 4, "three entries and the cursor");
        assert_eq!((&page[0]["key"], &page[0]["value"]), (&json!("a:1"), &json!("x")));
        assert!(page[0]["ttl"].as_f64().unwrap() > 3500.0 && page[0]["version"].is_string());
        let rest = place.run(&["list", "app:cache", "--all", "--after", page[3]["cursor"].as_str().unwrap()]);
        assert_eq!(rest.well().stdout, "b:1\n");
        let line = place.run(&["list", "app:cache", "--prefix", "b", "--values"]).well().stdout;
        assert!(line.starts_with("b:1\t59m5") && line.ends_with("s\t\"x\"\n"), "{line:?}");
        place.run(&["list", "app:cache", "--after", "nonsense"]).badly(1, &["INVALID", "cursor"]);
        place.run(&["list", "app:cache", "--limit", "0"]).badly(2, &[]);
    });
}

#[test]
fn listings_longer_than_a_page_are_whole() {
    let place = Place::with(SLED);
    place
        .script("local c = require('store').get('app:cache') for i = 1, 2500 do c:set(('%05d'):format(i), i) end")
        .well();
    let all = place.run(&["list", "app:cache", "--all"]).well().stdout;
    assert_eq!(all.lines().collect::<HashSet<_>>().len(), 2500);
    assert!(all.lines().is_sorted());
    let ended = place.run(&["list", "app:cache", "--limit", "2100"]);
    assert_eq!((ended.stdout.lines().count(), ended.stderr.contains("--after")), (2100, true));
    // Whoever reads only the beginning is no failure.
    let mut child = place.store(&["list", "app:cache", "--all", "--values"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn clear_in_a_pipe_needs_yes() {
    everywhere(|place| {
        for key in ["a:1", "a:2", "b:1"] {
            place.run(&["set", "app:cache", key, "x"]).well();
        }
        let said = "this would delete all entries of app:cache: say so with --yes";
        place.run(&["clear", "app:cache"]).badly(2, &[said]);
        let refused = place.run(&["clear", "app:cache", "--prefix", "a", "--json"]).badly(2, &[]);
        assert_eq!(objects(&refused.stderr)[0]["error"]["kind"], "INVALID");
        assert_eq!(place.run(&["list", "app:cache"]).well().stdout, "a:1\na:2\nb:1\n", "nothing was touched");
        assert_eq!(place.run(&["clear", "app:cache", "--prefix", "a", "--yes"]).well().stdout, "deleted 2\n");
        assert_eq!(object(place.run(&["clear", "app:cache", "--yes", "--json"])), json!({ "deleted": 1 }));
    });
}

#[test]
fn mistakes_are_one_line_with_their_kind() {
    let place = Place::with(SLED);
    let unknown = place.run(&["get", "app:nope", "k"]).badly(1, &["store: NOT_FOUND: ", "there is app:cache"]);
    assert_eq!(unknown.stderr.lines().count(), 1);
    let unknown = place.run(&["info", "app:nope", "--json"]).badly(1, &[]);
    assert_eq!(objects(&unknown.stderr)[0]["error"]["details"]["available"], json!(["app:cache"]));
    place.run(&["set", "app:cache", "k", "v", "--ttl", "30"]).badly(2, &["no unit"]);
    place.run(&["set", "app:cache", "k", "v", "--ttl", "0s"]).badly(1, &["INVALID", "zero"]);
    place.run(&["touch", "app:cache", "k", "soon"]).badly(2, &["not a duration"]);
    place.run(&["set", "app:cache", "k", "v", "--ttl", "1s", "--keep-ttl"]).badly(2, &[]);
    place.run(&["get", "app:cache", "k", "--env", "x", "--config", "nowhere.toml"]).badly(2, &["nowhere.toml"]);
    place.run(&["set", "app:cache", "word", "text"]).well();
    place.run(&["increment", "app:cache", "word"]).badly(1, &["INVALID"]);
    let wrong = Place::with("[stores.x]\nbackend = 'sledd'\n");
    let ended = wrong.run(&["get", "x", "k", "--json"]).badly(2, &[]);
    assert!(objects(&ended.stderr)[0]["error"]["message"].as_str().unwrap().contains("sledd"));
}

#[test]
fn s1_a_strict_configuration_asks_who() {
    let place = Place::with(&format!(
        "{SLED}[security]\nstrict = true\n\
         [[security.policies]]\nid = 'own'\nactions = ['store.get', 'store.key.*']\nresources = ['*']\n\
         effect = 'allow'\ngroups = ['users']\nkeys = ['user:${{actor.id}}:*', 'dept:${{actor.meta.dept}}']\n\
         [[security.policies]]\nid = 'open'\nactions = ['store.get', 'store.info']\nresources = ['*']\n\
         effect = 'allow'\ngroups = ['users', 'ops']\n\
         [[security.policies]]\nid = 'ops'\nactions = ['*']\nresources = ['*']\neffect = 'allow'\ngroups = ['ops']\n"
    ));
    let ops = ["--scope", "ops"];
    let alice = ["--actor", "alice", "--scope", "users"];
    let run = |args: &[&str], who: &[&str]| place.run(&[args, who].concat());
    run(&["set", "app:cache", "user:alice:x", "1"], &[])
        .badly(1, &["store: PERMISSION_DENIED: app:cache: store.get is not allowed"]);
    run(&["set", "app:cache", "user:alice:x", "1"], &alice).well();
    run(&["set", "app:cache", "user:bob:x", "1"], &alice).badly(1, &["PERMISSION_DENIED"]);
    run(&["get", "app:cache", "dept:7"], &alice).badly(1, &["PERMISSION_DENIED"]);
    run(&["has", "app:cache", "dept:7"], &[&alice[..], &["--actor-meta", "dept=\"7\""]].concat()).badly(1, &[]);
    run(&["set", "app:cache", "user:bob:x", "2"], &ops).well();
    assert_eq!(run(&["list", "app:cache"], &ops).well().stdout, "user:alice:x\nuser:bob:x\n");
    run(&["clear", "app:cache", "--yes"], &alice).badly(1, &["PERMISSION_DENIED"]);
    let denied = run(&["health"], &[]).badly(1, &[]).stdout;
    assert!(denied.contains("FAIL  PERMISSION_DENIED: "), "{denied}");
    run(&["health"], &alice).well();
    run(&["info", "app:cache"], &ops).well();
    assert_eq!(run(&["clear", "app:cache", "--yes"], &ops).well().stdout, "deleted 2\n");
}

#[test]
fn info_says_what_a_store_is() {
    everywhere(|place| {
        let info = object(place.run(&["info", "app:cache", "--json"]));
        assert_eq!((&info["id"], &info["durable"].is_boolean()), (&json!("app:cache"), &true));
        assert_eq!(info["capabilities"]["versions"], json!(true));
        let text = place.run(&["info", "app:cache"]).well().stdout;
        assert!(text.contains(&format!("backend      {}\n", info["backend"].as_str().unwrap())), "{text}");
        assert!(text.contains("max value    8 MiB\n"), "{text}");
    });
}

#[test]
fn health_names_the_store_that_is_not_well_and_why() {
    let port = store_testkit::RedisServer::free_port();
    let place = Place::with(&format!(
        "{SLED}[stores.plain]\nbackend = 'memory'\n\
         [stores.far]\nbackend = 'redis'\noptions = {{ url = 'redis://:hushhush@127.0.0.1:{port}' }}\n"
    ));
    let ended = place.run(&["health"]).badly(1, &[]);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert!(lines[0].starts_with("app:cache  ok    sled, "), "{lines:?}");
    assert!(lines[1].starts_with("far        FAIL  UNAVAILABLE: "), "{lines:?}");
    assert!(lines[2].starts_with("plain      ok    memory, "), "{lines:?}");
    assert!(!ended.stdout.contains("hushhush"));
    let ended = place.run(&["health", "plain", "nope", "--json"]).badly(1, &[]);
    let answers = objects(&ended.stdout);
    assert_eq!((&answers[0]["healthy"], &answers[0]["backend"]), (&json!(true), &json!("memory")));
    assert_eq!((&answers[1]["healthy"], &answers[1]["error"]["kind"]), (&json!(false), &json!("NOT_FOUND")));
    place.run(&["health", "plain", "app:cache"]).well();
}

#[test]
fn completions_are_printed_for_shells() {
    let place = Place::new();
    for (shell, part) in [("bash", "complete -F"), ("zsh", "#compdef store"), ("fish", "complete -c store")] {
        let script = place.run(&["completions", shell]).well().stdout;
        assert!(script.contains(part) && script.contains("increment"), "{shell}");
    }
    place.run(&["completions", "none"]).badly(2, &[]);
}

#[cfg(unix)]
#[test]
fn an_interrupted_command_ends_at_once_and_closes_its_stores() {
    use std::io::Read;
    use std::process::Command;
    use std::time::{Duration, Instant};
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        // It accepts, and never says a word.
        let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = silent.local_addr().unwrap().port();
        let place = Place::with(&format!(
            "[stores.far]\nbackend = 'redis'\n\
             options = {{ url = 'redis://127.0.0.1:{port}', timeout = '60s', connect_timeout = '60s' }}\n"
        ));
        let mut child = place.store(&["get", "far", "k"]).stderr(Stdio::piped()).spawn().unwrap();
        let connection = silent.accept().unwrap();
        let start = Instant::now();
        let sent = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        assert_eq!(child.wait().unwrap().code(), Some(code));
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(said, "store: interrupted\n");
        drop(connection);
    }
}
