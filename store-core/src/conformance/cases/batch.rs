//! Many keys at once: get_many, set_many, delete_many.

use super::without_ttl;
use crate::conformance::direct::{Must, NEVER, millis, number, refused, text};
use crate::conformance::run::Cx;
use crate::{Expiry, Kind, MAX_BATCH, Ttl, Value};

pub(crate) async fn get_many_is_positional(cx: &Cx) {
    let store = cx.open().await;
    for (index, key) in (0..).zip(["d", "b", "a", "c"]) {
        store.put(key, &number(index), NEVER).await;
    }
    let found = store.get_many(&["c", "missing", "a", "d", "a", "zz", "b", "c"]).await;
    let found: Vec<_> =
        found.iter().map(|value| value.as_ref().and_then(|value| crate::codec::integer(value))).collect();
    assert_eq!(found, [Some(3), None, Some(2), Some(0), Some(2), None, Some(1), Some(3)]);
}

pub(crate) async fn set_many_writes_all_and_the_last_of_equal_keys_stays(cx: &Cx) {
    let store = cx.open().await;
    store.put("b", &text("old"), NEVER).await;
    let (one, two, three) = (number(1), number(2), number(3));
    store
        .set_many(&[
            ("b", &one, NEVER),
            ("a", &one, NEVER),
            ("b", &two, NEVER),
            ("c", &three, NEVER),
            ("b", &three, NEVER),
        ])
        .await
        .must();
    assert_eq!(store.get("a").await.as_deref(), Some(&*one));
    assert_eq!(store.get("b").await.as_deref(), Some(&*three));
    assert_eq!(store.get("c").await.as_deref(), Some(&*three));
}

pub(crate) async fn set_many_has_a_ttl_per_item(cx: &Cx) {
    let store = cx.open().await;
    if without_ttl(&store).await {
        return;
    }
    let value = text("v");
    store
        .set_many(&[("never", &value, NEVER), ("long", &value, millis(60_000)), ("short", &value, millis(20))])
        .await
        .must();
    assert_eq!(store.ttl("never").await, Some(Ttl::Never));
    assert!(matches!(store.ttl("long").await, Some(Ttl::Left(_))));
    cx.expire(std::time::Duration::from_millis(20)).await;
    assert_eq!(store.get_many(&["never", "long", "short"]).await.iter().filter(|value| value.is_some()).count(), 2);
    assert!(!store.has("short").await);
    let written = [("twice", &*value, millis(20)), ("twice", &value, NEVER)];
    store.set_many(&written).await.must();
    assert_eq!(store.ttl("twice").await, Some(Ttl::Never), "the last of equal keys counts, with its time to live");
}

pub(crate) async fn delete_many_is_positional_and_true_once(cx: &Cx) {
    let store = cx.open().await;
    for key in ["a", "b", "c"] {
        store.put(key, &text("v"), NEVER).await;
    }
    assert_eq!(store.delete_many(&["c", "missing", "a", "c", "a"]).await, [true, false, true, false, false]);
    assert!(store.has("b").await);
    assert!(!store.has("a").await && !store.has("c").await);
}

pub(crate) async fn batches_of_nothing_do_nothing(cx: &Cx) {
    let store = cx.open().await;
    store.put("k", &text("v"), NEVER).await;
    let none: [&str; 0] = [];
    assert_eq!(store.get_many(&none).await, []);
    assert_eq!(store.delete_many(&none).await, []);
    store.set_many(&[]).await.must();
    assert!(store.has("k").await);
    let handle = cx.handle_on(&store, crate::config::Settings::default());
    assert_eq!(handle.get_many::<i64>(&none).await.must(), []);
}

pub(crate) async fn batches_take_a_thousand_and_no_more(cx: &Cx) {
    let handle = cx.handle().await;
    let keys: Vec<String> = (0..=MAX_BATCH).map(|index| format!("k{index}")).collect();
    let items: Vec<_> =
        (0..).zip(&keys).map(|(number, key)| (key, number, Expiry::Never)).collect::<Vec<(_, i64, _)>>();
    for error in [
        refused(handle.set_many(&items).await, Kind::Invalid),
        refused(handle.get_many::<i64>(&keys).await.map(drop), Kind::Invalid),
        refused(handle.delete_many(&keys).await.map(drop), Kind::Invalid),
    ] {
        assert_eq!(error.detail("limit"), Some(&Value::from(MAX_BATCH)), "{error:?}");
    }
    assert!(!handle.has("k0").await.must());
    handle.set_many(&items[..MAX_BATCH]).await.must();
    let found = handle.get_many::<i64>(&keys[..MAX_BATCH]).await.must();
    assert!(found.into_iter().eq((0..1000).map(Some)));
    assert!(handle.delete_many(&keys[..MAX_BATCH]).await.must().into_iter().all(|gone| gone));
    assert!(!handle.has("k999").await.must());
}

pub(crate) async fn batches_are_refused_whole_for_one_invalid_item(cx: &Cx) {
    let handle = cx.handle().await;
    handle.set("a", &1, Expiry::Never).await.must();
    let long = "k".repeat(1025);
    for bad in ["", &*long] {
        let error = refused(
            handle.set_many(&[("a", 2, Expiry::Never), ("b", 2, Expiry::Never), (bad, 2, Expiry::Never)]).await,
            Kind::Invalid,
        );
        assert_eq!(error.detail("index"), Some(&Value::Integer(2)), "{error:?}");
        refused(handle.delete_many(&["a", bad]).await, Kind::Invalid);
        refused(handle.get_many::<i64>(&["a", bad]).await, Kind::Invalid);
    }
    let zero = std::time::Duration::ZERO;
    refused(handle.set_many(&[("a", 2, Expiry::Never), ("b", 2, zero.into())]).await, Kind::Invalid);
    assert_eq!(handle.get_many::<i64>(&["a", "b"]).await.must(), [Some(1), None], "nothing was done");
}

pub(crate) async fn batches_with_large_values(cx: &Cx) {
    let store = cx.open().await;
    let value = text(&"\u{e5}".repeat(100_000));
    let keys: Vec<String> = (0..20).map(|index| format!("k{index}")).collect();
    let items: Vec<(&str, &[u8], _)> = keys.iter().map(|key| (&**key, &*value, NEVER)).collect();
    store.set_many(&items).await.must();
    let found = store.get_many(&keys).await;
    assert!(found.iter().all(|found| found.as_deref() == Some(&*value)));
}
