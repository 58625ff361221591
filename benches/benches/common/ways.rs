//! The ways to a store: directly, through `dyn`, through wrappers, through futures, through handles. `benches/overhead` says what each
//! costs in time; `tests/allocations` holds each to the allocations that are stated here.

#![allow(clippy::unwrap_used, reason = "a benchmark may fail loudly")]

use std::collections::HashMap;
use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};

use serde::{Deserialize, Serialize};
use store_core::codec::Raw;
use store_core::config::{Config, Settings, StoreConfig};
use store_core::observe::Meter;
use store_core::{Context, Expiry, Handle, Key, Lifetime, Payload, Put, Registry, Store, TryStore, block_on};
use store_memory::{MemoryBackend, MemoryOptions, MemoryStore};

type Map = HashMap<Box<[u8]>, Arc<[u8]>, foldhash::fast::RandomState>;

/// A way: what it is called, how many allocations one call takes, and how to take it many times.
pub(crate) struct Way<'a> {
    pub(crate) name: &'static str,
    pub(crate) allocations: u32,
    pub(crate) run: Box<dyn Fn(usize) + 'a>,
}

/// The same operation many times, so that the call through the box counts for nothing.
fn way<'a>(name: &'static str, allocations: u32, operation: impl Fn() + 'a) -> Way<'a> {
    Way { name, allocations, run: Box::new(move |times| (0..times).for_each(|_| operation())) }
}

/// Ways that do the same. The first is what the others are compared with.
pub(crate) struct Table<'a> {
    pub(crate) title: &'static str,
    pub(crate) ways: Vec<Way<'a>>,
}

/// As [`way`], awaited: many times in one task, as the code of a service does it. Neither a runtime is measured, nor a future that is
/// moved about before its first poll, which only who polls by hand would see.
macro_rules! awaited {
    ($name:expr, $allocations:expr, $future:expr) => {
        Way {
            name: $name,
            allocations: $allocations,
            run: Box::new(move |times| {
                poll(async {
                    for _ in 0..times {
                        drop(black_box($future.await));
                    }
                });
            }),
        }
    };
}

/// Polls a future that is ready at once.
fn poll<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut TaskContext::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("the store in memory answers at once"),
    }
}

/// A small value as services have them.
#[derive(Serialize, Deserialize)]
struct Session {
    user_id: u64,
    role: String,
}

/// A string of 98 bytes, as MessagePack has it.
const TEXT: [u8; 100] = {
    let mut text = [b'v'; 100];
    (text[0], text[1]) = (0xd9, 98);
    text
};

/// What the ways lead to.
pub(crate) struct World {
    store: MemoryStore,
    shared: Arc<dyn Store>,
    twice: Arc<dyn Store>,
    wrapped: Arc<dyn Store>,
    /// Of a registry with nobody who watches, of one that was reloaded since, and of one with a meter.
    pub(crate) handle: Handle,
    /// Around the wrappers.
    outer: Handle,
    reloaded: Handle,
    pub(crate) metered: Handle,
    _registries: [Registry; 3],
}

impl World {
    pub(crate) fn new() -> World {
        let store = MemoryStore::new();
        let shared: Arc<dyn Store> = Arc::new(store.clone());
        let twice: Arc<dyn Store> = Arc::new(Arc::clone(&shared));
        let wrapped: Arc<dyn Store> = Arc::new(Arc::new(Arc::clone(&twice)));
        let options = MemoryOptions::default();
        let config = StoreConfig::new("store", &Arc::new(MemoryBackend), options, Settings::default()).unwrap();
        let mut other = config.clone();
        other.settings.limits.max_depth = 50;
        let registries = [
            Registry::new(Config::new([config.clone()])),
            Registry::new(Config::new([config.clone()])),
            Registry::builder(Config::new([config])).observer(Meter::new()).build(),
        ];
        let [handle, reloaded, metered] =
            registries.each_ref().map(|registry| block_on(registry.get("store")).unwrap());
        block_on(registries[1].reload(Config::new([other]))).unwrap();
        let own = Handle::new(Arc::clone(&shared));
        let outer = Handle::new(Arc::clone(&wrapped));
        for handle in [&own, &handle, &reloaded, &metered] {
            handle.try_set("key", &Raw(&TEXT), Expiry::Never).unwrap().unwrap();
            handle.try_set("typed", &Session { user_id: 7, role: "admin".into() }, Expiry::Never).unwrap().unwrap();
        }
        World { store, shared, twice, wrapped, handle, outer, reloaded, metered, _registries: registries }
    }

    pub(crate) fn tables(&self) -> Vec<Table<'_>> {
        vec![self.get(), self.has(), self.touch(), self.set(), self.typed()]
    }

    fn get(&self) -> Table<'_> {
        let World { store, handle, outer, reloaded, metered, .. } = self;
        let (cx, key) = (Context::none(), Key::new("key").unwrap());
        // Not through the Arc, which is a store itself and would be a layer more.
        let (erased, layered): (&dyn Store, &dyn Store) = (&*self.shared, &*self.twice);
        let [erased_now, wrapped_now] =
            [&self.shared, &self.wrapped].map(|store| Arc::clone(store).immediate().unwrap());
        // The raw engine: the map that a program would use if it needed no store.
        let map: parking_lot::RwLock<Map> = parking_lot::RwLock::default();
        map.write().insert(Box::from(&b"key"[..]), Arc::from(&TEXT[..]));
        let ways = vec![
            way("direct", 0, {
                let cx = cx.clone();
                move || drop(black_box(store.try_get(&cx, key)))
            }),
            way("raw map under one lock", 0, move || drop(black_box(map.read().get(&b"key"[..]).cloned()))),
            way("dyn, synchronous path", 0, {
                let cx = cx.clone();
                move || drop(black_box(erased_now.try_get(&cx, key)))
            }),
            way("three wrappers, synchronous path", 0, {
                let cx = cx.clone();
                move || drop(black_box(wrapped_now.try_get(&cx, key)))
            }),
            {
                let cx = cx.clone();
                awaited!("dyn, future", 1, erased.get(&cx, key))
            },
            awaited!("dyn in dyn, future", 2, layered.get(&cx, key)),
            way("handle, synchronous path", 0, move || drop(black_box(handle.try_get::<Payload>("key")))),
            way("handle on three wrappers, synchronous path", 0, move || {
                drop(black_box(outer.try_get::<Payload>("key")))
            }),
            way("handle since reloaded, synchronous", 0, move || drop(black_box(reloaded.try_get::<Payload>("key")))),
            awaited!("handle, future", 0, handle.get::<Payload>("key")),
            way("metered, synchronous path", 0, move || drop(black_box(metered.try_get::<Payload>("key")))),
            awaited!("metered, future", 0, metered.get::<Payload>("key")),
            way("handle, a miss, synchronous path", 0, move || drop(black_box(handle.try_get::<Payload>("none")))),
        ];
        Table { title: "get of a 100-byte value", ways }
    }

    fn has(&self) -> Table<'_> {
        let World { store, handle, .. } = self;
        let (cx, key) = (Context::none(), Key::new("key").unwrap());
        let ways = vec![
            way("direct", 0, move || drop(black_box(store.try_has(&cx, key)))),
            way("handle, synchronous path", 0, move || drop(black_box(handle.try_has("key")))),
            awaited!("handle, future", 0, handle.has("key")),
            way("handle, ttl, synchronous path", 0, move || drop(black_box(handle.try_ttl("key")))),
        ];
        Table { title: "has", ways }
    }

    fn touch(&self) -> Table<'_> {
        let World { store, handle, .. } = self;
        let (cx, key) = (Context::none(), Key::new("key").unwrap());
        let ways = vec![
            way("direct", 0, move || drop(black_box(store.try_touch(&cx, key, Lifetime::NEVER, None)))),
            way("handle, synchronous path", 0, move || drop(black_box(handle.try_touch("key", Expiry::Never)))),
            awaited!("handle, future", 0, handle.touch("key", Expiry::Never)),
        ];
        Table { title: "touch, without a deadline", ways }
    }

    fn set(&self) -> Table<'_> {
        let World { store, handle, metered, .. } = self;
        let (cx, key, put) = (Context::none(), Key::new("key").unwrap(), Put::always(Lifetime::NEVER));
        let erased: &dyn Store = &*self.shared;
        let erased_now = Arc::clone(&self.shared).immediate().unwrap();
        let map: parking_lot::RwLock<Map> = parking_lot::RwLock::default();
        let ways = vec![
            way("direct", 0, {
                let cx = cx.clone();
                move || drop(black_box(store.try_put(&cx, key, &TEXT, put)))
            }),
            way("raw map under one lock", 2, move || {
                drop(black_box(map.write().insert(Box::from(&b"key"[..]), Arc::from(&TEXT[..]))));
            }),
            way("dyn, synchronous path", 0, {
                let cx = cx.clone();
                move || drop(black_box(erased_now.try_put(&cx, key, &TEXT, put)))
            }),
            awaited!("dyn, future", 1, erased.put(&cx, key, &TEXT, put)),
            way("handle, synchronous path", 0, move || {
                drop(black_box(handle.try_set("key", &Raw(&TEXT), Expiry::Never)))
            }),
            awaited!("handle, future", 0, handle.set("key", &Raw(&TEXT), Expiry::Never)),
            way("metered, synchronous path", 0, move || {
                drop(black_box(metered.try_set("key", &Raw(&TEXT), Expiry::Never)))
            }),
        ];
        Table { title: "set of a 100-byte value", ways }
    }

    /// Beside the codec that everybody takes for MessagePack, which has no limits to keep.
    fn typed(&self) -> Table<'_> {
        let World { handle, .. } = self;
        let session = || Session { user_id: 7, role: String::from("admin") };
        let (value, named) = (session(), rmp_serde::to_vec_named(&session()).unwrap());
        let kept = session();
        let ways = vec![
            way("rmp-serde alone, to bytes", 3, move || drop(black_box(rmp_serde::to_vec_named(&value)))),
            way("rmp-serde alone, from bytes", 1, move || drop(black_box(rmp_serde::from_slice::<Session>(&named)))),
            way("handle, set of a struct", 1, move || drop(black_box(handle.try_set("typed", &kept, Expiry::Never)))),
            way("handle, get of a struct", 1, move || drop(black_box(handle.try_get::<Session>("typed")))),
        ];
        Table { title: "a struct of a number and a word, through serde", ways }
    }
}
