//! Keys and ids: rules K1 and K2.

use std::collections::BTreeSet;

use super::{without_increment, without_list};
use crate::codec::Raw;
use crate::conformance::direct::{Must, NEVER, add, number, refused, text};
use crate::conformance::run::Cx;
use crate::{Expiry, Kind, MAX_KEY_LEN, Payload, PutOptions, Want};

/// Keys that some store somewhere confuses.
fn odd_keys() -> Vec<Vec<u8>> {
    let mut keys: Vec<Vec<u8>> = [
        "a",
        "A",
        "a ",
        " a",
        "a\n",
        "a\r\n",
        "a\t",
        "*",
        "?",
        "a*",
        "a?",
        "[a]",
        "[^a]",
        "{a}",
        "\\",
        "\\*",
        "a\\",
        "a/b",
        "a//b",
        "/a",
        "a/",
        "../a",
        "..",
        ".",
        "a:b",
        "a::b",
        ":a",
        "a:",
        ":",
        "a.b",
        "1",
        "01",
        "1.0",
        "-1",
        "0",
        "nil",
        "null",
        "true",
        "é",
        "e\u{301}",
        "ß",
        "SS",
        "İ",
        "i",
        "\u{feff}a",
        "\u{200b}",
        "💾",
        "%00",
        "%2a",
        "%",
        "$",
        "${actor.id}",
        "'",
        "\"",
        "`",
        ";",
        "--",
        "#",
        "@",
        "+",
        "a b",
        "KEYS",
        "\u{7f}",
    ]
    .iter()
    .map(|key| key.as_bytes().to_vec())
    .collect();
    keys.extend((0..=255).map(|byte| vec![byte, byte]));
    keys.extend(
        [&b"\0"[..], b"\0\0", b"a\0", b"a\0b", b"\0a", b"\xff", b"\xff\xff", b"a\xff", b"\xc3\x28", b"\xed\xa0\x80"]
            .map(<[u8]>::to_vec),
    );
    keys.extend([1023, MAX_KEY_LEN].map(|len| vec![b'x'; len]));
    keys.push(vec![0xff; MAX_KEY_LEN]);
    keys.push(vec![0; MAX_KEY_LEN]);
    let unique: BTreeSet<Vec<u8>> = keys.into_iter().collect();
    unique.into_iter().collect()
}

pub(crate) async fn k1_any_bytes_are_a_key(cx: &Cx) {
    let store = cx.open().await;
    let keys = odd_keys();
    for (index, key) in (0..).zip(&keys) {
        assert!(!store.has(key).await, "{}", key.escape_ascii());
        store.put(key, &number(index), NEVER).await;
    }
    for (index, key) in (0..).zip(&keys) {
        assert_eq!(store.get(key).await.as_deref(), Some(&*number(index)), "{}", key.escape_ascii());
    }
    for key in &keys {
        assert!(store.delete(key).await, "{}", key.escape_ascii());
        assert!(!store.delete(key).await, "{}", key.escape_ascii());
    }
}

pub(crate) async fn k1_keys_come_back_as_they_went_in(cx: &Cx) {
    let store = cx.open().await;
    let keys = odd_keys();
    for key in &keys {
        store.put(key, &text("v"), NEVER).await;
    }
    let scanned: BTreeSet<Vec<u8>> =
        store.scan("", 50, Want::Keys).await.into_iter().map(|item| item.key.into()).collect();
    assert!(scanned.iter().eq(&keys), "a scan gives the bytes");
    if without_list(&store).await {
        return;
    }
    let listed: Vec<Vec<u8>> = store.keys("").await.into_iter().map(Into::into).collect();
    assert!(listed == keys, "a listing gives the bytes, in order");
}

pub(crate) async fn k1_keys_that_extend_each_other_are_apart(cx: &Cx) {
    let store = cx.open().await;
    let keys = [&b"a"[..], b"a\0", b"a\0\0", b"aa", b"a\xff"];
    for (index, key) in (0..).zip(keys) {
        store.put(key, &number(index), NEVER).await;
    }
    assert!(store.delete("a").await);
    for (index, key) in (1..).zip(&keys[1..]) {
        assert_eq!(store.get(key).await.as_deref(), Some(&*number(index)), "{}", key.escape_ascii());
    }
}

pub(crate) async fn k1_prefixes_are_plain_bytes(cx: &Cx) {
    let store = cx.open().await;
    let keys = [&b"a*b"[..], b"aXb", b"a?b", b"[a]b", b"a\0b", b"a\\*b", b"\xff\xffb", b"a\xffb", b"\0b"];
    for key in keys {
        store.put(key, &text("v"), NEVER).await;
    }
    let lists = !without_list(&store).await;
    for (prefix, expected) in [
        (&b"a*"[..], &[&b"a*b"[..]][..]),
        (b"a?", &[b"a?b"]),
        (b"[a]", &[b"[a]b"]),
        (b"[", &[b"[a]b"]),
        (b"*", &[]),
        (b"a\0", &[b"a\0b"]),
        (b"\0", &[b"\0b"]),
        (b"a\\", &[b"a\\*b"]),
        (b"\xff", &[b"\xff\xffb"]),
        (b"a\xff", &[b"a\xffb"]),
        (b"\xff\xff\xff", &[]),
        (b"a*b", &[b"a*b"]),
        (b"a*bc", &[]),
    ] {
        let what = prefix.escape_ascii();
        if lists {
            let listed = store.keys(prefix).await;
            assert!(listed.iter().map(|key| &**key).eq(expected.iter().copied()), "list {what}: {listed:?}");
        }
        let scanned: BTreeSet<_> = store.scan(prefix, 10, Want::Keys).await.into_iter().map(|item| item.key).collect();
        assert!(scanned.iter().map(|key| &**key).eq(expected.iter().copied()), "scan {what}: {scanned:?}");
    }
    assert_eq!(store.clear("a*").await, 1);
    assert!(store.has("aXb").await && !store.has("a*b").await, "a star clears only itself");
    assert_eq!(store.clear([0xff]).await, 1);
    assert!(store.has(b"a\xffb").await);
}

pub(crate) async fn k1_prefixes_longer_than_any_key_match_nothing(cx: &Cx) {
    let store = cx.open().await;
    store.put([b'x'; MAX_KEY_LEN], &text("v"), NEVER).await;
    let long = [b'x'; MAX_KEY_LEN + 1];
    assert_eq!(store.scan_keys(long, 10).await.len(), 0);
    assert_eq!(store.clear(long).await, 0);
    assert_eq!(store.scan_keys([b'x'; MAX_KEY_LEN], 10).await.len(), 1);
    if !without_list(&store).await {
        assert_eq!(store.keys(long).await.len(), 0);
        assert_eq!(store.keys([b'x'; MAX_KEY_LEN]).await.len(), 1);
    }
}

pub(crate) async fn k1_empty_and_too_long_keys_are_invalid(cx: &Cx) {
    let handle = cx.handle().await;
    for key in [vec![], vec![b'k'; MAX_KEY_LEN + 1]] {
        let version = crate::Version::from_u64(1);
        refused(handle.get::<Payload>(&key).await, Kind::Invalid);
        refused(handle.set(&key, "v", Expiry::Never).await, Kind::Invalid);
        refused(handle.has(&key).await, Kind::Invalid);
        refused(handle.delete(&key).await, Kind::Invalid);
        refused(handle.delete_if(&key, &version).await, Kind::Invalid);
        refused(handle.entry::<Payload>(&key).await, Kind::Invalid);
        refused(handle.put(&key, "v", &PutOptions::new()).await, Kind::Invalid);
        refused(handle.ttl(&key).await, Kind::Invalid);
        refused(handle.touch(&key, Expiry::Never).await, Kind::Invalid);
        refused(handle.touch_if(&key, Expiry::Never, &version).await, Kind::Invalid);
        refused(handle.get_and_touch::<Payload>(&key, Expiry::Never).await, Kind::Invalid);
        refused(handle.take::<Payload>(&key).await, Kind::Invalid);
        refused(handle.increment(&key, 1).await, Kind::Invalid);
        refused(handle.get_many::<Payload>(&[b"ok".to_vec(), key.clone()]).await, Kind::Invalid);
        refused(handle.set_many(&[(&b"ok"[..], 1, Expiry::Never), (&key, 1, Expiry::Never)]).await, Kind::Invalid);
        refused(handle.delete_many(&[b"ok".to_vec(), key.clone()]).await, Kind::Invalid);
    }
    assert_eq!(handle.clear("").await.must(), 0, "nothing may have been written");
}

pub(crate) async fn k1_the_longest_key_works_everywhere(cx: &Cx) {
    let handle = cx.handle().await;
    let key = [0xfe; MAX_KEY_LEN];
    handle.set(key, &Raw(&number(1)), Expiry::Never).await.must();
    assert_eq!(handle.get::<i64>(key).await.must(), Some(1));
    assert!(handle.touch(key, Expiry::Never).await.must());
    assert_eq!(handle.get_many::<i64>(&[key]).await.must(), [Some(1)]);
    assert_eq!(handle.take::<i64>(key).await.must(), Some(1));
    assert!(!handle.has(key).await.must());
}

/// Pairs of ids, and of keys, that a careless encoding of both into one runs together.
const CONFUSING: [(&str, &str, &str, &str); 8] = [
    ("a", "b:c", "a:b", "c"),
    ("a", "a", "aa", ""),
    ("a", "\0b", "a\0", "b"),
    ("a", "/b", "a/", "b"),
    ("x:y", "k", "x", "y:k"),
    ("app:cache", "k", "app:cache2", "k"),
    ("app:Cache", "k", "app:cache", "k"),
    ("ü:*", "k", "ü:?", "k"),
];

pub(crate) async fn k2_ids_and_keys_cannot_be_confused(cx: &Cx) {
    for (index, (id_a, key_a, id_b, key_b)) in CONFUSING.into_iter().enumerate() {
        let (id_a, id_b) = (format!("{index}{id_a}"), format!("{index}{id_b}"));
        let (a, b) = (cx.open_id(&id_a).await, cx.open_id(&id_b).await);
        a.put(key_a, &text("a"), NEVER).await;
        let key_b = if key_b.is_empty() { "a" } else { key_b };
        assert!(!b.has(key_b).await, "{id_a} {key_a} is not {id_b} {key_b}");
        b.put(key_b, &text("b"), NEVER).await;
        assert_eq!(a.get(key_a).await.as_deref(), Some(&*text("a")), "{id_a} {key_a}");
        assert!(b.delete(key_b).await);
        assert!(a.has(key_a).await, "{id_a} {key_a}");
    }
}

pub(crate) async fn k2_stores_do_not_see_each_other(cx: &Cx) {
    let (a, b) = (cx.open_id("app:a").await, cx.open_id("app:b").await);
    a.put("k", &text("a"), NEVER).await;
    assert_eq!(b.get("k").await, None);
    assert!(!b.has("k").await);
    assert_eq!(b.entry("k").await, None);
    assert!(!b.delete("k").await);
    assert!(!b.touch("k", NEVER).await);
    assert_eq!(b.take("k").await, None);
    assert_eq!(b.get_many(&["k"]).await, [None]);
    assert_eq!(b.delete_many(&["k"]).await, [false]);
    assert_eq!(b.scan_keys("", 10).await.len(), 0);
    if !without_list(&b).await {
        assert_eq!(b.keys("").await.len(), 0);
    }
    b.put("k", &text("b"), NEVER).await;
    assert_eq!(a.get("k").await.as_deref(), Some(&*text("a")));
    if !without_increment(&b).await {
        b.increment("n", add(5)).await.must();
        assert_eq!(a.increment("n", add(1)).await.must(), 1);
    }
}

pub(crate) async fn k2_clear_leaves_other_stores_alone(cx: &Cx) {
    let ids = ["app:a", "app:a2", "app:", "app", "app:b"];
    let mut stores = Vec::new();
    for id in ids {
        let store = cx.open_id(id).await;
        for index in 0..20 {
            store.put(format!("k{index}"), &number(index), NEVER).await;
        }
        stores.push(store);
    }
    assert_eq!(stores[0].clear("").await, 20);
    assert_eq!(stores[2].clear("k").await, 20);
    for (index, id) in [(1, ids[1]), (3, ids[3]), (4, ids[4])] {
        assert_eq!(stores[index].scan_keys("", 7).await.len(), 20, "{id}");
    }
}

pub(crate) async fn k2_any_text_is_an_id(cx: &Cx) {
    let long = "long".repeat(60);
    let ids = [
        "a", "A", " ", "..", "/", "a/b", "a\\b", "*", "?", "[a]", "{a}", "%", "\0", "a\0b", "é", "💾", "CON", "a:b:c",
        &*long,
    ];
    let mut stores = Vec::new();
    for (index, id) in (0..).zip(ids) {
        let store = cx.open_id(id).await;
        store.put("k", &number(index), NEVER).await;
        stores.push(store);
    }
    for (index, store) in (0..).zip(&stores) {
        assert_eq!(store.get("k").await.as_deref(), Some(&*number(index)), "{index}");
        assert_eq!(store.scan_keys("", 10).await.len(), 1, "{index}");
    }
}
