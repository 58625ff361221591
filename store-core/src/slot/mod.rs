//! An open store: what handles share. Below both the handles, which work on slots, and the registry, which keeps them.

mod flight;
mod gate;
mod kept;
mod life;
mod security;

use std::fmt;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};

use flight::Flights;
pub use flight::LoadOptions;
pub(crate) use flight::{Lead, Turn};
use life::Life;
pub(crate) use life::{Running, deadline};
pub use security::{Audit, Denial};
pub(crate) use security::{KeptRights, Rights, Security, denied};

use crate::config::Settings;
use crate::observe::{Operation, Watch, Watchers};
use crate::{Clock, Store, Timer, TryStore};

/// One open store and what belongs to it rather than to one handle.
pub(crate) struct Slot {
    pub(crate) id: Arc<str>,
    pub(crate) store: Arc<dyn Store>,
    /// Its synchronous path, if it has one: resolved once, so that a call takes one step however many wrappers there are.
    pub(crate) now: Option<Arc<dyn TryStore>>,
    pub(crate) settings: Settings,
    pub(crate) security: Arc<Security>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timer: Arc<dyn Timer>,
    pub(crate) flights: Arc<Flights>,
    watchers: Option<Arc<Watchers>>,
    /// Handles that are out and not released.
    pub(crate) handles: Arc<AtomicUsize>,
    life: Arc<Life>,
    /// What holds in this one's place since a configuration was loaded anew.
    successor: OnceLock<Arc<Slot>>,
}

impl Slot {
    pub(crate) fn new(
        id: Arc<str>,
        store: Arc<dyn Store>,
        settings: Settings,
        security: Arc<Security>,
        clock: Arc<dyn Clock>,
        timer: Arc<dyn Timer>,
        watchers: Option<Arc<Watchers>>,
    ) -> Slot {
        Slot {
            id,
            now: Arc::clone(&store).immediate(),
            store,
            settings,
            security,
            clock,
            timer,
            flights: Arc::default(),
            watchers,
            handles: Arc::default(),
            life: Life::new(),
            successor: OnceLock::new(),
        }
    }

    /// The same open store with other settings.
    pub(crate) fn with_settings(&self, settings: Settings) -> Arc<Slot> {
        let (flights, life) = (Arc::clone(&self.flights), Arc::clone(&self.life));
        Arc::new(Slot { flights, life, ..self.with_store(Arc::clone(&self.store), settings, self.watchers.clone()) })
    }

    /// The same handles on another store.
    pub(crate) fn with_store(
        &self,
        store: Arc<dyn Store>,
        settings: Settings,
        watchers: Option<Arc<Watchers>>,
    ) -> Slot {
        Slot {
            id: Arc::clone(&self.id),
            now: Arc::clone(&store).immediate(),
            store,
            settings,
            security: Arc::clone(&self.security),
            clock: Arc::clone(&self.clock),
            timer: Arc::clone(&self.timer),
            flights: Arc::default(),
            watchers,
            handles: Arc::clone(&self.handles),
            life: Life::new(),
            successor: OnceLock::new(),
        }
    }

    /// From now on another slot holds in this one's place, for handles that are out as well.
    pub(crate) fn succeed(&self, successor: Arc<Slot>) {
        let _once = self.successor.set(successor);
    }

    fn is_replaced(&self) -> bool {
        self.successor.get().is_some()
    }

    /// The one that holds now.
    #[inline]
    pub(crate) fn current(&self) -> &Slot {
        match self.successor.get() {
            None => self,
            Some(next) => next.latest(),
        }
    }

    /// Along all configurations that changed this store since a handle was acquired.
    #[cold]
    fn latest(&self) -> &Slot {
        let mut slot = self;
        while let Some(next) = slot.successor.get() {
            slot = next;
        }
        slot
    }

    /// Whether anybody wants to know of operations: most often nobody.
    #[inline]
    pub(crate) fn is_watched(&self) -> bool {
        self.watchers.is_some()
    }

    /// Begins to watch an operation, if anybody wants to know: most often nobody.
    #[inline]
    pub(crate) fn watch<'a>(&'a self, operation: Operation, key: Option<&[u8]>) -> Watch<'a> {
        Watch::begin(self.watchers.as_deref(), operation, key, self.now.is_none())
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("id", &self.id).field("store", &self.store).finish_non_exhaustive()
    }
}
