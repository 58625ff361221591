//! The registry: stores by id, opened when first asked for, closed together.

mod health;
mod reload;
mod stats;

use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use arc_swap::ArcSwap;
use async_lock::{OnceCell, RwLock};

pub use health::{Health, StoreHealth};
pub use reload::Reloaded;
pub use stats::StoreStats;

use crate::config::{Config, StoreConfig};
use crate::observe::{Kept, Observer, Operation, Watch, Watchers};
use crate::policy::{Action, Authorizer, PolicySet};
use crate::slot::{Audit, Security, Slot, denied};
use crate::{Clock, Context, Error, Handle, Kind, OpenContext, Result, Store, SystemClock, SystemTimer, Timer, Value};

/// The stores of a configuration.
///
/// The configuration was validated as a whole before; a store itself opens at its first [`get`](Registry::get). A registry is a
/// value, cheap to clone; clones are the same registry. Close it to be sure that what is durable is on the device.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    stores: ArcSwap<Stores>,
    /// Written while a configuration is loaded anew, so that no store opens meanwhile.
    reloading: RwLock<()>,
    /// Whether that has happened.
    reloaded: AtomicBool,
    observers: Vec<Arc<dyn Observer>>,
    security: Arc<Security>,
    clock: Arc<dyn Clock>,
    timer: Arc<dyn Timer>,
    /// In nanoseconds.
    close_timeout: AtomicU64,
    closed: AtomicBool,
}

type Stores = BTreeMap<Arc<str>, Arc<Entry>>;

struct Entry {
    config: StoreConfig,
    base_dir: Arc<Path>,
    watchers: Option<Arc<Watchers>>,
    slot: OnceCell<Arc<Slot>>,
}

/// A registry with more than a configuration.
#[derive(Debug)]
pub struct RegistryBuilder {
    config: Config,
    clock: Arc<dyn Clock>,
    timer: Arc<dyn Timer>,
    authorizer: Option<Arc<dyn Authorizer>>,
    audit: Option<Arc<dyn Audit>>,
    observers: Vec<Arc<dyn Observer>>,
}

impl RegistryBuilder {
    /// Where the stores take their time from.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> RegistryBuilder {
        self.clock = Arc::new(clock);
        self
    }

    /// How the registry waits.
    #[must_use]
    pub fn timer(mut self, timer: impl Timer) -> RegistryBuilder {
        self.timer = Arc::new(timer);
        self
    }

    /// An engine of the host's, asked beside the policies.
    #[must_use]
    pub fn authorizer(mut self, authorizer: impl Authorizer) -> RegistryBuilder {
        self.authorizer = Some(Arc::new(authorizer));
        self
    }

    /// Who is told of denials.
    #[must_use]
    pub fn audit(mut self, audit: impl Audit) -> RegistryBuilder {
        self.audit = Some(Arc::new(audit));
        self
    }

    /// Who is told of operations. May be said several times: all are told.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer) -> RegistryBuilder {
        self.observers.push(Arc::new(observer));
        self
    }

    /// The registry. Opens nothing.
    #[must_use]
    pub fn build(self) -> Registry {
        let Config { stores, policies, base_dir, close_timeout, .. } = self.config;
        let (observers, base_dir) = (self.observers, Arc::from(base_dir));
        let entry = |config| Arc::new(Entry::new(config, &base_dir, &observers));
        let stores: Stores = stores.into_iter().map(|(id, config)| (id, entry(config))).collect();
        Registry(Arc::new(Inner {
            stores: ArcSwap::from_pointee(stores),
            reloading: RwLock::new(()),
            reloaded: AtomicBool::new(false),
            observers,
            security: Arc::new(Security::new(policies, self.authorizer, self.audit)),
            clock: self.clock,
            timer: self.timer,
            close_timeout: AtomicU64::new(nanos(close_timeout)),
            closed: AtomicBool::new(false),
        }))
    }
}

impl Registry {
    /// The registry of a configuration. Opens nothing.
    #[must_use]
    pub fn new(config: Config) -> Registry {
        Registry::builder(config).build()
    }

    /// A registry with a clock, a timer, an authorizer or an audit hook of its own.
    #[must_use]
    pub fn builder(config: Config) -> RegistryBuilder {
        let (clock, timer) = (Arc::new(SystemClock::new()), Arc::new(SystemTimer));
        RegistryBuilder { config, clock, timer, authorizer: None, audit: None, observers: Vec::new() }
    }

    /// A handle on a store, for a caller without a context.
    ///
    /// # Errors
    /// INVALID for the empty id; PERMISSION_DENIED; NOT_FOUND for an unknown id, naming the ids that the caller may acquire;
    /// UNAVAILABLE, TIMEOUT, INTERNAL from opening the store, and UNAVAILABLE once the registry is closed.
    pub async fn get(&self, id: &str) -> Result<Handle> {
        self.get_as(id, &Context::none()).await
    }

    /// A handle on a store, for this caller.
    ///
    /// # Errors
    /// As [`get`](Registry::get).
    pub async fn get_as(&self, id: &str, cx: &Context) -> Result<Handle> {
        let entry = self.0.entry(id);
        let mut watch = Kept::new(watch(entry.as_deref()));
        let mut work = pin!(self.acquire(id, cx));
        let result = poll_fn(|cx| watch.run(|| work.as_mut().poll(cx))).await;
        watch.end(&result);
        result
    }

    async fn acquire(&self, id: &str, cx: &Context) -> Result<Handle> {
        self.opened(|| self.find(id, cx)).await.map(|slot| Handle::on(slot, cx.clone()))
    }

    /// The store that `find` finds, opened if it is not open yet.
    async fn opened(&self, find: impl Fn() -> Result<Arc<Entry>>) -> Result<Arc<Slot>> {
        let (inner, entry) = (&self.0, find()?);
        if let Some(slot) = entry.slot.get() {
            return Ok(Arc::clone(slot));
        }
        let _no_reload = inner.reloading.read().await;
        inner.opened(&*find()?).await
    }

    /// [`get_as`](Registry::get_as), at once or not at all: `None` if the store must be opened first.
    pub fn try_get_as(&self, id: &str, cx: &Context) -> Option<Result<Handle>> {
        let result = match self.find(id, cx) {
            Err(error) => Err(error),
            Ok(entry) => Ok(Handle::on(Arc::clone(entry.slot.get()?), cx.clone())),
        };
        watch(self.0.entry(id).as_deref()).end(&result);
        Some(result)
    }

    fn find(&self, id: &str, cx: &Context) -> Result<Arc<Entry>> {
        if id.is_empty() {
            return Err(Error::invalid("the store id is empty").with_detail("operation", "store.get"));
        }
        let inner = &self.0;
        if inner.closed.load(Ordering::SeqCst) {
            return Err(Error::closed().with_detail("store", id));
        }
        let access = inner.security.rights(cx, id).access;
        inner.security.check(&access, Action::Acquire, id, None, cx).map_err(|_| denied(Action::Acquire, id))?;
        inner.entry(id).ok_or_else(|| inner.unknown(id, cx))
    }

    /// Opens every store now.
    ///
    /// # Errors
    /// The first store's that does not open; UNAVAILABLE once the registry is closed.
    pub async fn open_all(&self) -> Result<()> {
        let _no_reload = self.0.reloading.read().await;
        for entry in self.0.stores.load_full().values() {
            self.0.opened(entry).await?;
        }
        Ok(())
    }

    /// The ids of the configuration, in order.
    pub fn ids(&self) -> impl Iterator<Item = Arc<str>> {
        self.0.stores.load().keys().cloned().collect::<Vec<_>>().into_iter()
    }

    /// How many handles are out: of one store, or of all.
    #[must_use]
    pub fn handles_out(&self, id: Option<&str>) -> usize {
        let stores = self.0.stores.load();
        let entries = stores.iter().filter(|(name, _)| id.is_none_or(|id| id == &***name));
        entries.filter_map(|(_, entry)| entry.slot.get()).map(|slot| slot.handles.load(Ordering::Relaxed)).sum()
    }

    /// What the stores count about themselves, in the order of their ids. For operations see [`Meter`](crate::observe::Meter).
    #[must_use]
    pub fn stats(&self) -> Vec<StoreStats> {
        self.0.stores.load().iter().map(|(id, entry)| StoreStats::of(id, entry)).collect()
    }

    /// Replaces the policies. Takes effect at the next operation, also on handles that are out.
    pub fn replace_policies(&self, policies: PolicySet) {
        self.0.security.replace(policies);
    }

    /// Frees at most `max` expired entries of an open store; 0 if it is not open.
    ///
    /// # Errors
    /// NOT_FOUND for an unknown id; the backend's.
    pub async fn purge_expired(&self, id: &str, max: usize) -> Result<usize> {
        let entry = self.0.entry(id).ok_or_else(|| self.0.unknown(id, &Context::none()))?;
        match entry.slot.get() {
            None => Ok(0),
            Some(slot) => slot.run(slot.store.purge_expired(max)).await,
        }
    }

    /// Ends everything: new operations are refused (UNAVAILABLE), those in flight get up to `close_timeout` and are then
    /// cancelled (CANCELED), and what is durable is flushed. Idempotent.
    ///
    /// # Errors
    /// The first store's that did not close well; the others are closed all the same.
    pub async fn close(&self) -> Result<()> {
        let inner = &self.0;
        inner.closed.swap(true, Ordering::AcqRel);
        let stores = inner.stores.load_full();
        let open = stores.values().filter_map(|entry| entry.slot.get().cloned());
        close_all(open, inner.close_timeout()).await.into_iter().next().map_or(Ok(()), Err)
    }
}

/// Closes stores, all at once, so that the waiting is bounded together; the errors of those that did not close well.
async fn close_all(slots: impl Iterator<Item = Arc<Slot>>, patience: Duration) -> Vec<Error> {
    let closing = slots.map(|slot| async move { slot.close(patience).await });
    all(closing).await.into_iter().filter_map(Result::err).collect()
}

/// What all of these bring, in their order; they wait at the same time.
async fn all<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut waiting: Vec<_> = futures.map(|future| Some(Box::pin(future))).collect();
    let mut brought: Vec<Option<T>> = waiting.iter().map(|_| None).collect();
    poll_fn(|cx| {
        for (future, place) in waiting.iter_mut().zip(&mut brought) {
            if let Some(pending) = future
                && let Poll::Ready(value) = pending.as_mut().poll(cx)
            {
                (*future, *place) = (None, Some(value));
            }
        }
        if waiting.iter().all(Option::is_none) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    brought.into_iter().flatten().collect()
}

/// Only stores that there are: an id that a caller made up is nobody's.
fn watch(entry: Option<&Entry>) -> Watch<'_> {
    let waits = entry.is_some_and(|entry| entry.slot.get().is_none());
    Watch::begin(entry.and_then(|entry| entry.watchers.as_deref()), Operation::Acquire, None, waits)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Entry {
    fn new(config: StoreConfig, base_dir: &Arc<Path>, observers: &[Arc<dyn Observer>]) -> Entry {
        let watchers = Watchers::new(observers, &config.id, config.backend);
        Entry { config, base_dir: Arc::clone(base_dir), watchers, slot: OnceCell::new() }
    }
}

impl Inner {
    fn entry(&self, id: &str) -> Option<Arc<Entry>> {
        self.stores.load().get(id).cloned()
    }

    /// To be asked after a store was put where a close looks for it. Both write to one word, so one of them comes later, and sees what the other did before:
    /// a close that is not seen here sees the store.
    fn was_closed_meanwhile(&self) -> bool {
        self.closed.fetch_or(false, Ordering::AcqRel)
    }

    fn close_timeout(&self) -> Duration {
        Duration::from_nanos(self.close_timeout.load(Ordering::SeqCst))
    }

    async fn open_store(&self, entry: &Entry) -> Result<Arc<dyn Store>> {
        let config = &entry.config;
        let mut cx = OpenContext::new(Arc::clone(&config.id));
        cx.base_dir = entry.base_dir.to_path_buf();
        cx.clock = Arc::clone(&self.clock);
        cx.timer = Arc::clone(&self.timer);
        config.open(cx).await.map_err(|error| {
            error
                .or_detail("operation", || "open".into())
                .or_detail("store", || Value::from(&*config.id))
                .or_detail("backend", || config.backend.into())
        })
    }

    /// The store of an entry, opened if it is not open yet. No configuration may be loaded anew meanwhile.
    async fn opened(&self, entry: &Entry) -> Result<Arc<Slot>> {
        let closed = || Error::closed().with_detail("store", &*entry.config.id);
        if self.closed.load(Ordering::SeqCst) {
            return Err(closed());
        }
        let slot = entry.slot.get_or_try_init(|| self.open(entry)).await?;
        // A close that ran while the store opened did not see it.
        if self.was_closed_meanwhile() {
            slot.close(self.close_timeout()).await?;
            return Err(closed());
        }
        Ok(Arc::clone(slot))
    }

    async fn open(&self, entry: &Entry) -> Result<Arc<Slot>> {
        let (config, store) = (&entry.config, self.open_store(entry).await?);
        let (security, clock, timer) = (&self.security, &self.clock, &self.timer);
        let slot = Slot::new(
            Arc::clone(&config.id),
            store,
            config.settings,
            Arc::clone(security),
            Arc::clone(clock),
            Arc::clone(timer),
            entry.watchers.clone(),
        );
        Ok(Arc::new(slot))
    }

    fn unknown(&self, id: &str, cx: &Context) -> Error {
        let stores = self.stores.load();
        let known = stores.keys().filter(|id| self.security.rights(cx, id).access.allows(Action::Acquire, None));
        let known: Vec<&str> = known.map(|id| &**id).collect();
        let message = match known.as_slice() {
            [] => format!("there is no store \"{id}\""),
            known => format!("there is no store \"{id}\"; there is {}", known.join(", ")),
        };
        Error::new(Kind::NotFound, message)
            .with_detail("operation", "store.get")
            .with_detail("store", id)
            .with_detail("available", known.into_iter().map(Value::from).collect::<Vec<_>>())
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("stores", &self.0.stores.load().keys()).finish_non_exhaustive()
    }
}
