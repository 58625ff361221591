//! How a group of changes becomes durable: by the journal, or by sled's own log.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sled::{Db, Tree};
use store_core::Result;

use crate::commit::Group;
use crate::files::Files;
use crate::health::Health;
use crate::journal::{Journal, Mark};

const STRIPES: usize = 256;

/// The locks of keys, by the hash of the key.
#[derive(Debug)]
pub(crate) struct Stripes(Box<[Mutex<()>]>);

impl Stripes {
    pub(crate) fn new() -> Stripes {
        Stripes((0..STRIPES).map(|_| Mutex::new(())).collect())
    }

    pub(crate) fn lock(&self, hash: u64) -> MutexGuard<'_, ()> {
        let index = usize::try_from(hash % self.0.len() as u64).unwrap_or(0);
        self.0[index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for whoever holds a lock now. Nobody waits for the caller.
    fn pass(&self) {
        for stripe in &self.0 {
            drop(stripe.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

/// What the commit thread makes groups durable with.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) db: Db,
    pub(crate) meta: Tree,
    pub(crate) files: Files,
    pub(crate) stripes: Arc<Stripes>,
    pub(crate) health: Arc<Health>,
    /// `None` when sled's log is the only one.
    pub(crate) journal: Option<Journal>,
}

impl Log {
    pub(crate) fn commit(&mut self, group: &mut Group) -> Result<()> {
        match &mut self.journal {
            None => self.files.sync(&self.db),
            Some(_) if group.last => {
                let journal = self.journal.take();
                self.checkpoint(journal.map(|journal| journal.mark().retired()))
            }
            Some(journal) if !group.large && journal.fits(&group.frame) => journal.append(&mut group.frame),
            Some(journal) => {
                let mark = journal.turn(!group.large)?;
                self.checkpoint(Some(mark))?;
                self.journal.as_mut().map_or(Ok(()), Journal::begin)
            }
        }
    }

    /// Makes sled's log durable with all that is in the journal or in this group.
    fn checkpoint(&mut self, mark: Option<Mark>) -> Result<()> {
        // A change is queued and applied under the lock of its key: what was queued is applied after this.
        self.stripes.pass();
        // sled may not have what it failed to apply.
        self.health.writable()?;
        if let Some(mark) = mark {
            mark.write(&self.meta)?;
        }
        self.files.sync(&self.db)
    }
}
