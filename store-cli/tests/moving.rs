//! Moving entries between stores, and looking after them: export, import, doctor, as real processes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{Ended, Place};
use store_testkit::{RedisServer, Reply, RespClient};

/// Two sled databases and two prefixes of one Redis server.
fn place(test: &str) -> Place {
    let url = RedisServer::shared().url();
    Place::with(&format!(
        "[stores.'sled:a']\nbackend = 'sled'\noptions = {{ path = 'a' }}\n\
         [stores.'sled:b']\nbackend = 'sled'\noptions = {{ path = 'b' }}\n\
         [stores.'redis:a']\nbackend = 'redis'\noptions = {{ url = '{url}', prefix = '{test}-a' }}\n\
         [stores.'redis:b']\nbackend = 'redis'\noptions = {{ url = '{url}', prefix = '{test}-b' }}\n\
         [stores.'app:memory']\nbackend = 'memory'\n"
    ))
}

/// Runs a script with `cache` on this store.
fn lua(place: &Place, id: &str, script: &str) -> String {
    place.script(&format!("local cache = assert(require('store').get('{id}'))\n{script}")).well().stdout
}

const FILL: &str = r"
    cache:set('text', 'h\xc3\xa9llo')
    cache:set('bytes\0\xff*', '\0\xff')
    cache:set('number', 2^53 + 1 | 0)
    cache:set('float', 1.0)
    cache:set('table', {1, 2, {deep = {[3] = false, [1.5] = 'x'}}})
    cache:set('large', ('x'):rep(300000))
    cache:set('session', 'minutes', 300)
    cache:set('second', 'gone soon', 0.3)
    for i = 1, 700 do cache:set('n' .. i, i) end
";

const LOOK: &str = r"
    local function show(v)
        if type(v) ~= 'table' then return math.type(v) or type(v), tostring(v) end
        return v[1], v[2], v[3].deep[3], v[3].deep[1.5]
    end
    for _, key in ipairs {'text', 'bytes\0\xff*', 'number', 'float', 'table', 'session', 'second', 'n1', 'n700'} do
        print(key, show((cache:get(key))))
    end
    print(#cache:get('large'), cache:ttl('text'))
    local left = cache:ttl('session')
    assert(left > 200 and left <= 300, left)
";

#[test]
fn entries_are_the_same_on_every_backend_after_a_move() {
    let place = place("pairs");
    let mut expected = None;
    for from in ["sled:a", "redis:a"] {
        lua(&place, from, FILL);
        std::thread::sleep(Duration::from_millis(400));
        let there = lua(&place, from, LOOK);
        assert!(there.contains("second\tnil\tnil\n"), "{there}");
        assert_eq!(*expected.get_or_insert_with(|| there.clone()), there);
        for to in ["sled:b", "redis:b", from] {
            let said = place.run(&["export", from, "dump"]).well().stdout;
            assert!(said.starts_with(&format!("exported 707 entries of {from} to dump, ")), "{said}");
            lua(&place, to, "cache:clear() cache:set('own', 1)");
            let said = place.run(&["import", to, "dump"]).well().stdout;
            assert_eq!(said, format!("imported 707 entries into {to}\n"));
            assert_eq!(lua(&place, to, LOOK), there, "{from} to {to}");
            assert_eq!(lua(&place, to, "print((cache:get('own')))"), "1\n", "other keys are not touched");
        }
    }
}

#[test]
fn a_pipe_needs_no_file() {
    let place = place("pipe");
    lua(&place, "sled:a", "cache:set('user:1', 'Alice') cache:set('user:2', 'Bob', 60) cache:set('other', 1)");
    let mut export = place.store(&["export", "sled:a", "--prefix", "user:"]);
    let mut export = export.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut import = place.store(&["import", "redis:a", "--json"]);
    import.stdin(export.stdout.take().unwrap());
    let said = Ended::of(import).well().stdout;
    assert!(said.starts_with("{\"") && said.contains("\"written\":2") && said.contains("\"kept\":0"), "{said}");
    let ended = Ended::from(export.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(0));
    assert!(ended.stderr.starts_with("exported 2 entries of sled:a, "), "{ended:?}");
    let script = "print(cache:get('user:1'), cache:get('user:2'), cache:get('other'), cache:ttl('user:2') > 50)";
    assert_eq!(lua(&place, "redis:a", script), "Alice\tBob\tnil\ttrue\n");
}

#[test]
fn existing_entries_are_overwritten_or_kept() {
    let place = place("keep");
    lua(&place, "sled:a", "cache:set('both', 'dump') cache:set('new', 'dump') cache:set('old', 'dump', 2)");
    place.run(&["export", "sled:a", "dump"]).well();
    for to in ["sled:b", "redis:b"] {
        lua(&place, to, "cache:set('both', 'mine')");
        std::thread::sleep(Duration::from_millis(2100));
        let said = place.run(&["import", to, "dump", "--keep-existing"]).well().stdout;
        let others = "; kept as they were: 1; expired meanwhile: 1";
        assert_eq!(said, format!("imported 1 entry into {to}{others}\n"));
        assert_eq!(
            lua(&place, to, "print((cache:get('both')), (cache:get('new')), (cache:get('old')))"),
            "mine\tdump\tnil\n"
        );
        place.run(&["import", to, "dump"]).well();
        assert_eq!(lua(&place, to, "print((cache:get('both')))"), "dump\n");
    }
}

#[test]
fn a_damaged_dump_says_where_and_what_was_imported_before() {
    let place = place("damage");
    lua(&place, "sled:a", "for i = 1, 1200 do cache:set(('k%04d'):format(i), i) end");
    place.run(&["export", "sled:a", "dump"]).well();
    let whole = fs::read(place.path().join("dump")).unwrap();
    let damage = |bytes: &[u8]| fs::write(place.path().join("damaged"), bytes).unwrap();

    damage(&whole[..whole.len() - 5]);
    let breaks_off = format!("the dump is not whole: it breaks off at byte {}", whole.len() - 5);
    let said = place.run(&["import", "sled:b", "damaged"]);
    said.badly(1, &["store: INTERNAL: ", &breaks_off, "(reason: corrupt)\nimported before that: 1 200 entries\n"]);

    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 0x10;
    damage(&flipped);
    for to in ["sled:b", "redis:b"] {
        lua(&place, to, "cache:clear()");
        let ended =
            place.run(&["import", to, "damaged", "--json"]).badly(1, &["\"reason\":\"corrupt\"", "\"offset\":"]);
        let written: u64 =
            ended.stderr.split("\"written\":").nth(1).unwrap().split(['}', ',']).next().unwrap().parse().unwrap();
        assert!((550..650).contains(&written), "{ended:?}");
        let count = "local n = 0 for _ in cache:each() do n = n + 1 end print(n)";
        assert_eq!(lua(&place, to, count), format!("{written}\n"), "as many as it says");
    }

    damage(b"PK\x03\x04");
    place.run(&["import", "sled:b", "damaged"]).badly(2, &["this is no dump of a store"]);
    let mut newer = whole;
    newer[11] = 2;
    newer.truncate(20);
    newer.extend(crc32fast::hash(&newer).to_be_bytes());
    damage(&newer);
    place.run(&["import", "sled:b", "damaged"]).badly(2, &["the dump has format 2, and this version reads format 1"]);
}

/// A key in Redis.
fn find(redis: &mut RespClient, pattern: &str) -> String {
    let Reply::Array(keys) = redis.call(&["KEYS", pattern]).unwrap() else { panic!("no list") };
    let Some(Reply::Bytes(key)) = keys.into_iter().next() else { panic!("no {pattern}") };
    String::from_utf8(key).unwrap()
}

#[test]
fn an_export_that_fails_leaves_what_was_there() {
    let place = place("atomic");
    place.file("dump", "yesterday's");
    lua(&place, "redis:a", "for i = 1, 1500 do cache:set('k' .. i, i) end");
    let mut redis = RedisServer::shared().client();
    let key = &find(&mut redis, "atomic-a*");
    redis.call(&["SET", key, "not ours"]).unwrap();
    let ended = place.run(&["export", "redis:a", "dump"]);
    ended.badly(1, &["store: INTERNAL: export on redis:a: ", "(reason: foreign)\nthe key is \"k"]);
    let ended = place.run(&["export", "redis:a", "dump", "--json"]);
    ended.badly(1, &["{\"error\":{", "\"reason\":\"foreign\"", "\"key\":\"k"]);
    assert_eq!(fs::read_to_string(place.path().join("dump")).unwrap(), "yesterday's");
    let names: Vec<_> = fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().contains("partial")), "{names:?}");
    redis.call(&["DEL", key]).unwrap();
    place.run(&["export", "redis:a", "dump"]).well();
    assert!(fs::read(place.path().join("dump")).unwrap().starts_with(b"\x89STORE"));
}

#[cfg(unix)]
#[test]
fn links_and_devices_stay_what_they_are() {
    use std::os::unix::fs::PermissionsExt;
    let place = place("links");
    lua(&place, "sled:a", "cache:set('k', 'v')");
    place.file("real", "");
    std::os::unix::fs::symlink("real", place.path().join("link")).unwrap();
    place.run(&["export", "sled:a", "link"]).well();
    assert!(fs::symlink_metadata(place.path().join("link")).unwrap().is_symlink());
    let real = place.path().join("real");
    assert!(fs::read(&real).unwrap().starts_with(b"\x89STORE"));
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600, "a dump is private");
    place.run(&["export", "sled:a", "/dev/null"]).well();
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}

#[test]
fn mistakes_are_told_before_anything_is_done() {
    let place = place("mistakes");
    for args in [&["export", "app:memory", "dump"][..], &["import", "app:memory", "store.toml"]] {
        place.run(args).badly(2, &["app:memory is in memory: no other process can reach its entries"]);
    }
    place.run(&["import", "sled:a", "nowhere"]).badly(2, &["cannot read nowhere: "]);
    place.run(&["import", "sled:a", "."]).badly(2, &["cannot read .: "]);
    place.run(&["export", "sled:a", "no/where"]).badly(2, &["cannot write no/where: "]);
    place.run(&["export", "sled:a", "."]).badly(2, &["cannot write .: "]);
    place.run(&["export"]).badly(2, &["<ID>"]);
    let unknown = "NOT_FOUND: store.get on sled:x: there is no store \"sled:x\"; there is app:memory, redis:a";
    for args in [&["export", "sled:x", "dump"][..], &["import", "sled:x", "store.toml"], &["doctor", "sled:x"]] {
        place.run(args).badly(1, &[unknown]);
    }
    assert!(!place.path().join("dump").exists());
    place.run(&["doctor", "redis:a", "--salvage-to", "new"]).badly(2, &["--salvage-to is for stores on sled"]);
}

#[cfg(unix)]
#[test]
fn an_interrupted_import_ends_with_its_store_closed() {
    let place = place("interrupted");
    lua(&place, "sled:a", "for i = 1, 600 do cache:set('k' .. i, ('x'):rep(1000)) end");
    place.run(&["export", "sled:a", "dump"]).well();
    let dump = fs::read(place.path().join("dump")).unwrap();
    for signal in ["INT", "TERM"] {
        // Waits for more of the dump, which never comes.
        let mut import =
            place.store(&["import", "sled:b"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut input = import.stdin.take().unwrap();
        input.write_all(&dump[..dump.len() / 2]).unwrap();
        input.flush().unwrap();
        std::thread::sleep(Duration::from_millis(500));
        let sent = Command::new("kill").args([&format!("-{signal}"), &import.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let code = import.wait().unwrap().code();
        assert_eq!(code, Some(if signal == "INT" { 130 } else { 143 }));
        assert!(place.run(&["doctor", "sled:b"]).well().stdout.contains(" (sled): healthy"));
    }
}

#[test]
fn a_hundred_thousand_entries_fit_into_little_memory() {
    let place = place("many");
    lua(
        &place,
        "redis:a",
        "local batch = {}
         for i = 1, 100000 do
             batch[#batch + 1] = { key = ('key:%06d'):format(i), value = ('v'):rep(1000) .. i, ttl = 3600 }
             if #batch == 1000 then assert(cache:set_many(batch)) batch = {} end
         end",
    );
    let peak = |args: &[&str]| {
        let mut child = place.store(args).stdout(Stdio::piped()).spawn().unwrap();
        let status = format!("/proc/{}/status", child.id());
        let mut peak = 0;
        while child.try_wait().unwrap().is_none() {
            let status = fs::read_to_string(&status).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
            peak = peak.max(kib.unwrap_or(0));
            std::thread::sleep(Duration::from_millis(2));
        }
        assert!(child.wait().unwrap().success());
        let mut said = String::new();
        BufReader::new(child.stdout.unwrap()).read_line(&mut said).unwrap();
        assert!(said.contains("100 000 entries"), "{said}");
        peak
    };
    let export = peak(&["export", "redis:a", "dump"]);
    let import = peak(&["import", "redis:b", "dump"]);
    let dump = fs::metadata(place.path().join("dump")).unwrap().len() >> 10;
    println!("a dump of {dump} KiB: export took {export} KiB of memory, import {import} KiB");
    assert!(dump > 100_000 && export < 60_000 && import < 60_000, "{dump} {export} {import}");
    let said = place.run(&["doctor", "redis:b", "--json"]).well().stdout;
    assert!(said.contains("\"entries\":100000") && said.contains("\"expiring\":100000"), "{said}");
    lua(&place, "redis:a", "cache:clear()");
    lua(&place, "redis:b", "cache:clear()");
}

#[test]
fn doctor_finds_what_is_no_entry() {
    let place = place("doctor");
    lua(&place, "redis:a", "for i = 1, 700 do cache:set('k' .. i, i) end cache:set('t', 1, 60)");
    let said = place.run(&["doctor", "redis:a"]).well().stdout;
    assert!(said.starts_with("redis:a (redis): healthy\n701 entries, 1 of them with a TTL, "), "{said}");
    let mut redis = RedisServer::shared().client();
    let key = find(&mut redis, "doctor-a*k700");
    let name = |suffix: &str| key.replace("k700", suffix);
    redis.call(&["SET", &name("foreign"), "text"]).unwrap();
    redis.call(&["SET", &name("garbage"), "\u{a5}"]).unwrap();
    redis.call(&["LPUSH", &name("list"), "x"]).unwrap();
    let ended = place.run(&["doctor", "redis:a"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let said = ended.stdout;
    assert!(said.starts_with("redis:a (redis): PROBLEMS\n701 entries"), "{said}");
    for part in ["3 entries cannot be read", "  \"foreign\": ", "  \"garbage\": ", "  \"list\": "] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let ended = place.run(&["doctor", "redis:a", "--json"]);
    assert!(ended.stdout.contains("\"healthy\":false") && ended.stdout.contains("\"faulty\":3"), "{ended:?}");
    assert!(place.run(&["doctor", "app:memory"]).well().stdout.starts_with("app:memory (memory): healthy\n0 entries"));
}

#[test]
fn doctor_examines_and_salvages_databases() {
    let place = place("salvage");
    place.run(&["doctor", "sled:a"]).badly(1, &["NOT_FOUND: ", "there is no database in "]);
    assert!(!place.path().join("a").exists(), "looking makes nothing");
    lua(&place, "sled:a", "for i = 1, 400 do cache:set('k' .. i, ('v'):rep(i), i % 2 * 600) end");
    let said = place.run(&["doctor", "sled:a"]).well().stdout;
    assert!(said.contains("a (sled): healthy\nsled:a: 400 entries, "), "{said}");
    let said = place.run(&["doctor", "sled:a", "--json"]).well().stdout;
    assert!(said.contains("\"healthy\":true") && said.contains("\"live\":400"), "{said}");

    // One bit in the last thing that was written.
    let data = place.path().join("a/db");
    let mut bytes = fs::read(&data).unwrap();
    let end = bytes.iter().rposition(|&byte| byte != 0).unwrap();
    bytes[end - 20] ^= 1;
    fs::write(&data, &bytes).unwrap();
    let ended = place.run(&["doctor", "sled:a", "--salvage-to", "saved"]);
    assert!(matches!(ended.code, Some(0 | 1)) && ended.stdout.starts_with("saved "), "{ended:?}");
    assert!(fs::read(&data).unwrap() == bytes, "the damaged one is not touched");
    place.run(&["doctor", "sled:a"]).badly(1, &["INTERNAL: ", "(reason: corrupt)"]);
    place.run(&["doctor", "sled:a", "--salvage-to", "saved"]).badly(1, &["INVALID: ", "is not empty"]);

    let config = fs::read_to_string(place.path().join("store.toml")).unwrap();
    place.file("store.toml", &config.replace("path = 'a'", "path = 'saved'"));
    let said = place.run(&["doctor", "sled:a"]).well().stdout;
    let live: u32 = said.split("sled:a: ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!((380..=400).contains(&live), "{said}");
    let script = "print(#cache:get('k100'), cache:ttl('k100'), cache:ttl('k101') > 500)";
    assert_eq!(lua(&place, "sled:a", script), "100\tinf\ttrue\n");
}

#[test]
fn the_doctor_does_not_touch_a_database_in_use() {
    let place = place("in-use");
    place.file(
        "hold.lua",
        "local c = require('store').get('sled:a') c:set('k', 1) print('open') io.stdout:flush() io.read()",
    );
    let mut holder = place.store(&["run", "hold.lua"]);
    let mut holder = holder.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
    place.run(&["doctor", "sled:a"]).badly(1, &["UNAVAILABLE: ", "(reason: locked)"]);
    place.run(&["doctor", "sled:a", "--salvage-to", "new"]).badly(1, &["UNAVAILABLE: ", "(reason: locked)"]);
    drop(holder.stdin.take());
    assert!(holder.wait().unwrap().success());
    place.run(&["doctor", "sled:a"]).well();
}
