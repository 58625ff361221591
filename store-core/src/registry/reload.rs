//! A configuration loaded anew, while stores are open and handles are out.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Entry, Registry, Stores, close_all, nanos};
use crate::config::Config;
use crate::slot::Slot;
use crate::{Error, Result, Value};

/// What loading a configuration anew has changed: ids of stores, in order.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Reloaded {
    /// Stores that can be acquired from now on.
    pub added: Vec<Arc<str>>,
    /// Stores that are no more. Handles on them get UNAVAILABLE.
    pub removed: Vec<Arc<str>>,
    /// Stores with other settings, and stores that were not open yet with anything else.
    pub changed: Vec<Arc<str>>,
    /// Stores that were opened anew with other options, and the former ones closed.
    pub reopened: Vec<Arc<str>>,
    /// What went wrong in closing stores that were removed or opened anew. The new configuration holds all the same.
    pub not_closed: Vec<Error>,
}

impl Reloaded {
    /// Whether no store changed.
    #[must_use]
    pub fn is_same(&self) -> bool {
        [&self.added, &self.removed, &self.changed, &self.reopened].iter().all(|ids| ids.is_empty())
    }
}

/// In one line, for a log: `changed app:cache; added app:pages`.
impl fmt::Display for Reloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_same() {
            return f.write_str("no store changed");
        }
        let said = [
            ("changed", &self.changed),
            ("opened anew", &self.reopened),
            ("added", &self.added),
            ("removed", &self.removed),
        ];
        for (index, (what, ids)) in said.into_iter().filter(|(_, ids)| !ids.is_empty()).enumerate() {
            write!(f, "{}{what} {}", if index == 0 { "" } else { "; " }, ids.join(", "))?;
        }
        self.not_closed.iter().try_for_each(|error| write!(f, "; not closed well: {error}"))
    }
}

/// What is to come in the place of an open store.
struct Replacement {
    entry: Arc<Entry>,
    old: Arc<Slot>,
    new: Arc<Slot>,
    reopened: bool,
}

impl Registry {
    /// Whether another configuration than the first is in force: its backends may be others, too.
    #[inline]
    #[must_use]
    pub fn was_reloaded(&self) -> bool {
        self.0.reloaded.load(Ordering::Acquire)
    }

    /// Puts another configuration in force, as a whole or not at all. Data survive, and handles that are out follow.
    ///
    /// - Policies, `close_timeout` and the settings of stores (TTLs, limits, `scan_timeout`) hold from the next operation on.
    /// - Stores that are new can be acquired. Stores that are no more are closed as by [`close`](Registry::close).
    /// - A store that is not open yet is opened as the new configuration says.
    /// - An open store whose backend or options changed is opened anew; when that has worked, the former one is closed after its
    ///   operations. If it keeps its entries in this process and nowhere else, which
    ///   [`BackendInfo::durable`](crate::BackendInfo::durable) tells, this is refused: they would be lost.
    ///
    /// Resolve the configuration with the same [`Backends`](crate::Backends) as the one before, so that what stores share (a
    /// database) stays shared. No store opens while this runs.
    ///
    /// # Errors
    /// INVALID, naming the stores, if entries would be lost; as [`Backend::open`](crate::Backend::open) if a store cannot be opened anew;
    /// UNAVAILABLE once the registry is closed. Nothing has changed then.
    pub async fn reload(&self, config: Config) -> Result<Reloaded> {
        let inner = &self.0;
        let _alone = inner.reloading.write().await;
        if inner.closed.load(Ordering::SeqCst) {
            return Err(Error::closed());
        }
        let old = inner.stores.load_full();
        let base_dir = Arc::from(config.base_dir);
        let mut reloaded = Reloaded::default();
        let (mut next, mut open, mut lost) = (Stores::new(), Vec::new(), Vec::new());
        for (id, config) in config.stores {
            let Some(before) = old.get(&id) else {
                reloaded.added.push(Arc::clone(&id));
                next.insert(id, Arc::new(Entry::new(config, &base_dir, &inner.observers)));
                continue;
            };
            let same_place = before.config.is_same_place(&config) && before.base_dir == base_dir;
            if same_place && before.config.settings == config.settings {
                next.insert(id, Arc::clone(before));
                continue;
            }
            let entry = Arc::new(Entry::new(config, &base_dir, &inner.observers));
            match before.slot.get() {
                None => reloaded.changed.push(Arc::clone(&id)),
                Some(slot) if same_place || slot.store.info().durable => {
                    open.push((Arc::clone(&entry), Arc::clone(slot), same_place));
                }
                Some(_) => lost.push(id.to_string()),
            }
            next.insert(id, entry);
        }
        if !lost.is_empty() {
            let ids = lost.join(", ");
            let message = format!(
                "the backend or its options changed of {ids}, which is open and keeps its entries in this process: they would be \
                 lost; a restart puts the configuration in force"
            );
            return Err(Error::invalid(message)
                .with_reason("reload")
                .with_detail("stores", lost.into_iter().map(Value::from).collect::<Vec<_>>()));
        }
        let replacements = self.prepare(open).await?;

        // From here on nothing fails.
        inner.reloaded.store(true, Ordering::SeqCst);
        for Replacement { entry, old, new, reopened } in &replacements {
            let ids = if *reopened { &mut reloaded.reopened } else { &mut reloaded.changed };
            ids.push(Arc::clone(&new.id));
            let _first = entry.slot.set_blocking(Arc::clone(new));
            old.succeed(Arc::clone(new));
        }
        reloaded.changed.sort();
        let removed = old.iter().filter(|(id, _)| !next.contains_key(*id));
        let mut ending: Vec<Arc<Slot>> = Vec::new();
        for (id, entry) in removed {
            reloaded.removed.push(Arc::clone(id));
            ending.extend(entry.slot.get().cloned());
        }
        ending
            .extend(replacements.iter().filter(|replaced| replaced.reopened).map(|replaced| Arc::clone(&replaced.old)));
        inner.stores.store(Arc::new(next));
        inner.security.replace(config.policies);
        inner.close_timeout.store(nanos(config.close_timeout), Ordering::SeqCst);
        if inner.was_closed_meanwhile() {
            // A close that ran meanwhile did not see what was opened.
            ending.extend(replacements.iter().map(|replaced| Arc::clone(&replaced.new)));
        }
        reloaded.not_closed = close_all(ending.into_iter(), inner.close_timeout()).await;
        Ok(reloaded)
    }

    /// Opens what is to be opened anew: all, or nothing.
    async fn prepare(&self, open: Vec<(Arc<Entry>, Arc<Slot>, bool)>) -> Result<Vec<Replacement>> {
        let mut ready: Vec<Replacement> = Vec::new();
        for (entry, old, same_place) in open {
            let settings = entry.config.settings;
            let new = if same_place {
                old.with_settings(settings)
            } else {
                match self.0.open_store(&entry).await {
                    Ok(store) => Arc::new(old.with_store(store, settings, entry.watchers.clone())),
                    Err(error) => {
                        let opened = ready.into_iter().filter(|one| one.reopened).map(|one| one.new);
                        close_all(opened, self.0.close_timeout()).await;
                        return Err(error);
                    }
                }
            };
            ready.push(Replacement { entry, old, new, reopened: !same_place });
        }
        Ok(ready)
    }
}
