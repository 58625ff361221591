//! Values: rules V1 to V6.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::without_exact_values;
use crate::codec::{self, Limits, Raw};
use crate::config::Settings;
use crate::conformance::direct::{Must, NEVER, add, number, refused, text};
use crate::conformance::run::Cx;
use crate::{Expiry, Kind, LoadOptions, Loaded, Payload, PutOptions, Value};

pub(crate) async fn v1_nothing_is_not_a_value(cx: &Cx) {
    let handle = cx.handle().await;
    handle.set("k", "old", Expiry::Never).await.must();
    refused(handle.set("k", &None::<i64>, Expiry::Never).await, Kind::Invalid);
    refused(handle.set("k", &Value::Null, Expiry::Never).await, Kind::Invalid);
    refused(handle.set("k", &(), Expiry::Never).await, Kind::Invalid);
    refused(handle.set("k", &Raw(b""), Expiry::Never).await, Kind::Invalid);
    refused(handle.set_many(&[("j", Some(1), Expiry::Never), ("k", None, Expiry::Never)]).await, Kind::Invalid);
    assert_eq!(handle.get::<String>("k").await.must().as_deref(), Some("old"));
    assert!(!handle.has("j").await.must());
}

pub(crate) async fn v1_false_zero_and_empty_are_values(cx: &Cx) {
    let handle = cx.handle().await;
    let values = [
        Value::Bool(false),
        Value::Integer(0),
        Value::Float(0.0),
        Value::from(""),
        Value::Array(vec![]),
        Value::Map(vec![]),
    ];
    for value in &values {
        handle.set("k", value, Expiry::Never).await.must();
        assert!(handle.has("k").await.must(), "{value:?}");
        let found = handle.get::<Value>("k").await.must().must();
        let empty = |value: &Value| {
            matches!(value, Value::Array(items) if items.is_empty())
                || matches!(value, Value::Map(entries) if entries.is_empty())
        };
        assert!(found == *value || (empty(&found) && empty(value)), "{found:?} for {value:?}");
        assert!(handle.delete("k").await.must(), "{value:?}");
    }
}

pub(crate) async fn v2_what_comes_back_is_what_went_in(cx: &Cx) {
    let store = cx.open().await;
    if without_exact_values(&store).await {
        return;
    }
    let handle = cx.handle_on(&store, Settings::default());
    let mixed = Value::Map(vec![
        (Value::from("name"), Value::from("Alice")),
        (Value::Integer(1), Value::Bool(true)),
        (Value::Float(1.5), Value::Array(vec![Value::Integer(1), Value::Null, Value::Float(1.0)])),
        (Value::Bool(false), Value::Map(vec![(Value::Integer(-7), Value::from("x"))])),
        (Value::String(vec![0xff, 0, 0xfe]), Value::String((0..=255).collect())),
    ]);
    let values = [
        Value::Integer(i64::MIN),
        Value::Integer(i64::MAX),
        Value::Integer((1 << 53) + 1),
        Value::Integer(-1),
        Value::Unsigned(u64::MAX),
        Value::Float(1.0),
        Value::Float(f64::INFINITY),
        Value::Float(f64::NEG_INFINITY),
        Value::Float(f64::MIN_POSITIVE),
        Value::Float(0.1),
        Value::String((0..=255).collect()),
        Value::from("é\u{301}\0 text\r\n"),
        mixed,
    ];
    for value in values {
        handle.set("k", &value, Expiry::Never).await.must();
        assert_eq!(handle.get::<Value>("k").await.must(), Some(value));
    }
    handle.set("k", &f64::NAN, Expiry::Never).await.must();
    assert!(handle.get::<f64>("k").await.must().must().is_nan());
    handle.set("k", &-0.0_f64, Expiry::Never).await.must();
    assert!(handle.get::<f64>("k").await.must().must().is_sign_negative());
    handle.set("k", &1.0_f64, Expiry::Never).await.must();
    assert_eq!(handle.get::<Value>("k").await.must(), Some(Value::Float(1.0)), "a float stays one");
}

pub(crate) async fn v2_every_operation_gives_the_same_bytes(cx: &Cx) {
    let store = cx.open().await;
    // Bytes that a line protocol, a C string or a text codec would break.
    let value: Vec<u8> = [&[0xc5, 1, 6][..], &[0, 0xff, b'\r', b'\n', b'$', b'*'], &[7; 256]].concat();
    store.put("k", &value, NEVER).await;
    assert_eq!(store.get("k").await.as_deref(), Some(&*value));
    assert_eq!(store.entry("k").await.must().value.as_bytes(), value);
    assert_eq!(store.get_and_touch("k", NEVER).await.as_deref(), Some(&*value));
    assert_eq!(store.get_many(&["k"]).await[0].as_deref(), Some(&*value));
    for item in store.scan("", 10, crate::Want::Entries).await {
        assert_eq!(item.entry.must().value.as_bytes(), value);
    }
    if store.store.info().capabilities.ordered_list {
        for item in store.page(b"", None, 10).await.items {
            assert_eq!(item.entry.must().value.as_bytes(), value);
        }
    }
    assert_eq!(store.take("k").await.as_deref(), Some(&*value));
    store.set_many(&[("k", &value, NEVER)]).await.must();
    assert_eq!(store.get("k").await.as_deref(), Some(&*value));
}

pub(crate) async fn v2_values_of_all_sizes(cx: &Cx) {
    let store = cx.open().await;
    if without_exact_values(&store).await {
        return;
    }
    for size in [1, 2, 15, 16, 31, 32, 63, 64, 255, 256, 1000, 4095, 4096, 4097, 65_535, 65_536, 100_000, 1 << 20] {
        let value: Vec<u8> = (0..size).map(|index: usize| index.to_le_bytes()[0] ^ index.to_le_bytes()[1]).collect();
        store.put("k", &value, NEVER).await;
        assert!(store.get("k").await.as_deref() == Some(&*value), "{size} bytes");
        store.put(format!("k{size}"), &value, NEVER).await;
    }
    assert_eq!(store.get("k15").await.map(|value| value.len()), Some(15));
    assert_eq!(store.get("k65536").await.map(|value| value.len()), Some(65_536));
}

#[derive(Serialize, Deserialize, PartialEq, Debug, Clone)]
struct Session {
    user: String,
    roles: Vec<String>,
    visits: u32,
    ratio: f64,
    nested: BTreeMap<String, Option<i64>>,
    kind: Grade,
}

#[derive(Serialize, Deserialize, PartialEq, Debug, Clone)]
enum Grade {
    Guest,
    Member { since: u64 },
}

pub(crate) async fn v2_rust_types_come_back(cx: &Cx) {
    let handle = cx.handle().await;
    for kind in [Grade::Guest, Grade::Member { since: 1 << 40 }] {
        let session = Session {
            user: "Älice".into(),
            roles: vec!["admin".into(), String::new()],
            visits: 3,
            ratio: 0.25,
            nested: [("a".into(), Some(i64::MIN)), ("b".into(), None)].into(),
            kind,
        };
        handle.set("k", &session, Expiry::Never).await.must();
        assert_eq!(handle.get::<Session>("k").await.must(), Some(session.clone()));
        assert_eq!(handle.entry::<Session>("k").await.must().must().value, session);
        assert_eq!(handle.take::<Session>("k").await.must(), Some(session));
    }
    handle.set("k", "text", Expiry::Never).await.must();
    refused(handle.get::<i64>("k").await, Kind::Invalid);
    assert_eq!(
        handle.get::<String>("k").await.must().as_deref(),
        Some("text"),
        "asking for another type harms nothing"
    );
}

pub(crate) async fn v4_values_are_copies(cx: &Cx) {
    let store = cx.open().await;
    let mut bytes = number(1111);
    store.put("k", &bytes, NEVER).await;
    bytes.fill(0xff);
    let first = store.get("k").await.must();
    assert_eq!(*first, *number(1111), "changing the buffer after a put changes nothing");
    let entry = store.entry("k").await.must();
    store.put("k", &number(2222), NEVER).await;
    assert_eq!(*first, *number(1111), "a value that was read does not change with the entry");
    assert_eq!(entry.value.as_bytes(), number(1111));
    if store.store.info().capabilities.increment {
        let before = store.get("k").await.must();
        store.increment("k", add(1)).await.must();
        assert_eq!(*before, *number(2222));
    }
    let kept = store.get("k").await;
    store.delete("k").await;
    store.clear("").await;
    store.put("other", &number(3333), NEVER).await;
    assert_eq!(kept.map(|value| value.len()), Some(number(2222).len()), "nor when it is deleted");
    assert_eq!(*first, *number(1111));
}

pub(crate) async fn v5_max_value_size_is_enforced_before_anything_is_written(cx: &Cx) {
    let store = cx.open().await;
    let limits = Limits { max_value_size: 100, ..Limits::default() };
    let handle = cx.handle_on(&store, Settings { limits, ..Settings::default() });
    // One byte of header per 31, two up to 255.
    let fits = "x".repeat(98);
    let long = "x".repeat(99);
    handle.set("k", &fits, Expiry::Never).await.must();
    for error in [
        refused(handle.set("k", &long, Expiry::Never).await, Kind::Invalid),
        refused(handle.put("k", &long, &PutOptions::new()).await.map(drop), Kind::Invalid),
        refused(handle.set("k", &vec![7; 1_000_000], Expiry::Never).await, Kind::Invalid),
        refused(handle.set("k", &Raw(&[7; 101]), Expiry::Never).await, Kind::Invalid),
        refused(handle.set_many(&[("j", &fits, Expiry::Never), ("k", &long, Expiry::Never)]).await, Kind::Invalid),
        refused(
            handle
                .get_or_set("l", LoadOptions::default(), || async { Ok(Loaded::value(long.clone())) })
                .await
                .map(drop),
            Kind::Invalid,
        ),
    ] {
        assert_eq!(error.detail("limit"), Some(&Value::Integer(100)), "{error:?}");
    }
    assert_eq!(handle.get::<String>("k").await.must(), Some(fits));
    assert!(!store.has("j").await && !store.has("l").await);
}

pub(crate) async fn v5_the_largest_value_is_stored(cx: &Cx) {
    let store = cx.open().await;
    if without_exact_values(&store).await {
        return;
    }
    let handle = cx.handle_on(&store, Settings::default());
    let size = handle.settings().limits.max_value_size;
    let value = codec::Raw(&vec![0xc0; size][..]).0.to_vec();
    handle.set("k", &Raw(&value), Expiry::Never).await.must();
    assert!(handle.get::<Payload>("k").await.must().as_deref() == Some(&*value));
    refused(handle.set("k", &Raw(&vec![0xc0; size + 1]), Expiry::Never).await, Kind::Invalid);
    assert_eq!(handle.get::<Payload>("k").await.must().map(|value| value.len()), Some(size));
}

pub(crate) async fn v6_bytes_that_are_no_value_are_internal_and_foreign(cx: &Cx) {
    let store = cx.open().await;
    if without_exact_values(&store).await {
        return;
    }
    let handle = cx.handle_on(&store, Settings::default());
    let cut = &text("some text")[..4];
    for bytes in [&[0xc1][..], cut, &[0xdd, 0xff, 0xff, 0xff, 0xff], &[1, 2]] {
        handle.set("k", &Raw(bytes), Expiry::Never).await.must();
        let error = refused(handle.get::<Value>("k").await, Kind::Internal);
        assert_eq!(error.reason(), Some("foreign"), "{error:?}");
        assert_eq!(error.detail("key"), Some(&Value::from("k")), "{error:?}");
        assert!(handle.has("k").await.must(), "damaged is not missing");
    }
}
