//! The contenders, all behind one small trait that is used statically, so that it costs nothing.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use store_core::{Context, Key, Lifetime, Put, TryStore};
use store_memory::MemoryStore;

type Bytes = Box<[u8]>;
type Value = Arc<[u8]>;

/// What every contender can do. A value is handed out by sharing, and looked at.
pub trait Cache: Send + Sync {
    fn name(&self) -> &'static str;
    /// The first byte of the value.
    fn get(&self, key: &[u8]) -> Option<u8>;
    fn set(&self, key: &[u8], value: &[u8], ttl: Option<Duration>);
    /// Maintenance that others leave to the user, where there is any.
    #[cfg_attr(not(feature = "count"), allow(dead_code))]
    fn maintain(&self) {}
}

/// Ours, by its synchronous path.
pub struct Ours(pub MemoryStore);

impl Cache for Ours {
    fn name(&self) -> &'static str {
        "store-memory"
    }
    fn get(&self, key: &[u8]) -> Option<u8> {
        let payload = self.0.try_get(&Context::none(), Key::new(key).ok()?)?.ok()??;
        payload.first().copied()
    }
    fn set(&self, key: &[u8], value: &[u8], ttl: Option<Duration>) {
        let lifetime = ttl.map_or(Ok(Lifetime::NEVER), Lifetime::after).expect("a valid ttl");
        let key = Key::new(key).expect("a valid key");
        self.0.try_put(&Context::none(), key, value, Put::always(lifetime)).expect("synchronous").expect("no limit");
    }
}

/// A concurrent map without expiry.
pub struct Dash(dashmap::DashMap<Bytes, Value, RandomState>);

impl Dash {
    pub fn new() -> Dash {
        Dash(dashmap::DashMap::with_hasher(RandomState::default()))
    }
}

impl Cache for Dash {
    fn name(&self) -> &'static str {
        "dashmap, no ttl"
    }
    fn get(&self, key: &[u8]) -> Option<u8> {
        let value = Arc::clone(self.0.get(key)?.value());
        value.first().copied()
    }
    fn set(&self, key: &[u8], value: &[u8], _ttl: Option<Duration>) {
        self.0.insert(key.into(), value.into());
    }
}

/// A lock-free map without expiry.
pub struct Papaya(papaya::HashMap<Bytes, Value, RandomState>);

impl Papaya {
    pub fn new() -> Papaya {
        Papaya(papaya::HashMap::with_hasher(RandomState::default()))
    }
}

impl Cache for Papaya {
    fn name(&self) -> &'static str {
        "papaya, no ttl"
    }
    fn get(&self, key: &[u8]) -> Option<u8> {
        let value = Arc::clone(self.0.pin().get(key)?);
        value.first().copied()
    }
    fn set(&self, key: &[u8], value: &[u8], _ttl: Option<Duration>) {
        self.0.pin().insert(key.into(), value.into());
    }
}

type Shard = parking_lot::RwLock<HashMap<Bytes, (Value, Option<Instant>), RandomState>>;

/// What a careful engineer writes in an hour.
pub struct Sharded {
    shards: Vec<Shard>,
    hasher: RandomState,
}

impl Sharded {
    pub fn new() -> Sharded {
        Sharded { shards: (0..64).map(|_| Shard::default()).collect(), hasher: RandomState::default() }
    }
    fn shard(&self, key: &[u8]) -> &Shard {
        &self.shards[(self.hasher.hash_one(key) >> 57) as usize % 64]
    }
}

impl Cache for Sharded {
    fn name(&self) -> &'static str {
        "sharded RwLock"
    }
    fn get(&self, key: &[u8]) -> Option<u8> {
        let shard = self.shard(key).read();
        let (value, deadline) = shard.get(key)?;
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return None;
        }
        let value = Arc::clone(value);
        drop(shard);
        value.first().copied()
    }
    fn set(&self, key: &[u8], value: &[u8], ttl: Option<Duration>) {
        let entry = (value.into(), ttl.map(|ttl| Instant::now() + ttl));
        self.shard(key).write().insert(key.into(), entry);
    }
    fn maintain(&self) {
        let now = Instant::now();
        for shard in &self.shards {
            shard.write().retain(|_, (_, deadline)| deadline.is_none_or(|deadline| deadline > now));
        }
    }
}

/// moka, with a time to live for each entry.
pub struct Moka(moka::sync::Cache<Bytes, (Value, Option<Duration>), RandomState>);

struct OwnTtl;

impl moka::Expiry<Bytes, (Value, Option<Duration>)> for OwnTtl {
    fn expire_after_create(&self, _: &Bytes, value: &(Value, Option<Duration>), _: Instant) -> Option<Duration> {
        value.1
    }
    fn expire_after_update(
        &self,
        _: &Bytes,
        value: &(Value, Option<Duration>),
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        value.1
    }
}

impl Moka {
    pub fn new(capacity: usize) -> Moka {
        let builder = moka::sync::Cache::builder().max_capacity(2 * capacity as u64).expire_after(OwnTtl);
        Moka(builder.build_with_hasher(RandomState::default()))
    }
}

impl Cache for Moka {
    fn name(&self) -> &'static str {
        "moka"
    }
    fn get(&self, key: &[u8]) -> Option<u8> {
        self.0.get(key)?.0.first().copied()
    }
    fn set(&self, key: &[u8], value: &[u8], ttl: Option<Duration>) {
        self.0.insert(key.into(), (value.into(), ttl));
    }
    fn maintain(&self) {
        self.0.run_pending_tasks();
    }
}

/// mini-moka: one time to live for the whole cache.
pub struct MiniMoka(mini_moka::sync::Cache<Bytes, Value, RandomState>);

impl MiniMoka {
    pub fn new(capacity: usize, ttl: Duration) -> MiniMoka {
        let builder = mini_moka::sync::Cache::builder().max_capacity(2 * capacity as u64).time_to_live(ttl);
        MiniMoka(builder.build_with_hasher(RandomState::default()))
    }
}

impl Cache for MiniMoka {
    fn name(&self) -> &'static str {
        "mini-moka, one ttl"
    }
    fn get(&self, key: &[u8]) -> Option<u8> {
        self.0.get(&Bytes::from(key))?.first().copied()
    }
    fn set(&self, key: &[u8], value: &[u8], _ttl: Option<Duration>) {
        self.0.insert(key.into(), value.into());
    }
}

/// quick_cache, with a deadline in the value.
pub struct Quick(quick_cache::sync::Cache<Bytes, (Value, Option<Instant>), quick_cache::UnitWeighter, RandomState>);

impl Quick {
    pub fn new(capacity: usize) -> Quick {
        let lifecycle = quick_cache::sync::DefaultLifecycle::default();
        Quick(quick_cache::sync::Cache::with(
            2 * capacity,
            2 * capacity as u64,
            quick_cache::UnitWeighter,
            RandomState::default(),
            lifecycle,
        ))
    }
}

impl Cache for Quick {
    fn name(&self) -> &'static str {
        "quick_cache"
    }
    fn get(&self, key: &[u8]) -> Option<u8> {
        let (value, deadline) = self.0.get(key)?;
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return None;
        }
        value.first().copied()
    }
    fn set(&self, key: &[u8], value: &[u8], ttl: Option<Duration>) {
        self.0.insert(key.into(), (value.into(), ttl.map(|ttl| Instant::now() + ttl)));
    }
}
