//! The registry: stores by id, opened when first asked for, closed together.

mod flight;
mod security;
mod slot;
mod stats;

use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use async_lock::OnceCell;

pub use flight::LoadOptions;
pub(crate) use flight::{Lead, Turn};
pub use security::{Audit, Denial};
pub(crate) use security::{KeptRights, Rights, Security};
pub(crate) use slot::{Slot, deadline};
pub use stats::StoreStats;

use crate::config::{Config, StoreConfig};
use crate::handle::denied;
use crate::observe::{Observer, Operation, Watch, Watchers};
use crate::policy::{Action, Authorizer, PolicySet};
use crate::{Clock, Context, Error, Handle, Kind, OpenContext, Result, SystemClock, SystemTimer, Timer, Value};

/// The stores of a configuration.
///
/// The configuration was validated as a whole before; a store itself opens at its first [`get`](Registry::get). A registry is a
/// value, cheap to clone; clones are the same registry. Close it to be sure that what is durable is on the device.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    stores: BTreeMap<Arc<str>, Entry>,
    security: Arc<Security>,
    clock: Arc<dyn Clock>,
    timer: Arc<dyn Timer>,
    base_dir: PathBuf,
    close_timeout: Duration,
    closed: AtomicBool,
}

struct Entry {
    config: StoreConfig,
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
        let entry = |config: StoreConfig| {
            let watchers = Watchers::new(&self.observers, &config.id, config.backend);
            Entry { config, watchers, slot: OnceCell::new() }
        };
        let stores = stores.into_iter().map(|(id, config)| (id, entry(config))).collect();
        Registry(Arc::new(Inner {
            stores,
            security: Arc::new(Security::new(policies, self.authorizer, self.audit)),
            clock: self.clock,
            timer: self.timer,
            base_dir,
            close_timeout,
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
        let mut watch = self.watch(id);
        let mut work = pin!(self.acquire(id, cx));
        let result = poll_fn(|cx| Watch::run(&mut watch, || work.as_mut().poll(cx))).await;
        if let Some(watch) = watch {
            watch.end(&result);
        }
        result
    }

    async fn acquire(&self, id: &str, cx: &Context) -> Result<Handle> {
        let entry = self.find(id, cx)?;
        let inner = &self.0;
        let slot = entry.slot.get_or_try_init(|| inner.open(entry)).await?;
        // A close that ran while the store opened did not see it.
        if inner.closed.load(Ordering::SeqCst) {
            slot.close(inner.close_timeout).await?;
            return Err(Error::closed().with_detail("store", id));
        }
        Ok(Handle::on(Arc::clone(slot), cx.clone()))
    }

    /// [`get_as`](Registry::get_as), at once or not at all: `None` if the store must be opened first.
    pub fn try_get_as(&self, id: &str, cx: &Context) -> Option<Result<Handle>> {
        let result = match self.find(id, cx) {
            Err(error) => Err(error),
            Ok(entry) => Ok(Handle::on(Arc::clone(entry.slot.get()?), cx.clone())),
        };
        if let Some(watch) = self.watch(id) {
            watch.end(&result);
        }
        Some(result)
    }

    /// Only stores that there are: an id that a caller made up is nobody's.
    fn watch(&self, id: &str) -> Option<Watch<'_>> {
        let entry = self.0.stores.get(id)?;
        let watchers = entry.watchers.as_ref()?;
        Some(watchers.watch(Operation::Acquire, None, || entry.slot.get().is_some()))
    }

    fn find(&self, id: &str, cx: &Context) -> Result<&Entry> {
        if id.is_empty() {
            return Err(Error::invalid("the store id is empty").with_detail("operation", "store.get"));
        }
        let inner = &self.0;
        if inner.closed.load(Ordering::SeqCst) {
            return Err(Error::closed().with_detail("store", id));
        }
        let access = inner.security.rights(cx, id).access;
        inner.security.check(&access, Action::Acquire, id, None, cx).map_err(|_| denied(Action::Acquire, id))?;
        inner.stores.get(id).ok_or_else(|| inner.unknown(id, cx))
    }

    /// Opens every store now.
    ///
    /// # Errors
    /// The first store's that does not open.
    pub async fn open_all(&self) -> Result<()> {
        for entry in self.0.stores.values() {
            entry.slot.get_or_try_init(|| self.0.open(entry)).await?;
        }
        Ok(())
    }

    /// The ids of the configuration, in order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.stores.keys().map(|id| &**id)
    }

    /// How many handles are out: of one store, or of all.
    #[must_use]
    pub fn handles_out(&self, id: Option<&str>) -> usize {
        let entries = self.0.stores.iter().filter(|(name, _)| id.is_none_or(|id| id == &***name));
        entries.filter_map(|(_, entry)| entry.slot.get()).map(|slot| slot.handles.load(Ordering::Relaxed)).sum()
    }

    /// What the stores count about themselves, in the order of their ids. For operations see [`Meter`](crate::observe::Meter).
    #[must_use]
    pub fn stats(&self) -> Vec<StoreStats> {
        self.0.stores.iter().map(|(id, entry)| StoreStats::of(id, entry)).collect()
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
        let entry = self.0.stores.get(id).ok_or_else(|| self.0.unknown(id, &Context::none()))?;
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
        inner.closed.store(true, Ordering::SeqCst);
        let open = inner.stores.values().filter_map(|entry| entry.slot.get());
        // All at once, so that the waiting is bounded together.
        let mut closing: Vec<_> = open.map(|slot| Box::pin(slot.close(inner.close_timeout))).collect();
        let mut result = Ok(());
        poll_fn(|cx| {
            closing.retain_mut(|close| match close.as_mut().poll(cx) {
                Poll::Pending => true,
                Poll::Ready(ended) => {
                    if result.is_ok() {
                        result = ended;
                    }
                    false
                }
            });
            if closing.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        result
    }
}

impl Inner {
    async fn open(&self, entry: &Entry) -> Result<Arc<Slot>> {
        let config = &entry.config;
        let mut cx = OpenContext::new(Arc::clone(&config.id));
        cx.base_dir.clone_from(&self.base_dir);
        cx.clock = Arc::clone(&self.clock);
        cx.timer = Arc::clone(&self.timer);
        let store = config.open(cx).await.map_err(|error| {
            error
                .or_detail("operation", || "open".into())
                .or_detail("store", || Value::from(&*config.id))
                .or_detail("backend", || config.backend.into())
        })?;
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
        let known = self.stores.keys().filter(|id| self.security.rights(cx, id).access.allows(Action::Acquire, None));
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
        f.debug_struct("Registry").field("stores", &self.0.stores.keys()).finish_non_exhaustive()
    }
}
