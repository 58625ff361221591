//! Closing and opening again: what a durable store keeps.

use std::collections::HashSet;
use std::time::Duration;

use super::{without_ttl, without_unique_versions};
use crate::conformance::direct::{Direct, Must, NEVER, life, millis, number, text};
use crate::conformance::run::{Cx, ID};
use crate::{Ttl, Want};

/// Closes the store and opens it again; `None` if it keeps nothing.
async fn reopen(cx: &Cx, store: Direct) -> Option<Direct> {
    if !store.store.info().durable {
        return None;
    }
    store.store.close().await.must();
    drop(store);
    Some(cx.open_id(ID).await)
}

pub(crate) async fn h2_a_durable_store_keeps_its_entries(cx: &Cx) {
    let store = cx.open().await;
    let version = store.put("k", &text("v"), NEVER).await.version;
    let lifetime = if without_ttl(&store).await { NEVER } else { millis(60_000) };
    store.put(b"\0\xff*", &number(7), lifetime).await;
    store.put("deleted", &text("v"), NEVER).await;
    store.delete("deleted").await;
    store.put("overwritten", &text("old"), NEVER).await;
    store.put("overwritten", &text("new"), NEVER).await;
    let Some(store) = reopen(cx, store).await else { return };
    let entry = store.entry("k").await.must();
    assert_eq!((entry.value.as_bytes(), entry.version, entry.ttl), (&*text("v"), version, Ttl::Never));
    assert_eq!(store.get(b"\0\xff*").await.as_deref(), Some(&*number(7)));
    assert!(!store.has("deleted").await);
    assert_eq!(store.get("overwritten").await.as_deref(), Some(&*text("new")));
    assert_eq!(store.scan_keys("", 10).await.len(), 3);
    store.store.flush().await.must();
}

pub(crate) async fn t8_deadlines_run_on_while_a_store_is_closed(cx: &Cx) {
    let store = cx.open().await;
    if without_ttl(&store).await {
        return;
    }
    let ttl = Duration::from_millis(30);
    store.put("short", &text("v"), life(ttl)).await;
    store.put("long", &text("v"), millis(60_000)).await;
    if !store.store.info().durable {
        return;
    }
    store.store.close().await.must();
    drop(store);
    cx.expire(ttl).await;
    let store = cx.open_id(ID).await;
    assert!(!store.has("short").await);
    assert!(
        matches!(store.ttl("long").await, Some(Ttl::Left(left)) if left < Duration::from_millis(59_971) + cx.lateness())
    );
    let keys = store.scan_keys("", 10).await;
    assert_eq!(keys.len(), 1);
    store.store.purge_expired(10).await.must();
    assert!(store.has("long").await);
}

pub(crate) async fn c2_versions_are_not_reused_after_a_restart(cx: &Cx) {
    let mut store = cx.open().await;
    if without_unique_versions(&store).await {
        return;
    }
    let mut seen = HashSet::new();
    for _ in 0..4 {
        for _ in 0..20 {
            assert!(seen.insert(store.put("k", &text("v"), NEVER).await.version));
            store.delete("k").await;
        }
        match reopen(cx, store).await {
            Some(reopened) => store = reopened,
            None => return,
        }
    }
    assert_eq!(store.scan("", 10, Want::Keys).await, []);
}
