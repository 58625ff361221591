//! How many handles scripts hold, and that they give them back.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as TaskContext, Poll};

use mlua::{Lua, Value};
use store_core::{Error, Handle};

use crate::handle::give;
use crate::module::Module;
use crate::shim::Stop;

/// What a module knows of the handles that it gave.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// How many may be out, and those that were when last looked at.
    limited: Option<(usize, Mutex<Vec<Handle>>)>,
    collected: Arc<AtomicU64>,
}

impl Held {
    pub(crate) fn new(max_handles: Option<usize>, collected: Arc<AtomicU64>) -> Held {
        Held { limited: max_handles.map(|max| (max, Mutex::default())), collected }
    }

    /// A handle was collected, and only then released.
    pub(crate) fn collected(&self) {
        self.collected.fetch_add(1, Ordering::Relaxed);
    }

    /// Makes room for one more.
    ///
    /// # Errors
    /// UNAVAILABLE, worth retrying: as many are out as may be, also after a collection of garbage.
    fn admit(&self, lua: &Lua, handle: &Handle) -> Result<(), Stop> {
        let Some((max, out)) = &self.limited else { return Ok(()) };
        let out = || out.lock().unwrap_or_else(PoisonError::into_inner);
        let full = || {
            let mut out = out();
            if out.len() >= *max {
                out.retain(|handle| !handle.is_released());
            }
            out.len() >= *max
        };
        if full() {
            // Twice: what is finalized by the first is freed by the second.
            lua.gc_collect()?;
            lua.gc_collect()?;
            if full() {
                let message = format!("{max} handles are out, which is as many as may be: release some");
                return Err(Error::unavailable(message)
                    .with_reason("max_handles")
                    .with_detail("limit", *max)
                    .with_detail("operation", "store.get")
                    .into());
            }
        }
        out().push(handle.clone());
        Ok(())
    }
}

/// Gives a script a handle: counted, and noted for the end of the run.
pub(crate) fn hand_out(lua: &Lua, module: &Arc<Module>, handle: Handle) -> Result<Value, Stop> {
    module.held.admit(lua, &handle)?;
    RUN.with_borrow(|run| {
        if let Some(run) = run {
            run.add(&handle);
        }
    });
    Ok(give(lua, module, handle)?)
}

thread_local! {
    /// The run whose future is being polled on this thread.
    static RUN: RefCell<Option<Arc<Run>>> = const { RefCell::new(None) };
}

/// One run of a script: the handles that it acquired.
#[derive(Debug, Default)]
struct Run(Mutex<Vec<Handle>>);

impl Run {
    fn add(&self, handle: &Handle) {
        let mut handles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if handles.len() == handles.capacity() {
            handles.retain(|handle| !handle.is_released());
        }
        handles.push(handle.clone());
    }

    /// Does something in this run; what ran before goes on after, also when it panics.
    fn enter<T>(self: &Arc<Run>, work: impl FnOnce() -> T) -> T {
        struct Back(Option<Arc<Run>>);
        impl Drop for Back {
            fn drop(&mut self) {
                RUN.set(self.0.take());
            }
        }
        let _back = Back(RUN.replace(Some(Arc::clone(self))));
        work()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        for handle in self.0.get_mut().unwrap_or_else(PoisonError::into_inner) {
            handle.release();
        }
    }
}

/// Runs a script, and releases whatever handles it acquired when it ends, fails, or is dropped: what a script leaves behind is given
/// back at once, not when it happens to be collected. Handles that it passed to other scripts of the VM are released too. In a run inside of another,
/// the inner one's are the inner one's.
///
/// ```
/// # async fn handle_request(lua: &mlua::Lua) -> mlua::Result<()> {
/// let request = lua.load("kept = require('store').get('app:cache')").exec_async();
/// store_lua::release_after(request).await
/// # }
/// ```
pub fn release_after<F: Future>(script: F) -> ReleaseAfter<F> {
    ReleaseAfter { run: Arc::default(), script: Some(Box::pin(script)) }
}

/// As [`release_after`], for hosts that call Lua synchronously.
pub fn enter_release_after<T>(script: impl FnOnce() -> T) -> T {
    Arc::<Run>::default().enter(script)
}

/// The future of [`release_after`].
#[must_use = "futures do nothing unless polled"]
pub struct ReleaseAfter<F> {
    // In this order: what the script still does while it is dropped is part of the run.
    script: Option<Pin<Box<F>>>,
    run: Arc<Run>,
}

impl<F: Future> Future for ReleaseAfter<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let run = Arc::clone(&this.run);
        let Some(script) = &mut this.script else { return Poll::Pending };
        let output = run.enter(|| script.as_mut().poll(cx));
        if output.is_ready() {
            this.script = None;
            this.run = Arc::default();
        }
        output
    }
}

impl<F> fmt::Debug for ReleaseAfter<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReleaseAfter").field("run", &self.run).finish_non_exhaustive()
    }
}

/// How many handles of a VM were collected without having been released: what scripts forgot to give back. How many are out, the registry says
/// ([`handles_out`](store_core::Registry::handles_out)).
#[must_use]
pub fn handles_collected(lua: &Lua) -> u64 {
    lua.app_data_ref::<Collected>().map_or(0, |collected| collected.0.load(Ordering::Relaxed))
}

/// Of a VM, shared by its modules.
struct Collected(Arc<AtomicU64>);

pub(crate) fn collected_of(lua: &Lua) -> Arc<AtomicU64> {
    if let Some(collected) = lua.app_data_ref::<Collected>() {
        return Arc::clone(&collected.0);
    }
    let counter: Arc<AtomicU64> = Arc::default();
    lua.set_app_data(Collected(Arc::clone(&counter)));
    counter
}
