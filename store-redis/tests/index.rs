//! The ordered index: what it costs, and that it never loses an entry.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use store_core::{Expiry, Handle, Kind, ListOptions, block_on};
use store_redis::RedisOptions;
use store_testkit::RedisServer;

fn options(server: &RedisServer) -> RedisOptions {
    let mut options = RedisOptions::new(server.url());
    options.ordered_index = true;
    options
}

fn fill(handle: &Handle, count: usize) {
    for start in (0..count).step_by(500) {
        let items: Vec<_> = (start..start + 500).map(|n| (format!("key:{n:06}"), n as u64, Expiry::Never)).collect();
        block_on(handle.set_many(&items)).unwrap();
    }
}

/// The commands that the server has executed meanwhile, by name, those of scripts included.
fn commands(server: &RedisServer, work: impl FnOnce()) -> BTreeMap<String, u64> {
    server.cli(&["CONFIG", "RESETSTAT"]);
    work();
    let text = server.cli(&["INFO", "commandstats"]).text();
    let line = |line: &str| {
        let (name, figures) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        Some((name.to_owned(), figures.split(',').next()?.parse().ok()?))
    };
    text.lines().filter_map(line).collect()
}

fn members(server: &RedisServer) -> i64 {
    server.cli(&["ZCARD", "store/app:cache/"]).integer()
}

#[test]
fn a_page_examines_a_page_and_never_scans() {
    let server = RedisServer::start();
    let (_, handle) = support::open(&options(&server));
    fill(&handle, 5000);
    let seen = commands(&server, || {
        let page = block_on(handle.list(&ListOptions::default().limit(10))).unwrap();
        assert_eq!((page.items.len(), page.has_more), (10, true));
        let rest = ListOptions::prefix("key:0049").limit(10).after(page.cursor.unwrap());
        let page = block_on(handle.list(&rest)).unwrap();
        assert_eq!(page.items[0].key.as_ref(), b"key:004900");
    });
    assert_eq!(seen.get("scan"), None, "{seen:?}");
    assert_eq!((seen["zrangebylex"], seen["exists"], seen["get"]), (2, 22, 20), "{seen:?}");
    assert_eq!(seen.get("zrem"), None, "{seen:?}");
}

#[test]
fn a_single_write_is_one_request() {
    let server = RedisServer::start();
    let (_, handle) = support::open(&options(&server));
    block_on(handle.set("k", &1, Expiry::Never)).unwrap();
    let seen = commands(&server, || block_on(handle.set("k", &2, Expiry::seconds(60))).unwrap());
    assert_eq!((seen["evalsha"], seen["set"], seen["zadd"]), (1, 1, 1), "{seen:?}");
    assert_eq!((seen.get("multi"), seen.get("eval")), (None, None), "{seen:?}");
}

#[test]
fn every_way_to_write_and_delete_keeps_the_index() {
    let server = RedisServer::start();
    let (_, handle) = support::open(&options(&server));
    fill(&handle, 1500);
    assert_eq!(members(&server), 1500);
    block_on(handle.increment("n", 1)).unwrap();
    block_on(handle.put("p", &1, &store_core::PutOptions::new().only_if_absent())).unwrap();
    assert!(block_on(handle.put("absent", &1, &store_core::PutOptions::new().only_if_present())).is_err());
    assert_eq!(members(&server), 1502);
    block_on(handle.take::<i64>("n")).unwrap().unwrap();
    let version = block_on(handle.entry::<i64>("p")).unwrap().unwrap().version;
    assert!(block_on(handle.delete_if("p", &version)).unwrap());
    assert!(block_on(handle.delete("key:000000")).unwrap());
    assert_eq!(block_on(handle.delete_many(&["key:000001", "key:000002"])).unwrap(), [true, true]);
    assert_eq!(members(&server), 1497);
    assert_eq!(block_on(handle.clear("")).unwrap(), 1497);
    assert_eq!(members(&server), 0);
}

#[test]
fn members_of_expired_entries_vanish_by_listing_and_by_writing() {
    let server = RedisServer::start();
    let (_, handle) = support::open(&options(&server));
    let short: Vec<_> = (0..200).map(|n| (format!("short:{n}"), n, Expiry::millis(20))).collect();
    let expire = || {
        block_on(handle.set_many(&short)).unwrap();
        std::thread::sleep(Duration::from_millis(60));
    };
    block_on(handle.set("stays", &1, Expiry::Never)).unwrap();
    expire();
    let page = block_on(handle.list(&ListOptions::default().limit(1))).unwrap();
    assert_eq!((page.items.len(), page.has_more), (1, false));
    assert_eq!(members(&server), 1);
    expire();
    for n in 0..2000 {
        block_on(handle.set("stays", &n, Expiry::Never)).unwrap();
    }
    assert_eq!(members(&server), 1);
}

#[test]
fn a_page_ends_early_at_its_budget() {
    let server = RedisServer::start();
    let (_, handle) = support::open(&options(&server));
    block_on(handle.set("z", &1, Expiry::Never)).unwrap();
    // What expiry leaves behind, in bulk.
    let fill = "for n = 1, 12000 do redis.call('ZADD', KEYS[1], 0, 'gone:' .. n) end";
    server.cli(&["EVAL", fill, "1", "store/app:cache/"]);
    let page = block_on(handle.list(&ListOptions::default().limit(5))).unwrap();
    assert_eq!((page.items.len(), page.has_more), (0, true));
    assert_eq!(members(&server), 2001);
    let page = block_on(handle.list(&ListOptions::default().limit(5).after(page.cursor.unwrap()))).unwrap();
    assert_eq!((page.items.len(), page.has_more), (1, false));
}

#[test]
fn a_listing_beside_writers_misses_no_stable_key() {
    let server = RedisServer::start();
    let (_, handle) = support::open(&options(&server));
    let stable: Vec<_> = (0..300).map(|n| (format!("k:{:04}", n * 2), n, Expiry::Never)).collect();
    block_on(handle.set_many(&stable)).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for writer in 0..3 {
            let (_, handle) = support::open(&options(&server));
            let done = &done;
            scope.spawn(move || {
                for n in (0..).take_while(|_| !done.load(Ordering::Relaxed)) {
                    let key = format!("k:{:04}", (n * 7 + writer) % 300 * 2 + 1);
                    block_on(handle.set(&key, &n, Expiry::millis(1 + n % 3))).unwrap();
                    block_on(handle.set(format!("k:{:04}", n % 300 * 2), &n, Expiry::Never)).unwrap();
                    if n % 4 == 0 {
                        block_on(handle.delete(&key)).unwrap();
                    }
                }
            });
        }
        for _ in 0..30 {
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let mut wanted = ListOptions::default().limit(37).keys_only();
                if let Some(after) = after.take() {
                    wanted = wanted.after(after);
                }
                let page = block_on(handle.list(&wanted)).unwrap();
                found.extend(page.items.iter().map(|item| String::from_utf8(item.key.to_vec()).unwrap()));
                match page.cursor {
                    Some(cursor) => after = Some(cursor),
                    None => break,
                }
            }
            assert!(found.is_sorted());
            let missed: Vec<_> = stable.iter().filter(|(key, ..)| found.binary_search(key).is_err()).collect();
            if !missed.is_empty() {
                done.store(true, Ordering::Relaxed);
            }
            assert!(missed.is_empty(), "{missed:?}");
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_server_that_could_evict_the_index_is_refused() {
    let server = RedisServer::start();
    server.cli(&["CONFIG", "SET", "maxmemory", "200mb"]);
    server.cli(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let (_, handle) = support::open(&options(&server));
    let refused = [
        block_on(handle.set("k", &1, Expiry::Never)).unwrap_err(),
        block_on(handle.set_many(&[("k", 1, Expiry::Never)])).unwrap_err(),
        block_on(handle.list(&ListOptions::default())).unwrap_err(),
    ];
    for error in refused {
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(error.message().contains("noeviction"), "{error}");
    }
    server.cli(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    block_on(handle.set("k", &1, Expiry::Never)).unwrap();
}

#[test]
fn a_cluster_cannot_have_it() {
    let mut options = RedisOptions::cluster(["redis://127.0.0.1:7000"]);
    options.ordered_index = true;
    let error = options.check().unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.message().starts_with("ordered_index cannot be had with cluster"), "{error}");
    options = RedisOptions::new("redis://127.0.0.1");
    options.ordered_index = true;
    options.check().unwrap();
}

#[test]
fn the_permissions_that_the_readme_names_are_enough() {
    let server = RedisServer::start();
    let plain = "+get +set +del +unlink +exists +pttl +pexpire +persist +getex +getrange +incrby +scan +eval +evalsha +multi +exec +ping";
    let index = "+zadd +zrem +zcard +zrandmember +zrangebylex";
    let rules = format!("ACL SETUSER app on >secret ~store/* {plain} {index}");
    server.cli(&rules.split(' ').collect::<Vec<_>>());
    let mut options = options(&server);
    options.username = Some("app".to_owned());
    options.password = Some(store_core::config::Secret::new("secret"));
    let (_, handle) = support::open(&options);
    // INFO is not among them: a server that does not tell is trusted.
    block_on(handle.set("a", &1, Expiry::millis(1))).unwrap();
    std::thread::sleep(Duration::from_millis(5));
    block_on(handle.set_many(&[("b", 1, Expiry::Never), ("c", 1, Expiry::Never)])).unwrap();
    block_on(handle.increment("b", 1)).unwrap();
    assert_eq!(block_on(handle.take::<i64>("b")).unwrap(), Some(2));
    assert_eq!(block_on(handle.list(&ListOptions::default())).unwrap().items.len(), 1);
    assert_eq!(members(&server), 1);
    assert_eq!(block_on(handle.clear("")).unwrap(), 1);
    // Without the right to the index nothing is written at all.
    server.cli(&["ACL", "SETUSER", "app", "-zadd"]);
    assert_eq!(block_on(handle.set("d", &1, Expiry::Never)).unwrap_err().kind(), Kind::PermissionDenied);
    assert_eq!(block_on(handle.get::<i64>("d")).unwrap(), None);
}
