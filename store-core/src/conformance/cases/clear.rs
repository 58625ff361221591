//! Clearing a store, or what has a prefix.

use crate::conformance::direct::{Must, NEVER, number, text};
use crate::conformance::run::Cx;
use crate::{
    Expiry,
    testing::{FailingStore, Fault, Op},
};

pub(crate) async fn clear_deletes_and_counts_everything(cx: &Cx) {
    let store = cx.open().await;
    assert_eq!(store.clear("").await, 0);
    store.fill(&(0..1500).map(|index| format!("k{index}")).collect::<Vec<_>>(), &text("v")).await;
    let handle = cx.handle_on(&store, crate::config::Settings::default());
    assert_eq!(handle.clear("").await.must(), 1500);
    assert_eq!(store.scan_keys("", 100).await.len(), 0);
    assert!(!store.has("k0").await);
    assert_eq!(handle.clear("").await.must(), 0);
    store.put("k1", &text("again"), NEVER).await;
    assert_eq!(store.get("k1").await.as_deref(), Some(&*text("again")), "a cleared store is as good as new");
}

pub(crate) async fn clear_takes_only_its_prefix(cx: &Cx) {
    let store = cx.open().await;
    let keys = [&b"user:1"[..], b"user:2", b"user", b"user;", b"users:1", b"xuser:1", b"User:1", b"\xff", b"\xff\xff"];
    for key in keys {
        store.put(key, &text("v"), NEVER).await;
    }
    assert_eq!(store.clear("user:").await, 2);
    for key in &keys[2..] {
        assert!(store.has(key).await, "{}", key.escape_ascii());
    }
    assert_eq!(store.clear([0xff]).await, 2);
    assert_eq!(store.clear("user").await, 3);
    assert_eq!(store.clear("absent").await, 0);
    assert_eq!(store.scan_keys("", 10).await.len(), 2);
}

pub(crate) async fn clear_of_many_entries_leaves_the_others(cx: &Cx) {
    let store = cx.open().await;
    let keys = (0..700).flat_map(|index| [format!("a{index}"), format!("b{index}")]);
    store.fill(&keys.collect::<Vec<_>>(), &text("v")).await;
    assert_eq!(store.clear("a").await, 700);
    assert_eq!(store.scan_keys("", 100).await.len(), 700);
    assert_eq!(store.clear("b1").await, 111);
}

pub(crate) async fn clear_that_is_cut_short_says_how_many_it_deleted(cx: &Cx) {
    let store = cx.open().await;
    for index in 0..30 {
        store.put(format!("k{index}"), &number(index), NEVER).await;
    }
    let failing = FailingStore::new(store.store.clone());
    failing.inject(Fault::on(Op::Clear));
    let direct = crate::conformance::direct::Direct::new(std::sync::Arc::new(failing));
    let handle = cx.handle_on(&direct, crate::config::Settings::default());
    let error = crate::conformance::direct::refused(handle.clear("").await, crate::Kind::Unavailable);
    assert_eq!(error.detail("deleted"), Some(&crate::Value::Integer(0)), "{error:?}");
    assert_eq!(store.scan_keys("", 100).await.len(), 30);
    handle.set("k", &1, Expiry::Never).await.must();
}
