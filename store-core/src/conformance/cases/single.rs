//! Operations on one key: get, set, has, delete, entry, touch, get_and_touch, take.

use super::without_versions;
use crate::conformance::direct::{Must, NEVER, millis, only, refused, text};
use crate::conformance::run::Cx;
use crate::{Condition, Kind, Ttl, Version};

pub(crate) async fn get_gives_what_was_put(cx: &Cx) {
    let store = cx.open().await;
    store.put("a", &text("one"), NEVER).await;
    store.put("b", &text("two"), NEVER).await;
    assert_eq!(store.get("a").await.as_deref(), Some(&*text("one")));
    assert_eq!(store.get("b").await.as_deref(), Some(&*text("two")));
    assert_eq!(store.get("c").await, None);
    store.put("a", &text("three"), NEVER).await;
    assert_eq!(store.get("a").await.as_deref(), Some(&*text("three")));
}

pub(crate) async fn has_tells_without_reading(cx: &Cx) {
    let store = cx.open().await;
    assert!(!store.has("k").await);
    store.put("k", &text("v"), NEVER).await;
    assert!(store.has("k").await);
    store.delete("k").await;
    assert!(!store.has("k").await);
}

pub(crate) async fn delete_is_true_once(cx: &Cx) {
    let store = cx.open().await;
    store.put("k", &text("v"), NEVER).await;
    store.put("other", &text("v"), NEVER).await;
    assert!(store.delete("k").await);
    assert!(!store.delete("k").await);
    assert_eq!(store.get("k").await, None);
    assert!(store.has("other").await);
}

pub(crate) async fn delete_with_a_version_deletes_only_that(cx: &Cx) {
    let store = cx.open().await;
    if without_versions(&store).await {
        return;
    }
    let old = store.put("k", &text("a"), NEVER).await.version;
    let new = store.put("k", &text("b"), NEVER).await.version;
    refused(store.delete_if("k", &old).await, Kind::Conflict);
    refused(store.delete_if("k", &Version::parse("no such version")).await, Kind::Conflict);
    assert!(store.has("k").await);
    assert!(store.delete_if("k", &new).await.must());
    assert!(!store.delete_if("k", &new).await.must(), "absent is false, whatever the version");
    assert!(!store.delete_if("never was", &new).await.must());
}

pub(crate) async fn entry_gives_value_version_and_ttl(cx: &Cx) {
    let store = cx.open().await;
    assert_eq!(store.entry("k").await, None);
    let written = store.put("k", &text("v"), NEVER).await;
    let entry = store.entry("k").await.must();
    assert_eq!(entry.value.as_bytes(), text("v"));
    assert_eq!(entry.version, written.version);
    assert_eq!(entry.ttl, Ttl::Never);
    assert_eq!(store.entry("k").await.must().version, written.version, "reading changes nothing");
}

pub(crate) async fn touch_is_true_iff_live_and_keeps_the_value(cx: &Cx) {
    let store = cx.open().await;
    assert!(!store.touch("k", NEVER).await);
    assert!(!store.has("k").await, "touching creates nothing");
    store.put("k", &text("v"), NEVER).await;
    assert!(store.touch("k", NEVER).await);
    assert_eq!(store.get("k").await.as_deref(), Some(&*text("v")));
    store.delete("k").await;
    assert!(!store.touch("k", NEVER).await);
    assert!(!store.has("k").await);
}

pub(crate) async fn touch_with_a_version_touches_only_that(cx: &Cx) {
    let store = cx.open().await;
    if without_versions(&store).await || super::without_ttl(&store).await {
        return;
    }
    let old = store.put("k", &text("a"), NEVER).await.version;
    let new = store.put("k", &text("b"), NEVER).await.version;
    refused(store.touch_if("k", millis(60_000), &old).await, Kind::Conflict);
    assert_eq!(store.ttl("k").await, Some(Ttl::Never), "a refused touch changes nothing");
    assert!(store.touch_if("k", millis(60_000), &new).await.must());
    assert!(matches!(store.ttl("k").await, Some(Ttl::Left(_))));
    assert!(store.touch_if("k", NEVER, &new).await.must(), "touching keeps the version");
    assert!(!store.touch_if("absent", NEVER, &new).await.must());
}

pub(crate) async fn get_and_touch_reads_and_creates_nothing(cx: &Cx) {
    let store = cx.open().await;
    assert_eq!(store.get_and_touch("k", NEVER).await, None);
    assert!(!store.has("k").await);
    let version = store.put("k", &text("v"), NEVER).await.version;
    assert_eq!(store.get_and_touch("k", NEVER).await.as_deref(), Some(&*text("v")));
    assert_eq!(store.entry("k").await.must().version, version);
}

pub(crate) async fn take_reads_and_deletes(cx: &Cx) {
    let store = cx.open().await;
    assert_eq!(store.take("k").await, None);
    store.put("k", &text("v"), NEVER).await;
    assert_eq!(store.take("k").await.as_deref(), Some(&*text("v")));
    assert!(!store.has("k").await);
    assert_eq!(store.take("k").await, None);
    store.try_put("k", &text("w"), only(Condition::IfAbsent)).await.must();
}
