//! Time to live: rules T1 to T10.

use std::time::Duration;

use crate::Ttl;
use crate::conformance::direct::{NEVER, millis, text};
use crate::conformance::run::Cx;

pub(crate) async fn t1_never_does_not_expire(cx: &Cx) {
    let store = cx.open().await;
    store.put("k", &text("v"), NEVER).await;
    assert_eq!(store.ttl("k").await, Some(Ttl::Never));
    cx.pass(Duration::from_millis(10)).await;
    assert_eq!(store.get("k").await.as_deref(), Some(&*text("v")));
    assert_eq!(store.ttl("k").await, Some(Ttl::Never));
}

pub(crate) async fn t5_overwrite_never_inherits_ttl(cx: &Cx) {
    let store = cx.open().await;
    store.put("k", &text("a"), millis(60_000)).await;
    store.put("k", &text("b"), NEVER).await;
    assert_eq!(store.ttl("k").await, Some(Ttl::Never));
}
