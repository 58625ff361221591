//! Many callers at once while Redis is not well: nothing is poisoned, nobody hangs, nobody gets another's answer.
//!
//! `STORE_DEEP=1` runs many more rounds.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use store_core::codec::{Limits, Raw};
use store_core::config::HumanDuration;
use store_core::{Error, Expiry, Handle, Kind, Payload, Put, Store};
use store_testkit::{Fault, FaultProxy, RedisServer};
use support::{key, open, with_timeout};

const TIMEOUT: Duration = Duration::from_millis(500);
/// What a call may take beyond its deadline on a machine that does other things too.
const GRACE: Duration = Duration::from_millis(700);
const CALLERS: usize = 32;

fn rounds(bounded: usize) -> usize {
    if std::env::var_os("STORE_DEEP").is_some() { bounded * 50 } else { bounded }
}

/// Callers that never pause for long, each on a key of its own, and what went wrong for them.
struct Storm {
    stop: Arc<AtomicBool>,
    callers: Vec<tokio::task::JoinHandle<Vec<Error>>>,
}

impl Storm {
    fn start(cache: &Handle) -> Storm {
        let stop = Arc::new(AtomicBool::new(false));
        let callers = (0..CALLERS)
            .map(|caller| {
                let (cache, stop) = (cache.clone(), Arc::clone(&stop));
                tokio::spawn(async move {
                    let (mut errors, name) = (Vec::new(), format!("k{caller}"));
                    while !stop.load(Ordering::Relaxed) {
                        let begin = Instant::now();
                        let outcome = match cache.set(&name, &caller, Expiry::Never).await {
                            Ok(()) => cache.get::<usize>(&name).await,
                            Err(error) => Err(error),
                        };
                        assert!(begin.elapsed() < 2 * TIMEOUT + GRACE, "{:?}", begin.elapsed());
                        match outcome {
                            Ok(found) => assert_eq!(found, Some(caller), "somebody else's answer"),
                            Err(error) => {
                                errors.push(error);
                                tokio::time::sleep(Duration::from_millis(1)).await;
                            }
                        }
                    }
                    errors
                })
            })
            .collect();
        Storm { stop, callers }
    }

    async fn end(self) -> Vec<Error> {
        self.stop.store(true, Ordering::Relaxed);
        let mut errors = Vec::new();
        for caller in self.callers {
            errors.extend(caller.await.unwrap());
        }
        errors
    }
}

async fn until_well(cache: &Handle) {
    let start = Instant::now();
    while let Err(error) = cache.set("well", &1, Expiry::Never).await {
        assert!(start.elapsed() < Duration::from_secs(3), "not well again: {error:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn connections_so_far(server: &RedisServer, password: &str) -> u64 {
    let mut client = server.client();
    let _ = client.call(&["AUTH", password]);
    let info = client.call(&["INFO", "stats"]).unwrap().text();
    let line = info.lines().find_map(|line| line.strip_prefix("total_connections_received:")).unwrap();
    line.trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn password_rotation_poisons_nothing() {
    let server = RedisServer::start();
    let url = format!("redis://app:old-secret@127.0.0.1:{}", server.port());
    let acl = |rules: &[&str]| {
        server.cli(&[&["ACL", "SETUSER", "app", "on", "~store/*", "+@all"], rules].concat());
    };
    acl(&[">old-secret"]);
    let mut options = with_timeout(url, 500);
    options.timeout = HumanDuration(TIMEOUT);
    let (_, cache) = open(&options);
    until_well(&cache).await;
    let before = connections_so_far(&server, "");
    let storm = Storm::start(&cache);
    let count = rounds(6);
    for _ in 0..count {
        // The old password goes, and connections that used it are cut.
        acl(&["resetpass", ">new-secret"]);
        server.cli(&["CLIENT", "KILL", "USER", "app"]);
        tokio::time::sleep(Duration::from_millis(120)).await;
        // It comes back: as when the rotation reaches this program, or is undone.
        acl(&[">old-secret"]);
        let start = Instant::now();
        until_well(&cache).await;
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    let errors = storm.end().await;
    assert!(errors.iter().any(|error| error.reason() == Some("auth") && error.retryable() == Some(false)));
    for error in &errors {
        // A call may find the connection back with too little time left for an answer.
        let known = matches!(error.kind(), Kind::Unavailable | Kind::Timeout);
        assert!(known && matches!(error.reason(), None | Some("auth")), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    }
    // Thousands of callers' failures are not thousands of attempts to connect.
    let attempts = connections_so_far(&server, "") - before;
    assert!(attempts < 40 * count as u64, "{attempts} attempts, {} errors", errors.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_poisons_nothing() {
    let server = RedisServer::builder().config("maxclients 8").start();
    let mut options = with_timeout(server.url(), 500);
    options.timeout = HumanDuration(TIMEOUT);
    let (_, cache) = open(&options);
    until_well(&cache).await;
    let mut operator = server.client();
    let storm = Storm::start(&cache);
    for _ in 0..rounds(5) {
        operator.call(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).unwrap();
        // Whoever is faster takes the places: with these taken, nobody else comes in.
        let mut guests = Vec::new();
        while let Ok(mut guest) = store_testkit::RespClient::connect(server.port()) {
            match guest.call(&["PING"]) {
                Ok(reply) if !reply.is_error("ERR max") => guests.push(guest),
                _ => break,
            }
        }
        operator.call(&["CLIENT", "KILL", "TYPE", "normal", "USER", "nobody"]).unwrap();
        tokio::time::sleep(Duration::from_millis(150)).await;
        drop(guests);
        until_well(&cache).await;
    }
    for error in storm.end().await {
        let known = matches!(error.kind(), Kind::Unavailable | Kind::Timeout);
        assert!(known && matches!(error.reason(), None | Some("overloaded")), "{error:?}");
    }
    until_well(&cache).await;
}

/// Connections that are cut at any byte, while callers give up at any moment: still nobody gets another's answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cuts_and_cancellations_mix_up_nothing() {
    let server = RedisServer::start();
    let proxy = Arc::new(FaultProxy::start(server.port()));
    let mut options = with_timeout(proxy.url(), 500);
    options.timeout = HumanDuration(TIMEOUT);
    let (_, cache) = open(&options);
    for caller in 0..CALLERS {
        cache.set(format!("own{caller}"), &format!("value of {caller}"), Expiry::Never).await.unwrap();
    }
    let storm = Storm::start(&cache);
    let stop = Arc::new(AtomicBool::new(false));
    let cancellers: Vec<_> = (0..CALLERS as u64)
        .map(|caller| {
            let (cache, stop) = (cache.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut random = fastrand::Rng::with_seed(caller);
                let mut answered = 0;
                while !stop.load(Ordering::Relaxed) {
                    let patience = Duration::from_micros(random.u64(..400));
                    let call = cache.get::<String>(format!("own{caller}"));
                    if let Ok(Ok(found)) = tokio::time::timeout(patience, call).await {
                        assert_eq!(found, Some(format!("value of {caller}")));
                        answered += 1;
                    }
                    let name = format!("own{caller}");
                    let names = [name.as_str(), "none", name.as_str()];
                    let call = cache.get_many::<String>(&names);
                    if let Ok(Ok(found)) = tokio::time::timeout(patience, call).await {
                        assert_eq!((&found[0], &found[1]), (&found[2], &None));
                    }
                    tokio::task::yield_now().await;
                }
                answered
            })
        })
        .collect();
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..rounds(40) {
        tokio::time::sleep(Duration::from_millis(random.u64(5..30))).await;
        match random.u8(..4) {
            0 => proxy.cut(),
            1 => proxy.set(Fault::CutReplyAfter(random.u64(..5000))),
            2 => proxy.set(Fault::CutRequestAfter(random.u64(..5000))),
            _ => proxy.set(Fault::None),
        }
    }
    proxy.set(Fault::None);
    proxy.cut();
    until_well(&cache).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    stop.store(true, Ordering::Relaxed);
    let mut answered = 0;
    for canceller in cancellers {
        answered += canceller.await.unwrap();
    }
    storm.end().await;
    assert!(answered > 50, "{answered}");
}

/// Values of 32 MiB pass over the same connection: small reads wait for them, and for no longer than that takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neighbours_of_32_mib_are_served() {
    const LARGE: usize = 32 << 20;
    /// On one connection a small read waits for what is ahead of it: at most one large value in each direction.
    const BOUND: Duration = Duration::from_millis(1500);
    let server = RedisServer::start();
    let (store, cache) = open(&with_timeout(server.url(), 5000));
    let value = Arc::new(vec![0xc0_u8; LARGE]);
    cache.set("small", "s", Expiry::Never).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let large = {
        let (store, stop, value) = (Arc::clone(&store), Arc::clone(&stop), Arc::clone(&value));
        tokio::spawn(async move {
            let cx = store_core::Context::none();
            let mut passed = 0;
            while !stop.load(Ordering::Relaxed) || passed < 3 {
                store.put(&cx, key("large"), &value, Put::always(store_core::Lifetime::NEVER)).await.unwrap();
                let found = store.get(&cx, key("large")).await.unwrap().unwrap();
                assert!(found.len() == LARGE && found[LARGE - 1] == 0xc0);
                passed += 1;
            }
            passed
        })
    };
    let mut waits = Vec::new();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(3) {
        let begin = Instant::now();
        assert_eq!(cache.get::<String>("small").await.unwrap().as_deref(), Some("s"));
        waits.push(begin.elapsed());
    }
    stop.store(true, Ordering::Relaxed);
    let passed = large.await.unwrap();
    waits.sort();
    let (median, worst) = (waits[waits.len() / 2], waits[waits.len() - 1]);
    println!("beside {passed} values of 32 MiB, written and read: small reads {median:?} median, {worst:?} worst");
    assert!(worst < BOUND, "{worst:?}");
    // With a connection of its own a small read does not wait for the transfer.
    let mut options = with_timeout(server.url(), 5000);
    options.connections = 8;
    let (_, spread) = open(&options);
    assert_eq!(spread.get::<Payload>("large").await.unwrap().unwrap().len(), LARGE);
    // The handle's own limit keeps such values out, unless it is raised.
    let default = Limits::default().max_value_size;
    let error = cache.set("large", &Raw(&value), Expiry::Never).await.unwrap_err();
    assert!(default < LARGE && error.kind() == Kind::Invalid, "{error:?}");
}

/// A value that the server will not take closes the connection for everybody on it: their reads are asked again, on a new one that is not long in coming
/// however often that happens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_oversize_value_leaves_its_neighbours_alive() {
    let server = RedisServer::builder().config("proto-max-bulk-len 1mb").start();
    let (_, cache) = open(&with_timeout(server.url(), 2000));
    cache.set("small", &1, Expiry::Never).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (cache, stop) = (cache.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(cache.get::<i32>("small").await.unwrap(), Some(1));
                }
            })
        })
        .collect();
    let (begin, large) = (Instant::now(), vec![7_u8; 2 << 20]);
    for _ in 0..rounds(20) {
        let error = cache.set("large", &Raw(&large), Expiry::Never).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable, "{error:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Pauses that grow as before a server that is away come to 7 s at least.
    assert!(begin.elapsed() < Duration::from_millis(250) * u32::try_from(rounds(20)).unwrap(), "{:?}", begin.elapsed());
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.await.unwrap();
    }
    assert!(!cache.has("large").await.unwrap());
}
