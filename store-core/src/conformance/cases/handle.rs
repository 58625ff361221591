//! Handles and their end: rules H1 and H2.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::config::Settings;
use crate::conformance::direct::{Direct, Must, NEVER, number, refused, text};
use crate::conformance::run::Cx;
use crate::policy::PolicySet;
use crate::testing::{FailingStore, Fault, Op};
use crate::{Context, Expiry, Handle, Kind, ListOptions, LoadOptions, Loaded, Payload, PutOptions, Ttl, Version};

pub(crate) async fn h1_a_released_handle_refuses_everything(cx: &Cx) {
    let store = cx.open().await;
    let handle = cx.handle_on(&store, Settings::default());
    handle.set("k", &1, Expiry::Never).await.must();
    assert!(handle.release());
    assert!(handle.is_released());
    let version = Version::from_u64(1);
    let errors = [
        refused(handle.get::<Payload>("k").await, Kind::Invalid),
        refused(handle.set("k", &2, Expiry::Never).await, Kind::Invalid),
        refused(handle.has("k").await, Kind::Invalid),
        refused(handle.delete("k").await, Kind::Invalid),
        refused(handle.delete_if("k", &version).await, Kind::Invalid),
        refused(handle.entry::<Payload>("k").await, Kind::Invalid),
        refused(handle.put("k", &2, &PutOptions::new()).await, Kind::Invalid),
        refused(handle.ttl("k").await, Kind::Invalid),
        refused(handle.touch("k", Expiry::Never).await, Kind::Invalid),
        refused(handle.touch_if("k", Expiry::Never, &version).await, Kind::Invalid),
        refused(handle.get_and_touch::<Payload>("k", Expiry::Never).await, Kind::Invalid),
        refused(handle.take::<Payload>("k").await, Kind::Invalid),
        refused(handle.increment("k", 1).await, Kind::Invalid),
        refused(handle.get_many::<Payload>(&["k"]).await, Kind::Invalid),
        refused(handle.set_many(&[("k", 2, Expiry::Never)]).await, Kind::Invalid),
        refused(handle.delete_many(&["k"]).await, Kind::Invalid),
        refused(handle.list(&ListOptions::default()).await, Kind::Invalid),
        refused(handle.clear("").await, Kind::Invalid),
        refused(handle.get_or_set("k", LoadOptions::default(), || async { Ok(Loaded::value(2)) }).await, Kind::Invalid),
        refused(handle.info(), Kind::Invalid),
        refused(handle.check(), Kind::Invalid),
    ];
    for error in errors {
        assert_eq!((error.message(), error.is_retryable()), ("store is released", false));
    }
    assert_eq!(store.get("k").await.as_deref(), Some(&*number(1)), "nothing was done");
}

pub(crate) async fn h1_the_synchronous_path_is_refused_alike(cx: &Cx) {
    let handle = cx.handle().await;
    handle.release();
    for error in [
        handle.try_get::<Payload>("k").map(|answer| refused(answer, Kind::Invalid)),
        handle.try_set("k", &2, Expiry::Never).map(|answer| refused(answer, Kind::Invalid)),
        handle.try_set_encoded(b"k", &[2], Expiry::Never).map(|answer| refused(answer, Kind::Invalid)),
        handle.try_has("k").map(|answer| refused(answer, Kind::Invalid)),
        handle.try_delete("k").map(|answer| refused(answer, Kind::Invalid)),
        handle.try_list(&ListOptions::default()).map(|answer| refused(answer, Kind::Invalid)),
    ] {
        assert_eq!(error.must().message(), "store is released");
    }
}

pub(crate) async fn h1_release_is_idempotent_and_leaves_other_handles_alone(cx: &Cx) {
    let store = cx.open().await;
    let slot = cx.slot(store.store.clone(), Settings::default(), PolicySet::permissive(), None);
    let out = || slot.handles.load(Ordering::Relaxed);
    let (first, second) = (Handle::on(slot.clone(), Context::none()), Handle::on(slot.clone(), Context::none()));
    assert_eq!(out(), 2);
    assert!(first.release() && first.release());
    assert_eq!(out(), 1, "released once");
    second.set("k", &1, Expiry::Never).await.must();
    drop(first);
    assert_eq!(out(), 1);
    let clone = second.clone();
    drop(second);
    assert_eq!(clone.get::<i64>("k").await.must(), Some(1), "a clone is the same handle");
    drop(clone);
    assert_eq!(out(), 0, "a handle that is dropped is released");
}

pub(crate) async fn h1_the_synchronous_path_answers_like_the_waiting_one(cx: &Cx) {
    let handle = cx.handle().await;
    let Some(answer) = handle.try_set("k", &1, Expiry::Never) else {
        assert!(!handle.has("k").await.must(), "no answer means that nothing was started");
        return;
    };
    answer.must();
    assert_eq!(handle.get::<i64>("k").await.must(), Some(1));
    if let Some(answer) = handle.try_get::<i64>("k") {
        assert_eq!(answer.must(), Some(1));
    }
    for (key, value, why) in [("", &[7][..], "key"), ("k", &[0xc0], "value"), ("k", &[], "value")] {
        if let Some(answer) = handle.try_set_encoded(key.as_bytes(), value, Expiry::Never) {
            let error = refused(answer, Kind::Invalid);
            assert!(error.message().contains(why) && error.detail("operation").is_some(), "{error}");
        }
    }
    if let Some(answer) = handle.try_set_encoded(b"e", &[7], Expiry::seconds(60)) {
        answer.must();
        assert_eq!(handle.get::<i64>("e").await.must(), Some(7));
        assert!(matches!(handle.ttl("e").await.must(), Some(Ttl::Left(_))));
        handle.delete("e").await.must();
    }
    if let Some(answer) = handle.try_put("k", &2, &PutOptions::new().only_if_absent()) {
        refused(answer, Kind::AlreadyExists);
    }
    if let Some(answer) = handle.try_get_many::<i64>(&["k", "j"]) {
        assert_eq!(answer.must(), [Some(1), None]);
    }
    if let Some(answer) = handle.try_list(&ListOptions::default()) {
        assert_eq!(answer.must().items.len(), 1);
    }
    if let Some(answer) = handle.try_delete("k") {
        assert!(answer.must());
        assert!(!handle.has("k").await.must());
    }
}

pub(crate) async fn h2_a_closed_store_refuses_its_handles(cx: &Cx) {
    let store = cx.open().await;
    let slot = cx.slot(store.store.clone(), Settings::default(), PolicySet::permissive(), None);
    let handle = Handle::on(slot.clone(), Context::none());
    handle.set("k", &1, Expiry::Never).await.must();
    slot.close(Duration::from_secs(5)).await.must();
    for error in [
        refused(handle.get::<i64>("k").await, Kind::Unavailable),
        refused(handle.set("k", &2, Expiry::Never).await, Kind::Unavailable),
        refused(handle.list(&ListOptions::default()).await, Kind::Unavailable),
        refused(handle.clear("").await, Kind::Unavailable),
        refused(handle.info(), Kind::Unavailable),
    ] {
        assert!(!error.is_retryable(), "{error:?}");
    }
    slot.close(Duration::from_secs(5)).await.must();
    assert!(handle.release(), "a handle can be given back even then");
}

pub(crate) async fn h2_closing_waits_for_what_is_in_flight(cx: &Cx) {
    let store = cx.open().await;
    let failing = Arc::new(FailingStore::new(store.store.clone()));
    failing.inject(Fault::on(Op::Put).delay(Duration::from_millis(30)));
    let slot = cx.slot(failing, Settings::default(), PolicySet::permissive(), None);
    let handle = Handle::on(slot.clone(), Context::none());
    let writing = handle.set("k", &1, Expiry::Never);
    let (written, closed) = super::load::both(writing, slot.close(Duration::from_secs(20))).await;
    written.must();
    closed.must();
}

pub(crate) async fn h2_closing_cancels_what_does_not_end(cx: &Cx) {
    let store = cx.open().await;
    let failing = Arc::new(FailingStore::new(store.store.clone()));
    failing.inject(Fault::on(Op::Get).hang());
    let slot = cx.slot(failing, Settings::default(), PolicySet::permissive(), None);
    let handle = Handle::on(slot.clone(), Context::none());
    let (read, closed) = super::load::both(handle.get::<i64>("k"), slot.close(Duration::from_millis(40))).await;
    refused(read, Kind::Canceled);
    closed.must();
}

pub(crate) async fn h2_a_whole_list_and_a_whole_clear_have_a_deadline(cx: &Cx) {
    let store = cx.open().await;
    store.put("k", &text("v"), NEVER).await;
    let failing = Arc::new(FailingStore::new(store.store.clone()));
    failing.inject(Fault::on(Op::List).hang());
    failing.inject(Fault::on(Op::Clear).hang());
    let settings = Settings { scan_timeout: Duration::from_millis(30), ..Settings::default() };
    let handle = cx.handle_on(&Direct::new(failing), settings);
    refused(handle.list(&ListOptions::default()).await, Kind::Timeout);
    let error = refused(handle.clear("").await, Kind::Timeout);
    assert_eq!(error.detail("deleted"), Some(&crate::Value::Integer(0)), "{error:?}");
}
