//! What lies in Redis, as another client sees it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use store_core::codec::{Raw, encode_integer};
use store_core::{
    Context, Expiry, Increment, IncrementOptions, Kind, Lifetime, ListOptions, Payload, PutOptions, Store, Ttl,
};
use store_testkit::{RedisServer, Reply};
use support::{key, millis, open, shared};

static CX: Context = Context::none();

fn redis<A: AsRef<[u8]>>(arguments: &[A]) -> Reply {
    RedisServer::shared().cli(arguments)
}

#[tokio::test]
async fn k2_keys_lie_where_the_documentation_says() {
    let options = shared();
    let (_, cache) = open(&options);
    cache.set("user:1", "x", Expiry::Never).await.unwrap();
    let full = format!("{}/app:cache/user:1", options.prefix);
    let stored = redis(&["GET", &full]);
    let bytes = stored.bytes();
    assert_eq!((&bytes[..2], &bytes[10..]), (&b"\xA5\x01"[..], &b"\xa1x"[..]));
    assert_eq!(redis(&["PTTL", &full]), Reply::Integer(-1));
    cache.set("user:1", "x", Expiry::seconds(60)).await.unwrap();
    let left = redis(&["PTTL", &full]).integer();
    assert!((59_000..=60_000).contains(&left), "{left}");
}

#[tokio::test]
async fn v2_integers_are_text_in_redis_and_the_same_bytes_outside() {
    let options = shared();
    let (store, cache) = open(&options);
    for number in [0, -1, 127, 128, -33, 1 << 40, (1 << 53) + 1, i64::MAX, i64::MIN] {
        cache.set("n", &number, Expiry::Never).await.unwrap();
        let stored = redis(&["GET", &format!("{}/app:cache/n", options.prefix)]);
        assert_eq!(stored.bytes()[10..], *number.to_string().as_bytes());
        let payload = store.get(&CX, key("n")).await.unwrap().unwrap();
        assert_eq!(*payload, *encode_integer(number));
        assert_eq!(cache.get::<i64>("n").await.unwrap(), Some(number));
    }
}

#[tokio::test]
async fn increment_is_exact_and_keeps_the_ttl() {
    let (store, cache) = open(&shared());
    for (start, delta) in [
        (0, 1),
        (5, -5),
        (-5, 3),
        ((1 << 53) + 1, 1),
        (i64::MAX - 1, 1),
        (i64::MIN + 1, -1),
        (i64::MIN, i64::MAX),
        (999_999_999_999_999, 999_999_999_999_999),
        (1, 1 << 60),
    ] {
        store.put(&CX, key("n"), &encode_integer(start), support::always()).await.unwrap();
        assert!(store.touch(&CX, key("n"), millis(60_000), None).await.unwrap());
        let before = store.entry(&CX, key("n")).await.unwrap().unwrap();
        assert_eq!(cache.increment("n", delta).await.unwrap(), start + delta);
        let after = store.entry(&CX, key("n")).await.unwrap().unwrap();
        assert_eq!(*after.value, *encode_integer(start + delta));
        assert_ne!(after.version, before.version, "C2");
        assert!(after.ttl.left().is_some_and(|left| left > Duration::from_secs(50)), "T5");
    }
}

#[tokio::test]
async fn increment_refuses_overflow_and_other_values_and_changes_nothing() {
    let (store, cache) = open(&shared());
    for (held, delta) in [(i64::MAX, 1), (i64::MIN, -1), (1, i64::MAX), (-2, i64::MIN)] {
        cache.set("n", &held, Expiry::seconds(60)).await.unwrap();
        let before = store.entry(&CX, key("n")).await.unwrap().unwrap();
        assert_eq!(cache.increment("n", delta).await.unwrap_err().kind(), Kind::Invalid);
        let after = store.entry(&CX, key("n")).await.unwrap().unwrap();
        assert_eq!((after.value, after.version), (before.value, before.version));
        assert!(after.ttl.left().is_some());
    }
    for value in [&b"\xcb\x3f\xf0\0\0\0\0\0\0"[..], b"\xa11", b"\xc3", b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff"] {
        cache.set("n", &Raw(value), Expiry::Never).await.unwrap();
        assert_eq!(cache.increment("n", 1).await.unwrap_err().kind(), Kind::Invalid);
        assert_eq!(*cache.get::<Payload>("n").await.unwrap().unwrap(), *value);
    }
    let by = Increment { delta: 1, initial: i64::MAX, lifetime: Lifetime::NEVER };
    assert_eq!(store.increment(&CX, key("new"), by).await.unwrap_err().kind(), Kind::Invalid);
    assert!(!cache.has("new").await.unwrap());
}

/// An encoding that another program may have chosen: not the smallest, but an integer.
#[tokio::test]
async fn increment_counts_on_integers_in_any_encoding() {
    let (_, cache) = open(&shared());
    for wide in [&b"\xd3\0\0\0\0\0\0\0\x05"[..], b"\xcd\0\x05", b"\xd0\x05", b"\xcf\0\0\0\0\0\0\0\x05"] {
        cache.set("n", &Raw(wide), Expiry::seconds(60)).await.unwrap();
        assert_eq!(*cache.get::<Payload>("n").await.unwrap().unwrap(), *wide, "as it was written");
        assert_eq!(cache.increment("n", 2).await.unwrap(), 7);
        assert_eq!(cache.get::<i64>("n").await.unwrap(), Some(7));
        assert!(matches!(cache.ttl("n").await.unwrap(), Some(Ttl::Left(_))));
    }
}

#[tokio::test]
async fn t5_a_ttl_given_to_increment_applies_to_creation_alone() {
    let (_, cache) = open(&shared());
    let options = |expiry| {
        let mut options = IncrementOptions::default();
        options.initial = 10;
        options.expiry = expiry;
        options
    };
    assert_eq!(cache.increment_with("n", &options(Expiry::seconds(60))).await.unwrap(), 11);
    assert_eq!(cache.increment_with("n", &options(Expiry::seconds(6000))).await.unwrap(), 12);
    assert!(cache.ttl("n").await.unwrap().unwrap().as_seconds() <= 60.0);
}

#[tokio::test]
async fn v6_what_others_wrote_is_foreign_until_replaced() {
    let options = shared();
    let (store, cache) = open(&options);
    let full = |key: &str| format!("{}/app:cache/{key}", options.prefix);
    redis(&["SET", &full("text"), "hello"]);
    redis(&["SET", &full("empty"), ""]);
    redis(&["RPUSH", &full("list"), "a"]);
    redis(&["SET", &full("number"), "12"]);
    let version = support::version(1);
    for name in ["text", "empty", "list", "number"] {
        let errors = [
            store.get(&CX, key(name)).await.map(drop).unwrap_err(),
            store.entry(&CX, key(name)).await.map(drop).unwrap_err(),
            store.take(&CX, key(name)).await.map(drop).unwrap_err(),
            store.get_and_touch(&CX, key(name), millis(60_000)).await.map(drop).unwrap_err(),
            store.get_many(&CX, &[key(name)]).await.map(drop).unwrap_err(),
            store.delete(&CX, key(name), Some(&version)).await.map(drop).unwrap_err(),
            store.touch(&CX, key(name), millis(60_000), Some(&version)).await.map(drop).unwrap_err(),
            cache.increment(name, 1).await.map(drop).unwrap_err(),
        ];
        for error in errors {
            assert_eq!((error.kind(), error.reason()), (Kind::Internal, Some("foreign")), "{name}: {error:?}");
        }
        assert_eq!(redis(&["EXISTS", &full(name)]), Reply::Integer(1), "a refused take deletes nothing");
        cache.set(name, "ours", Expiry::Never).await.unwrap();
        assert_eq!(cache.get::<String>(name).await.unwrap().as_deref(), Some("ours"));
        redis(&["DEL", &full(name)]);
        redis(&["RPUSH", &full(name), "a"]);
        assert!(cache.delete(name).await.unwrap());
    }
}

#[tokio::test]
async fn t9_a_live_key_never_has_zero_left() {
    let (store, _) = open(&shared());
    let mut shortest = Duration::MAX;
    for _ in 0..20 {
        store.put(&CX, key("k"), b"\xc3", always_for(3)).await.unwrap();
        while let Some(ttl) = store.ttl(&CX, key("k")).await.unwrap() {
            shortest = shortest.min(ttl.left().unwrap());
        }
    }
    assert_eq!(shortest, Duration::from_millis(1));
}

fn always_for(left: u64) -> store_core::Put<'static> {
    store_core::Put::always(millis(left))
}

#[tokio::test]
async fn scripts_survive_being_forgotten() {
    let (_, cache) = open(&shared());
    assert_eq!(cache.increment("n", 1).await.unwrap(), 1);
    redis(&["SCRIPT", "FLUSH"]);
    assert_eq!(cache.increment("n", 1).await.unwrap(), 2);
    let entry = cache.entry::<i64>("n").await.unwrap().unwrap();
    redis(&["SCRIPT", "FLUSH"]);
    assert!(cache.delete_if("n", &entry.version).await.unwrap());
}

#[tokio::test]
async fn k1_any_bytes_are_keys_and_prefixes() {
    let (_, cache) = open(&shared());
    let keys: [&[u8]; 9] = [b"a*b:1", b"aXb:1", b"a[b]", b"ab", b"a\\b", b"a?b", b"\0", b"\xff\xfe", b"a^-b"];
    for key in keys {
        cache.set(key, &1, Expiry::Never).await.unwrap();
    }
    for (prefix, expected) in
        [(&b"a*b:"[..], 1), (b"a[b", 1), (b"a\\", 1), (b"a?", 1), (b"a", 7), (b"\xff", 1), (b"", 9)]
    {
        let page = cache.list(&list(prefix)).await.unwrap();
        assert_eq!(page.items.len(), expected, "{}", prefix.escape_ascii());
        assert!(page.items.windows(2).all(|pair| pair[0].key < pair[1].key));
    }
    assert_eq!(cache.clear(b"a*").await.unwrap(), 1);
    assert_eq!(cache.clear(b"").await.unwrap(), 8);
}

fn list(prefix: &[u8]) -> ListOptions {
    let mut options = ListOptions::default();
    options.prefix = prefix.to_vec();
    options
}

/// More keys than one SCAN brings, neighbours in the same database, and a cursor over many pages.
#[tokio::test]
async fn listings_are_whole_ordered_and_ours_alone() {
    let options = shared();
    let (_, cache) = open(&options);
    let other = store_redis::RedisStore::open("app:cache2", &options).unwrap();
    let keys: Vec<String> = (0..3000).map(|n| format!("k{n:05}")).collect();
    for keys in keys.chunks(1000) {
        let items: Vec<_> = keys.iter().map(|key| (key, 1, Expiry::Never)).collect();
        cache.set_many(&items).await.unwrap();
    }
    other.put(&CX, key("k1"), b"\xc3", support::always()).await.unwrap();
    let mut options = list(b"k");
    options.limit = 700;
    let mut found = Vec::new();
    loop {
        let page = cache.list(&options).await.unwrap();
        found.extend(page.items.into_iter().map(|item| String::from_utf8(item.key.into()).unwrap()));
        match page.cursor {
            Some(cursor) => options.after = Some(cursor),
            None => break,
        }
    }
    assert_eq!(found, keys);
    assert_eq!(cache.clear(b"").await.unwrap(), 3000);
    assert!(other.has(&CX, key("k1")).await.unwrap());
}

#[tokio::test]
async fn put_under_conditions() {
    let (_, cache) = open(&shared());
    let put = |edit: &dyn Fn(&mut PutOptions)| {
        let mut options = PutOptions::default();
        edit(&mut options);
        options
    };
    let absent = put(&|put| put.only_if_absent = true);
    let present = put(&|put| put.only_if_present = true);
    assert_eq!(cache.put("k", &1, &present).await.unwrap_err().kind(), Kind::NotFound);
    let first = cache.put("k", &1, &absent).await.unwrap();
    assert_eq!(cache.put("k", &1, &absent).await.unwrap_err().kind(), Kind::AlreadyExists);
    let second = cache.put("k", &2, &put(&|put| put.if_version = Some(first.version.clone()))).await.unwrap();
    let stale = put(&|put| put.if_version = Some(first.version.clone()));
    assert_eq!(cache.put("k", &3, &stale).await.unwrap_err().kind(), Kind::Conflict);
    cache.touch("k", Expiry::seconds(60)).await.unwrap();
    let kept = cache
        .put("k", &4, &put(&|put| (put.keep_ttl, put.if_version) = (true, Some(second.version.clone()))))
        .await
        .unwrap();
    assert!(matches!(kept.ttl, Ttl::Left(_)));
    assert_eq!(cache.put("k", &4, &put(&|put| put.keep_ttl = true)).await.unwrap().ttl.as_seconds().ceil(), 60.0);
    assert_eq!(cache.put("k", &5, &present).await.unwrap().ttl, Ttl::Never, "T5");
    assert!(cache.delete_if("k", &kept.version).await.is_err());
    assert!(cache.delete("k").await.unwrap());
    assert!(!cache.delete_if("k", &kept.version).await.unwrap());
}

/// The futures work wherever they are awaited: here on a thread that only parks.
#[test]
fn works_without_a_runtime() {
    let (_, cache) = open(&shared());
    store_core::block_on(async {
        cache.set("k", &1, Expiry::Never).await.unwrap();
        assert_eq!(cache.get::<i32>("k").await.unwrap(), Some(1));
    });
}

/// The runtime that was current at the opening is gone: a store goes on with one of its own.
#[test]
fn survives_the_end_of_its_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let cache = runtime.block_on(async {
        let (_, cache) = open(&shared());
        cache.set("k", &1, Expiry::Never).await.unwrap();
        cache
    });
    drop(runtime);
    assert_eq!(store_core::block_on(cache.get::<i32>("k")).unwrap(), Some(1));
}

/// A runtime without input and output cannot carry connections.
#[test]
fn survives_a_runtime_without_io() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let cache = runtime.block_on(async { open(&shared()).1 });
    runtime.block_on(async {
        cache.set("k", &1, Expiry::Never).await.unwrap();
        assert_eq!(cache.get::<i32>("k").await.unwrap(), Some(1));
    });
}

#[tokio::test]
async fn many_connections_are_one_store() {
    let mut options = shared();
    options.connections = 4;
    let (_, cache) = open(&options);
    let keys: Vec<String> = (0..100).map(|n| format!("k{n}")).collect();
    let items: Vec<_> = keys.iter().enumerate().map(|(n, key)| (key, n, Expiry::Never)).collect();
    cache.set_many(&items).await.unwrap();
    let found = cache.get_many::<usize>(&keys).await.unwrap();
    assert!(found.iter().enumerate().all(|(n, value)| *value == Some(n)));
    assert_eq!(cache.delete_many(&["k1", "k1", "none"]).await.unwrap(), [true, false, false]);
    assert_eq!(cache.clear(b"").await.unwrap(), 99);
}
