//! `store copy`: between stores, backends and environments.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Ended, Place};
use serde_json::{Value as Json, json};
use store_testkit::RedisServer;

/// One sled store, which is on Redis in production; another on sled, in the same folder.
fn place(name: &str) -> Place {
    let url = RedisServer::shared().url();
    Place::with(&format!(
        "[stores.cache]\nbackend = 'sled'\noptions = {{ path = 'data' }}\n\
         [stores.back]\nbackend = 'sled'\noptions = {{ path = 'data' }}\n\
         [stores.small]\nbackend = 'memory'\noptions = {{ max_entries = 10 }}\n\
         [stores.dropping]\nbackend = 'memory'\noptions = {{ max_entries = 1000, on_full = 'lru' }}\n\
         [env.production.stores.cache]\nbackend = 'redis'\noptions = {{ url = '{url}', prefix = '{name}' }}\n"
    ))
}

fn object(ended: Ended) -> Json {
    serde_json::from_str(ended.well().stdout.trim()).unwrap()
}

/// Key, value and TTL of each entry, and the versions apart.
fn entries(place: &Place, args: &[&str]) -> (Vec<(Json, Json)>, Vec<f64>, Vec<String>) {
    let args = [&["list"], args, &["--all", "--values", "--json"]].concat();
    let said = place.run(&args).well().stdout;
    let objects: Vec<Json> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (
        objects.iter().map(|object| (object["key"].clone(), object["value"].clone())).collect(),
        objects.iter().map(|object| object["ttl"].as_f64().unwrap_or(f64::INFINITY)).collect(),
        objects.iter().map(|object| object["version"].as_str().unwrap().to_owned()).collect(),
    )
}

const FILL: &str = "local c = require('store').get('cache')
    for i = 1, 1500 do assert(c:set(('n%04d'):format(i), { i = i, f = i / 2 }, i % 3 == 0 and 0 or 1000 + i)) end
    assert(c:set('odd\\0\\xff', 'bytes\\xfe', 500))";

#[test]
fn copies_between_environments_keep_values_and_ttls_and_give_new_versions() {
    let place = place("round");
    place.script(FILL).well();
    let (before, ttls, versions) = entries(&place, &["cache"]);
    assert_eq!(before.len(), 1501);

    let said = place.run(&["copy", "cache", "cache", "--to-env", "production", "--yes"]).well().stdout;
    assert_eq!(said, "copied 1 501, verified 1 501\n");
    let counts = object(place.run(&["copy", "cache", "back", "--from-env", "production", "--yes", "--json"]));
    let number = |name: &str| counts[name].as_u64().unwrap();
    assert_eq!((number("copied"), number("verified"), number("missing"), number("different")), (1501, 1501, 0, 0));

    for args in [&["cache", "--env", "production"][..], &["back"]] {
        let (after, ttls_after, versions_after) = entries(&place, args);
        assert_eq!(after, before, "{args:?}");
        for (before, after) in ttls.iter().zip(&ttls_after) {
            let kept = if before.is_infinite() {
                after.is_infinite()
            } else {
                *after <= *before + 0.1 && *after > *before - 60.0
            };
            assert!(kept, "{before} became {after}");
        }
        assert!(versions.iter().zip(&versions_after).all(|(before, after)| before != after));
    }
    assert!(ttls.iter().any(|ttl| ttl.is_infinite()) && ttls.iter().any(|ttl| ttl.is_finite()));
}

#[test]
fn what_was_cut_short_goes_on_with_keep_existing() {
    for target in ["back", "cache"] {
        let place = place("resumed");
        place.script(FILL).well();
        let to: &[&str] = if target == "cache" { &["cache", "--env", "production"] } else { &["back"] };
        let environment: &[&str] = if target == "cache" { &["--to-env", "production"] } else { &[] };
        let set = |key: &str, value: &str| place.run(&[&["set"], &to[..1], &[key, value], &to[1..]].concat());
        set("n0001", "newer").well();
        set("only here", "stays").well();
        let copy = [&["copy", "cache", target, "--keep-existing", "--json"], environment].concat();
        let counts = object(place.run(&copy));
        assert_eq!((&counts["copied"], &counts["kept"], &counts["verified"]), (&json!(1500), &json!(1), &json!(1500)));
        assert_eq!((&counts["different"], &counts["missing"]), (&json!(1), &json!(0)), "what it kept is its own");
        let counts = object(place.run(&copy));
        assert_eq!((&counts["copied"], &counts["kept"]), (&json!(0), &json!(1501)), "and once more changes nothing");
        let get = |key: &str| place.run(&[&["get"], &to[..1], &[key], &to[1..]].concat()).well().stdout;
        assert_eq!((get("n0001").as_str(), get("only here").as_str()), ("\"newer\"\n", "\"stays\"\n"));
    }
}

#[test]
fn a_copy_that_was_killed_goes_on_and_nothing_is_missing() {
    let server = RedisServer::start();
    let place = Place::with(&format!(
        "[stores.cache]\nbackend = 'sled'\noptions = {{ path = 'data', durability = 'none' }}\n\
         [stores.far]\nbackend = 'redis'\noptions = {{ url = '{}' }}\n",
        server.url()
    ));
    place
        .script(
            "local c = require('store').get('cache')
             for from = 1, 30000, 1000 do
                 local items = {}
                 for i = from, from + 999 do items[#items + 1] = { key = ('n%05d'):format(i), value = i, ttl = i % 2 * 1000 } end
                 assert(c:set_many(items))
             end",
        )
        .well();
    let there = || server.cli(&["DBSIZE"]).integer();
    let mut copying = place.store(&["copy", "cache", "far", "--yes"]).spawn().unwrap();
    while there() < 500 {
        assert!(copying.try_wait().unwrap().is_none(), "it ended before it could be killed");
    }
    copying.kill().unwrap();
    copying.wait().unwrap();
    let before = u64::try_from(there()).unwrap();
    assert!((500..30_000).contains(&before), "{before}");
    let counts = object(place.run(&["copy", "cache", "far", "--keep-existing", "--json"]));
    assert_eq!((&counts["kept"], &counts["copied"]), (&json!(before), &json!(30_000 - before)));
    assert_eq!((&counts["verified"], &counts["missing"], &counts["different"]), (&json!(30_000), &json!(0), &json!(0)));
    let (_, ttls, _) = entries(&place, &["far"]);
    let expiring = ttls.iter().filter(|ttl| **ttl > 500.0 && **ttl <= 1000.0).count();
    assert_eq!((expiring, ttls.iter().filter(|ttl| ttl.is_infinite()).count()), (15_000, 15_000));
}

#[test]
fn a_prefix_copies_a_part() {
    let place = place("part");
    place.script(FILL).well();
    let said = place.run(&["copy", "cache", "back", "--prefix", "n000", "--yes"]).well().stdout;
    assert_eq!(said, "copied 9, verified 9\n");
    let said = place.run(&["copy", "cache", "back", "--prefix", "odd\\x00\\xff", "--escaped", "--yes"]).well().stdout;
    assert_eq!(said, "copied 1, verified 1\n");
}

#[test]
fn overwriting_in_a_pipe_needs_yes_and_a_store_is_not_copied_to_itself() {
    let place = place("refused");
    place.run(&["set", "cache", "k", "v"]).well();
    let said = "this would overwrite back with all entries of cache: say so with --yes or --keep-existing";
    place.run(&["copy", "cache", "back"]).badly(2, &[said]);
    place.run(&["has", "back", "k"]).badly(1, &[]);
    place.run(&["copy", "cache", "cache", "--yes"]).badly(2, &["the same store"]);
    place.run(&["copy", "back", "back", "--to-env", "production", "--yes"]).badly(2, &["the same store"]);
    place.run(&["copy", "cache", "cache", "--to-env", "prod", "--yes"]).badly(2, &["\"prod\" is not declared"]);
    place.run(&["copy", "cache", "nope", "--yes"]).badly(1, &["NOT_FOUND", "there is no store \"nope\""]);
}

#[test]
fn a_target_that_does_not_hold_everything_is_told() {
    let place = place("full");
    place.script(FILL).well();
    place
        .run(&["copy", "cache", "small", "--yes"])
        .badly(1, &["go on with --keep-existing", "UNAVAILABLE", "capacity"]);
    let ended = place.run(&["copy", "cache", "dropping", "--yes"]).badly(1, &["does not hold what the source does"]);
    assert!(
        ended.stdout.starts_with("copied 1 501, verified ") && ended.stdout.contains(", missing "),
        "{}",
        ended.stdout
    );
}

#[test]
fn s1_copies_hold_what_the_caller_may_read_and_only_write_what_he_may() {
    let place = Place::with(
        "[stores.a]\nbackend = 'sled'\noptions = { path = 'data' }\n\
         [stores.b]\nbackend = 'sled'\noptions = { path = 'data' }\n\
         [[security.policies]]\nid = 'all'\nactions = ['*']\nresources = ['*']\neffect = 'allow'\n\
         [[security.policies]]\nid = 'hidden'\nactions = ['store.key.get']\nresources = ['a']\nkeys = ['secret:*']\neffect = 'deny'\ngroups = ['ops']\n\
         [[security.policies]]\nid = 'fixed'\nactions = ['store.key.set']\nresources = ['b']\nkeys = ['fixed:*']\neffect = 'deny'\ngroups = ['ops']\n",
    );
    for key in ["open:1", "secret:1"] {
        place.run(&["set", "a", key, "x"]).well();
    }
    let said = place.run(&["copy", "a", "b", "--yes", "--scope", "ops"]).well().stdout;
    assert_eq!(said, "copied 1, verified 1\n");
    place.run(&["has", "b", "secret:1"]).badly(1, &[]);
    place.run(&["set", "a", "fixed:1", "x"]).well();
    place.run(&["copy", "a", "b", "--yes", "--scope", "ops"]).badly(1, &["PERMISSION_DENIED: set_many on b"]);
}
