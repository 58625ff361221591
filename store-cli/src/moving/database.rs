//! The files of stores on sled: examined and salvaged without opening a store.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use store::sled::doctor::{self, Gap, StoreReport};
use store::sled::{Options, SledBackend};
use store::{Backend, Backends, Error, OpenContext, Store, block_on};

use super::report::Report;
use crate::args::Source;
use crate::console::Trouble;
use crate::text::escape::{printed, quoted};
use crate::text::readable::entries;
use crate::text::units::bytes;

/// Stands in for sled: notes where the database is instead of opening it, since a damaged one cannot be opened.
#[derive(Debug, Default)]
struct Locate(Arc<Mutex<Option<PathBuf>>>);

#[store::async_trait]
impl Backend for Locate {
    type Options = Options;

    const NAME: &'static str = SledBackend::NAME;

    fn check(&self, options: &Options) -> store::Result<()> {
        SledBackend::new().check(options)
    }

    async fn open(&self, options: &Options, cx: OpenContext) -> store::Result<Arc<dyn Store>> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.base_dir.join(&options.path));
        Err(Error::unsupported("only the place of the database was asked for"))
    }
}

/// Where the database of a store is; `None` if the store is not on sled, or not known.
pub(super) fn of_store(source: &Source, id: &str) -> Result<Option<PathBuf>, Trouble> {
    let place = Locate::default();
    let found = Arc::clone(&place.0);
    let mut backends = Backends::new();
    backends.register(place)?;
    #[cfg(feature = "memory")]
    backends.register(store::memory::MemoryBackend)?;
    #[cfg(feature = "redis")]
    backends.register(store::redis::RedisBackend::default())?;
    // Complaints name what this build really has.
    source.resolve()?;
    let variables = |name: &str| std::env::var(name).ok();
    let config = source.document()?.resolve(source.environment()?.as_deref(), &backends, &variables)?;
    if let Some(store) = config.stores.get(id) {
        if store.backend != SledBackend::NAME {
            return Ok(None);
        }
        let mut cx = OpenContext::new(id);
        cx.base_dir.clone_from(&config.base_dir);
        let _refused = block_on(store.open(cx));
    }
    let found = found.lock().unwrap_or_else(PoisonError::into_inner).take();
    Ok(found)
}

/// Examines the database of a store, with all stores that it has.
pub(super) fn check(id: &str, path: &Path) -> Result<Report, Trouble> {
    let found = doctor::check(path)?;
    let healthy = found.is_healthy();
    let mut text = format!("{} (sled): {}\n", path.display(), if healthy { "healthy" } else { "PROBLEMS" });
    found.stores.iter().for_each(|store| describe(store, &mut text));
    let stores: Vec<_> = found.stores.iter().map(as_json).collect();
    let path = path.to_string_lossy();
    let json = json!({ "store": id, "backend": "sled", "path": path, "healthy": healthy, "stores": stores });
    Ok(Report { text, json, healthy, aside: false })
}

/// Saves what can be read into a new folder. The damaged database is not opened itself: that alone would change it.
pub(super) fn salvage(id: &str, path: &Path, into: &Path) -> Result<Report, Trouble> {
    let salvaged = doctor::salvage(path, into)?;
    let complete = salvaged.lost == 0 && salvaged.gaps.is_empty();
    let mut text = format!("saved {} of {} into {}\n", entries(salvaged.saved), path.display(), into.display());
    if salvaged.lost > 0 {
        text.push_str(&format!("LOST: {} that could be seen but not read\n", entries(salvaged.lost)));
    }
    for Gap { store, after, before } in &salvaged.gaps {
        let after = after.as_deref().map_or_else(String::new, |key| format!(" after {}", quoted(key)));
        let before = before.as_deref().map_or_else(String::new, |key| format!(" before {}", quoted(key)));
        text.push_str(&format!("LOST: what {store} had{after}{before}\n"));
    }
    let gaps = salvaged.gaps.iter().map(|Gap { store, after, before }| {
        let key = |key: &Option<Vec<u8>>| key.as_ref().map(|key| printed(key));
        json!({ "store": store, "after": key(after), "before": key(before) })
    });
    let gaps: Vec<Value> = gaps.collect();
    let (from, into) = (path.to_string_lossy(), into.to_string_lossy());
    let json = json!({
        "store": id, "backend": "sled", "path": from, "salvaged_to": into, "saved": salvaged.saved,
        "lost": salvaged.lost, "gaps": gaps,
    });
    Ok(Report { text, json, healthy: complete, aside: false })
}

fn describe(store: &StoreReport, text: &mut String) {
    text.push_str(&format!("{}: {}, {} of values", store.id, entries(store.live), bytes(store.bytes)));
    let ordinary = [
        (store.expired, "expired and not freed yet"),
        (store.stale_hints, "hints too many"),
        (store.orphans, "pieces too many"),
    ];
    for (count, what) in ordinary {
        if count > 0 {
            text.push_str(&format!(", {count} {what}"));
        }
    }
    text.push('\n');
    let damage = [
        (store.unreadable, "cannot be read; delete or overwrite their keys"),
        (store.incomplete, "have lost a part of their value; delete or overwrite their keys"),
        (store.without_hint, "expire but will not be freed; touch or overwrite their keys"),
    ];
    for (count, what) in damage {
        if count > 0 {
            text.push_str(&format!("  {count} {what}\n"));
        }
    }
    for key in &store.faulty {
        text.push_str(&format!("  {}\n", quoted(key)));
    }
}

fn as_json(store: &StoreReport) -> Value {
    let faulty: Vec<_> = store.faulty.iter().map(|key| printed(key)).collect();
    json!({
        "id": store.id, "live": store.live, "expired": store.expired, "bytes": store.bytes,
        "unreadable": store.unreadable, "without_hint": store.without_hint, "incomplete": store.incomplete,
        "stale_hints": store.stale_hints, "orphans": store.orphans, "faulty": faulty,
    })
}
