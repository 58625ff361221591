//! What the tests of this crate share.
#![allow(dead_code, reason = "each test uses its part")]

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use store_core::{Backend, Context, Key, Lifetime, List, ManualClock, OpenContext, Put, Result, Scan, Store, Want};
use store_sled::{Durability, Options, SledBackend};

pub(crate) fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    runtime.block_on(work)
}

pub(crate) fn key(bytes: &(impl AsRef<[u8]> + ?Sized)) -> Key<'_> {
    Key::new(bytes).unwrap()
}

pub(crate) fn millis(millis: u64) -> Lifetime {
    Lifetime::after(Duration::from_millis(millis)).unwrap()
}

pub(crate) fn forever() -> Put<'static> {
    Put::always(Lifetime::NEVER)
}

pub(crate) fn cx() -> Context {
    Context::none()
}

/// Opens a store with the real clock.
pub(crate) async fn open(path: &Path, id: &str, durability: Durability) -> Result<Arc<dyn Store>> {
    SledBackend::new().open(&Options::new(path).with_durability(durability), OpenContext::new(id)).await
}

/// Opens a store whose time stands still.
pub(crate) async fn open_at(backend: &SledBackend, path: &Path, id: &str, clock: &ManualClock) -> Arc<dyn Store> {
    let mut context = OpenContext::new(id);
    context.clock = Arc::new(clock.clone());
    backend.open(&Options::new(path).with_durability(Durability::Interval), context).await.unwrap()
}

pub(crate) fn all(prefix: &[u8]) -> List<'_> {
    List { prefix, after: None, limit: 1000, want: Want::Entries }
}

/// Every live key, by scanning.
pub(crate) async fn keys(store: &dyn Store) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    let mut cursor = None;
    loop {
        let scan = Scan { prefix: b"", cursor: cursor.as_ref(), limit: 500, want: Want::Keys };
        let page = store.scan(&cx(), scan).await.unwrap();
        keys.extend(page.items.iter().map(|item| item.key.to_vec()));
        match page.next {
            Some(next) => cursor = Some(next),
            None => return keys,
        }
    }
}
