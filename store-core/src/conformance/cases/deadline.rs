//! From its deadline on an entry is absent, for every operation: rules T6 to T8.

use std::time::Duration;

use super::{without_increment, without_list, without_ttl, without_versions};
use crate::conformance::direct::{Direct, Must, NEVER, add, life, millis, number, only, refused, text};
use crate::conformance::run::Cx;
use crate::{Condition, Increment, Kind, Ttl, Version, Want};

const SHORT: Duration = Duration::from_millis(20);

/// A store in which `k` has expired, and `live` has not; `None` if it knows no expiry. The version is that of the expired
/// entry.
async fn expired(cx: &Cx) -> Option<(Direct, Version)> {
    let store = cx.open().await;
    if without_ttl(&store).await {
        return None;
    }
    store.put("live", &text("live"), NEVER).await;
    let version = store.put("k", &text("dead"), life(SHORT)).await.version;
    cx.expire(SHORT).await;
    Some((store, version))
}

/// Never early: whoever finds the entry absent asked no sooner than its time to live after it was written. Late by at most
/// a millisecond, besides the one of rounding: whoever finds it asked no later.
pub(crate) async fn t6_readable_until_its_deadline_and_absent_from_it_on(cx: &Cx) {
    let store = cx.open().await;
    if without_ttl(&store).await {
        return;
    }
    for ttl in [1, 7, 40].map(Duration::from_millis) {
        for start in [0, 300_000, 999_999].map(Duration::from_nanos) {
            cx.pass(start).await;
            let before = cx.now();
            store.put("k", &text("v"), life(ttl)).await;
            let after = cx.now();
            loop {
                let asked = cx.now();
                let found = store.get("k").await;
                let answered = cx.now();
                match found {
                    Some(_) => assert!(asked < after + ttl + cx.lateness(), "late: {ttl:?}"),
                    None => {
                        assert!(answered >= before + ttl, "early: {ttl:?}");
                        break;
                    }
                }
                cx.pass(Duration::from_micros(250)).await;
            }
        }
    }
}

pub(crate) async fn t6_a_live_entry_is_readable_shortly_before_its_deadline(cx: &Cx) {
    let store = cx.open().await;
    if without_ttl(&store).await {
        return;
    }
    let ttl = cx.moment();
    let within = cx.within(ttl);
    store.put("k", &text("v"), life(ttl)).await;
    cx.pass(ttl / 2).await;
    assert!(store.has("k").await);
    assert!(store.get("k").await.is_some());
    assert!(store.entry("k").await.is_some());
    assert!(store.ttl("k").await.is_some());
    assert_eq!(store.scan_keys("", 10).await.len(), 1);
    within.end();
}

pub(crate) async fn t6_expired_is_absent_for_reads(cx: &Cx) {
    let Some((store, _)) = expired(cx).await else { return };
    assert_eq!(store.get("k").await, None);
    assert!(!store.has("k").await);
    assert_eq!(store.entry("k").await, None);
    assert_eq!(store.ttl("k").await, None);
    assert_eq!(store.take("k").await, None);
}

pub(crate) async fn t6_touch_revives_nothing(cx: &Cx) {
    let Some((store, version)) = expired(cx).await else { return };
    assert!(!store.touch("k", NEVER).await);
    assert_eq!(store.get("k").await, None);
    assert_eq!(store.get_and_touch("k", NEVER).await, None);
    assert_eq!(store.get("k").await, None);
    if !without_versions(&store).await {
        store.put("k", &text("dead"), life(SHORT)).await;
        let version = store.entry("k").await.map_or(version, |entry| entry.version);
        cx.expire(SHORT).await;
        assert!(!store.touch_if("k", NEVER, &version).await.must());
        assert_eq!(store.get("k").await, None);
    }
}

pub(crate) async fn t6_expired_is_not_deleted(cx: &Cx) {
    let Some((store, version)) = expired(cx).await else { return };
    if !store.store.info().capabilities.versions {
        assert!(!store.delete("k").await);
        return;
    }
    assert!(!store.delete_if("k", &version).await.must());
    assert!(!store.delete("k").await);
}

pub(crate) async fn t6_expired_is_absent_for_conditional_writes(cx: &Cx) {
    let Some((store, version)) = expired(cx).await else { return };
    refused(store.try_put("k", &text("new"), only(Condition::IfPresent)).await, Kind::NotFound);
    if store.store.info().capabilities.versions {
        refused(store.try_put("k", &text("new"), only(Condition::IfVersion(&version))).await, Kind::NotFound);
    }
    assert_eq!(store.get("k").await, None);
    store.try_put("k", &text("new"), only(Condition::IfAbsent)).await.must();
    assert_eq!(store.get("k").await.as_deref(), Some(&*text("new")));
    assert_eq!(store.ttl("k").await, Some(Ttl::Never));
}

pub(crate) async fn t6_increment_starts_anew(cx: &Cx) {
    let store = cx.open().await;
    if without_ttl(&store).await || without_increment(&store).await {
        return;
    }
    store.put("n", &number(100), life(SHORT)).await;
    store.put("s", &text("not a number"), life(SHORT)).await;
    cx.expire(SHORT).await;
    assert_eq!(store.increment("n", Increment { delta: 1, initial: 10, lifetime: NEVER }).await.must(), 11);
    assert_eq!(store.ttl("n").await, Some(Ttl::Never));
    assert_eq!(store.increment("s", add(1)).await.must(), 1, "what expired is no obstacle");
}

pub(crate) async fn t6_expired_is_absent_for_batches(cx: &Cx) {
    let Some((store, _)) = expired(cx).await else { return };
    let found = store.get_many(&["k", "live", "k"]).await;
    assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(store.delete_many(&["k", "live"]).await, [false, true]);
}

pub(crate) async fn t6_expired_is_not_listed(cx: &Cx) {
    let Some((store, _)) = expired(cx).await else { return };
    if without_list(&store).await {
        return;
    }
    assert_eq!(store.keys("").await, [Box::from(&b"live"[..])]);
    assert_eq!(store.keys("k").await.len(), 0);
    // Many of them, between the live ones.
    for index in 0..60 {
        let lifetime = if index % 20 == 0 { NEVER } else { life(SHORT) };
        store.put(format!("n{index:02}"), &number(index), lifetime).await;
    }
    cx.expire(SHORT).await;
    let keys: Vec<Box<[u8]>> =
        store.list("n", 2, Want::Entries).await.into_iter().map(|item| item.key.into()).collect();
    assert_eq!(keys, [&b"n00"[..], b"n20", b"n40"].map(Box::from));
}

pub(crate) async fn t6_expired_is_not_scanned(cx: &Cx) {
    let Some((store, _)) = expired(cx).await else { return };
    let keys: Vec<Box<[u8]>> =
        store.scan("", 10, Want::Entries).await.into_iter().map(|item| item.key.into()).collect();
    assert_eq!(keys, [Box::from(&b"live"[..])]);
}

pub(crate) async fn t6_expired_is_not_counted_by_clear(cx: &Cx) {
    let Some((store, _)) = expired(cx).await else { return };
    assert_eq!(store.clear("k").await, 0);
    assert_eq!(store.clear("").await, 1);
}

pub(crate) async fn t6_a_new_value_after_expiry_owes_nothing_to_the_old(cx: &Cx) {
    let Some((store, old)) = expired(cx).await else { return };
    let new = store.put("k", &text("new"), NEVER).await;
    assert_ne!(new.version, old, "versions are not reused");
    cx.expire(SHORT).await;
    assert_eq!(store.get("k").await.as_deref(), Some(&*text("new")), "the old deadline must not strike the new entry");
    assert_eq!(store.ttl("k").await, Some(Ttl::Never));
}

pub(crate) async fn t6_what_was_touched_lives_beyond_its_old_deadline(cx: &Cx) {
    let store = cx.open().await;
    if without_ttl(&store).await {
        return;
    }
    let short = cx.moment();
    let within = cx.within(short);
    for key in ["never", "long", "put"] {
        store.put(key, &text("v"), life(short)).await;
    }
    assert!(store.touch("never", NEVER).await);
    assert!(store.touch("long", millis(60_000)).await);
    store.put("put", &text("w"), millis(60_000)).await;
    within.end();
    cx.expire(short).await;
    // Reclaiming what expired must not take them.
    store.store.purge_expired(1000).await.must();
    for key in ["never", "long", "put"] {
        assert!(store.has(key).await, "{key}");
    }
}

pub(crate) async fn t6_what_expired_stays_absent(cx: &Cx) {
    let Some((store, _)) = expired(cx).await else { return };
    for _ in 0..5 {
        assert_eq!(store.get("k").await, None);
        assert!(!store.touch("k", NEVER).await);
        assert!(!store.delete("k").await);
        cx.pass(Duration::from_millis(1)).await;
    }
    assert!(store.has("live").await);
}

pub(crate) async fn t7_purge_frees_only_what_expired_and_no_more_than_asked(cx: &Cx) {
    let store = cx.open().await;
    if without_ttl(&store).await {
        return;
    }
    for index in 0..30 {
        store.put(format!("dead{index}"), &number(index), life(SHORT)).await;
        store.put(format!("live{index}"), &number(index), if index % 2 == 0 { NEVER } else { millis(60_000) }).await;
    }
    cx.expire(SHORT).await;
    let mut freed = 0;
    loop {
        let step = store.store.purge_expired(7).await.must();
        assert!(step <= 7, "{step} freed, 7 asked for");
        freed += step;
        if step == 0 {
            break;
        }
    }
    // Some may have been reclaimed in the background.
    let most = if store.store.info().capabilities.purge { 30 } else { 0 };
    assert!(freed <= most, "{freed} freed, {most} expired");
    for index in 0..30 {
        assert!(store.has(format!("live{index}")).await);
        assert!(!store.has(format!("dead{index}")).await);
    }
    assert_eq!(store.scan_keys("", 100).await.len(), 30);
}

pub(crate) async fn t8_entries_expire_one_after_another(cx: &Cx) {
    let store = cx.open().await;
    if without_ttl(&store).await {
        return;
    }
    let step = cx.moment();
    let within = cx.within(step);
    store.put("1", &text("v"), life(step)).await;
    store.put("3", &text("v"), life(step * 3)).await;
    store.put("9", &text("v"), life(step * 9)).await;
    assert!(store.has("1").await);
    within.end();
    let within = cx.within(step * 2 - cx.lateness());
    cx.expire(step).await;
    assert_eq!((store.has("1").await, store.has("3").await, store.has("9").await), (false, true, true));
    within.end();
    cx.expire(step * 2).await;
    assert_eq!((store.has("1").await, store.has("3").await), (false, false));
}
