//! What a host chooses: how the module behaves, and where its configuration comes from.

use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use store_core::Context;
use store_core::config::Document;

use crate::coroutines::Coroutines;
use crate::module::Blocker;

/// How the module behaves in a VM.
#[derive(Clone)]
pub struct Options {
    pub(crate) context: Context,
    pub(crate) blocker: Option<Blocker>,
    pub(crate) blocking_nests: bool,
    pub(crate) coroutines: bool,
    pub(crate) suspending: bool,
    pub(crate) forks: Option<&'static AtomicUsize>,
    pub(crate) globals: bool,
    pub(crate) max_handles: Option<usize>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            context: Context::none(),
            blocker: None,
            blocking_nests: false,
            coroutines: true,
            suspending: true,
            forks: None,
            globals: true,
            max_handles: None,
        }
    }
}

impl Options {
    /// No actor, no scope, no blocking.
    #[must_use]
    pub fn new() -> Options {
        Options::default()
    }

    /// Whom scripts act as, outside of [`with_context`](crate::with_context).
    #[must_use]
    pub fn context(mut self, context: Context) -> Options {
        self.context = context;
        self
    }

    /// Blocks the thread where an operation has to wait and the caller cannot yield, instead of giving UNAVAILABLE
    /// (`would_block`). `block_on` must drive the future to its end on the calling thread.
    ///
    /// The future may run a loader of `get_or_set`. What has to wait in there and cannot yield is UNAVAILABLE all the same, since most runtimes'
    /// `block_on` panics inside of itself; see [`blocking_nests`](Options::blocking_nests).
    #[must_use]
    pub fn blocking(mut self, block_on: impl Fn(Pin<&mut dyn Future<Output = ()>>) + Send + Sync + 'static) -> Options {
        self.blocker = Some(Arc::new(block_on));
        self
    }

    /// Whether the `block_on` of [`blocking`](Options::blocking) may be called inside of itself (no, unless told otherwise).
    #[must_use]
    pub fn blocking_nests(mut self, nests: bool) -> Options {
        self.blocking_nests = nests;
        self
    }

    /// Whether an operation that has to wait may suspend the coroutine that it is called from (yes, unless told otherwise). Not where nobody drives
    /// coroutines, as in an interpreter of its own: there everything blocks, and `coroutine` is left alone. For a VM the first module decides.
    #[must_use]
    pub fn suspending(mut self, suspend: bool) -> Options {
        self.suspending = suspend;
        self
    }

    /// Where the host counts forks: one more in each child. A handle that a child has from its parent is then INVALID to use (`forked`), instead of waiting
    /// for threads and sharing connections that are the parent's.
    #[must_use]
    pub fn forks(mut self, counter: &'static AtomicUsize) -> Options {
        self.forks = Some(counter);
        self
    }

    /// Whether `coroutine.resume` and `coroutine.wrap` (and in Lua 5.1 `pcall`) are replaced by ones that pass waiting on to the host (yes, unless told
    /// otherwise). Without that, an operation that waits inside of a coroutine made by a script shows up in its `resume`.
    #[must_use]
    pub fn coroutines(mut self, replace: bool) -> Options {
        self.coroutines = replace;
        self
    }

    /// How many handles scripts may hold at a time (any number, unless told otherwise). At the limit garbage is collected once, which releases
    /// those that nothing holds any more; then `store.get` is UNAVAILABLE (`max_handles`), and worth retrying.
    #[must_use]
    pub fn max_handles(mut self, most: usize) -> Options {
        self.max_handles = Some(most);
        self
    }

    /// Whether `errors` becomes a global (yes, unless told otherwise). It is `require("store").errors` in any case.
    #[must_use]
    pub fn globals(mut self, define: bool) -> Options {
        self.globals = define;
        self
    }
}

impl Options {
    pub(crate) fn for_coroutines(&self) -> Coroutines {
        match self {
            Options { suspending: false, .. } => Coroutines::NeverSuspended,
            Options { coroutines: false, .. } => Coroutines::LeftAlone,
            _ => Coroutines::Replaced,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("context", &self.context)
            .field("blocking", &self.blocker.is_some())
            .field("blocking_nests", &self.blocking_nests)
            .field("coroutines", &self.coroutines)
            .field("suspending", &self.suspending)
            .field("forks", &self.forks)
            .field("globals", &self.globals)
            .field("max_handles", &self.max_handles)
            .finish()
    }
}

/// Where a configuration comes from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Configuration {
    /// A TOML file; relative paths in it are relative to its folder.
    File(PathBuf),
    /// TOML; relative paths in it are relative to the current folder.
    Text(String),
    /// One that is read already.
    Document(Document),
}

impl Configuration {
    /// A configuration that is in memory.
    #[must_use]
    pub fn text(toml: impl Into<String>) -> Configuration {
        Configuration::Text(toml.into())
    }
}

impl From<&str> for Configuration {
    fn from(path: &str) -> Configuration {
        Configuration::File(path.into())
    }
}

impl From<&Path> for Configuration {
    fn from(path: &Path) -> Configuration {
        Configuration::File(path.into())
    }
}

impl From<Document> for Configuration {
    fn from(document: Document) -> Configuration {
        Configuration::Document(document)
    }
}

impl From<PathBuf> for Configuration {
    fn from(path: PathBuf) -> Configuration {
        Configuration::File(path)
    }
}
