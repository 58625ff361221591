//! Many at once: rules C1 and C3.

use std::collections::HashSet;
use std::future::Future;
use std::pin::pin;
use std::task::{Context as TaskContext, Waker};
use std::time::Duration;

use super::{without_increment, without_versions};
use crate::conformance::direct::{Direct, Must, NEVER, add, number, only, text};
use crate::conformance::run::Cx;
use crate::{Condition, Context, Kind, Want, codec};

const THREADS: usize = 6;

pub(crate) async fn c1_no_increment_is_lost(cx: &Cx) {
    let store = cx.open().await;
    if without_increment(&store).await {
        return;
    }
    let shared = store.clone();
    let sums = cx
        .threads(THREADS, move |_| {
            let store = shared.clone();
            async move {
                let mut sums = Vec::new();
                for _ in 0..100 {
                    sums.push(store.increment("n", add(1)).await.must());
                }
                sums
            }
        })
        .await;
    assert!(sums.iter().all(|sums| sums.windows(2).all(|pair| pair[0] < pair[1])), "each caller sees it rise");
    let all: HashSet<i64> = sums.concat().into_iter().collect();
    assert_eq!(all.len(), THREADS * 100, "every sum is handed out once");
    assert_eq!(store.get("n").await.as_deref(), Some(&*number(600)));
}

pub(crate) async fn c1_increments_and_puts_do_not_undo_each_other(cx: &Cx) {
    let store = cx.open().await;
    if without_increment(&store).await {
        return;
    }
    const BIG: i64 = 1_000_000;
    let shared = store.clone();
    let sums = cx
        .threads(THREADS, move |thread| {
            let store = shared.clone();
            async move {
                let mut sums = Vec::new();
                for round in 0..60 {
                    if thread == 0 && round == 30 {
                        store.put("n", &number(BIG), NEVER).await;
                    }
                    sums.push(store.increment("n", add(1)).await.must());
                }
                sums
            }
        })
        .await
        .concat();
    let after = sums.iter().filter(|sum| **sum > BIG).count();
    let last = store.get("n").await.and_then(|value| codec::integer(&value)).must();
    assert_eq!(
        usize::try_from(last - BIG).ok(),
        Some(after),
        "what was counted after the put, and nothing else, is in it"
    );
    assert_eq!(sums.iter().collect::<HashSet<_>>().len(), sums.len(), "every sum is handed out once");
}

/// Runs the same in all threads for a number of keys, and counts per key how often it said true.
async fn winners<F, R>(cx: &Cx, keys: usize, work: F) -> Vec<usize>
where
    F: Fn(String, usize) -> R + Send + Sync + Clone + 'static,
    R: Future<Output = bool> + Send + 'static,
{
    let won = cx
        .threads(THREADS, move |thread| {
            let work = work.clone();
            async move {
                let mut won = Vec::new();
                for key in 0..keys {
                    won.push(work(format!("k{key}"), thread).await);
                }
                won
            }
        })
        .await;
    (0..keys).map(|key| won.iter().filter(|won| won[key]).count()).collect()
}

pub(crate) async fn c1_one_of_many_only_if_absent_puts_wins(cx: &Cx) {
    let store = cx.open().await;
    let shared = store.clone();
    let won = winners(cx, 60, move |key, thread| {
        let store = shared.clone();
        async move {
            match store.try_put(&key, &number(thread as i64), only(Condition::IfAbsent)).await {
                Ok(_) => {
                    assert_eq!(
                        store.get(&key).await.as_deref(),
                        Some(&*number(thread as i64)),
                        "the winner's value stays"
                    );
                    true
                }
                Err(error) => {
                    assert_eq!(error.kind(), Kind::AlreadyExists, "{error:?}");
                    false
                }
            }
        }
    })
    .await;
    assert_eq!(won, [1; 60]);
}

pub(crate) async fn c1_one_of_many_puts_with_the_same_version_wins(cx: &Cx) {
    let store = cx.open().await;
    if without_versions(&store).await {
        return;
    }
    let mut versions = Vec::new();
    for key in 0..60 {
        versions.push(store.put(format!("k{key}"), &number(0), NEVER).await.version);
    }
    let shared = store.clone();
    let won = winners(cx, 60, move |key, _| {
        let (store, version) =
            (shared.clone(), key[1..].parse::<usize>().ok().map(|index| versions[index].clone()).must());
        async move {
            match store.try_put(&key, &number(1), only(Condition::IfVersion(&version))).await {
                Ok(_) => true,
                Err(error) => {
                    assert_eq!(error.kind(), Kind::Conflict, "{error:?}");
                    false
                }
            }
        }
    })
    .await;
    assert_eq!(won, [1; 60]);
}

pub(crate) async fn c1_read_modify_write_by_version_loses_nothing(cx: &Cx) {
    let store = cx.open().await;
    if without_versions(&store).await {
        return;
    }
    store.put("n", &number(0), NEVER).await;
    let shared = store.clone();
    cx.threads(4, move |_| {
        let store = shared.clone();
        async move {
            for _ in 0..25 {
                loop {
                    let entry = store.entry("n").await.must();
                    let next = codec::integer(&entry.value).must() + 1;
                    match store.try_put("n", &number(next), only(Condition::IfVersion(&entry.version))).await {
                        Ok(_) => break,
                        Err(error) => assert_eq!(error.kind(), Kind::Conflict, "{error:?}"),
                    }
                }
            }
        }
    })
    .await;
    assert_eq!(store.get("n").await.as_deref(), Some(&*number(100)));
}

pub(crate) async fn c1_one_of_many_takes_gets_the_value(cx: &Cx) {
    let store = cx.open().await;
    for key in 0..60 {
        store.put(format!("k{key}"), &number(key), NEVER).await;
    }
    let shared = store.clone();
    let won = winners(cx, 60, move |key, _| {
        let store = shared.clone();
        async move { store.take(&key).await.is_some() }
    })
    .await;
    assert_eq!(won, [1; 60]);
}

pub(crate) async fn c1_one_of_many_deletes_is_true(cx: &Cx) {
    let store = cx.open().await;
    for key in 0..60 {
        store.put(format!("k{key}"), &number(key), NEVER).await;
    }
    let shared = store.clone();
    let won =
        winners(cx, 60, move |key, thread| {
            let store = shared.clone();
            async move {
                if thread % 2 == 0 { store.delete(&key).await } else { store.delete_many(&[&key]).await == [true] }
            }
        })
        .await;
    assert_eq!(won, [1; 60]);
}

pub(crate) async fn c1_no_reader_sees_half_a_value(cx: &Cx) {
    let store = cx.open().await;
    let value = |fill: u8| text(&char::from(b'a' + fill).to_string().repeat(20_000));
    let content = |value: &[u8]| value[value.len() - 20_000..].to_vec();
    store.put("k", &value(1), NEVER).await;
    let shared = store.clone();
    cx.threads(4, move |thread| {
        let store = shared.clone();
        async move {
            let mut last = None;
            for round in 0..60 {
                if thread == 0 {
                    store.put("k", &value(if round % 2 == 0 { 2 } else { 1 }), NEVER).await;
                    continue;
                }
                let found = store.entry("k").await.must();
                let content = content(&found.value);
                assert_eq!(found.value.len(), value(1).len());
                assert!(content.iter().all(|byte| *byte == content[0]), "half of one value and half of another");
                if let Some((version, fill)) = &last
                    && *version == found.version
                {
                    assert_eq!(*fill, content[0], "one version, one value");
                }
                last = Some((found.version, content[0]));
            }
        }
    })
    .await;
}

/// Begins an operation, and drops it at once or after a while.
async fn begin_and_drop<T>(cx: &Cx, wait: bool, operation: impl Future<Output = T>) {
    let mut operation = pin!(operation);
    let _ = operation.as_mut().poll(&mut TaskContext::from_waker(Waker::noop()));
    if wait {
        cx.pass(Duration::from_millis(1)).await;
    }
}

async fn drop_everything(cx: &Cx, store: &Direct, wait: bool) {
    begin_and_drop(cx, wait, store.put("k", &text("dropped"), NEVER)).await;
    begin_and_drop(cx, wait, store.get("k")).await;
    begin_and_drop(cx, wait, store.entry("k")).await;
    begin_and_drop(cx, wait, store.delete("k")).await;
    begin_and_drop(cx, wait, store.touch("k", NEVER)).await;
    begin_and_drop(cx, wait, store.take("k")).await;
    begin_and_drop(cx, wait, store.increment("n", add(1))).await;
    begin_and_drop(cx, wait, store.get_many(&["k", "j"])).await;
    begin_and_drop(cx, wait, store.set_many(&[("k", &text("dropped"), NEVER), ("j", &text("dropped"), NEVER)])).await;
    begin_and_drop(cx, wait, store.delete_many(&["k", "j"])).await;
    begin_and_drop(cx, wait, store.scan("", 10, Want::Entries)).await;
    begin_and_drop(cx, wait, store.clear("x")).await;
}

pub(crate) async fn c3_dropped_operations_leave_the_store_usable(cx: &Cx) {
    let store = cx.open().await;
    for round in 0..20 {
        drop_everything(cx, &store, round % 5 == 0).await;
        // Answers must still reach the questions that they belong to.
        store.put("a", &number(round), NEVER).await;
        store.put("b", &number(-round), NEVER).await;
        assert_eq!(store.get("a").await.as_deref(), Some(&*number(round)));
        assert_eq!(store.get("b").await.as_deref(), Some(&*number(-round)));
        assert_eq!(store.get_many(&["b", "a"]).await.len(), 2);
    }
}

pub(crate) async fn c3_a_dropped_write_never_overtakes_a_later_one(cx: &Cx) {
    let store = cx.open().await;
    for round in 0..15 {
        begin_and_drop(cx, round % 3 == 0, store.put("k", &text("dropped"), NEVER)).await;
        begin_and_drop(cx, false, store.delete("k")).await;
        store.put("k", &number(round), NEVER).await;
        for _ in 0..3 {
            assert_eq!(store.get("k").await.as_deref(), Some(&*number(round)), "round {round}");
            cx.pass(Duration::from_millis(1)).await;
        }
    }
}

pub(crate) async fn c3_a_dropped_write_is_whole_or_absent(cx: &Cx) {
    let store = cx.open().await;
    let value = |fill: u8| text(&char::from(b'a' + fill).to_string().repeat(100_000));
    store.put("k", &value(1), NEVER).await;
    for round in 0..15 {
        let fill = if round % 2 == 0 { 2 } else { 3 };
        begin_and_drop(cx, round % 3 == 0, store.put("k", &value(fill), NEVER)).await;
        let found = store.store.get(&Context::none(), crate::Key::new("k").must()).await.must().must();
        assert_eq!(found.len(), value(1).len());
        let content = &found[found.len() - 100_000..];
        assert!(content.iter().all(|byte| *byte == content[0]));
    }
}
