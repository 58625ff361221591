//! What a time to live means: rules T1 to T5, T9, T10.

use std::time::Duration;

use super::{without_increment, without_ttl};
use crate::config::Settings;
use crate::conformance::direct::{Direct, Must, NEVER, add, life, millis, number, only, refused, text};
use crate::conformance::run::Cx;
use crate::{Condition, Expiry, Increment, IncrementOptions, Kind, MAX_TTL, Put, PutOptions, Ttl, TtlRules};

const MINUTE: Duration = Duration::from_secs(60);

/// The time left, which must be finite.
#[track_caller]
fn left(ttl: Option<Ttl>) -> Duration {
    match ttl {
        Some(Ttl::Left(left)) => left,
        other => panic!("expected a finite time, got {other:?}"),
    }
}

/// Asserts that the time left is that of a lifetime written a moment ago.
#[track_caller]
fn assert_about(ttl: Option<Ttl>, lifetime: Duration) {
    let left = left(ttl);
    assert!(left <= lifetime + Duration::from_millis(1), "{left:?} left of {lifetime:?}");
    assert!(left > lifetime.mul_f64(0.5), "{left:?} left of {lifetime:?}");
}

pub(crate) async fn t1_never_does_not_expire(cx: &Cx) {
    let store = cx.open().await;
    store.put("k", &text("v"), NEVER).await;
    cx.pass(Duration::from_millis(20)).await;
    assert_eq!(store.get("k").await.as_deref(), Some(&*text("v")));
    assert_eq!(store.ttl("k").await, Some(Ttl::Never));
    assert_eq!(store.entry("k").await.must().ttl, Ttl::Never);
}

pub(crate) async fn t1_default_is_what_the_store_is_configured_with(cx: &Cx) {
    let store = cx.open().await;
    let plain = cx.handle_on(&store, Settings::default());
    plain.set("k", &1, Expiry::Default).await.must();
    assert_eq!(plain.ttl("k").await.must(), Some(Ttl::Never), "without a default, never");
    if without_ttl(&store).await {
        return;
    }
    let ttl = TtlRules::new(Some(MINUTE), None, 0.0).must();
    let configured = cx.handle_on(&store, Settings { ttl, ..Settings::default() });
    configured.set("k", &1, Expiry::Default).await.must();
    assert_about(configured.ttl("k").await.must(), MINUTE);
    configured.set("k", &1, Expiry::Never).await.must();
    assert_eq!(configured.ttl("k").await.must(), Some(Ttl::Never), "never is not the default");
}

pub(crate) async fn t1_a_ttl_of_zero_is_invalid(cx: &Cx) {
    let store = cx.open().await;
    let handle = cx.handle_on(&store, Settings::default());
    handle.set("k", "old", Expiry::Never).await.must();
    refused(handle.set("k", "new", Duration::ZERO).await, Kind::Invalid);
    refused(handle.put("k", "new", &PutOptions::new().expiry(Duration::ZERO)).await, Kind::Invalid);
    refused(handle.touch("k", Duration::ZERO).await, Kind::Invalid);
    refused(handle.get_and_touch::<String>("k", Duration::ZERO).await, Kind::Invalid);
    refused(handle.increment_with("n", &IncrementOptions::by(1).expiry(Duration::ZERO)).await, Kind::Invalid);
    assert!(!handle.has("n").await.must());
}

pub(crate) async fn t2_an_invalid_ttl_writes_nothing_and_the_old_value_stays(cx: &Cx) {
    let handle = cx.handle().await;
    handle.set("k", "old", Expiry::Never).await.must();
    refused(handle.set("k", "new", Duration::ZERO).await, Kind::Invalid);
    let items = [("j", "new", Expiry::Never), ("k", "new", Expiry::After(Duration::ZERO))];
    refused(handle.set_many(&items).await, Kind::Invalid);
    assert_eq!(handle.get::<String>("k").await.must().as_deref(), Some("old"));
    assert_eq!(handle.ttl("k").await.must(), Some(Ttl::Never));
    assert!(!handle.has("j").await.must());
}

pub(crate) async fn t3_precision_is_a_millisecond(cx: &Cx) {
    let store = cx.open().await;
    if without_ttl(&store).await {
        return;
    }
    for asked in [1_001, 1_500, 1_999, 60_001] {
        let within = cx.within(Duration::from_millis(400));
        store.put("k", &text("v"), millis(asked)).await;
        let left = left(store.ttl("k").await);
        let most = Duration::from_millis(asked + 1);
        assert!(left <= most && left > most - Duration::from_millis(402), "{left:?} left of {asked} ms");
        within.end();
    }
}

pub(crate) async fn t3_a_fraction_of_a_millisecond_is_one(cx: &Cx) {
    let store = cx.open().await;
    if without_ttl(&store).await {
        return;
    }
    let handle = cx.handle_on(&store, Settings::default());
    let written = handle.put("k", "v", &PutOptions::new().expiry(Duration::from_nanos(1))).await.must();
    let left = left(Some(written.ttl));
    assert!(left > Duration::ZERO && left <= Duration::from_millis(2), "{left:?}");
    cx.expire(Duration::from_millis(1)).await;
    assert!(!handle.has("k").await.must());
}

pub(crate) async fn t4_the_longest_ttl_is_a_hundred_years(cx: &Cx) {
    let store = cx.open().await;
    if without_ttl(&store).await {
        return;
    }
    let handle = cx.handle_on(&store, Settings::default());
    for ttl in [Duration::MAX, MAX_TTL * 2, MAX_TTL] {
        handle.set("k", "v", ttl).await.must();
        assert_about(handle.ttl("k").await.must(), MAX_TTL);
        assert!(handle.touch("k", ttl).await.must());
        assert_about(handle.ttl("k").await.must(), MAX_TTL);
        assert_eq!(handle.get::<String>("k").await.must().as_deref(), Some("v"));
    }
    handle.increment_with("n", &IncrementOptions::by(1).expiry(Duration::MAX)).await.must();
    assert_about(handle.ttl("n").await.must(), MAX_TTL);
}

pub(crate) async fn t5_overwrite_never_inherits_ttl(cx: &Cx) {
    let store = cx.open().await;
    if without_ttl(&store).await {
        return;
    }
    store.put("k", &text("a"), life(MINUTE)).await;
    let written = store.put("k", &text("b"), NEVER).await;
    assert_eq!((written.ttl, store.ttl("k").await), (Ttl::Never, Some(Ttl::Never)));
    store.put("k", &text("c"), life(MINUTE * 60)).await;
    store.put("k", &text("d"), life(MINUTE)).await;
    assert_about(store.ttl("k").await, MINUTE);
}

pub(crate) async fn t5_conditional_writes_never_inherit_ttl(cx: &Cx) {
    let store = cx.open().await;
    if without_ttl(&store).await {
        return;
    }
    store.put("k", &text("a"), life(MINUTE)).await;
    store.try_put("k", &text("b"), only(Condition::IfPresent)).await.must();
    assert_eq!(store.ttl("k").await, Some(Ttl::Never));
    if store.store.info().capabilities.versions {
        let version = store.put("k", &text("a"), life(MINUTE)).await.version;
        store.try_put("k", &text("b"), only(Condition::IfVersion(&version))).await.must();
        assert_eq!(store.ttl("k").await, Some(Ttl::Never));
    }
}

pub(crate) async fn t5_batch_writes_never_inherit_ttl(cx: &Cx) {
    let store = cx.open().await;
    if without_ttl(&store).await {
        return;
    }
    store.put("k", &text("a"), life(MINUTE)).await;
    store.set_many(&[("k", &text("b"), NEVER)]).await.must();
    assert_eq!(store.ttl("k").await, Some(Ttl::Never));
}

pub(crate) async fn t5_a_shorter_ttl_replaces_a_longer_one_and_the_reverse(cx: &Cx) {
    let store = cx.open().await;
    if without_ttl(&store).await {
        return;
    }
    let short = cx.moment();
    store.put("a", &text("v"), life(MINUTE)).await;
    store.put("a", &text("v"), life(short)).await;
    store.put("b", &text("v"), life(short)).await;
    store.put("b", &text("v"), life(MINUTE)).await;
    store.put("c", &text("v"), life(short)).await;
    store.put("c", &text("v"), NEVER).await;
    cx.expire(short).await;
    assert!(!store.has("a").await, "the shorter time counts");
    assert!(store.has("b").await, "the longer time counts");
    assert!(store.has("c").await, "never counts");
}

/// Puts and keeps the deadline.
async fn keep(store: &Direct, value: &str, lifetime: crate::Lifetime) -> crate::Written {
    let put = Put { lifetime, keep_ttl: true, condition: Condition::Always };
    store.try_put("k", &text(value), put).await.must()
}

pub(crate) async fn t5_keep_ttl_keeps_the_deadline(cx: &Cx) {
    let store = cx.open().await;
    if without_ttl(&store).await {
        return;
    }
    let short = cx.moment();
    let within = cx.within(short);
    store.put("k", &text("a"), life(short)).await;
    let written = keep(&store, "b", NEVER).await;
    assert!(left(Some(written.ttl)) <= short + Duration::from_millis(1), "put says the deadline it kept");
    assert_eq!(store.get("k").await.as_deref(), Some(&*text("b")));
    within.end();
    cx.expire(short).await;
    assert!(!store.has("k").await, "the deadline was kept");
}

pub(crate) async fn t5_keep_ttl_of_an_entry_without_deadline_keeps_none(cx: &Cx) {
    let store = cx.open().await;
    if without_ttl(&store).await {
        return;
    }
    store.put("k", &text("a"), NEVER).await;
    assert_eq!(keep(&store, "b", millis(20)).await.ttl, Ttl::Never);
    cx.expire(Duration::from_millis(20)).await;
    assert_eq!(store.get("k").await.as_deref(), Some(&*text("b")));
}

pub(crate) async fn t5_keep_ttl_without_a_live_entry_uses_the_ttl_of_the_call(cx: &Cx) {
    let store = cx.open().await;
    if without_ttl(&store).await {
        return;
    }
    assert_about(Some(keep(&store, "a", life(MINUTE)).await.ttl), MINUTE);
    store.put("k", &text("b"), millis(20)).await;
    cx.expire(Duration::from_millis(20)).await;
    assert_about(Some(keep(&store, "c", life(MINUTE)).await.ttl), MINUTE);
    assert_about(store.ttl("k").await, MINUTE);
}

pub(crate) async fn t5_increment_keeps_the_ttl_of_a_live_counter(cx: &Cx) {
    let store = cx.open().await;
    if without_ttl(&store).await || without_increment(&store).await {
        return;
    }
    let short = cx.moment();
    let within = cx.within(short);
    store.put("n", &number(1), life(short)).await;
    let by = Increment { delta: 1, initial: 0, lifetime: life(MINUTE) };
    assert_eq!(store.increment("n", by).await.must(), 2);
    assert_eq!(store.increment("n", add(1)).await.must(), 3);
    assert!(left(store.ttl("n").await) <= short + Duration::from_millis(1));
    within.end();
    cx.expire(short).await;
    assert!(!store.has("n").await, "the deadline was kept");
    store.put("m", &number(1), NEVER).await;
    store.increment("m", by).await.must();
    assert_eq!(store.ttl("m").await, Some(Ttl::Never), "also that there is none");
}

pub(crate) async fn t5_increment_sets_its_ttl_when_it_creates_the_counter(cx: &Cx) {
    let store = cx.open().await;
    if without_ttl(&store).await || without_increment(&store).await {
        return;
    }
    let by = Increment { delta: 1, initial: 0, lifetime: millis(20) };
    assert_eq!(store.increment("n", by).await.must(), 1);
    cx.expire(Duration::from_millis(20)).await;
    assert!(!store.has("n").await);
    assert_eq!(store.increment("n", Increment { lifetime: life(MINUTE), ..by }).await.must(), 1);
    assert_about(store.ttl("n").await, MINUTE);
}

pub(crate) async fn t5_touch_replaces_the_ttl(cx: &Cx) {
    let store = cx.open().await;
    if without_ttl(&store).await {
        return;
    }
    store.put("k", &text("v"), life(MINUTE * 60)).await;
    assert!(store.touch("k", life(MINUTE)).await);
    assert_about(store.ttl("k").await, MINUTE);
    assert!(store.touch("k", NEVER).await);
    assert_eq!(store.ttl("k").await, Some(Ttl::Never));
    assert!(store.touch("k", millis(20)).await);
    cx.expire(Duration::from_millis(20)).await;
    assert!(!store.has("k").await);
}

pub(crate) async fn t5_get_and_touch_replaces_the_ttl(cx: &Cx) {
    let store = cx.open().await;
    if without_ttl(&store).await {
        return;
    }
    let short = cx.moment();
    let within = cx.within(short);
    store.put("k", &text("v"), life(short)).await;
    assert_eq!(store.get_and_touch("k", life(MINUTE)).await.as_deref(), Some(&*text("v")));
    within.end();
    cx.expire(short).await;
    assert_about(store.ttl("k").await, MINUTE + short);
    assert_eq!(store.get_and_touch("k", NEVER).await.as_deref(), Some(&*text("v")));
    assert_eq!(store.ttl("k").await, Some(Ttl::Never));
}

pub(crate) async fn t9_ttl_has_three_outcomes(cx: &Cx) {
    let store = cx.open().await;
    assert_eq!(store.ttl("k").await, None);
    store.put("k", &text("v"), NEVER).await;
    assert_eq!(store.ttl("k").await, Some(Ttl::Never));
    if without_ttl(&store).await {
        return;
    }
    store.put("k", &text("v"), life(MINUTE)).await;
    assert_about(store.ttl("k").await, MINUTE);
    store.put("k", &text("v"), millis(20)).await;
    cx.expire(Duration::from_millis(20)).await;
    assert_eq!(store.ttl("k").await, None);
}

pub(crate) async fn t9_every_read_tells_the_same_time_left(cx: &Cx) {
    let store = cx.open().await;
    if without_ttl(&store).await {
        return;
    }
    let written = store.put("k", &text("v"), life(MINUTE)).await;
    assert_about(Some(written.ttl), MINUTE);
    assert_about(store.ttl("k").await, MINUTE);
    assert_about(store.entry("k").await.map(|entry| entry.ttl), MINUTE);
    for item in store.scan("", 10, crate::Want::Entries).await {
        assert_about(item.entry.map(|entry| entry.ttl), MINUTE);
    }
    if store.store.info().capabilities.ordered_list {
        for item in store.list("", 10, crate::Want::Entries).await {
            assert_about(item.entry.map(|entry| entry.ttl), MINUTE);
        }
    }
}

pub(crate) async fn t9_time_left_goes_down_with_time(cx: &Cx) {
    let store = cx.open().await;
    if without_ttl(&store).await {
        return;
    }
    store.put("k", &text("v"), life(MINUTE)).await;
    cx.pass(Duration::from_millis(30)).await;
    let left = left(store.ttl("k").await);
    assert!(left <= MINUTE - Duration::from_millis(30) + cx.lateness(), "{left:?}");
}

pub(crate) async fn t10_max_ttl_caps_longer_ones_and_never(cx: &Cx) {
    let store = cx.open().await;
    if without_ttl(&store).await {
        return;
    }
    let ttl = TtlRules::new(None, Some(MINUTE), 0.0).must();
    let handle = cx.handle_on(&store, Settings { ttl, ..Settings::default() });
    for expiry in [Expiry::Never, Expiry::Default, Expiry::After(MINUTE * 60)] {
        handle.set("k", "v", expiry).await.must();
        assert_about(handle.ttl("k").await.must(), MINUTE);
        handle.touch("k", expiry).await.must();
        assert_about(handle.ttl("k").await.must(), MINUTE);
        handle.set_many(&[("k", "v", expiry)]).await.must();
        assert_about(handle.ttl("k").await.must(), MINUTE);
        handle.delete("n").await.must();
        handle.increment_with("n", &IncrementOptions::by(1).expiry(expiry)).await.must();
        assert_about(handle.ttl("n").await.must(), MINUTE);
    }
    handle.set("k", "v", Duration::from_secs(10)).await.must();
    assert_about(handle.ttl("k").await.must(), Duration::from_secs(10));
}

pub(crate) async fn t10_jitter_only_shortens(cx: &Cx) {
    let store = cx.open().await;
    if without_ttl(&store).await {
        return;
    }
    let ttl = TtlRules::new(None, None, 0.5).must();
    let handle = cx.handle_on(&store, Settings { ttl, ..Settings::default() });
    let mut seen = Vec::new();
    for _ in 0..20 {
        let written = handle.put("k", "v", &PutOptions::new().expiry(MINUTE)).await.must();
        let left = left(Some(written.ttl));
        assert!(left <= MINUTE + Duration::from_millis(1) && left >= MINUTE.mul_f64(0.49), "{left:?}");
        seen.push(left.as_secs());
    }
    seen.dedup();
    assert!(seen.len() > 1, "twenty jittered times to live were all alike");
    handle.set("k", "v", Expiry::Never).await.must();
    assert_eq!(handle.ttl("k").await.must(), Some(Ttl::Never));
}
