//! The unordered scan.

use std::collections::BTreeSet;

use crate::conformance::direct::{Direct, Must, NEVER, number, text};
use crate::conformance::run::Cx;
use crate::{Context, Scan, Want};

async fn numbered(cx: &Cx, count: i64) -> (Direct, BTreeSet<Box<[u8]>>) {
    let store = cx.open().await;
    let mut keys = BTreeSet::new();
    for index in 0..count {
        let key = format!("k{index:04}");
        store.put(&key, &number(index), NEVER).await;
        keys.insert(key.into_bytes().into());
    }
    (store, keys)
}

pub(crate) async fn scan_brings_every_entry(cx: &Cx) {
    let (store, keys) = numbered(cx, 300).await;
    for limit in [1, 10, 299, 300, 1000] {
        assert_eq!(store.scan_keys("", limit).await, keys, "about {limit} at a time");
        assert_eq!(store.scan_keys("k", limit).await, keys, "about {limit} at a time");
    }
    for item in store.scan("", 100, Want::Entries).await {
        let index: i64 = std::str::from_utf8(&item.key[1..]).ok().and_then(|digits| digits.parse().ok()).must();
        let entry = item.entry.must();
        assert_eq!(entry.value.as_bytes(), number(index));
    }
}

pub(crate) async fn scan_respects_its_prefix(cx: &Cx) {
    let (store, _) = numbered(cx, 30).await;
    store.put("j", &text("v"), NEVER).await;
    store.put("l", &text("v"), NEVER).await;
    assert_eq!(store.scan_keys("k001", 4).await.len(), 10);
    assert_eq!(store.scan_keys("k0010", 4).await.len(), 1);
    assert_eq!(store.scan_keys("x", 4).await.len(), 0);
    assert_eq!(store.scan_keys("", 4).await.len(), 32);
}

pub(crate) async fn scan_of_nothing_ends(cx: &Cx) {
    let store = cx.open().await;
    assert_eq!(store.scan("", 10, Want::Entries).await, []);
    store.put("k", &text("v"), NEVER).await;
    store.delete("k").await;
    assert_eq!(store.scan("", 10, Want::Keys).await, []);
}

pub(crate) async fn scan_brings_what_was_asked_for(cx: &Cx) {
    let store = cx.open().await;
    let version = store.put("k", &text("v"), NEVER).await.version;
    assert!(store.scan("", 10, Want::Keys).await.iter().all(|item| item.entry.is_none()));
    for item in store.scan("", 10, Want::Entries).await {
        assert_eq!(item.entry.must().version, version);
    }
}

/// Entries that are there throughout come at least once, while the scan's own caller deletes and writes others.
pub(crate) async fn scan_brings_what_stays_while_other_entries_change(cx: &Cx) {
    let (store, keys) = numbered(cx, 120).await;
    for index in 0..120 {
        store.put(format!("gone{index}"), &number(index), NEVER).await;
    }
    let mut seen = BTreeSet::new();
    let mut cursor = None;
    let mut round = 0;
    loop {
        let scan = Scan { prefix: b"", cursor: cursor.as_ref(), limit: 10, want: Want::Keys };
        let page = store.store.scan(&Context::none(), scan).await.must();
        seen.extend(page.items.into_iter().map(|item| Box::<[u8]>::from(item.key)));
        store.delete_many(&[format!("gone{round}"), format!("gone{}", 119 - round)]).await;
        store.put(format!("new{round}"), &number(round), NEVER).await;
        store.put(format!("k{round:04}"), &text("rewritten"), NEVER).await;
        round += 1;
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
        assert!(round < 10_000, "the scan does not end");
    }
    assert!(keys.is_subset(&seen), "missed: {:?}", keys.difference(&seen));
}
