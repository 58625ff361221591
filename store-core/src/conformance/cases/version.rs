//! Versions: rule C2.

use std::collections::HashSet;

use super::{without_ttl, without_unique_versions};
use crate::conformance::direct::{Direct, Must, NEVER, add, life, millis, number, text};
use crate::conformance::run::Cx;
use crate::{Put, Version, Want};

async fn version(store: &Direct) -> Version {
    store.entry("k").await.must().version
}

pub(crate) async fn c2_every_write_has_a_new_version(cx: &Cx) {
    let store = cx.open().await;
    if without_unique_versions(&store).await {
        return;
    }
    let mut seen = HashSet::new();
    for _ in 0..50 {
        let written = store.put("k", &number(1), NEVER).await.version;
        assert_eq!(version(&store).await, written);
        assert!(seen.insert(written), "the same value is a new version too");
        let keep = Put { keep_ttl: true, ..Put::always(NEVER) };
        assert!(seen.insert(store.try_put("k", &number(1), keep).await.must().version));
        store.set_many(&[("k", &number(1), NEVER)]).await.must();
        assert!(seen.insert(version(&store).await), "of a batch");
        if store.store.info().capabilities.increment {
            store.increment("k", add(0)).await.must();
            assert!(seen.insert(version(&store).await), "of an increment");
        }
    }
}

pub(crate) async fn c2_touch_and_reads_keep_the_version(cx: &Cx) {
    let store = cx.open().await;
    let written = store.put("k", &text("v"), NEVER).await.version;
    store.touch("k", NEVER).await;
    assert_eq!(version(&store).await, written);
    if !without_ttl(&store).await {
        let written = store.put("k", &text("v"), NEVER).await.version;
        store.touch("k", millis(60_000)).await;
        assert_eq!(version(&store).await, written);
        store.get_and_touch("k", millis(70_000)).await;
        assert_eq!(version(&store).await, written);
    }
    let written = store.put("k", &text("v"), NEVER).await.version;
    store.get("k").await;
    store.get_many(&["k"]).await;
    store.scan("", 10, Want::Entries).await;
    assert_eq!(version(&store).await, written);
}

pub(crate) async fn c2_versions_are_not_reused_after_delete(cx: &Cx) {
    let store = cx.open().await;
    if without_unique_versions(&store).await {
        return;
    }
    let mut seen = HashSet::new();
    for round in 0..40 {
        assert!(seen.insert(store.put("k", &text("v"), NEVER).await.version), "round {round}");
        match round % 4 {
            0 => assert!(store.delete("k").await),
            1 => assert!(store.take("k").await.is_some()),
            2 => assert_eq!(store.delete_many(&["k"]).await, [true]),
            _ => assert_eq!(store.clear("").await, 1),
        }
    }
    if store.store.info().capabilities.increment {
        for _ in 0..20 {
            store.increment("k", add(1)).await.must();
            assert!(seen.insert(version(&store).await), "of a counter made anew");
            store.delete("k").await;
        }
    }
}

pub(crate) async fn c2_versions_are_not_reused_after_expiry(cx: &Cx) {
    let store = cx.open().await;
    if without_unique_versions(&store).await {
        return;
    }
    if without_ttl(&store).await {
        return;
    }
    let ttl = std::time::Duration::from_millis(5);
    let mut seen = HashSet::new();
    for round in 0..8 {
        assert!(seen.insert(store.put("k", &text("v"), life(ttl)).await.version), "round {round}");
        cx.expire(ttl).await;
        if round % 2 == 0 {
            store.store.purge_expired(10).await.must();
        }
    }
}

pub(crate) async fn c2_versions_do_not_tell_their_order(cx: &Cx) {
    let store = cx.open().await;
    if without_unique_versions(&store).await {
        return;
    }
    let mut versions = Vec::new();
    for _ in 0..64 {
        versions.push(store.put("k", &text("v"), NEVER).await.version.to_string());
    }
    assert!(versions.iter().all(|version| version.len() >= 11), "64 bits take that many characters: {versions:?}");
    let rising = versions.windows(2).filter(|pair| pair[0] < pair[1]).count();
    assert!((8..56).contains(&rising), "{rising} of 63 steps rise");
}

pub(crate) async fn c2_every_read_tells_the_same_version(cx: &Cx) {
    let store = cx.open().await;
    let written = store.put("k", &text("v"), NEVER).await.version;
    assert_eq!(version(&store).await, written);
    for item in store.scan("", 10, Want::Entries).await {
        assert_eq!(item.entry.must().version, written);
    }
    if store.store.info().capabilities.ordered_list {
        for item in store.page(b"", None, 10).await.items {
            assert_eq!(item.entry.must().version, written);
        }
    }
    assert_eq!(Version::parse(&written.to_string()), written, "a version survives being text");
}
