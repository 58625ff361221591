//! Verifying a database, and saving what is readable of a damaged one.
//!
//! Both block, and need the database for themselves: no store may have it open.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sled::IVec;
use store_core::{Clock, Error, Kind, Result, SystemClock, Time};

use crate::database::{Database, META, Settings, store_id};
use crate::error::{caught, corrupt, engine, file};
use crate::files;
use crate::journal::{Left, Mark};
use crate::record::{CHUNK, Head, hint, number, piece, pieces, split_hint};
use crate::replay::replay;
use crate::space::Space;

/// What was found in a database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Its stores, in the order of their ids.
    pub stores: Vec<StoreReport>,
}

/// What was found in one store. The first four are ordinary; the rest are damage, except for what is said to be garbage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreReport {
    /// The store's id.
    pub id: String,
    /// Entries that are live.
    pub live: u64,
    /// Entries that have expired and are not freed yet.
    pub expired: u64,
    /// Bytes of all live values.
    pub bytes: u64,
    /// Records that cannot be read: no header of this library's.
    pub unreadable: u64,
    /// Records without the hint by which the sweeper would find them. They expire, but are not freed.
    pub without_hint: u64,
    /// Records whose large value is not all there.
    pub incomplete: u64,
    /// Garbage: hints of records that are gone or due at another time.
    pub stale_hints: u64,
    /// Garbage: pieces of large values that no record refers to.
    pub orphans: u64,
    /// The first keys that something is wrong with, at most 16.
    pub faulty: Vec<Vec<u8>>,
}

impl Report {
    /// Whether there is nothing wrong. Garbage is not: a crash may leave it, and the sweeper frees it.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.stores.iter().all(|store| store.unreadable == 0 && store.without_hint == 0 && store.incomplete == 0)
    }
}

/// What was saved from a damaged database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Salvaged {
    /// Live entries that are in the new database.
    pub saved: u64,
    /// Records that could be seen but not read.
    pub lost: u64,
    /// Ranges of keys that could not even be seen: store, last key before, first key after.
    pub gaps: Vec<Gap>,
}

/// A range of keys that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The store.
    pub store: String,
    /// The last readable key before the gap.
    pub after: Option<Vec<u8>>,
    /// The first readable key behind it.
    pub before: Option<Vec<u8>>,
}

const SETTINGS: Settings = Settings { cache: 64 << 20, flush_interval: Duration::from_millis(500) };

/// Reads every record of a database, its hint and its pieces.
///
/// # Errors
/// UNAVAILABLE with reason `locked` if it is in use; INTERNAL with reason `corrupt` if it cannot be opened, or a page of it
/// not be read.
pub fn check(path: &Path) -> Result<Report> {
    if !path.join("db").exists() {
        return Err(Error::new(Kind::NotFound, format!("there is no database in {}", path.display())));
    }
    let db = Database::open(path, SETTINGS, false)?;
    let now = SystemClock::new().now();
    let ids = db.stores()?;
    let stores = ids.into_iter().map(|id| check_store(&db, id, now)).collect::<Result<_>>()?;
    Ok(Report { stores })
}

fn check_store(db: &Database, id: String, now: Time) -> Result<StoreReport> {
    let (data, hints, chunks) = (db.tree(b'd', &id)?, db.tree(b'x', &id)?, db.tree(b'v', &id)?);
    let mut report = StoreReport { id, ..StoreReport::default() };
    db.guard(|| {
        for entry in &data {
            let (key, record) = entry.map_err(engine)?;
            let Ok(head) = Head::read(&record) else {
                report.unreadable += 1;
                report.blame(&key);
                continue;
            };
            if head.hint != 0 && !hints.contains_key(hint(head.hint, &key)).map_err(engine)? {
                report.without_hint += 1;
                report.blame(&key);
            }
            let length = match head.large {
                None => Some(head.payload(&record).len() as u64),
                Some(length) => whole(&chunks, head.counter, length)?.then_some(u64::from(length)),
            };
            match length {
                None => {
                    report.incomplete += 1;
                    report.blame(&key);
                }
                Some(_) if head.deadline.has_passed(now) => report.expired += 1,
                Some(length) => {
                    report.live += 1;
                    report.bytes += length;
                }
            }
        }
        for entry in &hints {
            let (raw, _) = entry.map_err(engine)?;
            let (due, key) = split_hint(&raw)?;
            let record = data.get(key).map_err(engine)?;
            let fits = record.is_some_and(|record| Head::read(&record).is_ok_and(|head| head.hint == due));
            report.stale_hints += u64::from(!fits);
        }
        let mut owner = None;
        for entry in &chunks {
            let (raw, value) = entry.map_err(engine)?;
            let (counter, index) = (number(raw.get(..8).unwrap_or_default()), number(raw.get(8..).unwrap_or_default()));
            if index == 0 {
                let record = data.get(&value).map_err(engine)?;
                let fits = |record: IVec| {
                    Head::read(&record).is_ok_and(|head| head.counter == counter && head.large.is_some())
                };
                owner = record.is_some_and(fits).then_some(counter);
            }
            report.orphans += u64::from(owner != Some(counter));
        }
        Ok(())
    })?;
    Ok(report)
}

impl StoreReport {
    fn blame(&mut self, key: &[u8]) {
        if self.faulty.len() < 16 {
            self.faulty.push(key.to_vec());
        }
    }
}

/// Whether all pieces of a large value are there.
fn whole(chunks: &sled::Tree, counter: u64, length: u32) -> Result<bool> {
    let mut bytes = 0;
    for chunk in chunks.range(piece(counter, 1)..=piece(counter, pieces(length))) {
        bytes += chunk.map_err(engine)?.1.len();
    }
    Ok(bytes == length as usize)
}

/// Saves every live entry that can still be read into a new database. The damaged one is copied first, and not touched.
///
/// Values and deadlines are kept; versions are new.
///
/// # Errors
/// INVALID if `into` is not an empty folder (it is made if there is none); UNAVAILABLE with reason `locked` if the database is
/// in use; INTERNAL with reason `corrupt` if nothing at all can be read.
pub fn salvage(from: &Path, into: &Path) -> Result<Salvaged> {
    fs::create_dir_all(into).map_err(|cause| file("making the folder for the new database", cause))?;
    let mut entries = fs::read_dir(into).map_err(|cause| file("reading the folder for the new database", cause))?;
    if entries.next().is_some() {
        return Err(Error::invalid(format!("the folder {} is not empty", into.display())));
    }
    let Some(_lock) = files::lock(from)? else { return Err(files::locked(from)) };
    let copy = into.join("damaged");
    let copied = copy_folder(from, &copy).map_err(|cause| file("copying the damaged database", cause));
    let salvaged = copied.and_then(|()| {
        let old = open_damaged(&copy)?;
        // What it does not bring is lost, as what sled cannot read.
        let _replayed = caught(|| replay_damaged(&copy, &old));
        let fresh = into.join("new");
        fs::create_dir(&fresh).map_err(|cause| file("making the new database", cause))?;
        let db = Arc::new(Database::open(&fresh, SETTINGS, false)?);
        let mut salvaged = Salvaged::default();
        for name in old.tree_names() {
            if let Some(id) = store_id(&name) {
                salvage_store(&old, &db, &id, &mut salvaged)?;
            }
        }
        let _ended = caught(|| {
            drop(old);
            Ok(())
        });
        let everything = db.committer().now();
        store_core::block_on(db.committer().wait(everything))?;
        // The sweeper may be at work in it.
        while Arc::strong_count(&db) > 1 {
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(salvaged)
    });
    let finish = || {
        fs::remove_dir_all(&copy)?;
        if salvaged.is_ok() {
            for entry in fs::read_dir(into.join("new"))? {
                let entry = entry?;
                fs::rename(entry.path(), into.join(entry.file_name()))?;
            }
            fs::remove_dir(into.join("new"))?;
        }
        Ok(())
    };
    finish().map_err(|cause: std::io::Error| file("tidying up after salvage", cause))?;
    salvaged
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &to.join(name))?;
        } else if !name.to_string_lossy().ends_with(".generating") && name != "LOCK" {
            fs::copy(entry.path(), to.join(name))?;
        }
    }
    Ok(())
}

/// Opens a copy with less and less trust: without snapshots sled replays its log, and without settings it takes its own.
fn open_damaged(copy: &Path) -> Result<sled::Db> {
    let attempt = || {
        let config = sled::Config::new().path(copy).cache_capacity(SETTINGS.cache).flush_every_ms(Some(500));
        caught(|| config.open().map_err(engine))
    };
    let remove = |prefix: &str| {
        for entry in fs::read_dir(copy)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(prefix) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    };
    let mut result = attempt();
    for prefix in ["snap.", "conf"] {
        if result.is_ok() {
            break;
        }
        remove(prefix).map_err(|cause: std::io::Error| file("preparing the copy", cause))?;
        result = attempt();
    }
    result.map_err(|error| corrupt("nothing of the database can be read").with_source(error))
}

/// Replays what can be read of the journal of a damaged database.
fn replay_damaged(copy: &Path, old: &sled::Db) -> Result<()> {
    let meta = old.open_tree(META).map_err(engine)?;
    let id = meta.get("id").map_err(engine)?.map_or(0, |id| number(&id));
    let left = Left::read(copy)?;
    for frame in left.salvage(id, Mark::read(&meta)?) {
        let _replayed = caught(|| replay(old, &[frame]));
    }
    Ok(())
}

fn salvage_store(old: &sled::Db, db: &Arc<Database>, id: &str, salvaged: &mut Salvaged) -> Result<()> {
    let open = |kind: u8| caught(|| old.open_tree([&[kind], id.as_bytes()].concat()).map_err(engine));
    let (Ok(data), chunks) = (open(b'd'), open(b'v')) else {
        salvaged.gaps.push(Gap { store: id.to_owned(), after: None, before: None });
        return Ok(());
    };
    let space = Space::open(db, id, Arc::new(SystemClock::new()))?;
    let mut save = |key: &[u8], record: &[u8]| -> Result<()> {
        let Ok(head) = Head::read(record) else {
            salvaged.lost += 1;
            return Ok(());
        };
        let value = match (head.large, &chunks) {
            (None, _) => Some(head.payload(record).to_vec()),
            (Some(length), Ok(chunks)) => caught(|| gather(chunks, head.counter, length)).unwrap_or(None),
            (Some(_), Err(_)) => None,
        };
        match value {
            Some(value) => salvaged.saved += u64::from(space.restore(key, &value, head.deadline)?),
            None => salvaged.lost += 1,
        }
        Ok(())
    };
    let mut after: Option<IVec> = None;
    let mut entries = data.iter();
    loop {
        match caught(|| entries.next().transpose().map_err(engine)) {
            Ok(Some((key, record))) => {
                save(&key, &record)?;
                after = Some(key);
            }
            Ok(None) => return Ok(()),
            Err(_) => break,
        }
    }
    // Something is damaged: come from the other side.
    let mut before: Option<IVec> = None;
    let mut entries = data.iter();
    while let Ok(Some((key, record))) = caught(|| entries.next_back().transpose().map_err(engine)) {
        if after.as_ref().is_some_and(|after| key <= *after) {
            break;
        }
        save(&key, &record)?;
        before = Some(key);
    }
    let bytes = |key: Option<IVec>| key.map(|key| key.to_vec());
    salvaged.gaps.push(Gap { store: id.to_owned(), after: bytes(after), before: bytes(before) });
    Ok(())
}

fn gather(chunks: &sled::Tree, counter: u64, length: u32) -> Result<Option<Vec<u8>>> {
    let mut value = Vec::new();
    for chunk in chunks.range(piece(counter, 1)..=piece(counter, pieces(length))) {
        let chunk = chunk.map_err(engine)?.1;
        if chunk.len() > CHUNK {
            return Ok(None);
        }
        value.extend_from_slice(&chunk);
    }
    Ok(Some(value).filter(|value| value.len() == length as usize))
}
