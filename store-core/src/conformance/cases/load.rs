//! get_or_set: one loader per key at a time.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use super::without_ttl;
use crate::config::Settings;
use crate::conformance::direct::{Must, NEVER, number, refused};
use crate::conformance::run::Cx;
use crate::{Error, Expiry, Handle, Kind, LoadOptions, Loaded, SystemTimer, Timer, Ttl};

/// Runs two futures at the same time.
pub(super) async fn both<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> (A, B) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut first, mut second) = (None, None);
    poll_fn(move |cx| {
        if first.is_none()
            && let Poll::Ready(done) = a.as_mut().poll(cx)
        {
            first = Some(done);
        }
        if second.is_none()
            && let Poll::Ready(done) = b.as_mut().poll(cx)
        {
            second = Some(done);
        }
        match (first.take(), second.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            (a, b) => {
                (first, second) = (a, b);
                Poll::Pending
            }
        }
    })
    .await
}

async fn load(handle: &Handle, value: i64) -> crate::Result<Option<i64>> {
    handle.get_or_set("k", LoadOptions::default(), || async move { Ok(Loaded::value(value)) }).await
}

pub(crate) async fn get_or_set_loads_once_and_reads_after(cx: &Cx) {
    let store = cx.open().await;
    let handle = cx.handle_on(&store, Settings::default());
    assert_eq!(load(&handle, 1).await.must(), Some(1));
    assert_eq!(load(&handle, 2).await.must(), Some(1));
    assert_eq!(store.get("k").await.as_deref(), Some(&*number(1)));
    assert_eq!(store.ttl("k").await, Some(Ttl::Never));
    store.put("k", &number(3), NEVER).await;
    assert_eq!(load(&handle, 4).await.must(), Some(3));
    let options = LoadOptions::default();
    assert_eq!(handle.try_hit::<i64>("k", &options).map_or(3, Must::must), 3);
    assert!(handle.try_hit::<i64>("absent", &options).is_none(), "that is for a loader");
    assert!(handle.try_hit::<i64>("", &options).is_none_or(|answer| answer.is_err()));
    let zero = LoadOptions::new(Expiry::After(Duration::ZERO));
    assert!(handle.try_hit::<i64>("k", &zero).is_none_or(|answer| answer.is_err()), "refused as if it had to load");
    store.delete("k").await;
    assert_eq!(load(&handle, 5).await.must(), Some(5));
}

pub(crate) async fn get_or_set_stores_with_a_ttl(cx: &Cx) {
    let store = cx.open().await;
    if without_ttl(&store).await {
        return;
    }
    let handle = cx.handle_on(&store, Settings::default());
    let ttl = Duration::from_millis(20);
    let options = LoadOptions::new(ttl);
    let got = handle.get_or_set("k", options, || async { Ok(Loaded::value(1)) }).await.must();
    assert_eq!(got, Some(1));
    cx.expire(ttl).await;
    assert!(!store.has("k").await);
    let got = handle.get_or_set("k", options, || async { Ok(Loaded::value(2).expiry(Expiry::Never)) }).await.must();
    assert_eq!(got, Some(2));
    assert_eq!(store.ttl("k").await, Some(Ttl::Never), "the loader's own time to live counts");
    refused(
        handle.get_or_set("j", LoadOptions::new(Duration::ZERO), || async { Ok(Loaded::value(1)) }).await,
        Kind::Invalid,
    );
}

pub(crate) async fn get_or_set_runs_one_loader_for_all_who_wait(cx: &Cx) {
    let store = cx.open().await;
    let handle = cx.handle_on(&store, Settings::default());
    let loads = Arc::new(AtomicUsize::new(0));
    let counted = loads.clone();
    let found = cx
        .threads(6, move |thread| {
            let (handle, loads) = (handle.clone(), counted.clone());
            async move {
                let loader = || async move {
                    loads.fetch_add(1, Ordering::SeqCst);
                    SystemTimer.sleep(Duration::from_millis(40)).await;
                    Ok(Loaded::value(i64::try_from(thread).unwrap_or(-1)))
                };
                handle.get_or_set("k", LoadOptions::default(), loader).await.must()
            }
        })
        .await;
    assert_eq!(loads.load(Ordering::SeqCst), 1, "one loader runs");
    assert!(found.iter().all(|value| value.is_some() && *value == found[0]), "all get its result: {found:?}");
}

pub(crate) async fn get_or_set_loads_different_keys_at_the_same_time(cx: &Cx) {
    let handle = cx.handle().await;
    let options = LoadOptions::default();
    let inner = handle.clone();
    let outer = handle.get_or_set("a", options, || async move {
        let other = inner.get_or_set("b", LoadOptions::default(), || async { Ok(Loaded::value(2)) }).await?;
        Ok(Loaded::value(other.unwrap_or(0) + 1))
    });
    assert_eq!(outer.await.must(), Some(3));
    assert_eq!(handle.get::<i64>("b").await.must(), Some(2));
}

pub(crate) async fn get_or_set_failures_are_shared_and_cache_nothing(cx: &Cx) {
    let handle = cx.handle().await;
    let options = LoadOptions::default();
    let loader = || async {
        SystemTimer.sleep(Duration::from_millis(20)).await;
        Err::<Loaded<i64>, _>(Error::new(Kind::RateLimited, "slow down").with_detail("after", 3))
    };
    let (first, second) = both(handle.get_or_set("k", options, loader), handle.get_or_set("k", options, loader)).await;
    for error in [refused(first, Kind::RateLimited), refused(second, Kind::RateLimited)] {
        assert_eq!(error.detail("after"), Some(&crate::Value::Integer(3)), "{error:?}");
        assert!(error.is_retryable());
    }
    assert!(!handle.has("k").await.must());
    assert_eq!(load(&handle, 7).await.must(), Some(7), "the key is free again");
}

pub(crate) async fn get_or_set_of_nothing_is_remembered_only_if_asked(cx: &Cx) {
    let store = cx.open().await;
    let handle = cx.handle_on(&store, Settings::default());
    let nothing = |options| {
        let handle = handle.clone();
        async move { handle.get_or_set("k", options, || async { Ok(Loaded::<i64>::nothing()) }).await.must() }
    };
    assert_eq!(nothing(LoadOptions::default()).await, None);
    assert!(!store.has("k").await, "nothing is not stored");
    assert_eq!(load(&handle, 1).await.must(), Some(1));
    store.delete("k").await;
    let ttl = cx.moment();
    let within = cx.within(ttl);
    assert_eq!(nothing(LoadOptions::default().negative_ttl(ttl)).await, None);
    assert_eq!(load(&handle, 2).await.must(), None, "remembered");
    within.end();
    cx.expire(ttl).await;
    assert_eq!(load(&handle, 3).await.must(), Some(3));
}

pub(crate) async fn get_or_set_recursion_on_one_key_conflicts(cx: &Cx) {
    let handle = cx.handle().await;
    let inner = handle.clone();
    let options = LoadOptions::default();
    let loader = || async move {
        let value = inner.get_or_set("k", LoadOptions::default(), || async { Ok(Loaded::value(1)) }).await?;
        Ok(Loaded::from(value))
    };
    refused(handle.get_or_set("k", options, loader).await, Kind::Conflict);
    assert!(!handle.has("k").await.must());
    assert_eq!(load(&handle, 2).await.must(), Some(2));
}

pub(crate) async fn get_or_set_waits_have_a_deadline(cx: &Cx) {
    let handle = cx.handle().await;
    let loading = AtomicBool::new(false);
    let slow = || async {
        loading.store(true, Ordering::SeqCst);
        SystemTimer.sleep(Duration::from_millis(400)).await;
        Ok(Loaded::value(1))
    };
    let options = LoadOptions::default();
    let hurried = LoadOptions::default().wait(Duration::from_millis(10));
    let waiting = async {
        // Whoever finds the key absent first loads: that must be the slow one.
        while !loading.load(Ordering::SeqCst) {
            SystemTimer.sleep(Duration::from_millis(1)).await;
        }
        handle.get_or_set("k", hurried, || async { Ok(Loaded::value(2)) }).await
    };
    let (loaded, waited) = both(handle.get_or_set("k", options, slow), waiting).await;
    assert_eq!(loaded.must(), Some(1));
    refused(waited, Kind::Timeout);
}

pub(crate) async fn get_or_set_passes_on_when_the_loading_caller_gives_up(cx: &Cx) {
    let handle = cx.handle().await;
    let options = LoadOptions::default();
    let mut given_up = Box::pin(handle.get_or_set("k", options, || async {
        std::future::pending::<()>().await;
        Ok(Loaded::value(1))
    }));
    // Far enough to be the one who loads: a backend may need a few polls to say that the key is absent.
    let patience = SystemTimer.sleep(Duration::from_millis(30));
    let (mut patience, mut done) = (pin!(patience), false);
    poll_fn(|cx| {
        done = done || given_up.as_mut().poll(cx).is_ready();
        patience.as_mut().poll(cx)
    })
    .await;
    assert!(!done, "the loader never ends");
    let waiting = load(&handle, 2);
    let give_up = async {
        SystemTimer.sleep(Duration::from_millis(20)).await;
        drop(given_up);
    };
    let (waited, ()) = both(waiting, give_up).await;
    assert_eq!(waited.must(), Some(2));
}

pub(crate) async fn get_or_set_may_serve_stale_values_on_error(cx: &Cx) {
    let store = cx.open().await;
    if without_ttl(&store).await {
        return;
    }
    let handle = cx.handle_on(&store, Settings::default());
    let ttl = Duration::from_millis(20);
    let options = LoadOptions::new(ttl).stale_on_error(Duration::from_secs(60));
    let good = handle.get_or_set("k", options, || async { Ok(Loaded::value(1)) }).await.must();
    assert_eq!(good, Some(1));
    cx.expire(ttl).await;
    let fail = || async { Err::<Loaded<i64>, _>(Error::unavailable("origin down")) };
    assert_eq!(handle.get_or_set("k", options, fail).await.must(), Some(1), "the value of before");
    refused(handle.get_or_set("k", LoadOptions::new(ttl), fail).await, Kind::Unavailable);
}
