//! Absence, failure, capacity: rules E1, E5, E6, E7.

use std::sync::Arc;
use std::time::Duration;

use super::{without_increment, without_ttl};
use crate::config::Settings;
use crate::conformance::direct::{Direct, Must, NEVER, add, life, number, only, refused, text};
use crate::conformance::run::{Cx, ID};
use crate::testing::{FailingStore, Fault, Op};
use crate::{
    Condition, Context, Error, Expiry, Kind, List, ListOptions, Outcome, Payload, PutOptions, Scan, Value, Want,
};

pub(crate) async fn e1_absence_is_not_an_error(cx: &Cx) {
    let store = cx.open().await;
    assert_eq!(store.get("k").await, None);
    assert!(!store.has("k").await);
    assert_eq!(store.entry("k").await, None);
    assert_eq!(store.ttl("k").await, None);
    assert!(!store.delete("k").await);
    assert!(!store.touch("k", NEVER).await);
    assert_eq!(store.get_and_touch("k", NEVER).await, None);
    assert_eq!(store.take("k").await, None);
    assert_eq!(store.get_many(&["k", "j"]).await, [None, None]);
    assert_eq!(store.delete_many(&["k", "j"]).await, [false, false]);
    assert_eq!(store.scan("k", 10, Want::Keys).await, []);
    assert_eq!(store.clear("k").await, 0);
}

pub(crate) async fn e1_a_failure_is_never_a_miss(cx: &Cx) {
    let store = cx.open().await;
    store.put("k", &number(1), NEVER).await;
    let failing = Arc::new(FailingStore::new(store.store.clone()));
    failing.inject(Fault::anywhere().before_applying(Error::unavailable("down")));
    let handle = cx.handle_on(&Direct::new(failing.clone()), Settings::default());
    refused(handle.get::<i64>("k").await, Kind::Unavailable);
    refused(handle.has("k").await, Kind::Unavailable);
    refused(handle.entry::<i64>("k").await, Kind::Unavailable);
    refused(handle.ttl("k").await, Kind::Unavailable);
    refused(handle.delete("k").await, Kind::Unavailable);
    refused(handle.touch("k", Expiry::Never).await, Kind::Unavailable);
    refused(handle.take::<i64>("k").await, Kind::Unavailable);
    refused(handle.get_many::<i64>(&["k"]).await, Kind::Unavailable);
    refused(handle.delete_many(&["k"]).await, Kind::Unavailable);
    refused(handle.list(&ListOptions::default()).await, Kind::Unavailable);
    refused(handle.clear("").await, Kind::Unavailable);
    failing.heal();
    assert_eq!(handle.get::<i64>("k").await.must(), Some(1));
}

pub(crate) async fn e5_a_closed_store_refuses_everything(cx: &Cx) {
    let direct = cx.open().await;
    direct.put("k", &text("v"), NEVER).await;
    let store = &direct.store;
    store.close().await.must();
    store.close().await.must();
    let (none, key) = (Context::none(), crate::Key::new("k").must());
    let list = List { prefix: b"", after: None, limit: 10, want: Want::Keys };
    let scan = Scan { prefix: b"", cursor: None, limit: 10, want: Want::Keys };
    let put = only(Condition::Always);
    let items = [crate::BatchWrite { key, value: &text("w"), lifetime: NEVER }];
    let mut errors = vec![
        refused(store.get(&none, key).await, Kind::Unavailable),
        refused(store.has(&none, key).await, Kind::Unavailable),
        refused(store.entry(&none, key).await, Kind::Unavailable),
        refused(store.ttl(&none, key).await, Kind::Unavailable),
        refused(store.put(&none, key, &text("w"), put).await, Kind::Unavailable),
        refused(store.delete(&none, key, None).await, Kind::Unavailable),
        refused(store.touch(&none, key, NEVER, None).await, Kind::Unavailable),
        refused(store.get_and_touch(&none, key, NEVER).await, Kind::Unavailable),
        refused(store.take(&none, key).await, Kind::Unavailable),
        refused(store.get_many(&none, &[key]).await, Kind::Unavailable),
        refused(store.set_many(&none, &items).await, Kind::Unavailable),
        refused(store.delete_many(&none, &[key]).await, Kind::Unavailable),
        refused(store.scan(&none, scan).await, Kind::Unavailable),
        refused(store.clear(&none, b"", None).await, Kind::Unavailable),
        refused(store.ping().await, Kind::Unavailable),
    ];
    if store.info().capabilities.increment {
        errors.push(refused(store.increment(&none, key, add(1)).await, Kind::Unavailable));
    }
    if store.info().capabilities.ordered_list {
        errors.push(refused(store.list(&none, list).await, Kind::Unavailable));
    }
    for error in errors {
        assert!(!error.is_retryable(), "closed is for good: {error:?}");
    }
}

pub(crate) async fn e5_closing_one_store_leaves_others_open(cx: &Cx) {
    let (a, b) = (cx.open_id("app:a").await, cx.open_id("app:b").await);
    b.put("k", &text("v"), NEVER).await;
    a.store.close().await.must();
    assert_eq!(b.get("k").await.as_deref(), Some(&*text("v")));
    b.put("j", &text("v"), NEVER).await;
    b.store.flush().await.must();
    b.store.ping().await.must();
}

/// A store that takes three entries, and holds them.
async fn full(cx: &Cx) -> Option<Direct> {
    let store = cx.open_limited(3).await?;
    for key in ["a", "b", "c"] {
        store.put(key, &number(1), NEVER).await;
    }
    Some(store)
}

#[track_caller]
fn over_capacity<T: std::fmt::Debug>(result: crate::Result<T>) {
    let error = refused(result, Kind::Unavailable);
    assert_eq!((error.reason(), error.is_retryable()), (Some("capacity"), true), "{error:?}");
}

pub(crate) async fn e6_a_full_store_refuses_new_entries(cx: &Cx) {
    let Some(store) = full(cx).await else { return };
    assert_eq!(store.store.info().max_entries, Some(3));
    over_capacity(store.try_put("d", &number(1), only(Condition::Always)).await);
    over_capacity(store.try_put("d", &number(1), only(Condition::IfAbsent)).await);
    over_capacity(store.set_many(&[("d", &number(1), NEVER)]).await);
    if !without_increment(&store).await {
        over_capacity(store.increment("d", add(1)).await);
    }
    assert!(!store.has("d").await);
    assert_eq!(store.get_many(&["a", "b", "c"]).await.iter().filter(|value| value.is_some()).count(), 3);
    assert!(store.delete("b").await);
    store.put("d", &number(1), NEVER).await;
    over_capacity(store.try_put("e", &number(1), only(Condition::Always)).await);
}

pub(crate) async fn e6_overwriting_is_not_refused_for_count(cx: &Cx) {
    let Some(store) = full(cx).await else { return };
    store.put("a", &text("a longer value than before"), NEVER).await;
    store.try_put("b", &number(2), only(Condition::IfPresent)).await.must();
    store.set_many(&[("c", &number(2), NEVER)]).await.must();
    assert!(store.touch("a", NEVER).await);
    if !without_increment(&store).await {
        assert_eq!(store.increment("b", add(1)).await.must(), 3);
    }
    refused(store.try_put("a", &number(1), only(Condition::IfAbsent)).await, Kind::AlreadyExists);
    refused(store.try_put("d", &number(1), only(Condition::IfPresent)).await, Kind::NotFound);
}

pub(crate) async fn e6_expired_entries_never_count(cx: &Cx) {
    let Some(store) = cx.open_limited(3).await else { return };
    if without_ttl(&store).await {
        return;
    }
    let ttl = Duration::from_millis(20);
    for round in 0..3 {
        for key in ["a", "b", "c"] {
            store.put(format!("{key}{round}"), &number(1), life(ttl)).await;
        }
        cx.expire(ttl).await;
    }
    store.put("kept", &number(1), NEVER).await;
    assert!(store.has("kept").await);
}

pub(crate) async fn e7_errors_say_where_they_happened(cx: &Cx) {
    let store = cx.open().await;
    let handle = cx.handle_on(&store, Settings::default());
    handle.set("k", "text", Expiry::Never).await.must();
    let backend = store.store.info().backend;
    for (error, operation) in [
        (refused(handle.put("k", "new", &PutOptions::new().only_if_absent()).await, Kind::AlreadyExists), "put"),
        (refused(handle.touch("k", Duration::ZERO).await, Kind::Invalid), "touch"),
        (refused(handle.get::<i64>("k").await, Kind::Invalid), "get"),
    ] {
        assert_eq!(error.detail("operation"), Some(&Value::from(operation)), "{error:?}");
        assert_eq!(error.detail("store"), Some(&Value::from(ID)), "{error:?}");
        assert_eq!(error.detail("backend"), Some(&Value::from(backend)), "{error:?}");
        assert_eq!(error.detail("key"), Some(&Value::from("k")), "{error:?}");
        assert_eq!(error.outcome(), Outcome::NotApplied);
        assert!(!format!("{error:?} {error}").contains("text"), "no value in an error: {error:?}");
    }
}

pub(crate) async fn e7_the_outcome_of_a_failed_write_is_told(cx: &Cx) {
    let store = cx.open().await;
    let failing = Arc::new(FailingStore::new(store.store.clone()));
    failing.inject(Fault::on(Op::Put).before_applying(Error::unavailable("refused")).times(1));
    failing.inject(Fault::on(Op::Put).after_applying(Error::unavailable("answer lost")).times(1));
    let handle = cx.handle_on(&Direct::new(failing.clone()), Settings::default());
    let error = refused(handle.set("k", &1, Expiry::Never).await, Kind::Unavailable);
    assert_eq!(error.outcome(), Outcome::NotApplied);
    assert!(!store.has("k").await);
    let error = refused(handle.set("k", &2, Expiry::Never).await, Kind::Unavailable);
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert_eq!(store.get("k").await.as_deref(), Some(&*number(2)));
    handle.set("k", &3, Expiry::Never).await.must();
    assert_eq!(failing.calls(Op::Put), 3);
}

pub(crate) async fn e2_checks_come_in_order(cx: &Cx) {
    let handle = cx.handle().await;
    // Arguments before the backend: it is closed, and the key is still the first complaint.
    handle.slot().store.close().await.must();
    refused(handle.get::<Payload>("").await, Kind::Invalid);
    refused(handle.get::<Payload>("k").await, Kind::Unavailable);
    // Released before arguments.
    handle.release();
    let error = refused(handle.get::<Payload>("").await, Kind::Invalid);
    assert_eq!(error.message(), "store is released");
}

pub(crate) async fn info_says_what_the_store_is(cx: &Cx) {
    let store = cx.open().await;
    let info = store.store.info();
    assert!(!info.backend.is_empty());
    for index in 0..10 {
        store.put(format!("k{index}"), &number(index), NEVER).await;
    }
    if let Some(entries) = store.store.info().entries {
        assert!(entries >= 5, "{entries} is not about ten");
    }
    let told = cx.handle_on(&store, Settings::default()).info().must();
    assert_eq!((told.id.as_str(), told.backend.backend), (ID, info.backend));
    assert_eq!(told.max_value_size, 8 << 20);
    assert_eq!(told.backend.capabilities, info.capabilities);
    store.store.ping().await.must();
    store.store.flush().await.must();
    assert!(store.has("k0").await);
}
