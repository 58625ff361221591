//! The engines on disk and behind a network, and the stores on them: the same operations of each.

use std::sync::Arc;

use criterion::Criterion;
use redis::aio::MultiplexedConnection;
use store_benches::Keys;
use store_benches::redis::{Raw, RedisServer};
use store_core::{Backend, BatchWrite, Context, Key, List, OpenContext, Put, Store, TryStore, Want, block_on};
use store_redis::{RedisOptions, RedisStore};
use store_sled::{Durability, Options, SledBackend};
use tokio::runtime::{Builder, Runtime};

use super::{HOUR, VALUE, lifetime};

/// How many entries each of them has: pages of Redis look at all of them.
pub(crate) const COUNT: usize = 10_000;

static CX: Context = Context::none();

/// An engine, or a store. Values have 100 bytes; what is written expires in an hour where there is expiry.
pub(crate) trait Subject: Send + Sync {
    fn get(&self, key: &[u8]);
    fn set(&self, key: &[u8]);
    fn delete(&self, key: &[u8]);
    /// Sets the deadline of a key; `false` if the engine knows none.
    fn touch(&self, key: &[u8]) -> bool;
    /// Up to 100 entries in order after a key: how many.
    fn page(&self, after: &[u8]) -> usize;
    fn get_many(&self, keys: &[&[u8]]);
    fn set_many(&self, keys: &[&[u8]]);
}

type Named = (&'static str, Arc<dyn Subject>);

/// Each engine and the store on it, filled with the same keys. Durability is `interval`: sled has nothing stricter to compare with, see
/// the benchmark `disk`.
pub(crate) struct Backends {
    all: Vec<(&'static str, [Named; 2])>,
    _folder: tempfile::TempDir,
    _server: RedisServer,
}

impl Backends {
    pub(crate) fn open(keys: &Keys) -> Backends {
        let folder = tempfile::tempdir().unwrap();
        let server = RedisServer::start();
        let runtime = Arc::new(Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());
        let _inside = runtime.enter();
        let db = sled::Config::new().path(folder.path().join("raw")).open().unwrap();
        let options = Options::new(folder.path().join("ours")).with_durability(Durability::Interval);
        let on_sled = block_on(SledBackend::new().open(&options, OpenContext::new("bench"))).unwrap();
        let Raw(connection) = runtime.block_on(Raw::connect(&server, Some(std::time::Duration::from_millis(500))));
        let on_redis = Arc::new(RedisStore::open("bench", &RedisOptions::new(server.url())).unwrap());
        let ours = |store: Arc<dyn Store>| {
            let now = Arc::clone(&store).immediate();
            Arc::new(Ours { store, now, runtime: Arc::clone(&runtime) }) as Arc<dyn Subject>
        };
        let all = vec![
            ("sled", [("raw sled", Arc::new(RawSled(db)) as Arc<dyn Subject>), ("store", ours(on_sled))]),
            (
                "redis",
                [
                    ("redis-rs", Arc::new(RawRedis { connection, runtime: Arc::clone(&runtime) })),
                    ("store", ours(on_redis)),
                ],
            ),
        ];
        for (_, pair) in &all {
            for (_, subject) in pair {
                keys.all().chunks(100).for_each(|some| {
                    let some: Vec<&[u8]> = some.iter().map(|key| &key[..]).collect();
                    subject.set_many(&some);
                });
            }
        }
        Backends { all, _folder: folder, _server: server }
    }

    /// An operation with each engine and the store on it, one group for each backend.
    pub(crate) fn beside(&self, criterion: &mut Criterion, what: &str, mut operation: impl FnMut(&dyn Subject)) {
        for (backend, pair) in &self.all {
            let mut group = criterion.benchmark_group(format!("{what}, {backend}"));
            for (name, subject) in pair {
                group.bench_function(*name, |b| b.iter(|| operation(&**subject)));
            }
            group.finish();
        }
    }

    pub(crate) fn each(&self) -> impl Iterator<Item = (&'static str, &'static str, &dyn Subject)> {
        self.all.iter().flat_map(|(backend, pair)| pair.iter().map(|(name, subject)| (*backend, *name, &**subject)))
    }
}

/// A store, as its callers use it: at once where it can, else by a future.
struct Ours {
    store: Arc<dyn Store>,
    now: Option<Arc<dyn TryStore>>,
    runtime: Arc<Runtime>,
}

fn key(key: &[u8]) -> Key<'_> {
    Key::new(key).unwrap()
}

/// The synchronous path, where there is one and it answers; else the future, on the runtime.
macro_rules! road {
    ($ours:expr, $now:ident, $later:ident, $($argument:expr),*) => {
        match $ours.now.as_deref().and_then(|now| now.$now(&CX, $($argument),*)) {
            Some(done) => done.unwrap(),
            None => $ours.runtime.block_on($ours.store.$later(&CX, $($argument),*)).unwrap(),
        }
    };
}

impl Subject for Ours {
    fn get(&self, name: &[u8]) {
        assert!(road!(self, try_get, get, key(name)).is_some());
    }

    fn set(&self, name: &[u8]) {
        road!(self, try_put, put, key(name), &fresh(), Put::always(lifetime()));
    }

    fn delete(&self, name: &[u8]) {
        road!(self, try_delete, delete, key(name), None);
    }

    fn touch(&self, name: &[u8]) -> bool {
        road!(self, try_touch, touch, key(name), lifetime(), None)
    }

    fn page(&self, after: &[u8]) -> usize {
        let list = List { prefix: b"", after: Some(after), limit: 100, want: Want::Entries };
        road!(self, try_list, list, list).items.len()
    }

    fn get_many(&self, names: &[&[u8]]) {
        let keys: Vec<Key<'_>> = names.iter().map(|name| key(name)).collect();
        assert_eq!(road!(self, try_get_many, get_many, &keys).len(), names.len());
    }

    fn set_many(&self, names: &[&[u8]]) {
        let value = fresh();
        let lifetime = lifetime();
        let writes: Vec<BatchWrite<'_>> =
            names.iter().map(|name| BatchWrite { key: key(name), value: &value, lifetime }).collect();
        road!(self, try_set_many, set_many, &writes);
    }
}

/// sled does nothing when a value is written that is there already.
fn fresh() -> [u8; 100] {
    let mut value = VALUE;
    value[..8].copy_from_slice(&fastrand::u64(..).to_be_bytes());
    value
}

struct RawSled(sled::Db);

impl Subject for RawSled {
    fn get(&self, key: &[u8]) {
        assert!(self.0.get(key).unwrap().is_some());
    }

    fn set(&self, key: &[u8]) {
        self.0.insert(key, &fresh()[..]).unwrap();
    }

    fn delete(&self, key: &[u8]) {
        self.0.remove(key).unwrap();
    }

    fn touch(&self, _: &[u8]) -> bool {
        false
    }

    fn page(&self, after: &[u8]) -> usize {
        self.0.range(after..).take(100).map(Result::unwrap).collect::<Vec<_>>().len()
    }

    fn get_many(&self, keys: &[&[u8]]) {
        let values: Vec<_> = keys.iter().map(|key| self.0.get(key).unwrap()).collect();
        std::hint::black_box(values);
    }

    fn set_many(&self, keys: &[&[u8]]) {
        let mut batch = sled::Batch::default();
        let value = fresh();
        keys.iter().for_each(|key| batch.insert(*key, &value[..]));
        self.0.apply_batch(batch).unwrap();
    }
}

struct RawRedis {
    connection: MultiplexedConnection,
    runtime: Arc<Runtime>,
}

impl RawRedis {
    fn ask<T: redis::FromRedisValue>(&self, command: &redis::Cmd) -> T {
        self.runtime.block_on(command.query_async(&mut self.connection.clone())).unwrap()
    }

    fn millis() -> u64 {
        u64::try_from(HOUR.as_millis()).unwrap()
    }
}

impl Subject for RawRedis {
    fn get(&self, key: &[u8]) {
        assert!(self.ask::<Option<Vec<u8>>>(redis::cmd("GET").arg(key)).is_some());
    }

    fn set(&self, key: &[u8]) {
        self.ask::<()>(redis::cmd("SET").arg(key).arg(&fresh()).arg("PX").arg(RawRedis::millis()));
    }

    fn delete(&self, key: &[u8]) {
        self.ask::<bool>(redis::cmd("DEL").arg(key));
    }

    fn touch(&self, key: &[u8]) -> bool {
        self.ask(redis::cmd("PEXPIRE").arg(key).arg(RawRedis::millis()))
    }

    fn page(&self, after: &[u8]) -> usize {
        // Redis keeps no order: all names, sorted, then the values of those wanted.
        let (mut names, mut cursor) = (Vec::new(), 0_u64);
        loop {
            let (next, some): (u64, Vec<Vec<u8>>) =
                self.ask(redis::cmd("SCAN").arg(cursor).arg("MATCH").arg("key:*").arg("COUNT").arg(1000));
            names.extend(some.into_iter().filter(|name| &name[..] > after));
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        names.sort_unstable();
        names.dedup();
        names.truncate(100);
        self.ask::<Vec<Option<Vec<u8>>>>(redis::cmd("MGET").arg(&names)).len()
    }

    fn get_many(&self, keys: &[&[u8]]) {
        self.ask::<Vec<Option<Vec<u8>>>>(redis::cmd("MGET").arg(keys));
    }

    fn set_many(&self, keys: &[&[u8]]) {
        let (mut pipeline, value) = (redis::pipe(), fresh());
        for key in keys {
            pipeline.cmd("SET").arg(key).arg(&value).arg("PX").arg(RawRedis::millis()).ignore();
        }
        self.runtime.block_on(pipeline.query_async::<()>(&mut self.connection.clone())).unwrap();
    }
}
