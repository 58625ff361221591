//! Put, and its conditions.

use super::{without_ttl, without_versions};
use crate::conformance::direct::{Must, NEVER, millis, only, refused, text};
use crate::conformance::run::Cx;
use crate::{Condition, Expiry, Kind, Put, PutOptions, Ttl, Version};

pub(crate) async fn put_says_version_and_ttl(cx: &Cx) {
    let store = cx.open().await;
    let written = store.put("k", &text("v"), NEVER).await;
    assert_eq!(written.ttl, Ttl::Never);
    assert_eq!(store.entry("k").await.must().version, written.version);
    if without_ttl(&store).await {
        return;
    }
    let written = store.put("k", &text("v"), millis(60_000)).await;
    assert!(matches!(written.ttl, Ttl::Left(left) if left.as_millis() <= 60_001 && left.as_millis() > 30_000));
}

pub(crate) async fn put_only_if_absent(cx: &Cx) {
    let store = cx.open().await;
    store.try_put("k", &text("a"), only(Condition::IfAbsent)).await.must();
    let version = store.entry("k").await.must().version;
    refused(store.try_put("k", &text("b"), only(Condition::IfAbsent)).await, Kind::AlreadyExists);
    let entry = store.entry("k").await.must();
    assert_eq!((entry.value.as_bytes(), entry.version), (&*text("a"), version), "a refused put changes nothing");
    store.delete("k").await;
    store.try_put("k", &text("c"), only(Condition::IfAbsent)).await.must();
    assert_eq!(store.get("k").await.as_deref(), Some(&*text("c")));
}

pub(crate) async fn put_only_if_present(cx: &Cx) {
    let store = cx.open().await;
    refused(store.try_put("k", &text("a"), only(Condition::IfPresent)).await, Kind::NotFound);
    assert!(!store.has("k").await);
    store.put("k", &text("b"), NEVER).await;
    store.try_put("k", &text("c"), only(Condition::IfPresent)).await.must();
    assert_eq!(store.get("k").await.as_deref(), Some(&*text("c")));
    store.delete("k").await;
    refused(store.try_put("k", &text("d"), only(Condition::IfPresent)).await, Kind::NotFound);
}

pub(crate) async fn put_if_version(cx: &Cx) {
    let store = cx.open().await;
    if without_versions(&store).await {
        return;
    }
    let first = store.put("k", &text("a"), NEVER).await.version;
    let second = store.try_put("k", &text("b"), only(Condition::IfVersion(&first))).await.must().version;
    assert_ne!(first, second);
    refused(store.try_put("k", &text("c"), only(Condition::IfVersion(&first))).await, Kind::Conflict);
    assert_eq!(store.get("k").await.as_deref(), Some(&*text("b")), "a refused put changes nothing");
    store.try_put("k", &text("d"), only(Condition::IfVersion(&second))).await.must();
    store.delete("k").await;
    refused(store.try_put("k", &text("e"), only(Condition::IfVersion(&second))).await, Kind::NotFound);
    assert!(!store.has("k").await);
}

pub(crate) async fn put_if_version_with_a_strange_version_conflicts(cx: &Cx) {
    let store = cx.open().await;
    if without_versions(&store).await {
        return;
    }
    store.put("k", &text("a"), NEVER).await;
    for strange in ["", "0", "*", "0000000000000000", "ffffffffffffffff", "\0", "not a version", &"x".repeat(5000)] {
        let version = Version::parse(strange);
        refused(store.try_put("k", &text("b"), only(Condition::IfVersion(&version))).await, Kind::Conflict);
        refused(store.delete_if("k", &version).await, Kind::Conflict);
        refused(store.touch_if("k", NEVER, &version).await, Kind::Conflict);
    }
    assert_eq!(store.get("k").await.as_deref(), Some(&*text("a")));
}

pub(crate) async fn put_conflicts_are_worth_retrying_and_refusals_are_not(cx: &Cx) {
    let store = cx.open().await;
    store.put("k", &text("a"), NEVER).await;
    assert!(
        !refused(store.try_put("k", &text("b"), only(Condition::IfAbsent)).await, Kind::AlreadyExists).is_retryable()
    );
    assert!(!refused(store.try_put("j", &text("b"), only(Condition::IfPresent)).await, Kind::NotFound).is_retryable());
    if without_versions(&store).await {
        return;
    }
    let version = Version::from_u64(1);
    let put = only(Condition::IfVersion(&version));
    assert!(refused(store.try_put("k", &text("b"), put).await, Kind::Conflict).is_retryable());
}

pub(crate) async fn put_conditions_go_with_ttl_and_keep_ttl(cx: &Cx) {
    let store = cx.open().await;
    if without_ttl(&store).await {
        return;
    }
    let minute = millis(60_000);
    let put = |condition, keep_ttl| Put { lifetime: minute, keep_ttl, condition };
    let written = store.try_put("k", &text("a"), put(Condition::IfAbsent, false)).await.must();
    assert!(matches!(written.ttl, Ttl::Left(_)));
    store.put("k", &text("b"), NEVER).await;
    let written = store.try_put("k", &text("c"), put(Condition::IfPresent, true)).await.must();
    assert_eq!(written.ttl, Ttl::Never, "the deadline was kept");
    if without_versions(&store).await {
        return;
    }
    let version = store.put("k", &text("b"), NEVER).await.version;
    let written = store.try_put("k", &text("d"), put(Condition::IfVersion(&version), true)).await.must();
    assert_eq!(written.ttl, Ttl::Never);
    let written = store.try_put("k", &text("e"), put(Condition::IfVersion(&written.version), false)).await.must();
    assert!(matches!(written.ttl, Ttl::Left(_)));
}

pub(crate) async fn put_options_that_exclude_each_other_are_invalid(cx: &Cx) {
    let handle = cx.handle().await;
    handle.set("k", "old", Expiry::Never).await.must();
    let version = handle.entry::<String>("k").await.must().must().version;
    let new = PutOptions::new;
    for options in [
        new().only_if_absent().if_version(version.clone()),
        new().only_if_absent().only_if_present(),
        new().expiry(std::time::Duration::from_secs(1)).keep_ttl(),
        new().expiry(Expiry::Never).keep_ttl(),
    ] {
        refused(handle.put("k", "new", &options).await, Kind::Invalid);
        refused(handle.put("absent", "new", &options).await, Kind::Invalid);
    }
    assert_eq!(handle.get::<String>("k").await.must().as_deref(), Some("old"));
    assert!(!handle.has("absent").await.must());
}

pub(crate) async fn put_through_a_handle_answers_as_the_contract_says(cx: &Cx) {
    let handle = cx.handle().await;
    let new = PutOptions::new;
    refused(handle.put("k", &1, &new().only_if_present()).await, Kind::NotFound);
    let first = handle.put("k", &1, &new().only_if_absent()).await.must();
    refused(handle.put("k", &2, &new().only_if_absent()).await, Kind::AlreadyExists);
    handle.put("k", &3, &new().only_if_present()).await.must();
    if !handle.info().must().backend.capabilities.versions {
        return;
    }
    refused(handle.put("k", &4, &new().if_version(first.version.clone())).await, Kind::Conflict);
    refused(handle.put("j", &4, &new().if_version(first.version)).await, Kind::NotFound);
    let entry = handle.entry::<i64>("k").await.must().must();
    assert_eq!(entry.value, 3);
    let options = new().if_version(Version::parse(&entry.version.to_string())).only_if_present();
    handle.put("k", &5, &options).await.must();
    assert_eq!(handle.get::<i64>("k").await.must(), Some(5), "a version survives being text");
}
