//! What happens when Redis is not well. Every call ends by its deadline, and says honestly what became of it.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use store_core::config::HumanDuration;
use store_core::{Context, Error, Expiry, Handle, Increment, Kind, Lifetime, Outcome, PutOptions, Store};
use store_redis::RedisOptions;
use store_testkit::{Fault, FaultProxy, RedisServer, Reply};
use support::{key, open, with_timeout};

static CX: Context = Context::none();
/// What a call may take beyond its deadline on a machine that does other things too.
const GRACE: Duration = Duration::from_millis(400);

fn is(error: &Error, kind: Kind, reason: Option<&str>, outcome: Outcome) {
    assert_eq!((error.kind(), error.reason(), error.outcome()), (kind, reason, outcome), "{error:?}");
}

/// Waits until a store serves again, without a new handle.
async fn until_well(cache: &Handle, within: Duration) {
    let start = Instant::now();
    while let Err(error) = cache.set("well", &1, Expiry::Never).await {
        assert!(start.elapsed() < within, "not well again after {:?}: {error:?}", start.elapsed());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn h2_a_server_that_is_down_fails_within_the_deadline_and_then_at_once() {
    let server = RedisServer::start();
    server.kill();
    let (_, cache) = open(&with_timeout(server.url(), 200));
    let start = Instant::now();
    let error = cache.set("k", &1, Expiry::Never).await.unwrap_err();
    is(&error, Kind::Unavailable, None, Outcome::NotApplied);
    assert!(error.to_string().contains("connection refused"), "{error}");
    assert!(error.is_retryable() && start.elapsed() < Duration::from_millis(200) + GRACE);
    let start = Instant::now();
    cache.get::<i32>("k").await.unwrap_err();
    assert!(start.elapsed() < Duration::from_millis(50), "no call waits for what has long been away");
    server.revive();
    until_well(&cache, Duration::from_secs(2)).await;
}

#[tokio::test]
async fn h2_eager_opening_fails_where_lazy_opening_does_not() {
    use store_core::{Backend, OpenContext};
    let server = RedisServer::start();
    server.kill();
    let mut options = with_timeout(server.url(), 100);
    let backend = store_redis::RedisBackend::new();
    assert!(backend.open(&options, OpenContext::new("a")).await.is_ok());
    options.eager = true;
    is(&backend.open(&options, OpenContext::new("a")).await.unwrap_err(), Kind::Unavailable, None, Outcome::NotApplied);
}

#[tokio::test]
async fn restart_in_place_is_survived_without_a_new_handle() {
    let server = RedisServer::builder().persistent().start();
    let (_, cache) = open(&with_timeout(server.url(), 1000));
    cache.set("k", &1, Expiry::Never).await.unwrap();
    for _ in 0..3 {
        server.restart();
        // A read waits for the connection to come back.
        assert_eq!(cache.get::<i32>("k").await.unwrap(), Some(1));
    }
}

#[tokio::test]
async fn a_frozen_server_means_timeouts_of_unknown_outcome_and_recovery() {
    let server = RedisServer::start();
    let (_, cache) = open(&with_timeout(server.url(), 200));
    cache.set("k", &1, Expiry::Never).await.unwrap();
    server.freeze();
    let start = Instant::now();
    let error = cache.set("k", &2, Expiry::Never).await.unwrap_err();
    is(&error, Kind::Timeout, None, Outcome::Unknown);
    assert!(error.is_retryable());
    let took = start.elapsed();
    assert!((Duration::from_millis(195)..Duration::from_millis(200) + GRACE).contains(&took), "{took:?}");
    for _ in 0..10 {
        let start = Instant::now();
        cache.get::<i32>("k").await.unwrap_err();
        assert!(start.elapsed() < Duration::from_millis(200) + GRACE);
    }
    server.thaw();
    until_well(&cache, Duration::from_secs(2)).await;
    // What lay in the socket's buffer was executed, as the documentation says.
    assert_eq!(cache.get::<i32>("k").await.unwrap(), Some(2));
}

/// The timed-out writes of a connection that was given up never overtake what was acknowledged over the next one. There are
/// enough of them that the server, when it thaws, would still be reading them while it serves the new connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c3_abandoned_writes_do_not_come_after_an_acknowledged_one() {
    let server = RedisServer::start();
    let mut options = with_timeout(server.url(), 100);
    // The attempt to connect that is made while the server is frozen is the one that succeeds when it thaws.
    options.connect_timeout = HumanDuration(Duration::from_secs(10));
    let (_, cache) = open(&options);
    let old = "x".repeat(300);
    for round in 0..5 {
        until_well(&cache, Duration::from_secs(3)).await;
        server.freeze();
        let calls: Vec<_> = (0..4000)
            .map(|_| {
                let (cache, old) = (cache.clone(), old.clone());
                tokio::spawn(async move { cache.set("k", &old, Expiry::Never).await.unwrap_err() })
            })
            .collect();
        for call in calls {
            call.await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(150)).await;
        server.thaw();
        let start = Instant::now();
        while cache.set("k", &round, Expiry::Never).await.is_err() {
            assert!(start.elapsed() < Duration::from_secs(3));
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(cache.get::<i32>("k").await.unwrap(), Some(round));
    }
}

#[tokio::test]
async fn wrong_passwords_are_named_and_never_shown() {
    let server = RedisServer::builder().password("correct-horse").start();
    let url = |password: &str| format!("redis://:{password}@127.0.0.1:{}", server.port());
    let (store, cache) = open(&with_timeout(url("battery-staple"), 1000));
    let start = Instant::now();
    for _ in 0..3 {
        let error = cache.get::<i32>("k").await.unwrap_err();
        is(&error, Kind::Unavailable, Some("auth"), Outcome::NotApplied);
        assert_eq!(error.retryable(), Some(false));
        assert!(!format!("{error} {error:?} {store:?} {cache:?}").contains("battery"));
    }
    assert!(start.elapsed() < Duration::from_millis(500), "a refused password is no reason to wait");
    let (_, cache) = open(&with_timeout(format!("redis://127.0.0.1:{}", server.port()), 1000));
    is(&cache.get::<i32>("k").await.unwrap_err(), Kind::Unavailable, Some("auth"), Outcome::NotApplied);

    // The operator corrects it on the server: the same handle works again.
    let (_, cache) = open(&with_timeout(url("tr0ub4dor"), 1000));
    cache.get::<i32>("k").await.unwrap_err();
    server.cli(&["CONFIG", "SET", "requirepass", "tr0ub4dor"]);
    until_well(&cache, Duration::from_secs(3)).await;
    let options = RedisOptions::new(url("battery-staple"));
    assert!(!format!("{options:?}").contains("battery"));
}

#[tokio::test]
async fn a_password_option_wins_over_the_url() {
    let server = RedisServer::builder().password("p/w:@#%").start();
    let mut options = with_timeout(format!("redis://127.0.0.1:{}", server.port()), 1000);
    options.password = Some(store_core::config::Secret::new("p/w:@#%"));
    let (_, cache) = open(&options);
    cache.set("k", &1, Expiry::Never).await.unwrap();
}

#[tokio::test]
async fn a_unix_socket_serves_as_well() {
    let server = RedisServer::builder().unix_socket().start();
    let (_, cache) = open(&with_timeout(server.unix_url(), 1000));
    cache.set("k", &1, Expiry::Never).await.unwrap();
    assert_eq!(cache.get::<i32>("k").await.unwrap(), Some(1));
    server.restart();
    until_well(&cache, Duration::from_secs(2)).await;
    let (_, cache) = open(&with_timeout("redis+unix:///nowhere/redis.sock", 100));
    let error = cache.get::<i32>("k").await.unwrap_err();
    assert!(error.to_string().contains("no such socket"), "{error}");
}

#[tokio::test]
async fn a_reply_cut_after_execution_is_resolved_by_version() {
    let server = RedisServer::start();
    let proxy = FaultProxy::start(server.port());
    let (store, cache) = open(&with_timeout(proxy.url(), 2000));
    cache.set("k", &0, Expiry::Never).await.unwrap();
    let version = cache.entry::<i32>("k").await.unwrap().unwrap().version;
    let put = |edit: &dyn Fn(&mut PutOptions)| {
        let mut options = PutOptions::default();
        edit(&mut options);
        options
    };
    // The proxy swallows one answer, then is well again: the write was executed, and the store finds that out.
    let cut_once = async || {
        proxy.set(Fault::CutReply);
        tokio::time::sleep(Duration::from_millis(60)).await;
        proxy.set(Fault::None);
    };
    let (written, ()) = tokio::join!(cache.set("k", &1, Expiry::Never), cut_once());
    written.unwrap();
    let current = put(&|put| put.if_version = Some(version.clone()));
    let (refused, ()) = tokio::join!(cache.put("k", &2, &current), cut_once());
    assert_eq!(refused.unwrap_err().kind(), Kind::Conflict);
    let version = cache.entry::<i32>("k").await.unwrap().unwrap().version;
    let current = put(&|put| put.if_version = Some(version.clone()));
    let (written, ()) = tokio::join!(cache.put("k", &2, &current), cut_once());
    assert_eq!(cache.entry::<i32>("k").await.unwrap().unwrap().version, written.unwrap().version);
    let absent = put(&|put| put.only_if_absent = true);
    let (written, ()) = tokio::join!(cache.put("new", &2, &absent), cut_once());
    written.unwrap();
    // The server must know the script, or the answer that is cut says that it does not.
    assert_eq!(cache.increment("n", 1).await.unwrap(), 1);
    let (sum, ()) = tokio::join!(cache.increment("n", 1), cut_once());
    assert_eq!(sum.unwrap(), 2);
    assert_eq!(cache.get::<i64>("n").await.unwrap(), Some(2), "counted once");
    let items = [("a", 1, Expiry::Never), ("b", 2, Expiry::Never), ("a", 3, Expiry::Never)];
    let (written, ()) = tokio::join!(cache.set_many(&items), cut_once());
    written.unwrap();
    assert_eq!(cache.get::<i32>("a").await.unwrap(), Some(3));
    // A deletion leaves no version behind: nobody can know.
    let (deleted, ()) = tokio::join!(store.delete(&CX, key("k"), None), cut_once());
    is(&deleted.unwrap_err(), Kind::Unavailable, None, Outcome::Unknown);
}

#[tokio::test]
async fn a_request_cut_before_its_end_is_never_a_false_success() {
    let server = RedisServer::start();
    let proxy = FaultProxy::start(server.port());
    let (store, cache) = open(&with_timeout(proxy.url(), 300));
    for bytes in [0, 1, 10, 40] {
        until_well(&cache, Duration::from_secs(3)).await;
        proxy.set(Fault::CutRequestAfter(bytes));
        let by = Increment { delta: 1, initial: 0, lifetime: Lifetime::NEVER };
        let error = store.increment(&CX, key("n"), by).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::Unknown, "{error:?}");
        proxy.set(Fault::None);
    }
    until_well(&cache, Duration::from_secs(3)).await;
    assert_eq!(cache.get::<i64>("n").await.unwrap(), None);
}

#[tokio::test]
async fn a_black_hole_is_left_within_three_seconds() {
    let server = RedisServer::start();
    let proxy = FaultProxy::start(server.port());
    let (_, cache) = open(&with_timeout(proxy.url(), 500));
    until_well(&cache, Duration::from_secs(1)).await;
    // Only the open connection is dead: new ones are well.
    proxy.set(Fault::BlackHole);
    let call = cache.get::<i32>("k");
    let heal = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        // The swallowed request never gets an answer, although the connection is open and quiet.
        proxy.set(Fault::SwallowReplies);
    };
    let (result, ()) = tokio::join!(call, heal);
    is(&result.unwrap_err(), Kind::Timeout, None, Outcome::NotApplied);
    let before = proxy.accepted();
    let start = Instant::now();
    while proxy.accepted() == before {
        assert!(start.elapsed() < Duration::from_secs(3), "the dead connection is kept");
        let _ = cache.get::<i32>("k").await;
    }
    proxy.set(Fault::None);
    until_well(&cache, Duration::from_secs(3)).await;
}

/// Kill -9 and restart under load: every call ends by its deadline, acknowledged increments are there exactly once, and the same
/// handle works again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_under_load_lose_and_double_nothing() {
    let server = Arc::new(RedisServer::builder().persistent().start());
    let timeout = Duration::from_millis(1000);
    let (_, cache) = open(&with_timeout(server.url(), 1000));
    let stop = Arc::new(AtomicBool::new(false));
    let (acknowledged, unknown) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let worst = Arc::new(AtomicU64::new(0));
    let workers: Vec<_> = (0..16)
        .map(|worker| {
            let (cache, stop, worst) = (cache.clone(), Arc::clone(&stop), Arc::clone(&worst));
            let (acknowledged, unknown) = (Arc::clone(&acknowledged), Arc::clone(&unknown));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let start = Instant::now();
                    let counted = cache.increment("n", 1).await;
                    let read = cache.get::<i64>(format!("w{worker}")).await;
                    worst.fetch_max(u64::try_from(start.elapsed().as_millis()).unwrap(), Ordering::Relaxed);
                    match counted {
                        Ok(_) => acknowledged.fetch_add(1, Ordering::Relaxed),
                        Err(error) if error.outcome() == Outcome::Unknown => unknown.fetch_add(1, Ordering::Relaxed),
                        Err(_) => 0,
                    };
                    if counted_or_read_failed(&read) {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                }
            })
        })
        .collect();
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let server = Arc::clone(&server);
        tokio::task::spawn_blocking(move || server.restart()).await.unwrap();
    }
    until_well(&cache, Duration::from_secs(2)).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    stop.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.await.unwrap();
    }
    let (acknowledged, unknown) = (acknowledged.load(Ordering::Relaxed), unknown.load(Ordering::Relaxed));
    let total = u64::try_from(cache.get::<i64>("n").await.unwrap().unwrap()).unwrap();
    assert!(acknowledged > 100, "{acknowledged}");
    assert!(
        (acknowledged..=acknowledged + unknown).contains(&total),
        "{acknowledged} <= {total} <= {acknowledged} + {unknown}"
    );
    let worst = Duration::from_millis(worst.load(Ordering::Relaxed));
    assert!(worst < 2 * (timeout + GRACE), "two calls took {worst:?}");
}

fn counted_or_read_failed<T>(result: &store_core::Result<T>) -> bool {
    result.is_err()
}

/// No caller ever gets another's answer, however many others give up in the middle.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c3_cancel_storms_mix_up_nothing() {
    let (_, cache) = open(&support::shared());
    for n in 0..64 {
        cache.set(format!("k{n}"), &n, Expiry::Never).await.unwrap();
    }
    let tasks: Vec<_> = (0..64u64)
        .map(|n| {
            let cache = cache.clone();
            tokio::spawn(async move {
                for round in 0..300u64 {
                    let patience = Duration::from_micros((n * 7 + round * 13) % 300);
                    let call = cache.get::<u64>(format!("k{n}"));
                    if let Ok(value) = tokio::time::timeout(patience, call).await {
                        assert_eq!(value.unwrap(), Some(n));
                    }
                    let call = cache.increment(format!("n{n}"), 1);
                    let _ = tokio::time::timeout(patience, call).await;
                }
                assert_eq!(cache.get::<u64>(format!("k{n}")).await.unwrap(), Some(n));
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn e5_a_closed_store_says_so() {
    let (store, cache) = open(&support::shared());
    cache.set("k", &1, Expiry::Never).await.unwrap();
    store.close().await.unwrap();
    store.close().await.unwrap();
    let error = store.get(&CX, key("k")).await.unwrap_err();
    is(&error, Kind::Unavailable, Some("closed"), Outcome::NotApplied);
    assert_eq!(error.retryable(), Some(false));
}

#[tokio::test]
async fn h2_a_dropped_store_leaves_no_connection() {
    let server = RedisServer::start();
    let clients = || {
        let Reply::Bytes(list) = server.cli(&["CLIENT", "LIST"]) else { panic!("a list") };
        list.iter().filter(|&&byte| byte == b'\n').count()
    };
    let before = clients();
    let (store, cache) = open(&with_timeout(server.url(), 1000));
    cache.set("k", &1, Expiry::Never).await.unwrap();
    assert_eq!(clients(), before + 1);
    drop((store, cache));
    let start = Instant::now();
    while clients() != before {
        assert!(start.elapsed() < Duration::from_secs(2));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
