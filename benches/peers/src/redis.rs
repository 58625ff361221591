//! Clients of Redis that are not ours: fred, and redis-rs behind a pool. store-redis, raw redis-rs, redis-benchmark and the work
//! itself are in store-benches.

use std::io;

use deadpool_redis::{Config, Pool, Runtime as Tokio};
use fred::interfaces::{ClientLike, KeysInterface};
use fred::types::Expiration;
use fred::types::config::{Config as FredConfig, PerformanceConfig};
use store_benches::Report;
use store_benches::redis::{Client, Entrant, RedisServer, TTL_MILLIS, Work, call_redis_rs};
use tokio::runtime::{Builder, Runtime};

use crate::Args;

/// Measures with a `redis-server` of its own.
pub fn run(args: &Args, report: &mut Report) -> io::Result<()> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let server = RedisServer::start();
    store_benches::redis::run(&args.plan(), &runtime, &server, &entrants(&runtime, &server), report)
}

/// All: ours and raw redis-rs first.
fn entrants(runtime: &Runtime, server: &RedisServer) -> Vec<Entrant> {
    let mut all = store_benches::redis::entrants(runtime, server);
    all.push(Entrant::new("fred", runtime.block_on(Fred::connect(server))));
    all.push(Entrant::new("deadpool-redis, 50", Pooled::open(server)));
    all
}

/// One client, which all callers share: fred pipelines by itself.
#[derive(Clone)]
struct Fred(fred::clients::Client);

impl Fred {
    async fn connect(server: &RedisServer) -> Fred {
        let config = FredConfig::from_url(&server.url()).expect("a URL");
        // The deadline of the others: none is the default.
        let performance =
            PerformanceConfig { default_command_timeout: std::time::Duration::from_millis(500), ..Default::default() };
        let mut builder = fred::types::Builder::from_config(config);
        builder.set_performance_config(performance);
        builder.with_connection_config(|connection| connection.tcp.nodelay = Some(true));
        let client = builder.build().expect("a client");
        client.init().await.expect("connects");
        Fred(client)
    }
}

impl Client for Fred {
    async fn call(&mut self, work: Work, names: &[String], value: &[u8]) {
        let client = &self.0;
        let ttl = || Some(Expiration::PX(TTL_MILLIS.try_into().expect("a few minutes")));
        match work {
            Work::Get => {
                let found: Option<Vec<u8>> = client.get(&names[0]).await.expect("read");
                assert!(found.is_some(), "a key is lost");
            }
            Work::SetPx => client.set::<(), _, _>(&names[0], value, ttl(), None, false).await.expect("written"),
            Work::Delete => drop(client.del::<bool, _>(&names[0]).await.expect("deleted")),
            Work::GetMany => {
                let pipeline = client.pipeline();
                for name in names {
                    pipeline.get::<(), _>(name).await.expect("queued");
                }
                let found: Vec<Option<Vec<u8>>> = pipeline.all().await.expect("read");
                assert_eq!(found.len(), names.len());
            }
            Work::SetMany => {
                let pipeline = client.pipeline();
                for name in names {
                    pipeline.set::<(), _, _>(name, value, ttl(), None, false).await.expect("queued");
                }
                pipeline.all::<Vec<()>>().await.expect("written");
            }
        }
    }
}

/// A connection of redis-rs from a pool of 50 for each call.
#[derive(Clone)]
struct Pooled(Pool);

impl Pooled {
    fn open(server: &RedisServer) -> Pooled {
        let pool = Config::from_url(server.url()).builder().expect("a URL").max_size(50).runtime(Tokio::Tokio1).build();
        Pooled(pool.expect("a pool"))
    }
}

impl Client for Pooled {
    async fn call(&mut self, work: Work, names: &[String], value: &[u8]) {
        let mut connection = self.0.get().await.expect("a connection");
        call_redis_rs(&mut connection, work, names, value).await;
    }
}
