//! store-redis against raw redis-rs on the same server, interleaved in one process.
//!
//! `cargo bench -p store-benches --bench redis` starts a `redis-server` of its own and prints, for each row, the median of
//! 11 rounds, the ratio to raw redis-rs, and how much processor time of this process one operation took: a multiplexed connection as its users get it (`TCP_NODELAY`, default response timeout of
//! 500 ms). A second raw contender waits without any deadline, which nobody should. `STORE_BENCH_ONLY` selects rows by a part of
//! their title, `STORE_BENCH_SECONDS` (default 0.3) says how long a turn lasts.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark may fail loudly")]

use std::future::Future;
use std::pin::Pin;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{AsyncConnectionConfig, Client, IntoConnectionInfo};
use store_core::config::HumanDuration;
use store_core::{Backend, BatchWrite, Context, Key, Lifetime, OpenContext, Put, Store};
use store_memory::{MemoryBackend, MemoryOptions};
use store_redis::{NearCache, RedisOptions, RedisStore};
use store_testkit::RedisServer;

const ROUNDS: usize = 11;
const KEYS: u64 = 100_000;
const BATCH: usize = 100;

static CX: Context = Context::none();

fn name(number: u64) -> String {
    format!("key:{number:012}")
}

#[derive(Clone, Copy, PartialEq)]
enum Work {
    Get,
    SetPx,
    Delete,
    /// Batches of 100; counted by item.
    GetMany,
    SetMany,
}

#[derive(Clone)]
enum Contender {
    Raw(MultiplexedConnection),
    Ours(Arc<dyn Store>),
}

type Task = Pin<Box<dyn Future<Output = u64> + Send>>;

fn millis(millis: u64) -> Lifetime {
    Lifetime::after(Duration::from_millis(millis)).unwrap()
}

/// One caller: works until told to stop, and says how much it did.
fn caller(mut contender: Contender, work: Work, seed: u64, stop: Arc<AtomicBool>) -> Task {
    Box::pin(async move {
        let mut random = fastrand::Rng::with_seed(seed);
        let payload = [0xc0_u8; 100];
        let mut done = 0;
        while !stop.load(Ordering::Relaxed) {
            let names: Vec<String> = match work {
                Work::GetMany | Work::SetMany => (0..BATCH).map(|_| name(random.u64(..KEYS))).collect(),
                _ => vec![name(random.u64(..KEYS))],
            };
            done += names.len() as u64;
            match &mut contender {
                Contender::Raw(connection) => raw(connection, work, &names, &payload).await,
                Contender::Ours(store) => ours(&**store, work, &names, &payload).await,
            }
        }
        done
    })
}

async fn raw(connection: &mut MultiplexedConnection, work: Work, names: &[String], payload: &[u8]) {
    match work {
        Work::Get => {
            redis::cmd("GET").arg(&names[0]).query_async::<Option<Vec<u8>>>(connection).await.unwrap();
        }
        Work::SetPx => {
            let mut set = redis::cmd("SET");
            set.arg(&names[0]).arg(payload).arg("PX").arg(600_000);
            set.query_async::<()>(connection).await.unwrap();
        }
        Work::Delete => {
            redis::cmd("DEL").arg(&names[0]).query_async::<bool>(connection).await.unwrap();
        }
        Work::GetMany => {
            let mut pipeline = redis::pipe();
            for name in names {
                pipeline.cmd("GET").arg(name);
            }
            pipeline.query_async::<Vec<Option<Vec<u8>>>>(connection).await.unwrap();
        }
        Work::SetMany => {
            let mut pipeline = redis::pipe();
            for name in names {
                pipeline.cmd("SET").arg(name).arg(payload).arg("PX").arg(600_000).ignore();
            }
            pipeline.query_async::<()>(connection).await.unwrap();
        }
    }
}

async fn ours(store: &dyn Store, work: Work, names: &[String], payload: &[u8]) {
    let keys: Vec<Key<'_>> = names.iter().map(|name| Key::new(name).unwrap()).collect();
    match work {
        Work::Get => {
            store.get(&CX, keys[0]).await.unwrap();
        }
        Work::SetPx => {
            store.put(&CX, keys[0], payload, Put::always(millis(600_000))).await.unwrap();
        }
        Work::Delete => {
            store.delete(&CX, keys[0], None).await.unwrap();
        }
        Work::GetMany => {
            store.get_many(&CX, &keys).await.unwrap();
        }
        Work::SetMany => {
            let items: Vec<_> =
                keys.iter().map(|&key| BatchWrite { key, value: payload, lifetime: millis(600_000) }).collect();
            store.set_many(&CX, &items).await.unwrap();
        }
    }
}

/// Processor time of this process: holds still where a busy machine makes rates jump.
fn processor() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Operations per second, and seconds of processor time per operation.
async fn turn(contender: &Contender, work: Work, callers: u64, length: Duration) -> (f64, f64) {
    let before = processor();
    let stop = Arc::new(AtomicBool::new(false));
    let started = Instant::now();
    let tasks: Vec<_> =
        (0..callers).map(|seed| tokio::spawn(caller(contender.clone(), work, seed, Arc::clone(&stop)))).collect();
    tokio::time::sleep(length).await;
    stop.store(true, Ordering::Relaxed);
    let mut done = 0;
    for task in tasks {
        done += task.await.unwrap();
    }
    (done as f64 / started.elapsed().as_secs_f64(), (processor() - before) / done as f64)
}

async fn raw_connection(server: &RedisServer, timeout: Option<Duration>) -> MultiplexedConnection {
    let info = server.url().into_connection_info().unwrap();
    let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
    let config = AsyncConnectionConfig::new().set_response_timeout(timeout);
    let client = Client::open(info).unwrap();
    client.get_multiplexed_async_connection_with_config(&config).await.unwrap()
}

/// Redis' own benchmark: 50 connections, one request at a time on each.
fn redis_benchmark(server: &RedisServer) {
    let port = server.port().to_string();
    let Ok(output) = Command::new("redis-benchmark")
        .args(["-p", &port, "-c", "50", "-n", "200000", "-d", "100", "-r", "100000", "-t", "get", "--csv"])
        .output()
    else {
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rate = text.lines().last().and_then(|line| line.split(',').nth(1)).unwrap_or("?").trim_matches('"').to_owned();
    println!("{:24} {:26} {:>10} /s", "GET, 50 connections", "redis-benchmark", rate);
}

/// Reads that need no server: hits of the near cache, against the same reads of a store in memory.
async fn near_hits(server: &RedisServer, rounds: usize, length: Duration) {
    const HOT: u64 = 10_000;
    let mut options = RedisOptions::new(server.url());
    let mut near = NearCache::new(64 << 20);
    near.ttl = HumanDuration(Duration::from_secs(3600));
    options.near_cache = Some(near);
    let near: Arc<dyn Store> = Arc::new(RedisStore::open("near", &options).expect("opens"));
    let memory: Arc<dyn Store> = MemoryBackend.open(&MemoryOptions::default(), OpenContext::new("near")).await.unwrap();
    let names: Vec<String> = (0..HOT).map(name).collect();
    for store in [&near, &memory] {
        for names in names.chunks(1000) {
            ours(&**store, Work::SetMany, names, &[0xc0; 100]).await;
        }
        for name in &names {
            store.get(&CX, Key::new(name).unwrap()).await.unwrap().unwrap();
        }
    }
    let contenders = [("store-memory", memory), ("store-redis, near cache", near)];
    let mut rates = [Vec::new(), Vec::new()];
    for round in 0..rounds {
        for place in 0..2 {
            let which = (place + round) % 2;
            let now = contenders[which].1.immediate().unwrap();
            let mut random = fastrand::Rng::with_seed(round as u64);
            let (start, mut done) = (Instant::now(), 0);
            while start.elapsed() < length {
                for _ in 0..1000 {
                    let key = Key::new(&names[random.usize(..names.len())]).unwrap();
                    std::hint::black_box(now.try_get(&CX, key).expect("a hit").unwrap());
                }
                done += 1000;
            }
            rates[which].push(start.elapsed().as_nanos() as f64 / f64::from(done));
        }
    }
    let medians = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    });
    for ((name, _), nanos) in contenders.iter().zip(medians) {
        let title = "near-cache hit, 1 caller";
        println!("{title:24} {name:26} {nanos:9.1} ns  {:5.2}x the time", nanos / medians[0]);
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    // `cargo test` runs benchmarks too, to see that they work: then one short turn is enough.
    let testing = !std::env::args().any(|argument| argument == "--bench");
    let only = std::env::var("STORE_BENCH_ONLY").unwrap_or_default();
    let seconds = std::env::var("STORE_BENCH_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(0.3);
    let length = Duration::from_secs_f64(if testing { 0.01 } else { seconds });
    let rounds = if testing { 1 } else { ROUNDS };
    let server = RedisServer::start();
    let options = RedisOptions::new(server.url());
    let store: Arc<dyn Store> = Arc::new(RedisStore::open("bench", &options).expect("opens"));
    let contenders = [
        ("redis-rs", Contender::Raw(raw_connection(&server, Some(Duration::from_millis(500))).await)),
        ("redis-rs without deadline", Contender::Raw(raw_connection(&server, None).await)),
        ("store-redis", Contender::Ours(store)),
    ];
    for (_, contender) in &contenders {
        for first in (0..KEYS).step_by(1000) {
            let names: Vec<String> = (first..first + 1000).map(name).collect();
            match contender {
                Contender::Raw(connection) => raw(&mut connection.clone(), Work::SetMany, &names, &[0xc0; 100]).await,
                Contender::Ours(store) => ours(&**store, Work::SetMany, &names, &[0xc0; 100]).await,
            }
        }
    }
    let rows = [
        ("GET", Work::Get, 1),
        ("GET", Work::Get, 64),
        ("GET", Work::Get, 512),
        ("SET PX", Work::SetPx, 1),
        ("SET PX", Work::SetPx, 64),
        ("SET PX", Work::SetPx, 512),
        ("DELETE", Work::Delete, 1),
        ("DELETE", Work::Delete, 64),
        ("DELETE", Work::Delete, 512),
        ("GET x 100", Work::GetMany, 4),
        ("SET PX x 100", Work::SetMany, 4),
    ];
    for (operation, work, callers) in rows {
        let title = format!("{operation}, {callers} callers");
        if !title.contains(&only) {
            continue;
        }
        let mut rates = vec![Vec::new(); contenders.len()];
        for round in 0..rounds {
            for place in 0..contenders.len() {
                let which = (place + round) % contenders.len();
                rates[which].push(turn(&contenders[which].1, work, callers, length).await);
            }
        }
        let median = |of: &dyn Fn(&(f64, f64)) -> f64, rounds: &[(f64, f64)]| {
            let mut values: Vec<f64> = rounds.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        let medians: Vec<(f64, f64)> =
            rates.iter().map(|rounds| (median(&|turn| turn.0, rounds), median(&|turn| turn.1, rounds))).collect();
        for ((name, _), (rate, cost)) in contenders.iter().zip(&medians) {
            let (rates, costs) = (rate / medians[0].0, cost / medians[0].1);
            let (rate, cost) = (rate / 1e3, cost * 1e6);
            println!("{title:24} {name:26} {rate:9.1} k/s {rates:5.2}x   {cost:7.2} us of processor {costs:5.2}x");
        }
    }
    if "near-cache hit".contains(&only) {
        near_hits(&server, rounds, length).await;
    }
    if !testing && only.is_empty() {
        tokio::task::block_in_place(|| redis_benchmark(&server));
    }
}
