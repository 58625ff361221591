//! The same registry and handles for programs without async code.
//!
//! Every operation waits on the calling thread, within the same deadlines; nothing needs a runtime. What a store can answer
//! at once (memory, sled where it need not touch the disk) is answered without any machinery.
//!
//! ```
//! use std::time::Duration;
//! use store::blocking::Registry;
//!
//! # fn main() -> store::Result<()> {
//! # #[cfg(feature = "memory")] {
//! let registry = Registry::from_document(&store::config::Document::default_memory(), None)?;
//! let cache = registry.get("app:cache")?;
//! cache.set("greeting", "hello", Duration::from_secs(60))?;
//! assert_eq!(cache.get::<String>("greeting")?.as_deref(), Some("hello"));
//! registry.close()?;
//! # }
//! # Ok(())
//! # }
//! ```
//!
//! Do not use it inside async code: it blocks the thread that other tasks need.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use store_core::codec::{Decode, Encode};
use store_core::config::{Document, Settings};
use store_core::{
    Context, Entries, Entry, Error, Expiry, Health, IncrementOptions, Info, ListOptions, LoadOptions, Loaded, Page,
    PutOptions, Result, Ttl, TypedEntry, Version, Written, block_on,
};

/// A [`store::Registry`](crate::Registry) whose operations wait.
#[derive(Clone, Debug)]
pub struct Registry(store_core::Registry);

/// A [`store::Handle`](crate::Handle) whose operations wait.
#[derive(Clone, Debug)]
pub struct Handle(store_core::Handle);

/// The answer that was there at once, or else what waiting brings.
fn answer<T, F: Future<Output = Result<T>>>(now: Option<Result<T>>, wait: impl FnOnce() -> F) -> Result<T> {
    now.unwrap_or_else(|| block_on(wait()))
}

impl Registry {
    /// The registry of a configuration file: see [`store::open`](crate::open).
    ///
    /// # Errors
    /// As [`store::open`](crate::open).
    pub fn open(path: impl AsRef<Path>, environment: Option<&str>) -> Result<Registry> {
        crate::open(path, environment).map(Registry)
    }

    /// The registry of a configuration from elsewhere, with the backends of this build.
    ///
    /// # Errors
    /// As [`store::open_with`](crate::open_with).
    pub fn from_document(document: &Document, environment: Option<&str>) -> Result<Registry> {
        crate::open_with(document, environment, &crate::backends()).map(Registry)
    }

    /// A handle on a store, for a caller without a context.
    ///
    /// # Errors
    /// As [`store::Registry::get`](crate::Registry::get).
    pub fn get(&self, id: &str) -> Result<Handle> {
        self.get_as(id, &Context::none())
    }

    /// A handle on a store, for this caller.
    ///
    /// # Errors
    /// As [`store::Registry::get_as`](crate::Registry::get_as).
    pub fn get_as(&self, id: &str, cx: &Context) -> Result<Handle> {
        let handle = match self.0.try_get_as(id, cx) {
            Some(handle) => handle,
            None => apart(|| block_on(self.0.get_as(id, cx))),
        };
        handle.map(Handle)
    }

    /// Opens every store now.
    ///
    /// # Errors
    /// As [`store::Registry::open_all`](crate::Registry::open_all).
    pub fn open_all(&self) -> Result<()> {
        apart(|| block_on(self.0.open_all()))
    }

    /// Has every store answer, all at once: see [`Registry::health`](store_core::Registry::health).
    ///
    /// # Errors
    /// UNAVAILABLE: there is no thread to ask on. What is wrong with the stores is in the answer.
    pub fn health(&self, patience: Duration) -> Result<Health> {
        apart(|| Ok(block_on(self.0.health(patience))))
    }

    /// The ids of the configuration, in order.
    pub fn ids(&self) -> impl Iterator<Item = Arc<str>> {
        self.0.ids()
    }

    /// Frees at most `max` expired entries of an open store; 0 if it is not open.
    ///
    /// # Errors
    /// As [`store::Registry::purge_expired`](crate::Registry::purge_expired).
    pub fn purge_expired(&self, id: &str, max: usize) -> Result<usize> {
        block_on(self.0.purge_expired(id, max))
    }

    /// Ends everything, within `close_timeout`. Idempotent.
    ///
    /// # Errors
    /// As [`store::Registry::close`](crate::Registry::close).
    pub fn close(&self) -> Result<()> {
        block_on(self.0.close())
    }

    /// The registry for async code, which is the same.
    #[must_use]
    pub fn as_async(&self) -> &store_core::Registry {
        &self.0
    }
}

impl From<store_core::Registry> for Registry {
    fn from(registry: store_core::Registry) -> Registry {
        Registry(registry)
    }
}

/// Runs on a thread of its own, where no runtime is current: connections then live on a runtime of their backend, and not on one
/// whose thread our caller is about to block.
fn apart<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("store-open".to_owned()).spawn_scoped(scope, work);
        let thread = thread.map_err(|error| Error::unavailable("no thread to open the store on").with_source(error))?;
        thread.join().unwrap_or_else(|_| Err(Error::internal("opening the store panicked")))
    })
}

impl Handle {
    /// The store's id.
    #[must_use]
    pub fn id(&self) -> &str {
        self.0.id()
    }

    /// The settings of the store.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        self.0.settings()
    }

    /// Who is asking.
    #[must_use]
    pub fn context(&self) -> &Context {
        self.0.context()
    }

    /// The same handle for another caller.
    #[must_use]
    pub fn with_context(&self, cx: &Context) -> Handle {
        Handle(self.0.with_context(cx))
    }

    /// Gives the handle back; further operations are INVALID. Always true.
    #[expect(clippy::must_use_candidate, reason = "the answer is always true")]
    pub fn release(&self) -> bool {
        self.0.release()
    }

    /// Whether it was released.
    #[must_use]
    pub fn is_released(&self) -> bool {
        self.0.is_released()
    }

    /// The handle for async code, which is the same.
    #[must_use]
    pub fn as_async(&self) -> &store_core::Handle {
        &self.0
    }

    /// The value of a key; `None` if absent.
    ///
    /// # Errors
    /// As [`store::Handle::get`](crate::Handle::get).
    pub fn get<V: Decode>(&self, key: impl AsRef<[u8]>) -> Result<Option<V>> {
        let key = key.as_ref();
        answer(self.0.try_get(key), || self.0.get(key))
    }

    /// Stores a value.
    ///
    /// # Errors
    /// As [`store::Handle::set`](crate::Handle::set).
    pub fn set<V: Encode + ?Sized>(&self, key: impl AsRef<[u8]>, value: &V, expiry: impl Into<Expiry>) -> Result<()> {
        let (key, expiry) = (key.as_ref(), expiry.into());
        answer(self.0.try_set(key, value, expiry), || self.0.set(key, value, expiry))
    }

    /// Whether the key is live.
    ///
    /// # Errors
    /// As [`store::Handle::has`](crate::Handle::has).
    pub fn has(&self, key: impl AsRef<[u8]>) -> Result<bool> {
        let key = key.as_ref();
        answer(self.0.try_has(key), || self.0.has(key))
    }

    /// Deletes a key: true iff it was live.
    ///
    /// # Errors
    /// As [`store::Handle::delete`](crate::Handle::delete).
    pub fn delete(&self, key: impl AsRef<[u8]>) -> Result<bool> {
        let key = key.as_ref();
        answer(self.0.try_delete(key), || self.0.delete(key))
    }

    /// Deletes a key if it has this version.
    ///
    /// # Errors
    /// As [`store::Handle::delete_if`](crate::Handle::delete_if).
    pub fn delete_if(&self, key: impl AsRef<[u8]>, version: &Version) -> Result<bool> {
        let key = key.as_ref();
        answer(self.0.try_delete_if(key, version), || self.0.delete_if(key, version))
    }

    /// Value, version and TTL of a key; `None` if absent.
    ///
    /// # Errors
    /// As [`store::Handle::entry`](crate::Handle::entry).
    pub fn entry<V: Decode>(&self, key: impl AsRef<[u8]>) -> Result<Option<TypedEntry<V>>> {
        let key = key.as_ref();
        answer(self.0.try_entry(key), || self.0.entry(key))
    }

    /// Stores a value under conditions.
    ///
    /// # Errors
    /// As [`store::Handle::put`](crate::Handle::put).
    pub fn put<V: Encode + ?Sized>(&self, key: impl AsRef<[u8]>, value: &V, options: &PutOptions) -> Result<Written> {
        let key = key.as_ref();
        answer(self.0.try_put(key, value, options), || self.0.put(key, value, options))
    }

    /// The time a key has left; `None` if absent.
    ///
    /// # Errors
    /// As [`store::Handle::ttl`](crate::Handle::ttl).
    pub fn ttl(&self, key: impl AsRef<[u8]>) -> Result<Option<Ttl>> {
        let key = key.as_ref();
        answer(self.0.try_ttl(key), || self.0.ttl(key))
    }

    /// Gives a live key a new TTL: true iff it was live.
    ///
    /// # Errors
    /// As [`store::Handle::touch`](crate::Handle::touch).
    pub fn touch(&self, key: impl AsRef<[u8]>, expiry: impl Into<Expiry>) -> Result<bool> {
        let (key, expiry) = (key.as_ref(), expiry.into());
        answer(self.0.try_touch(key, expiry), || self.0.touch(key, expiry))
    }

    /// Gives a key a new TTL if it has this version.
    ///
    /// # Errors
    /// As [`store::Handle::touch_if`](crate::Handle::touch_if).
    pub fn touch_if(&self, key: impl AsRef<[u8]>, expiry: impl Into<Expiry>, version: &Version) -> Result<bool> {
        let (key, expiry) = (key.as_ref(), expiry.into());
        answer(self.0.try_touch_if(key, expiry, version), || self.0.touch_if(key, expiry, version))
    }

    /// The value of a key, which gets a new TTL with it, atomically.
    ///
    /// # Errors
    /// As [`store::Handle::get_and_touch`](crate::Handle::get_and_touch).
    pub fn get_and_touch<V: Decode>(&self, key: impl AsRef<[u8]>, expiry: impl Into<Expiry>) -> Result<Option<V>> {
        let (key, expiry) = (key.as_ref(), expiry.into());
        answer(self.0.try_get_and_touch(key, expiry), || self.0.get_and_touch(key, expiry))
    }

    /// The value of a key, which is deleted with it, atomically.
    ///
    /// # Errors
    /// As [`store::Handle::take`](crate::Handle::take).
    pub fn take<V: Decode>(&self, key: impl AsRef<[u8]>) -> Result<Option<V>> {
        let key = key.as_ref();
        answer(self.0.try_take(key), || self.0.take(key))
    }

    /// Adds to a counter and gives the sum; an absent key counts from 0.
    ///
    /// # Errors
    /// As [`store::Handle::increment`](crate::Handle::increment).
    pub fn increment(&self, key: impl AsRef<[u8]>, delta: i64) -> Result<i64> {
        self.increment_with(key, &IncrementOptions::by(delta))
    }

    /// Adds to a counter, with a start value and a TTL that count only if the key is absent.
    ///
    /// # Errors
    /// As [`store::Handle::increment_with`](crate::Handle::increment_with).
    pub fn increment_with(&self, key: impl AsRef<[u8]>, options: &IncrementOptions) -> Result<i64> {
        let key = key.as_ref();
        answer(self.0.try_increment_with(key, options), || self.0.increment_with(key, options))
    }

    /// The values of many keys, in their order.
    ///
    /// # Errors
    /// As [`store::Handle::get_many`](crate::Handle::get_many).
    pub fn get_many<V: Decode>(&self, keys: &[impl AsRef<[u8]>]) -> Result<Vec<Option<V>>> {
        answer(self.0.try_get_many(keys), || self.0.get_many(keys))
    }

    /// Stores many values, in their order. Not atomic across keys.
    ///
    /// # Errors
    /// As [`store::Handle::set_many`](crate::Handle::set_many).
    pub fn set_many<V: Encode>(&self, items: &[(impl AsRef<[u8]>, V, Expiry)]) -> Result<()> {
        answer(self.0.try_set_many(items), || self.0.set_many(items))
    }

    /// Deletes many keys: true for each that was live.
    ///
    /// # Errors
    /// As [`store::Handle::delete_many`](crate::Handle::delete_many).
    pub fn delete_many(&self, keys: &[impl AsRef<[u8]>]) -> Result<Vec<bool>> {
        answer(self.0.try_delete_many(keys), || self.0.delete_many(keys))
    }

    /// A page of entries, in byte order of their keys.
    ///
    /// # Errors
    /// As [`store::Handle::list`](crate::Handle::list).
    pub fn list(&self, options: &ListOptions) -> Result<Page> {
        answer(self.0.try_list(options), || self.0.list(options))
    }

    /// All live entries with a prefix, in byte order, fetched page by page. The iterator ends after its first error.
    #[must_use]
    pub fn each(&self, prefix: impl Into<Vec<u8>>) -> Each {
        Each(self.0.each(prefix))
    }

    /// Deletes all live entries of this store with a prefix (an empty one means all) and says how many.
    ///
    /// # Errors
    /// As [`store::Handle::clear`](crate::Handle::clear).
    pub fn clear(&self, prefix: impl AsRef<[u8]>) -> Result<u64> {
        block_on(self.0.clear(prefix))
    }

    /// The value of a key, or else what the loader brings, stored; one loader per key at a time.
    ///
    /// # Errors
    /// As [`store::Handle::get_or_set`](crate::Handle::get_or_set).
    pub fn get_or_set<V: Encode + Decode>(
        &self,
        key: impl AsRef<[u8]>,
        options: impl Into<LoadOptions>,
        loader: impl FnOnce() -> Result<Loaded<V>>,
    ) -> Result<Option<V>> {
        block_on(self.0.get_or_set(key, options, || async { loader() }))
    }

    /// What the store says of itself.
    ///
    /// # Errors
    /// As [`store::Handle::info`](crate::Handle::info).
    pub fn info(&self) -> Result<Info> {
        self.0.info()
    }
}

impl From<store_core::Handle> for Handle {
    fn from(handle: store_core::Handle) -> Handle {
        Handle(handle)
    }
}

/// The entries of [`Handle::each`].
#[derive(Debug)]
pub struct Each(Entries);

impl Iterator for Each {
    type Item = Result<(Box<[u8]>, Entry)>;

    fn next(&mut self) -> Option<Self::Item> {
        block_on(self.0.next())
    }
}
