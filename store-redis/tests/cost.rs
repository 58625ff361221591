//! What operations cost the server: counted in commands, not timed.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;

use store_core::codec::Raw;
use store_core::{Backend, Expiry, Handle, ListOptions, OpenContext, PutOptions, block_on};
use store_redis::{RedisBackend, RedisOptions};
use store_testkit::RedisServer;

fn open(server: &RedisServer) -> Handle {
    let options = RedisOptions::new(server.url());
    let store = block_on(RedisBackend::default().open(&options, OpenContext::new("app:cache"))).unwrap();
    Handle::new(Arc::clone(&store))
}

/// The commands that the server has executed meanwhile, by name, less those of the counting.
fn commands(server: &RedisServer, work: impl FnOnce()) -> BTreeMap<String, u64> {
    server.cli(&["CONFIG", "RESETSTAT"]);
    work();
    let text = server.cli(&["INFO", "commandstats"]).text();
    let line = |line: &str| {
        let (name, figures) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        let calls = figures.split(',').next()?.parse().ok()?;
        (!name.starts_with("config") && name != "info").then(|| (name.to_owned(), calls))
    };
    text.lines().filter_map(line).collect()
}

fn fill(handle: &Handle, count: usize) {
    for start in (0..count).step_by(500) {
        let items: Vec<_> = (start..start + 500).map(|n| (format!("key:{n:06}"), n as u64, Expiry::Never)).collect();
        block_on(handle.set_many(&items)).unwrap();
    }
}

#[test]
fn clear_is_scan_and_unlink_in_bounded_steps() {
    let server = RedisServer::start();
    let handle = open(&server);
    fill(&handle, 5000);
    server.cli(&["SET", "of-others", "stays"]);
    let seen = commands(&server, || assert_eq!(block_on(handle.clear("")).unwrap(), 5000));
    for never in ["keys", "flushdb", "flushall", "del"] {
        assert_eq!(seen.get(never), None, "{seen:?}");
    }
    let (scans, unlinks) = (seen["scan"], seen["unlink"]);
    assert!((5..=60).contains(&scans), "{seen:?}");
    // Each step takes as many keys as it found, never all at once.
    assert!(unlinks >= 5, "{seen:?}");
    assert_eq!(server.cli(&["GET", "of-others"]).text(), "stays");
}

#[test]
fn a_page_of_large_values_ends_early_and_the_listing_goes_on() {
    const COUNT: usize = 400;
    for ordered_index in [false, true] {
        let server = RedisServer::start();
        let mut options = RedisOptions::new(server.url());
        options.ordered_index = ordered_index;
        let store = block_on(RedisBackend::default().open(&options, OpenContext::new("app:cache"))).unwrap();
        let handle = Handle::new(Arc::clone(&store));
        let large = vec![7_u8; 128 << 10];
        for n in 0..COUNT {
            block_on(handle.set(&format!("key:{n:06}"), &Raw(&large), Expiry::Never)).unwrap();
        }
        let (mut pages, mut keys, mut options) = (Vec::new(), Vec::new(), ListOptions::default().limit(1000));
        loop {
            let page = block_on(handle.list(&options)).unwrap();
            pages.push(page.items.len());
            keys.extend(page.items.into_iter().map(|item| item.key));
            assert_eq!(page.has_more, page.cursor.is_some());
            let Some(cursor) = page.cursor else { break };
            options = options.after(cursor);
        }
        assert_eq!(pages, [128, 128, 128, 16], "16 MiB each, but for the last");
        assert!(keys.len() == COUNT && keys.is_sorted());
        // Who wants no values has no such limit.
        let page = block_on(handle.list(&ListOptions::default().limit(1000).keys_only())).unwrap();
        assert_eq!((page.items.len(), page.has_more), (COUNT, false));
    }
}

#[test]
fn a_page_of_a_listing_is_one_pass_over_the_keys() {
    let server = RedisServer::start();
    let handle = open(&server);
    fill(&handle, 5000);
    let seen = commands(&server, || {
        let page = block_on(handle.list(&ListOptions::default().limit(10))).unwrap();
        assert_eq!((page.items.len(), page.has_more), (10, true));
    });
    assert!(seen["scan"] <= 60, "{seen:?}");
    assert_eq!(seen.get("keys"), None, "{seen:?}");
    // The values of the page alone are fetched.
    let reads: u64 = ["get", "mget", "evalsha", "eval"].iter().filter_map(|name| seen.get(*name)).sum();
    assert!(reads <= 11, "{seen:?}");
}

#[test]
fn a_single_key_operation_is_one_command() {
    let server = RedisServer::start();
    let handle = open(&server);
    block_on(handle.set("k", &1, Expiry::Never)).unwrap();
    let one = |name: &str, work: &dyn Fn()| {
        let seen = commands(&server, work);
        assert_eq!(seen, BTreeMap::from([(name.to_owned(), 1)]));
    };
    one("get", &|| {
        block_on(handle.get::<i64>("k")).unwrap();
    });
    one("set", &|| block_on(handle.set("k", &2, Expiry::seconds(60))).unwrap());
    one("set", &|| {
        block_on(handle.put("l", &2, &PutOptions::new().only_if_absent())).unwrap();
    });
    one("pttl", &|| {
        block_on(handle.ttl("k")).unwrap();
    });
    one("exists", &|| {
        block_on(handle.has("k")).unwrap();
    });
    let seen = commands(&server, || assert!(block_on(handle.delete("k")).unwrap()));
    assert_eq!(seen.values().sum::<u64>(), 1, "{seen:?}");
}

/// A future is allocated for each call, and moved there as a whole. Half of what a plain one takes is redis-rs' own; what a call rarely needs
/// (waiting for a connection, a cluster, a script, reading a version back) is allocated when it is needed.
#[test]
fn the_futures_of_plain_calls_are_small() {
    use store_core::{Context, Key, Lifetime, Put, Store};
    fn size<T>(future: std::pin::Pin<Box<dyn Future<Output = T> + Send + '_>>) -> usize {
        size_of_val(&*future)
    }
    let store = store_redis::RedisStore::open("app:cache", &RedisOptions::new("redis://127.0.0.1:1")).unwrap();
    let (cx, key) = (Context::none(), Key::new("k").unwrap());
    let sizes = [
        ("get", size(store.get(&cx, key))),
        ("has", size(store.has(&cx, key))),
        ("put", size(store.put(&cx, key, b"", Put::always(Lifetime::NEVER)))),
        ("delete", size(store.delete(&cx, key, None))),
        ("touch", size(store.touch(&cx, key, Lifetime::NEVER, None))),
        (
            "increment",
            size(store.increment(&cx, key, store_core::Increment { delta: 1, initial: 0, lifetime: Lifetime::NEVER })),
        ),
        ("entry", size(store.entry(&cx, key))),
    ];
    println!("{sizes:?}");
    for (name, size) in sizes {
        assert!(size <= 2600, "{name}: {size}; {sizes:?}");
    }
}
