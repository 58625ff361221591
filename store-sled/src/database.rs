//! One open database, which any number of stores share.

use std::fs::File;
use std::hash::BuildHasher;
use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use store_core::{Error, Outcome, Result, VersionCipher, random_u64};

use crate::commit::Committer;
use crate::error::{self, caught, corrupt, engine, lost};
use crate::files::{self, Files, Note};
use crate::health::Health;
use crate::journal::{self, Journal, Left, Mark};
use crate::log::{Log, Stripes};
use crate::numbers::Numbers;
use crate::record::number;
use crate::replay::replay;
use crate::sweep::Sweeper;

/// How long to wait for a lock that is being let go.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many version counters are reserved at a time: durably, once a run in practice.
const BLOCK: u64 = 1 << 32;
/// The format of new databases; older ones are taken over when they are opened. Records are still those of format 2; what is
/// new in 3 is the journal, which earlier versions of this library would not replay.
const FORMAT: u64 = 3;
/// The tree of names and numbers: `format`, `id`, `cipher` (the key of versions), `versions` (the first counter that no
/// run has reserved yet), `closed` (the first counter of the last run that ended in order), `journal` (see `journal.rs`).
pub(crate) const META: &[u8] = b"m";

/// What a database is opened with. Stores that share one agree on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// sled's page cache, in bytes.
    pub(crate) cache: u64,
    /// How often to make durable what nobody waits for.
    pub(crate) flush_interval: Duration,
}

pub(crate) struct Database {
    path: PathBuf,
    settings: Settings,
    /// `None` only while dropping.
    engine: Option<Engine>,
    note: Note,
    cipher: VersionCipher,
    run: u64,
    numbers: Numbers,
    health: Arc<Health>,
    committer: Committer,
    sweeper: Sweeper,
    hasher: foldhash::fast::RandomState,
    stripes: Arc<Stripes>,
    /// Last, so that the lock is let go when everything else has ended.
    _lock: File,
}

struct Engine {
    meta: sled::Tree,
    db: sled::Db,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("path", &self.path).field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Database {
    /// Opens or makes the database in a folder. Blocks, for as long as sled needs to recover. `journaled`: everybody who writes
    /// waits until it is durable, so a journal is worth its while.
    pub(crate) fn open(path: &Path, settings: Settings, journaled: bool) -> Result<Database> {
        open(path, settings, journaled)
            .map_err(|error| error.or_detail("path", || path.to_string_lossy().into_owned().into()))
    }

    pub(crate) fn settings(&self) -> Settings {
        self.settings
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes on disk, of all stores of the folder together.
    pub(crate) fn bytes(&self) -> Option<u64> {
        let engine = self.engine.as_ref()?;
        self.read(|| engine.db.size_on_disk()).ok().map(|bytes| bytes + journal::bytes(&self.path))
    }

    pub(crate) fn cipher(&self) -> VersionCipher {
        self.cipher
    }

    /// The first counter of this run: what has a smaller one was written by an earlier run.
    pub(crate) fn first_counter(&self) -> u64 {
        self.run
    }

    pub(crate) fn committer(&self) -> &Committer {
        &self.committer
    }

    pub(crate) fn sweeper(&self) -> &Sweeper {
        &self.sweeper
    }

    fn engine(&self) -> Result<&Engine> {
        self.engine.as_ref().ok_or_else(Error::closed)
    }

    /// The tree of a store, made durable if it is new.
    pub(crate) fn tree(&self, kind: u8, id: &str) -> Result<sled::Tree> {
        let name = [&[kind], id.as_bytes()].concat();
        let engine = self.engine()?;
        self.write(|| engine.db.open_tree(&name))
    }

    /// The ids of the stores that it holds.
    pub(crate) fn stores(&self) -> Result<Vec<String>> {
        let names = self.engine()?.db.tree_names();
        let mut ids: Vec<String> = names.iter().filter_map(|name| store_id(name)).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// A read in sled.
    pub(crate) fn read<T>(&self, work: impl FnOnce() -> sled::Result<T>) -> Result<T> {
        self.guard(|| work().map_err(engine))
    }

    /// Several reads in sled.
    pub(crate) fn guard<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.health.readable()?;
        caught(work).inspect_err(|error| {
            if error::is_panic(error) {
                self.health.poison(error);
            }
        })
    }

    /// A write in sled. A failure poisons the database, because sled's own state may be ahead of its log.
    pub(crate) fn write<T>(&self, work: impl FnOnce() -> sled::Result<T>) -> Result<T> {
        self.health.writable()?;
        caught(|| work().map_err(engine)).map_err(|error| {
            self.health.poison(&error);
            error.with_outcome(Outcome::Unknown)
        })
    }

    /// Fails if the database takes no writes any more.
    pub(crate) fn writable(&self) -> Result<()> {
        self.health.writable()
    }

    /// Gives up on a commit that does not come back.
    pub(crate) fn watch(&self) {
        if let Some(error) = self.committer.watch() {
            self.health.poison(&error);
        }
    }

    /// Locks a key against other writers. sled belongs to one process, so this is all that atomicity takes; sled's own
    /// transactions lock every reader of every database in the process.
    pub(crate) fn stripe(&self, store: u64, key: &[u8]) -> MutexGuard<'_, ()> {
        let hash = self.hasher.hash_one((store, key));
        self.stripes.lock(hash)
    }

    /// Has sled's log for the only one from here on: somebody is about to write who does not wait, and who is promised that
    /// there are no holes in what a crash leaves. Blocks for the time of a commit.
    pub(crate) fn leave_journal(&self) -> Result<()> {
        if !self.committer.is_journaled() {
            return Ok(());
        }
        store_core::block_on(self.committer.wait(self.committer.leave_journal()))
    }

    /// What tells the keys of one store from those of another when they are locked.
    pub(crate) fn salt(&self, id: &str) -> u64 {
        self.hasher.hash_one(id)
    }

    /// A counter that was never given out before, in this run or another.
    pub(crate) fn count(&self) -> Result<u64> {
        self.numbers.take(|limit| self.reserve(limit))
    }

    #[cold]
    fn reserve(&self, limit: u64) -> Result<()> {
        let engine = self.engine()?;
        self.write(|| engine.meta.insert("versions", &limit.to_be_bytes()))?;
        let mut files = Files::open(&self.path)?;
        caught(|| files.sync(&engine.db)).inspect_err(|error| self.health.poison(error))
    }

    fn end(&mut self) {
        self.sweeper.stop();
        self.committer.stop();
        let Some(Engine { meta, db }) = self.engine.take() else { return };
        if self.health.writable().is_ok() {
            // The note is last: it promises that all before it is there. Without it, the next run only knows less.
            let _noted = caught(|| {
                Mark::read(&meta)?.retired().write(&meta)?;
                // Last in sled's log, so that no damage to the end of it goes unnoticed.
                meta.insert("closed", &self.run.to_be_bytes()).map_err(engine)?;
                Files::open(&self.path)?.sync(&db)?;
                Note { closed: Some(self.run), ..self.note }.write(&self.path)
            });
        }
        // sled panics when its last sync fails.
        let _dropped = caught(|| {
            drop((meta, db));
            Ok(())
        });
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.end();
    }
}

fn open(path: &Path, settings: Settings, journaled: bool) -> Result<Database> {
    let started = Instant::now();
    let lock = loop {
        match files::lock(path)? {
            Some(lock) => break lock,
            None if started.elapsed() > PATIENCE => return Err(files::locked(path)),
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    if !files::is_ours_or_empty(path)? {
        return Err(Error::foreign(format!("the folder {} holds other files and no database", path.display())));
    }
    let note = Note::read(path)?;
    if note.is_some() && !path.join("db").exists() {
        return Err(corrupt("the database's data file is gone"));
    }
    files::remove_leftovers(path)?;
    let db = open_sled(path, settings, started)?;
    let mut files = Files::open(path)?;
    let (meta, note, cipher) = caught(|| {
        let meta = db.open_tree(META).map_err(engine)?;
        let (note, cipher) = identify(&db, &meta, note)?;
        Ok((meta, note, cipher))
    })?;
    let left = Left::read(path)?;
    let (run, mark) = caught(|| {
        let mark = Mark::read(&meta)?;
        replay(&db, &left.frames(note.id, mark)?)?;
        let mark = mark.retired();
        let run = read_number(&meta, "versions")?.ok_or_else(lost)?;
        let limit = run.checked_add(BLOCK).ok_or_else(lost)?;
        meta.insert("versions", &limit.to_be_bytes()).map_err(engine)?;
        // Behind what was replayed: until this is durable the journal is replayed again.
        mark.write(&meta)?;
        files.sync(&db)?;
        Ok((run, mark))
    })?;
    drop(left);
    files.sync_names()?;
    note.write(path)?;

    let health = Arc::new(Health::new(path));
    let stripes = Arc::new(Stripes::new());
    let journal = if journaled { Some(Journal::open(path, note.id, mark)?) } else { None };
    let mut log = Log {
        db: db.clone(),
        meta: meta.clone(),
        files,
        stripes: Arc::clone(&stripes),
        health: Arc::clone(&health),
        journal,
    };
    let committer = Committer::start(settings.flush_interval, journaled, move |group| log.commit(group), {
        let health = Arc::clone(&health);
        move |error| health.poison(error)
    })?;
    Ok(Database {
        path: path.to_owned(),
        settings,
        engine: Some(Engine { meta, db }),
        note,
        cipher,
        run,
        numbers: Numbers::new(run, BLOCK),
        health,
        committer,
        sweeper: Sweeper::start()?,
        hasher: foldhash::fast::RandomState::default(),
        stripes,
        _lock: lock,
    })
}

/// sled's own lock outlives a dropped database by a moment, while its threads end.
fn open_sled(path: &Path, settings: Settings, started: Instant) -> Result<sled::Db> {
    loop {
        // sled's own flusher also cleans segments; making things durable is the committer's business.
        let config = sled::Config::new().path(path).cache_capacity(settings.cache).flush_every_ms(Some(1000));
        match caught(|| Ok(config.open())) {
            Ok(Ok(db)) => return Ok(db),
            Ok(Err(sled::Error::Io(cause))) if cause.to_string().starts_with("could not acquire lock") => {
                if started.elapsed() > PATIENCE {
                    return Err(files::locked(path));
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            Ok(Err(error)) => return Err(engine(error)),
            // A panic while opening is how sled meets damage that it did not expect.
            Err(panic) => return Err(corrupt("the database is damaged").with_source(panic)),
        }
    }
}

/// Makes sure that this is a database of ours, whole as far as can be known; makes it one if it is new.
fn identify(db: &sled::Db, meta: &sled::Tree, note: Option<Note>) -> Result<(Note, VersionCipher)> {
    match read_number(meta, "format")? {
        Some(FORMAT) => {}
        // All that they wrote is read, and versions of this library that know only those must not open it again.
        Some(1 | 2) => drop(meta.insert("format", &FORMAT.to_be_bytes()).map_err(engine)?),
        Some(_) => {
            let message = "the database was written by a later version of this library";
            return Err(Error::internal(message).with_reason("format"));
        }
        None if note.is_some() => return Err(lost()),
        None if db.tree_names().len() > 2 || db.iter().next().is_some() => {
            return Err(Error::foreign("the folder holds a sled database that is not of this library"));
        }
        None => {
            let cipher = [random_u64().to_be_bytes(), random_u64().to_be_bytes()].concat();
            for (name, value) in [
                ("id", random_u64().to_be_bytes().to_vec()),
                ("cipher", cipher),
                ("versions", 1u64.to_be_bytes().to_vec()),
            ] {
                meta.insert(name, value).map_err(engine)?;
            }
            // Last: with it the database is made.
            meta.insert("format", &FORMAT.to_be_bytes()).map_err(engine)?;
        }
    }
    let id = read_number(meta, "id")?.ok_or_else(lost)?;
    if note.is_some_and(|note| note.id != id) {
        return Err(corrupt("the database is not the one that its file STORE names"));
    }
    if let Some(closed) = note.and_then(|note| note.closed) {
        // Closed in order, so nothing may be missing at the end of the log.
        if read_number(meta, "closed")?.is_none_or(|run| run < closed) {
            return Err(lost());
        }
    }
    let cipher = meta.get("cipher").map_err(engine)?.ok_or_else(lost)?;
    let (before, after) = cipher.split_at_checked(8).ok_or_else(lost)?;
    Ok((Note { id, closed: None }, VersionCipher::new([number(before), number(after)])))
}

/// The id of the store whose records a tree with this name holds.
pub(crate) fn store_id(tree: &[u8]) -> Option<String> {
    let id = tree.strip_prefix(b"d")?;
    String::from_utf8(id.to_vec()).ok().filter(|id| !id.is_empty())
}

fn read_number(meta: &sled::Tree, name: &str) -> Result<Option<u64>> {
    let value = meta.get(name).map_err(engine)?;
    Ok(value.map(|value| number(&value)))
}
