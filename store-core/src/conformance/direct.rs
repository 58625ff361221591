//! A store, with as little as possible between it and a case.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use crate::{
    BatchWrite, Condition, Context, Entry, Error, Increment, Item, Key, Kind, Lifetime, List, ListPage, Payload, Put,
    Result, Scan, ScanCursor, Store, Ttl, Version, Want, Written, codec,
};

/// For what has to succeed.
pub(super) trait Must<T> {
    /// The value.
    fn must(self) -> T;
}

impl<T> Must<T> for Result<T> {
    #[track_caller]
    fn must(self) -> T {
        match self {
            Ok(value) => value,
            Err(error) => panic!("failed: {error:?}"),
        }
    }
}

impl<T> Must<T> for Option<T> {
    #[track_caller]
    fn must(self) -> T {
        match self {
            Some(value) => value,
            None => panic!("nothing there"),
        }
    }
}

/// For what has to fail with this kind.
#[track_caller]
pub(super) fn refused<T: Debug>(result: Result<T>, kind: Kind) -> Error {
    match result {
        Err(error) if error.kind() == kind => error,
        Err(error) => panic!("expected {kind}, got {error:?}"),
        Ok(value) => panic!("expected {kind}, got {value:?}"),
    }
}

/// For what a store has to refuse because it declares not to be capable of it.
#[track_caller]
pub(super) fn unsupported<T: Debug>(result: Result<T>) {
    let error = refused(result, Kind::Invalid);
    assert_eq!(error.reason(), Some("unsupported"), "{error:?}");
}

/// An encoded string.
pub(super) fn text(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec::encode(text, &codec::Limits::default(), &mut bytes).must();
    bytes
}

/// An encoded integer.
pub(super) fn number(number: i64) -> Vec<u8> {
    codec::encode_integer(number).to_vec()
}

/// A lifetime.
pub(super) fn life(ttl: Duration) -> Lifetime {
    Lifetime::after(ttl).must()
}

/// A lifetime in milliseconds.
pub(super) fn millis(millis: u64) -> Lifetime {
    life(Duration::from_millis(millis))
}

pub(super) const NEVER: Lifetime = Lifetime::NEVER;

/// A put under a condition, without expiry.
pub(super) fn only(condition: Condition<'_>) -> Put<'_> {
    Put { lifetime: NEVER, keep_ttl: false, condition }
}

/// An increment without start value and expiry.
pub(super) fn add(delta: i64) -> Increment {
    Increment { delta, initial: 0, lifetime: NEVER }
}

/// The trait's operations, without a context, and with failures where nothing may fail.
#[derive(Clone)]
pub(super) struct Direct {
    pub(super) store: Arc<dyn Store>,
}

#[track_caller]
fn key<B: AsRef<[u8]> + ?Sized>(bytes: &B) -> Key<'_> {
    Key::new(bytes).must()
}

impl Direct {
    pub(super) fn new(store: Arc<dyn Store>) -> Direct {
        Direct { store }
    }

    pub(super) async fn get(&self, name: impl AsRef<[u8]>) -> Option<Payload> {
        self.store.get(&Context::none(), key(&name)).await.must()
    }

    pub(super) async fn has(&self, name: impl AsRef<[u8]>) -> bool {
        self.store.has(&Context::none(), key(&name)).await.must()
    }

    pub(super) async fn entry(&self, name: impl AsRef<[u8]>) -> Option<Entry> {
        self.store.entry(&Context::none(), key(&name)).await.must()
    }

    pub(super) async fn ttl(&self, name: impl AsRef<[u8]>) -> Option<Ttl> {
        self.store.ttl(&Context::none(), key(&name)).await.must()
    }

    pub(super) async fn put(&self, name: impl AsRef<[u8]>, value: &[u8], lifetime: Lifetime) -> Written {
        self.try_put(name, value, Put::always(lifetime)).await.must()
    }

    pub(super) async fn try_put(&self, name: impl AsRef<[u8]>, value: &[u8], put: Put<'_>) -> Result<Written> {
        self.store.put(&Context::none(), key(&name), value, put).await
    }

    pub(super) async fn delete(&self, name: impl AsRef<[u8]>) -> bool {
        self.store.delete(&Context::none(), key(&name), None).await.must()
    }

    pub(super) async fn delete_if(&self, name: impl AsRef<[u8]>, version: &Version) -> Result<bool> {
        self.store.delete(&Context::none(), key(&name), Some(version)).await
    }

    pub(super) async fn touch(&self, name: impl AsRef<[u8]>, lifetime: Lifetime) -> bool {
        self.store.touch(&Context::none(), key(&name), lifetime, None).await.must()
    }

    pub(super) async fn touch_if(&self, name: impl AsRef<[u8]>, lifetime: Lifetime, version: &Version) -> Result<bool> {
        self.store.touch(&Context::none(), key(&name), lifetime, Some(version)).await
    }

    pub(super) async fn get_and_touch(&self, name: impl AsRef<[u8]>, lifetime: Lifetime) -> Option<Payload> {
        self.store.get_and_touch(&Context::none(), key(&name), lifetime).await.must()
    }

    pub(super) async fn take(&self, name: impl AsRef<[u8]>) -> Option<Payload> {
        self.store.take(&Context::none(), key(&name)).await.must()
    }

    pub(super) async fn increment(&self, name: impl AsRef<[u8]>, by: Increment) -> Result<i64> {
        self.store.increment(&Context::none(), key(&name), by).await
    }

    pub(super) async fn get_many(&self, names: &[impl AsRef<[u8]>]) -> Vec<Option<Payload>> {
        let keys: Vec<Key<'_>> = names.iter().map(key).collect();
        self.store.get_many(&Context::none(), &keys).await.must()
    }

    pub(super) async fn set_many(&self, items: &[(&str, &[u8], Lifetime)]) -> Result<()> {
        let items: Vec<BatchWrite<'_>> =
            items.iter().map(|&(name, value, lifetime)| BatchWrite { key: key(name), value, lifetime }).collect();
        self.store.set_many(&Context::none(), &items).await
    }

    /// Puts the same value under many keys, in batches: a durable store then waits for its device less often.
    pub(super) async fn fill(&self, names: &[impl AsRef<[u8]>], value: &[u8]) {
        for names in names.chunks(250) {
            let items: Vec<BatchWrite<'_>> =
                names.iter().map(|name| BatchWrite { key: key(name), value, lifetime: NEVER }).collect();
            self.store.set_many(&Context::none(), &items).await.must();
        }
    }

    pub(super) async fn delete_many(&self, names: &[impl AsRef<[u8]>]) -> Vec<bool> {
        let keys: Vec<Key<'_>> = names.iter().map(key).collect();
        self.store.delete_many(&Context::none(), &keys).await.must()
    }

    pub(super) async fn page(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> ListPage {
        let list = List { prefix, after, limit, want: Want::Entries };
        self.store.list(&Context::none(), list).await.must()
    }

    /// A whole listing, in pages of this size.
    pub(super) async fn list(&self, prefix: impl AsRef<[u8]>, limit: usize, want: Want) -> Vec<Item> {
        let mut items = Vec::new();
        let mut after: Option<Box<[u8]>> = None;
        loop {
            let list = List { prefix: prefix.as_ref(), after: after.as_deref(), limit, want };
            let page = self.store.list(&Context::none(), list).await.must();
            assert!(page.items.len() <= limit, "{} entries on a page of {limit}", page.items.len());
            items.extend(page.items);
            let Some(resume) = page.resume else { return items };
            assert!(after.as_deref().is_none_or(|before| before < &*resume), "a listing must go forward");
            after = Some(resume);
        }
    }

    /// The keys of a whole listing.
    pub(super) async fn keys(&self, prefix: impl AsRef<[u8]>) -> Vec<Box<[u8]>> {
        self.list(prefix, 1000, Want::Keys).await.into_iter().map(|item| item.key.into()).collect()
    }

    /// A whole scan, in steps of about this size.
    pub(super) async fn scan(&self, prefix: impl AsRef<[u8]>, limit: usize, want: Want) -> Vec<Item> {
        let mut items = Vec::new();
        let mut cursor: Option<ScanCursor> = None;
        loop {
            let scan = Scan { prefix: prefix.as_ref(), cursor: cursor.as_ref(), limit, want };
            let page = self.store.scan(&Context::none(), scan).await.must();
            items.extend(page.items);
            let Some(next) = page.next else { return items };
            cursor = Some(next);
        }
    }

    /// The keys of a whole scan, which may bring one more than once.
    pub(super) async fn scan_keys(&self, prefix: impl AsRef<[u8]>, limit: usize) -> BTreeSet<Box<[u8]>> {
        self.scan(prefix, limit, Want::Keys).await.into_iter().map(|item| item.key.into()).collect()
    }

    /// A whole clear.
    pub(super) async fn clear(&self, prefix: impl AsRef<[u8]>) -> u64 {
        let mut deleted = 0;
        let mut cursor: Option<ScanCursor> = None;
        loop {
            let step = self.store.clear(&Context::none(), prefix.as_ref(), cursor.as_ref()).await.must();
            deleted += step.deleted;
            let Some(next) = step.next else { return deleted };
            cursor = Some(next);
        }
    }
}
