//! Running one case.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use event_listener::Event;

use super::direct::{Direct, Must};
use super::{Harness, Shape, cases};
use crate::config::Settings;
use crate::policy::PolicySet;
use crate::slot::{Audit, Security, Slot, deadline};
use crate::{BoxFuture, Clock, Context, Handle, Store, SystemTimer, Time};

/// How long a case may take before it counts as stuck.
const STUCK: Duration = Duration::from_secs(60);

/// How often a case may be repeated with longer times because the machine was too slow to tell.
const REPEATS: u32 = 3;

/// One case of the suite.
pub struct Case {
    /// Its name, which is that of the generated tests.
    pub name: &'static str,
    /// The rules of the contract that it holds a store to (`"T5"`), and the operations it is about (`"put"`).
    pub rules: &'static [&'static str],
    pub(super) run: for<'a> fn(&'a Cx) -> BoxFuture<'a, ()>,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name).field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Case {
    /// Runs the case on a store of this harness.
    ///
    /// # Panics
    /// When the store does not hold the rule.
    pub fn run<H: Harness>(&self, shape: Shape, harness: impl Fn() -> H) {
        for repeat in 0.. {
            let cx = Cx::new(Arc::new(harness()), shape, 4u32.pow(repeat));
            let failed = catch_unwind(AssertUnwindSafe(|| {
                cx.harness.block_on(Box::pin(async {
                    let ended = deadline(&SystemTimer, STUCK, (self.run)(&cx)).await;
                    assert!(ended.is_some(), "stuck: not done within {STUCK:?}");
                }));
            }));
            cx.clean_up();
            match failed {
                Ok(()) => return,
                Err(_) if cx.was_too_slow.load(Ordering::Relaxed) && repeat < REPEATS => {}
                Err(panic) => resume_unwind(panic),
            }
        }
    }
}

/// Runs the case of this name: what the macro's tests call.
///
/// # Panics
/// When the store does not hold the rule, or there is no such case.
pub fn run<H: Harness>(name: &str, shape: Shape, harness: impl Fn() -> H) {
    match cases().iter().find(|case| case.name == name) {
        Some(case) => case.run(shape, harness),
        None => panic!("there is no case {name}"),
    }
}

/// How a thread ended: with its result, or with a panic.
type Ended<T> = Result<T, Box<dyn Any + Send>>;

/// What a case works with.
pub(super) struct Cx {
    harness: Arc<dyn Harness>,
    shape: Shape,
    scale: u32,
    was_too_slow: AtomicBool,
    /// What the case opened.
    opened: Mutex<Vec<Opened>>,
}

/// A store that a case opened. Not kept alive: what closes and opens again may depend on the old one being gone.
struct Opened {
    id: String,
    durable: bool,
    store: Weak<dyn Store>,
}

/// The id of a case's store, unless it opens several.
pub(super) const ID: &str = "conformance:store";

impl Cx {
    fn new(harness: Arc<dyn Harness>, shape: Shape, scale: u32) -> Cx {
        Cx { harness, shape, scale, was_too_slow: AtomicBool::new(false), opened: Mutex::default() }
    }

    /// The case's store.
    pub(super) async fn open(&self) -> Direct {
        self.open_id(ID).await
    }

    /// A store with an id of its own, or an id opened again.
    pub(super) async fn open_id(&self, id: &str) -> Direct {
        let store = self.harness.open(id).await.must();
        self.opened(id, store)
    }

    /// A store that holds at most this many entries, if the backend has such a limit.
    pub(super) async fn open_limited(&self, max_entries: u64) -> Option<Direct> {
        let store = self.harness.open_limited(ID, max_entries).await.must()?;
        Some(self.opened(ID, store))
    }

    fn opened(&self, id: &str, store: Arc<dyn Store>) -> Direct {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.push(Opened { id: id.to_owned(), durable: store.info().durable, store: Arc::downgrade(&store) });
        Direct::new(self.shape.apply(store))
    }

    /// Leaves nothing behind: cases may share a server, and a full one makes every scan slow. What fails here fails for a
    /// reason that the case has told already.
    fn clean_up(&self) {
        let opened = std::mem::take(&mut *self.opened.lock().unwrap_or_else(PoisonError::into_inner));
        let clean = async {
            for Opened { id, durable, store } in opened {
                let mut store = store.upgrade();
                if let Some(open) = &store
                    && open.ping().await.is_err()
                {
                    store = None;
                }
                // Closed by the case: what it holds may still be there.
                if store.is_none() && durable && self.harness.leaves_traces() {
                    store = self.harness.open(&id).await.ok();
                }
                let Some(store) = store else { continue };
                let mut cursor = None;
                while self.harness.leaves_traces()
                    && let Ok(step) = store.clear(&Context::none(), b"", cursor.as_ref()).await
                {
                    cursor = step.next;
                    if cursor.is_none() {
                        break;
                    }
                }
                let _ = store.close().await;
            }
        };
        let _ = catch_unwind(AssertUnwindSafe(|| {
            self.harness.block_on(Box::pin(async {
                let _ = deadline(&SystemTimer, STUCK, clean).await;
            }));
        }));
    }

    /// A handle on the case's store: no policy, default settings.
    pub(super) async fn handle(&self) -> Handle {
        self.handle_on(&self.open().await, Settings::default())
    }

    /// A handle on a store, with rules of its own.
    pub(super) fn handle_on(&self, store: &Direct, settings: Settings) -> Handle {
        Handle::on(self.slot(Arc::clone(&store.store), settings, PolicySet::permissive(), None), Context::none())
    }

    /// What a registry would keep of an open store.
    pub(super) fn slot(
        &self,
        store: Arc<dyn Store>,
        settings: Settings,
        policies: PolicySet,
        audit: Option<Arc<dyn Audit>>,
    ) -> Arc<Slot> {
        let security = Arc::new(Security::new(policies, None, audit));
        let (clock, timer) = (self.harness.clock(), Arc::new(SystemTimer));
        Arc::new(Slot::new(ID.into(), store, settings, security, clock, timer, None))
    }

    /// A time to live within which a case can do something, on a machine that is not too slow.
    pub(super) fn moment(&self) -> Duration {
        Duration::from_millis(150) * self.scale
    }

    /// Watches that what follows happens within this time.
    pub(super) fn within(&self, time: Duration) -> Within<'_> {
        let clock = self.harness.clock();
        Within { cx: self, until: clock.now() + time, clock }
    }

    /// Now, on the clock of the stores.
    pub(super) fn now(&self) -> Time {
        self.harness.clock().now()
    }

    /// Lets time pass.
    pub(super) async fn pass(&self, time: Duration) {
        self.harness.advance(time).await;
    }

    /// Lets what was written until now with this time to live expire.
    pub(super) async fn expire(&self, ttl: Duration) {
        self.pass(ttl + self.lateness()).await;
    }

    /// How much after its time to live an entry may still be seen: 1 ms of rounding, 1 ms of a reader's clock.
    pub(super) fn lateness(&self) -> Duration {
        Duration::from_millis(2) + self.harness.slack()
    }

    /// Runs as many threads, each with a future of its own, and gives their results.
    pub(super) async fn threads<T, F, R>(&self, count: usize, work: F) -> Vec<T>
    where
        T: Send + 'static,
        F: Fn(usize) -> R + Send + Sync + 'static,
        R: Future<Output = T> + Send,
    {
        let work = Arc::new(work);
        let done: Arc<Mutex<Vec<Ended<T>>>> = Arc::default();
        let ended = Arc::new(Event::new());
        for index in 0..count {
            let (harness, work) = (Arc::clone(&self.harness), Arc::clone(&work));
            let (done, ended) = (Arc::clone(&done), Arc::clone(&ended));
            std::thread::spawn(move || {
                let mut result = None;
                let panic = catch_unwind(AssertUnwindSafe(|| {
                    harness.block_on(Box::pin(async { result = Some(work(index).await) }));
                }));
                let result = match (panic, result) {
                    (Ok(()), Some(result)) => Ok(result),
                    (Ok(()), None) => panic!("block_on did not run the future to its end"),
                    (Err(panic), _) => Err(panic),
                };
                done.lock().unwrap_or_else(PoisonError::into_inner).push(result);
                ended.notify(usize::MAX);
            });
        }
        loop {
            let listener = ended.listen();
            let results = {
                let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                if done.len() == count { Some(std::mem::take(&mut *done)) } else { None }
            };
            if let Some(results) = results {
                return results.into_iter().map(|result| result.unwrap_or_else(|panic| resume_unwind(panic))).collect();
            }
            listener.await;
        }
    }
}

/// While it lives, something must happen; if that took too long, the case could not tell.
pub(super) struct Within<'a> {
    cx: &'a Cx,
    until: Time,
    clock: Arc<dyn Clock>,
}

impl Within<'_> {
    /// Ends the watch.
    pub(super) fn end(self) {}
}

impl Drop for Within<'_> {
    fn drop(&mut self) {
        if self.clock.now() >= self.until {
            self.cx.was_too_slow.store(true, Ordering::Relaxed);
        }
    }
}
