//! What the functions of the module know.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;

use mlua::Function;
use store_core::{Context, Error, Handle, Registry};

use crate::context::with_current;
use crate::held::Held;
use crate::raw::Live;
use crate::value::ArrayMark;

/// Drives a future to its end on the calling thread: a runtime's `block_on`.
pub(crate) type Blocker = Arc<dyn Fn(Pin<&mut dyn Future<Output = ()>>) + Send + Sync>;

/// A host's choice to block.
pub(crate) struct Blocking {
    pub(crate) block_on: Blocker,
    /// Whether that may be called inside of itself.
    pub(crate) nests: bool,
}

/// The process that something was made in, told by how many forks led to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process {
    forks: &'static AtomicUsize,
    then: usize,
}

impl Process {
    pub(crate) fn this(forks: &'static AtomicUsize) -> Process {
        Process { forks, then: forks.load(Ordering::Relaxed) }
    }
}

/// What there is once in a VM, however many modules are made in it.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) mark: ArrayMark,
    pub(crate) live: Arc<Live>,
    /// The waker that mlua polls with when there is no executor: who waits with it waits forever.
    pub(crate) no_executor: Waker,
    /// Lua's own, or what stood for it then: a script may have put anything in its place since.
    pub(crate) pcall: Function,
}

/// One module: a registry, and how its operations behave. Handles keep the one they come from.
pub(crate) struct Module {
    pub(crate) registry: Registry,
    /// Whom scripts act as outside of any scope.
    pub(crate) context: Context,
    pub(crate) blocker: Option<Blocking>,
    /// The process whose registry it is, if the host counts them.
    pub(crate) process: Option<Process>,
    pub(crate) held: Held,
    /// Whether its registry was made here, of a configuration: without an authorizer, an audit hook or an observer.
    #[cfg_attr(not(feature = "luajit"), allow(dead_code, reason = "asked by what LuaJIT compiles"))]
    pub(crate) is_ours: bool,
    pub(crate) shared: Arc<Shared>,
}

impl Module {
    /// Whether this process has it from its parent.
    #[inline]
    pub(crate) fn is_from_before_a_fork(&self) -> bool {
        self.process.is_some_and(|process| process.forks.load(Ordering::Relaxed) != process.then)
    }

    /// # Errors
    /// INVALID: its connections, threads and files are the parent's.
    pub(crate) fn check_process(&self) -> Result<(), Error> {
        if self.is_from_before_a_fork() {
            let message = "the handle is from before the fork: acquire one in this process";
            return Err(Error::invalid(message).with_reason("forked"));
        }
        Ok(())
    }

    /// The handle on the store that it is on now, if no operation on that which ends at once runs code of the host's.
    ///
    /// Another configuration may have been resolved with other backends. Whoever sees none after it was pinned has one on a store of the first.
    #[cfg(feature = "luajit")]
    pub(crate) fn pin(&self, handle: &Handle) -> Option<Handle> {
        let pinned = self.is_ours.then(|| handle.pinned());
        pinned.filter(|_| !self.registry.was_reloaded())
    }

    pub(crate) fn with_context<T>(&self, use_it: impl FnOnce(&Context) -> T) -> T {
        with_current(&self.context, use_it)
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module").field("registry", &self.registry).finish_non_exhaustive()
    }
}

/// A handle as the present caller sees it.
pub(crate) enum Current<'a> {
    Own(&'a Handle),
    /// Another caller than the one who acquired it: judged as himself.
    Other(Handle),
}

impl<'a> Current<'a> {
    #[inline]
    pub(crate) fn new(module: &Module, handle: &'a Handle) -> Current<'a> {
        module.with_context(|context| {
            if handle.context().is(context) {
                Current::Own(handle)
            } else {
                Current::Other(handle.with_context(context))
            }
        })
    }
}

impl std::ops::Deref for Current<'_> {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        match self {
            Current::Own(handle) => handle,
            Current::Other(handle) => handle,
        }
    }
}
