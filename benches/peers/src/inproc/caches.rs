//! The contenders, all behind one small trait that is used statically, so that it costs nothing.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use store_core::{Context, Key, Lifetime, Put, TryStore};
use store_memory::MemoryStore;

/// Long enough that nothing expires while it is measured.
pub const LONG: Duration = Duration::from_secs(3600);

type Bytes = Box<[u8]>;
type Value = Arc<[u8]>;

/// What every contender can do. A value is handed out by sharing, and looked at.
pub trait Cache: Send + Sync {
    const NAME: &'static str;
    /// Whether each entry may have a time to live of its own.
    const OWN_TTL: bool = true;
    /// An empty one, that has room for so many entries.
    fn new(capacity: usize) -> Self;
    /// The first byte of the value.
    fn get(&self, key: &[u8]) -> Option<u8>;
    fn set(&self, key: &[u8], value: &[u8], ttl: Option<Duration>);
    /// Entries that are held, expired ones that were not released included.
    fn held(&self) -> usize;
    /// One round of the maintenance that is left to the user, where there is any. Called now and then while entries expire, since
    /// somebody who uses this contender would.
    fn sweep(&self) {}
    /// Brings it to rest, so that its memory can be counted.
    fn settle(&self) {}
}

/// Ours, by its synchronous path.
pub struct Ours(pub MemoryStore);

impl Cache for Ours {
    const NAME: &'static str = "store-memory";
    fn new(_capacity: usize) -> Ours {
        Ours(MemoryStore::new())
    }
    fn held(&self) -> usize {
        usize::try_from(self.0.stats().entries).expect("fits")
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

impl Cache for Dash {
    const NAME: &'static str = "dashmap, no TTL";
    const OWN_TTL: bool = false;
    fn new(_capacity: usize) -> Dash {
        Dash(dashmap::DashMap::with_hasher(RandomState::default()))
    }
    fn held(&self) -> usize {
        self.0.len()
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

impl Cache for Papaya {
    const NAME: &'static str = "papaya, no TTL";
    const OWN_TTL: bool = false;
    fn new(_capacity: usize) -> Papaya {
        Papaya(papaya::HashMap::with_hasher(RandomState::default()))
    }
    fn held(&self) -> usize {
        self.0.len()
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
    fn shard(&self, key: &[u8]) -> &Shard {
        &self.shards[(self.hasher.hash_one(key) >> 57) as usize % 64]
    }
}

impl Cache for Sharded {
    const NAME: &'static str = "sharded RwLock";
    fn new(_capacity: usize) -> Sharded {
        Sharded { shards: (0..64).map(|_| Shard::default()).collect(), hasher: RandomState::default() }
    }
    fn held(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().len()).sum()
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
    fn sweep(&self) {
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

impl Cache for Moka {
    const NAME: &'static str = "moka";
    fn new(capacity: usize) -> Moka {
        let builder = moka::sync::Cache::builder().max_capacity(2 * capacity as u64).expire_after(OwnTtl);
        Moka(builder.build_with_hasher(RandomState::default()))
    }
    fn held(&self) -> usize {
        usize::try_from(self.0.entry_count()).expect("fits")
    }
    fn get(&self, key: &[u8]) -> Option<u8> {
        self.0.get(key)?.0.first().copied()
    }
    fn set(&self, key: &[u8], value: &[u8], ttl: Option<Duration>) {
        self.0.insert(key.into(), (value.into(), ttl));
    }
    fn settle(&self) {
        self.0.run_pending_tasks();
    }
}

/// mini-moka: one time to live for the whole cache.
pub struct MiniMoka(mini_moka::sync::Cache<Bytes, Value, RandomState>);

impl Cache for MiniMoka {
    const NAME: &'static str = "mini-moka, one TTL";
    const OWN_TTL: bool = false;
    fn new(capacity: usize) -> MiniMoka {
        let builder = mini_moka::sync::Cache::builder().max_capacity(2 * capacity as u64).time_to_live(LONG);
        MiniMoka(builder.build_with_hasher(RandomState::default()))
    }
    fn held(&self) -> usize {
        usize::try_from(self.0.entry_count()).expect("fits")
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

impl Cache for Quick {
    const NAME: &'static str = "quick_cache";
    fn new(capacity: usize) -> Quick {
        let lifecycle = quick_cache::sync::DefaultLifecycle::default();
        Quick(quick_cache::sync::Cache::with(
            2 * capacity,
            2 * capacity as u64,
            quick_cache::UnitWeighter,
            RandomState::default(),
            lifecycle,
        ))
    }
    fn held(&self) -> usize {
        self.0.len()
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

/// foyer's cache in memory, with a deadline in the value.
pub struct Foyer(foyer_memory::Cache<Bytes, (Value, Option<Instant>), RandomState>);

impl Cache for Foyer {
    const NAME: &'static str = "foyer";
    fn new(capacity: usize) -> Foyer {
        Foyer(foyer_memory::CacheBuilder::new(2 * capacity).with_hash_builder(RandomState::default()).build())
    }
    fn get(&self, key: &[u8]) -> Option<u8> {
        let entry = self.0.get(key)?;
        let (value, deadline) = entry.value();
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return None;
        }
        value.first().copied()
    }
    fn set(&self, key: &[u8], value: &[u8], ttl: Option<Duration>) {
        self.0.insert(key.into(), (value.into(), ttl.map(|ttl| Instant::now() + ttl)));
    }
    fn held(&self) -> usize {
        self.0.entries()
    }
}

/// What is to be done with each contender that is asked for.
pub trait Visit {
    fn visit<C: Cache + 'static>(&mut self) -> std::io::Result<()>;
}

/// All contenders, ours first; the others as far as they are asked for.
pub fn each(args: &crate::Args, visitor: &mut impl Visit) -> std::io::Result<()> {
    fn one<C: Cache + 'static>(args: &crate::Args, visitor: &mut impl Visit) -> std::io::Result<()> {
        if args.measures(C::NAME) { visitor.visit::<C>() } else { Ok(()) }
    }
    one::<Ours>(args, visitor)?;
    one::<Dash>(args, visitor)?;
    one::<Papaya>(args, visitor)?;
    one::<Sharded>(args, visitor)?;
    one::<Quick>(args, visitor)?;
    one::<Foyer>(args, visitor)?;
    one::<MiniMoka>(args, visitor)?;
    one::<Moka>(args, visitor)
}
