//! What each way to a store costs, in time and in allocations: directly, through `dyn`, through futures, through a handle.
//!
//! Prints a table instead of using criterion: the ways are interleaved in rounds, and what counts is the difference to the
//! direct call. The allocator counts.

mod common;

use std::hint::black_box;
use std::sync::Arc;
use std::task::{Poll, Waker};

use common::{VALUE, set};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use store_benches::{Contender, Report, compare};
use store_core::codec::Raw;
use store_core::config::{Config, Settings, StoreConfig};
use store_core::observe::Meter;
use store_core::{Context, Expiry, Handle, Key, Lifetime, Payload, Put, Registry, Store, TryStore, block_on};
use store_memory::{MemoryBackend, MemoryOptions, MemoryStore};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

/// Polls a future that is ready at once, as a runtime would: nothing but the future itself is measured.
fn poll<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut context = std::task::Context::from_waker(Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}

/// A way: a name and one operation.
type Way<'a> = (&'static str, Box<dyn Fn(usize) + 'a>);

/// The same operation many times, so that the call through the box counts for nothing.
fn way<'a>(name: &'static str, operation: impl Fn() + 'a) -> Way<'a> {
    (name, Box::new(move |times| (0..times).for_each(|_| operation())))
}

fn table(report: &mut Report, title: &str, ways: &[Way<'_>]) -> std::io::Result<()> {
    const TIMES: usize = 20_000;
    let quick = std::env::args().any(|word| word == "--quick");
    let contenders = ways.iter().map(|(name, run)| Contender::timed(*name, TIMES, || run(TIMES))).collect();
    let outcomes = compare(contenders, if quick { 11 } else { 101 });
    report.comparison(title, &outcomes)?;
    println!();
    for (outcome, (name, run)) in outcomes.iter().zip(ways) {
        let region = Region::new(ALLOCATOR);
        run(1000);
        let change = region.change();
        #[expect(clippy::cast_precision_loss, reason = "statistics")]
        let allocations = (change.allocations + change.reallocations) as f64 / 1000.0;
        let above: Vec<f64> =
            outcome.rounds.iter().zip(&outcomes[0].rounds).map(|(own, direct)| own - direct).collect();
        report.value(&format!("{title}: over the direct call"), name, store_benches::median(&above), "ns")?;
        report.value(&format!("{title}: allocations"), name, allocations, "")?;
    }
    Ok(())
}

/// A handle whose operations are counted, from a registry as a service has it.
fn metered() -> store_core::Result<(Registry, Handle)> {
    let backend = Arc::new(MemoryBackend);
    let config = StoreConfig::new("metered", &backend, MemoryOptions::default(), Settings::default())?;
    let registry = Registry::builder(Config::new([config])).observer(Meter::new()).build();
    let handle = block_on(registry.get("metered"))?;
    Ok((registry, handle))
}

fn main() -> std::io::Result<()> {
    let mut report = Report::from_args("road")?;
    let store = MemoryStore::new();
    set(&store, b"key", &VALUE, Lifetime::NEVER);
    let (cx, Ok(key)) = (Context::none(), Key::new("key")) else { return Ok(()) };
    let shared: Arc<dyn Store> = Arc::new(store.clone());
    let twice: Arc<dyn Store> = Arc::new(Arc::clone(&shared));
    let thrice: Arc<dyn Store> = Arc::new(Arc::new(Arc::clone(&twice)));
    // Not through the Arc, which is a store itself and would be a layer more.
    let (erased, layered, wrapped): (&dyn Store, &dyn Store, &dyn Store) = (&*shared, &*twice, &*thrice);
    // The raw engine: the map that a program would use if it needed no store.
    let map: common::Raw = parking_lot::RwLock::default();
    map.write().insert(Box::from(&b"key"[..]), Arc::from(&VALUE[..]));
    let handle = Handle::new(Arc::clone(&shared));
    let Ok((registry, metered)) = metered() else { return Ok(()) };
    // A string of 98 bytes, as MessagePack has it.
    let mut text = [b'v'; 100];
    text[..2].copy_from_slice(&[0xd9, 98]);
    let Some(Ok(())) = metered.try_set("key", &Raw(&text), Expiry::Never) else { return Ok(()) };

    table(
        &mut report,
        "get of a 100-byte value",
        &[
            way("direct", || drop(black_box(store.try_get(&cx, key)))),
            way("raw map under one lock", || drop(black_box(map.read().get(&b"key"[..]).cloned()))),
            way("dyn, synchronous path", || {
                black_box(erased.immediate().and_then(|immediate| immediate.try_get(&cx, key)));
            }),
            way("three wrappers, synchronous path", || {
                black_box(wrapped.immediate().and_then(|immediate| immediate.try_get(&cx, key)));
            }),
            way("dyn, future", || drop(black_box(poll(erased.get(&cx, key))))),
            way("dyn in dyn, future", || drop(black_box(poll(layered.get(&cx, key))))),
            way("handle, synchronous path", || drop(black_box(handle.try_get::<Payload>("key")))),
            way("handle, future", || drop(black_box(poll(handle.get::<Payload>("key"))))),
            way("metered, synchronous path", || drop(black_box(metered.try_get::<Payload>("key")))),
            way("metered, future", || drop(black_box(poll(metered.get::<Payload>("key"))))),
        ],
    )?;
    let put = Put::always(Lifetime::NEVER);
    table(
        &mut report,
        "set of a 100-byte value",
        &[
            way("direct", || drop(black_box(store.try_put(&cx, key, &text, put)))),
            way("raw map under one lock", || {
                black_box(map.write().insert(Box::from(&b"key"[..]), Arc::from(&text[..])));
            }),
            way("dyn, synchronous path", || {
                black_box(erased.immediate().and_then(|immediate| immediate.try_put(&cx, key, &text, put)));
            }),
            way("dyn, future", || drop(black_box(poll(erased.put(&cx, key, &text, put))))),
            way("handle, synchronous path", || drop(black_box(handle.try_set("key", &Raw(&text), Expiry::Never)))),
            way("handle, future", || drop(black_box(poll(handle.set("key", &Raw(&text), Expiry::Never))))),
            way("metered, synchronous path", || drop(black_box(metered.try_set("key", &Raw(&text), Expiry::Never)))),
        ],
    )?;
    drop(registry);
    Ok(())
}
