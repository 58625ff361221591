//! What the suite needs to know of a backend.

use std::any::Any;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use crate::{Backend, BoxFuture, Clock, ManualClock, OpenContext, Result, Store, SystemClock, SystemTimer, Timer};

/// How the suite gets stores and lets time pass. Every case has a harness of its own.
#[async_trait]
pub trait Harness: Send + Sync + 'static {
    /// Opens the store with this id: empty at the first call for an id. When an earlier one was closed, and the backend is
    /// durable, the same store again with what it held. Stores of other ids share what stores of the backend share.
    async fn open(&self, id: &str) -> Result<Arc<dyn Store>>;

    /// Opens an empty store that holds at most this many entries and refuses more; `None` if the backend has no such limit.
    async fn open_limited(&self, id: &str, max_entries: u64) -> Result<Option<Arc<dyn Store>>> {
        let _ = (id, max_entries);
        Ok(None)
    }

    /// Lets time pass for the stores. Really waits, unless the harness injects a clock.
    async fn advance(&self, by: Duration) {
        SystemTimer.sleep(by).await;
    }

    /// The clock of the stores; the machine's, unless the harness injects one.
    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock::new())
    }

    /// How much later than the contract's millisecond entries may vanish: 0, unless a backend documents more.
    fn slack(&self) -> Duration {
        Duration::ZERO
    }

    /// Whether what a case wrote is left where other harnesses meet it: on a server. The suite then clears it.
    fn leaves_traces(&self) -> bool {
        true
    }

    /// Runs a future to its end. Replace it where stores need a runtime.
    fn block_on(&self, future: BoxFuture<'_, ()>) {
        crate::block_on(future);
    }
}

/// A harness for a [`Backend`]: with a manual clock if the backend takes one, with real waiting otherwise.
#[derive(Debug)]
pub struct BackendHarness<B: Backend> {
    backend: B,
    options: B::Options,
    base_dir: PathBuf,
    limited: Option<fn(u64) -> B::Options>,
    manual: ManualClock,
    real_time: AtomicBool,
    _keep: Option<Keep>,
}

#[derive(Debug)]
struct Keep(#[expect(dead_code, reason = "kept alive for its Drop")] Box<dyn KeepAlive>);

trait KeepAlive: Any + Send + Sync + std::fmt::Debug {}

impl<T: Any + Send + Sync + std::fmt::Debug> KeepAlive for T {}

impl<B: Backend> BackendHarness<B> {
    /// Opens every store from this backend with these options.
    #[must_use]
    pub fn new(backend: B, options: B::Options) -> BackendHarness<B> {
        BackendHarness {
            backend,
            options,
            base_dir: PathBuf::from("."),
            limited: None,
            manual: ManualClock::new(),
            real_time: AtomicBool::new(false),
            _keep: None,
        }
    }

    /// What relative paths in the options are relative to, and the owner of that folder (a `TempDir`), kept as long as the
    /// harness.
    #[must_use]
    pub fn in_dir(
        mut self,
        dir: impl Into<PathBuf>,
        owner: impl Any + Send + Sync + std::fmt::Debug,
    ) -> BackendHarness<B> {
        self.base_dir = dir.into();
        self._keep = Some(Keep(Box::new(owner)));
        self
    }

    /// How to limit the number of entries: options for a store that refuses more than this many.
    #[must_use]
    pub fn limited(mut self, options: fn(u64) -> B::Options) -> BackendHarness<B> {
        self.limited = Some(options);
        self
    }

    async fn open_with(&self, id: &str, options: &B::Options) -> Result<Arc<dyn Store>> {
        self.backend.check(options)?;
        let mut cx = OpenContext::new(id);
        cx.base_dir.clone_from(&self.base_dir);
        cx.clock = Arc::new(self.manual.clone());
        let store = self.backend.open(options, cx).await?;
        self.real_time.store(!store.info().capabilities.injected_clock, Ordering::Relaxed);
        Ok(store)
    }
}

#[async_trait]
impl<B: Backend> Harness for BackendHarness<B> {
    async fn open(&self, id: &str) -> Result<Arc<dyn Store>> {
        self.open_with(id, &self.options).await
    }

    async fn open_limited(&self, id: &str, max_entries: u64) -> Result<Option<Arc<dyn Store>>> {
        let Some(limited) = self.limited else { return Ok(None) };
        self.open_with(id, &limited(max_entries)).await.map(Some)
    }

    async fn advance(&self, by: Duration) {
        self.manual.advance(by);
        if self.real_time.load(Ordering::Relaxed) {
            SystemTimer.sleep(by).await;
        }
    }

    fn leaves_traces(&self) -> bool {
        // A folder of its own goes with the harness.
        self._keep.is_none()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        if self.real_time.load(Ordering::Relaxed) {
            Arc::new(SystemClock::new())
        } else {
            Arc::new(self.manual.clone())
        }
    }
}
