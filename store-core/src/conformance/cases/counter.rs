//! Increment.

use super::{without_exact_values, without_increment};
use crate::codec::Raw;
use crate::conformance::direct::{Must, NEVER, add, number, refused, text};
use crate::conformance::run::Cx;
use crate::{Expiry, Increment, IncrementOptions, Kind, Value};

pub(crate) async fn increment_counts_from_the_start_value(cx: &Cx) {
    let store = cx.open().await;
    if without_increment(&store).await {
        return;
    }
    assert_eq!(store.increment("a", add(1)).await.must(), 1);
    assert_eq!(store.increment("a", add(41)).await.must(), 42);
    assert_eq!(store.increment("a", add(-50)).await.must(), -8);
    assert_eq!(store.increment("a", add(0)).await.must(), -8);
    let from = |initial| Increment { delta: 2, initial, lifetime: NEVER };
    assert_eq!(store.increment("b", from(40)).await.must(), 42);
    assert_eq!(store.increment("b", from(1000)).await.must(), 44, "the start value counts only once");
    assert_eq!(store.increment("c", from(-7)).await.must(), -5);
}

pub(crate) async fn increment_writes_what_get_reads_and_the_reverse(cx: &Cx) {
    let store = cx.open().await;
    if without_increment(&store).await {
        return;
    }
    let handle = cx.handle_on(&store, crate::config::Settings::default());
    for start in [0, 1, 127, 128, 255, 65_535, 1 << 32, -1, -32, -33, -129, -70_000, i64::MIN, i64::MAX - 1] {
        handle.set("n", &start, Expiry::Never).await.must();
        assert_eq!(handle.increment("n", 1).await.must(), start + 1);
        assert_eq!(handle.get::<i64>("n").await.must(), Some(start + 1));
        assert_eq!(handle.get::<Value>("n").await.must(), Some(Value::Integer(start + 1)));
        assert_eq!(store.get("n").await.as_deref(), Some(&*number(start + 1)), "in the smallest form");
    }
}

pub(crate) async fn increment_takes_any_integer_form(cx: &Cx) {
    let store = cx.open().await;
    if without_increment(&store).await {
        return;
    }
    for five in [
        &[5][..],
        &[0xcc, 5],
        &[0xcd, 0, 5],
        &[0xce, 0, 0, 0, 5],
        &[0xcf, 0, 0, 0, 0, 0, 0, 0, 5],
        &[0xd0, 5],
        &[0xd3, 0, 0, 0, 0, 0, 0, 0, 5],
    ] {
        store.put("n", five, NEVER).await;
        assert_eq!(store.increment("n", add(1)).await.must(), 6, "{five:?}");
    }
}

pub(crate) async fn increment_overflow_is_invalid_and_changes_nothing(cx: &Cx) {
    let store = cx.open().await;
    if without_increment(&store).await {
        return;
    }
    for (start, delta) in [(i64::MAX, 1), (i64::MAX, i64::MAX), (i64::MIN, -1), (i64::MIN, i64::MIN), (1, i64::MAX)] {
        let version = store.put("n", &number(start), NEVER).await.version;
        refused(store.increment("n", add(delta)).await, Kind::Invalid);
        let entry = store.entry("n").await.must();
        assert_eq!((entry.value.as_bytes(), entry.version), (&*number(start), version), "{start} {delta}");
    }
    let by = Increment { delta: 1, initial: i64::MAX, lifetime: NEVER };
    refused(store.increment("new", by).await, Kind::Invalid);
    assert!(!store.has("new").await, "a failed increment creates nothing");
    store.put("n", &number(i64::MAX - 1), NEVER).await;
    assert_eq!(store.increment("n", add(1)).await.must(), i64::MAX);
    assert_eq!(store.increment("n", add(i64::MIN)).await.must(), -1);
}

pub(crate) async fn increment_of_what_is_no_integer_is_invalid_and_changes_nothing(cx: &Cx) {
    let store = cx.open().await;
    if without_increment(&store).await {
        return;
    }
    let exact = !without_exact_values(&store).await;
    let handle = cx.handle_on(&store, crate::config::Settings::default());
    let values = [
        Value::from(if exact { "1" } else { "one" }),
        Value::from(""),
        Value::Float(1.0),
        Value::Bool(true),
        Value::Array(vec![Value::Integer(1)]),
        if exact { Value::Unsigned(u64::MAX) } else { Value::Float(f64::MAX) },
    ];
    for value in values {
        handle.set("n", &value, Expiry::Never).await.must();
        refused(handle.increment("n", 1).await, Kind::Invalid);
        assert_eq!(handle.get::<Value>("n").await.must(), Some(value));
    }
    if exact {
        handle.set("n", &Raw(&[1, 1]), Expiry::Never).await.must();
        refused(store.increment("n", add(1)).await, Kind::Invalid);
    }
    store.put("n", &text("text"), NEVER).await;
    refused(store.increment("n", add(0)).await, Kind::Invalid);
}

pub(crate) async fn increment_through_a_handle_has_its_defaults(cx: &Cx) {
    let store = cx.open().await;
    if without_increment(&store).await {
        return;
    }
    let handle = cx.handle_on(&store, crate::config::Settings::default());
    assert_eq!(handle.increment_with("n", &IncrementOptions::default()).await.must(), 1);
    assert_eq!(handle.increment("n", 1).await.must(), 2);
    assert_eq!(handle.increment_with("m", &IncrementOptions::by(-1).initial(10)).await.must(), 9);
}
