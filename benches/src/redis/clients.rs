//! store-redis and raw redis-rs.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{AsyncConnectionConfig, IntoConnectionInfo};
use store_core::{BatchWrite, Context, Key, Lifetime, Put, Store};
use store_redis::{RedisOptions, RedisStore};
use store_testkit::RedisServer;
use tokio::runtime::Runtime;

use super::client::{Client, Entrant, TTL_MILLIS, Work};

static CX: Context = Context::none();

/// store-redis with its defaults, and raw redis-rs: a multiplexed connection as its users get it (`TCP_NODELAY`, and the default
/// response timeout of 500 ms), and one that waits without any deadline, which nobody should.
#[must_use]
pub fn entrants(runtime: &Runtime, server: &RedisServer) -> Vec<Entrant> {
    // As in a service: the store finds a runtime, and uses it.
    let _inside = runtime.enter();
    let raw = |timeout| runtime.block_on(Raw::connect(server, timeout));
    vec![
        Entrant::new("store-redis", Ours::open(server)),
        Entrant::new("redis-rs", raw(Some(Duration::from_millis(500)))),
        Entrant::new("redis-rs without deadline", raw(None)),
    ]
}

/// The store.
#[derive(Clone, Debug)]
pub struct Ours(pub Arc<dyn Store>);

impl Ours {
    /// A store with the default options, on the runtime that this is called in.
    #[must_use]
    pub fn open(server: &RedisServer) -> Ours {
        Ours(Arc::new(RedisStore::open("bench", &RedisOptions::new(server.url())).expect("opens")))
    }
}

fn lifetime() -> Lifetime {
    Lifetime::after(Duration::from_millis(TTL_MILLIS)).expect("a lifetime")
}

impl Client for Ours {
    async fn call(&mut self, work: Work, names: &[String], value: &[u8]) {
        let key = |name| Key::new(name).expect("a key");
        match work {
            Work::Get => {
                let found = self.0.get(&CX, key(&names[0])).await.expect("read");
                assert!(found.is_some(), "a key is lost");
            }
            Work::SetPx => {
                self.0.put(&CX, key(&names[0]), value, Put::always(lifetime())).await.expect("written");
            }
            Work::Delete => {
                self.0.delete(&CX, key(&names[0]), None).await.expect("deleted");
            }
            Work::GetMany => {
                let keys: Vec<Key<'_>> = names.iter().map(key).collect();
                self.0.get_many(&CX, &keys).await.expect("read");
            }
            Work::SetMany => {
                let item = |name| BatchWrite { key: key(name), value, lifetime: lifetime() };
                let items: Vec<_> = names.iter().map(item).collect();
                self.0.set_many(&CX, &items).await.expect("written");
            }
        }
    }
}

/// A multiplexed connection of redis-rs.
#[derive(Clone, Debug)]
pub struct Raw(pub MultiplexedConnection);

impl Raw {
    /// Connects.
    pub async fn connect(server: &RedisServer, timeout: Option<Duration>) -> Raw {
        let info = server.url().into_connection_info().expect("a URL");
        let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let config = AsyncConnectionConfig::new().set_response_timeout(timeout);
        let client = redis::Client::open(info).expect("a client");
        Raw(client.get_multiplexed_async_connection_with_config(&config).await.expect("connects"))
    }
}

/// One call with anything that redis-rs can send a command by.
///
/// # Panics
/// If the call fails.
pub async fn call_redis_rs(
    connection: &mut impl redis::aio::ConnectionLike,
    work: Work,
    names: &[String],
    value: &[u8],
) {
    match work {
        Work::Get => {
            let mut get = redis::cmd("GET");
            let found = get.arg(&names[0]).query_async::<Option<Vec<u8>>>(connection).await.expect("read");
            assert!(found.is_some(), "a key is lost");
        }
        Work::SetPx => {
            let mut set = redis::cmd("SET");
            set.arg(&names[0]).arg(value).arg("PX").arg(TTL_MILLIS);
            set.query_async::<()>(connection).await.expect("written");
        }
        Work::Delete => {
            redis::cmd("DEL").arg(&names[0]).query_async::<bool>(connection).await.expect("deleted");
        }
        Work::GetMany => {
            let mut pipeline = redis::pipe();
            for name in names {
                pipeline.cmd("GET").arg(name);
            }
            pipeline.query_async::<Vec<Option<Vec<u8>>>>(connection).await.expect("read");
        }
        Work::SetMany => {
            let mut pipeline = redis::pipe();
            for name in names {
                pipeline.cmd("SET").arg(name).arg(value).arg("PX").arg(TTL_MILLIS).ignore();
            }
            pipeline.query_async::<()>(connection).await.expect("written");
        }
    }
}

impl Client for Raw {
    async fn call(&mut self, work: Work, names: &[String], value: &[u8]) {
        call_redis_rs(&mut self.0, work, names, value).await;
    }
}
