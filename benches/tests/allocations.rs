//! What the way to a store may cost in allocations: nothing on the synchronous path, one box for a future behind `dyn`.

use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use store_core::codec::Raw;
use store_core::{Context, Expiry, Handle, Key, Lifetime, Payload, Put, Store, TryStore};
use store_memory::MemoryStore;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

const TIMES: usize = 1000;
/// A string of 98 bytes, as MessagePack has it.
const TEXT: [u8; 100] = {
    let mut text = [b'v'; 100];
    (text[0], text[1]) = (0xd9, 98);
    text
};

/// Allocations of an operation, in a hundredth: what the harness of the test does meanwhile on its own is below that.
fn allocations(operation: impl Fn()) -> usize {
    operation();
    let region = Region::new(ALLOCATOR);
    (0..TIMES).for_each(|_| operation());
    let change = region.change();
    (change.allocations + change.reallocations) * 100 / TIMES
}

fn ready<T>(future: impl Future<Output = T>) -> T {
    match std::pin::pin!(future).poll(&mut TaskContext::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("the store in memory answers at once"),
    }
}

// One test, so that no other allocates meanwhile.
#[test]
fn the_synchronous_path_allocates_nothing_and_a_future_one_box() {
    let store = MemoryStore::new();
    let (cx, key, put) = (Context::none(), Key::new("key").unwrap(), Put::always(Lifetime::NEVER));
    store.try_put(&cx, key, &TEXT, put).unwrap().unwrap();
    let shared: Arc<dyn Store> = Arc::new(store);
    let wrapped: Arc<dyn Store> = Arc::new(Arc::new(Arc::new(Arc::clone(&shared))));
    let handle = Handle::new(Arc::clone(&shared));

    let through = |store: &dyn Store| store.immediate().unwrap().try_get(&cx, key).unwrap().unwrap().unwrap();
    assert_eq!(allocations(|| drop(through(&*shared))), 0, "get through dyn");
    assert_eq!(allocations(|| drop(through(&*wrapped))), 0, "get through three wrappers");
    let get = || drop(handle.try_get::<Payload>("key").unwrap().unwrap().unwrap());
    assert_eq!(allocations(get), 0, "get through a handle");
    assert_eq!(allocations(|| assert!(handle.try_get::<Payload>("none").unwrap().unwrap().is_none())), 0, "a miss");
    assert_eq!(allocations(|| assert!(handle.try_has("key").unwrap().unwrap())), 0, "has");
    assert_eq!(allocations(|| assert!(handle.try_ttl("key").unwrap().unwrap().is_some())), 0, "ttl");
    let set = || handle.try_set("key", &Raw(&TEXT), Expiry::Never).unwrap().unwrap();
    assert_eq!(allocations(set), 0, "set of what is encoded, over a value of the same length");

    assert_eq!(
        allocations(|| drop(ready(shared.get(&cx, key)).unwrap())),
        200,
        "a future behind dyn, and one behind Arc"
    );
    assert_eq!(allocations(|| drop(ready((*shared).get(&cx, key)).unwrap())), 100, "a future behind dyn");
    assert_eq!(allocations(|| drop(ready(handle.get::<Payload>("key")).unwrap())), 0, "a handle's future");
}
