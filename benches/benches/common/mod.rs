//! What the benchmarks share.

#![allow(dead_code, clippy::unwrap_used, reason = "each benchmark uses some; a benchmark may fail loudly")]

pub(crate) mod backends;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use parking_lot::RwLock;
use store_benches::Keys;
use store_core::{Context, Key, Lifetime, Payload, Put, TryStore};
use store_memory::MemoryStore;

/// Entries in every store; a few where it is not optimised, and only shown to run.
pub(crate) const COUNT: usize = if cfg!(debug_assertions) { 2_000 } else { 100_000 };
/// How many operations until they come round again.
const AROUND: usize = if cfg!(debug_assertions) { 1 << 12 } else { 1 << 18 };
pub(crate) const VALUE: [u8; 100] = [b'v'; 100];
/// Nothing expires while it is measured.
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// The raw engine: the map that a program would use if it needed no store. One lock, no TTL, no versions, no order.
pub(crate) type Raw = RwLock<HashMap<Box<[u8]>, Arc<[u8]>, RandomState>>;

pub(crate) fn raw(keys: &Keys) -> Raw {
    RwLock::new(keys.all().iter().map(|key| (Box::from(&key[..]), Arc::from(&VALUE[..]))).collect())
}

pub(crate) fn lifetime() -> Lifetime {
    Lifetime::after(HOUR).unwrap()
}

pub(crate) fn filled(keys: &Keys, lifetime: Lifetime) -> MemoryStore {
    let store = MemoryStore::new();
    keys.all().iter().for_each(|key| set(&store, key, &VALUE, lifetime));
    store
}

pub(crate) fn get(store: &MemoryStore, key: &[u8]) -> Option<Payload> {
    store.try_get(&Context::none(), Key::new(key).unwrap()).unwrap().unwrap()
}

pub(crate) fn set(store: &MemoryStore, key: &[u8], value: &[u8], lifetime: Lifetime) {
    store.try_put(&Context::none(), Key::new(key).unwrap(), value, Put::always(lifetime)).unwrap().unwrap();
}

/// Keys in a random order that comes round again.
pub(crate) fn around<'a>(keys: &'a Keys) -> impl FnMut() -> &'a [u8] {
    let work = store_benches::Workload::zipf(keys.all().len(), 0.99, AROUND, 1);
    let mut at = 0;
    move || {
        at = (at + 1) % AROUND;
        &keys.get(work.numbers()[at])[..]
    }
}
