//! Handles: what users hold.
//!
//! A handle stands in front of a [`Store`] and does, once for every backend, what all of them need: it refuses use after
//! release, checks arguments and limits, applies the policy for the caller's context, resolves TTLs by the store's rules,
//! encodes and decodes values, and takes the synchronous path where the backend has one.
//!
//! Every operation comes twice: as an `async fn`, and as `try_…`, which answers at once or gives `None` without having
//! started anything.

mod batch;
mod call;
mod cursor;
mod direct;
mod list;
mod load;
mod options;
mod reads;
mod whole;
mod writes;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::sync::Guard;

pub use cursor::{decode_cursor, encode_cursor};
pub use list::Entries;
pub use options::{IncrementOptions, ListOptions, Loaded, Page, PutOptions, TypedEntry};
pub use reads::Info;
pub use whole::Scanning;

use crate::config::Settings;
use crate::policy::PolicySet;
use crate::slot::{KeptRights, Rights, Security, Slot};
use crate::{Context, Error, Result, Store, SystemClock, SystemTimer};

/// The most items of a batch.
pub const MAX_BATCH: usize = 1000;

/// A handle on a store, for one caller.
///
/// Clones are the same handle: releasing one releases all. Two handles of one store from the registry are independent. A
/// handle that is dropped with all its clones is released.
#[derive(Clone)]
pub struct Handle {
    core: Arc<Core>,
    /// As in the core, without the way through it: between the locks of a store every load that waits for another is felt.
    slot: Arc<Slot>,
    cx: Context,
    rights: Arc<KeptRights>,
}

struct Core {
    slot: Arc<Slot>,
    released: AtomicBool,
}

impl Core {
    fn release(&self) {
        if !self.released.swap(true, Ordering::AcqRel) {
            self.slot.handles.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.release();
    }
}

impl Handle {
    /// A handle on a store that no registry keeps: no policy, default settings, the backend's name as its id.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Handle {
        Handle::with_settings(store, Settings::default())
    }

    /// As [`new`](Handle::new), with TTL rules and limits of its own.
    #[must_use]
    pub fn with_settings(store: Arc<dyn Store>, settings: Settings) -> Handle {
        let slot = Slot::new(
            store.info().backend.into(),
            store,
            settings,
            Arc::new(Security::new(PolicySet::permissive(), None, None)),
            Arc::new(SystemClock::new()),
            Arc::new(SystemTimer),
            None,
        );
        Handle::on(Arc::new(slot), Context::none())
    }

    pub(crate) fn on(slot: Arc<Slot>, cx: Context) -> Handle {
        slot.handles.fetch_add(1, Ordering::Relaxed);
        let rights = Arc::new(KeptRights::new(&slot.security, &cx, &slot.id));
        let core = Arc::new(Core { slot: Arc::clone(&slot), released: AtomicBool::new(false) });
        Handle { core, slot, cx, rights }
    }

    /// The same handle for another caller: released together, judged apart.
    #[must_use]
    pub fn with_context(&self, cx: &Context) -> Handle {
        if self.cx.is(cx) {
            return self.clone();
        }
        let slot = self.slot();
        let rights = Arc::new(KeptRights::new(&slot.security, cx, &slot.id));
        Handle { core: Arc::clone(&self.core), slot: Arc::clone(&self.slot), cx: cx.clone(), rights }
    }

    /// The same handle, which stays on the store that it is on now: a configuration loaded anew brings it to no other and changes none of
    /// its settings, and once that has closed the store, all operations are UNAVAILABLE. Released together.
    ///
    /// For who must know beforehand whose code an operation runs.
    #[must_use]
    pub fn pinned(&self) -> Handle {
        let slot = self.slot();
        Handle { slot: slot.with_settings(slot.settings), ..self.clone() }
    }

    /// The store's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.slot().id
    }

    /// Whom the handle is judged as.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.cx
    }

    /// The store's TTL rules and limits.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.slot().settings
    }

    /// Gives the handle back. Idempotent and always true; other handles of the store are unaffected, and operations in
    /// flight end normally.
    pub fn release(&self) -> bool {
        self.core.release();
        true
    }

    /// Whether the handle was released.
    #[inline]
    #[must_use]
    pub fn is_released(&self) -> bool {
        self.core.released.load(Ordering::Acquire)
    }

    /// The first check of every operation.
    ///
    /// # Errors
    /// INVALID "store is released".
    #[inline]
    pub fn check(&self) -> Result<()> {
        if self.is_released() { Err(released()) } else { Ok(()) }
    }

    #[inline]
    pub(crate) fn slot(&self) -> &Slot {
        self.slot.current()
    }

    /// The caller's rights, of the policies that are in force now.
    fn rights(&self) -> Guard<Arc<Rights>> {
        let slot = self.slot();
        self.rights.current(&slot.security, &self.cx, &slot.id)
    }
}

#[cold]
fn released() -> Error {
    Error::invalid("store is released").with_reason("released")
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("id", &self.id()).field("released", &self.is_released()).finish_non_exhaustive()
    }
}
