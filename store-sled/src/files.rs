//! The files around sled: what makes them durable, the lock, leftovers, and the note that says how the last run ended.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use store_core::{Error, Result};

use crate::error::{corrupt, engine, file};

const LOCK: &str = "LOCK";
const NOTE: &str = "STORE";

/// Asks the device to keep what sled wrote: sled's own flush hands it to the device's cache only.
#[derive(Debug)]
pub(crate) struct Files {
    path: PathBuf,
    data: File,
    /// Files of sled that were made durable, as of the folder's time of change.
    blobs: HashSet<OsString>,
    seen: Option<SystemTime>,
}

impl Files {
    /// Opens the files of an open database.
    pub(crate) fn open(path: &Path) -> Result<Files> {
        let data = File::open(path.join("db")).map_err(|cause| file("opening the data file", cause))?;
        Ok(Files { path: path.to_owned(), data, blobs: HashSet::new(), seen: None })
    }

    /// Makes everything that was applied before durable.
    pub(crate) fn sync(&mut self, db: &sled::Db) -> Result<()> {
        db.flush().map_err(engine)?;
        self.sync_blobs().map_err(|cause| file("making the database durable", cause))?;
        self.data.sync_data().map_err(|cause| file("making the database durable", cause))
    }

    /// Makes the names in the folder durable: sled creates and renames files while it opens.
    pub(crate) fn sync_names(&self) -> Result<()> {
        let names = || {
            for file in ["conf", "db"] {
                File::open(self.path.join(file))?.sync_all()?;
            }
            sync_folder(&self.path.join("blobs"))?;
            sync_folder(&self.path)?;
            self.path.parent().map_or(Ok(()), sync_folder)
        };
        names().map_err(|cause: std::io::Error| file("making the database durable", cause))
    }

    /// sled moves pages above 128 KiB into files of their own and does not sync them.
    fn sync_blobs(&mut self) -> std::io::Result<()> {
        let folder = self.path.join("blobs");
        let changed = fs::metadata(&folder)?.modified()?;
        if self.seen == Some(changed) {
            return Ok(());
        }
        let mut present = HashSet::new();
        let mut added = false;
        for entry in fs::read_dir(&folder)? {
            let name = entry?.file_name();
            if !self.blobs.contains(&name) {
                // One that is gone was replaced, which sled does only after the replacement is in the log.
                match File::open(folder.join(&name)) {
                    Ok(blob) => blob.sync_all()?,
                    Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => continue,
                    Err(cause) => return Err(cause),
                }
                added = true;
            }
            present.insert(name);
        }
        if added {
            sync_folder(&folder)?;
        }
        self.blobs = present;
        // The clock of a file system is coarse: what changed a moment ago may change again and look the same.
        let settled = changed.elapsed().is_ok_and(|age| age > Duration::from_millis(100));
        self.seen = settled.then_some(changed);
        Ok(())
    }
}

pub(crate) fn sync_folder(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}

/// Takes the lock of a database folder, or says who has it. It is let go when the file is closed.
pub(crate) fn lock(path: &Path) -> Result<Option<File>, Error> {
    let opened = File::options().create(true).truncate(false).read(true).write(true).open(path.join(LOCK));
    let mut lock = opened.map_err(|cause| file("opening the lock file", cause))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(cause)) => return Err(file("locking the database", cause)),
    }
    // For people who wonder who holds it; nothing reads it but the message below.
    let note = lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| writeln!(lock, "{}", std::process::id()));
    note.map_err(|cause| file("writing the lock file", cause))?;
    Ok(Some(lock))
}

/// What to say when the lock stays taken.
pub(crate) fn locked(path: &Path) -> Error {
    let mut holder = String::new();
    let read = File::open(path.join(LOCK)).map(|lock| lock.take(20).read_to_string(&mut holder));
    let who = match (read, holder.trim().parse::<u32>()) {
        (Ok(Ok(_)), Ok(process)) if process == std::process::id() => "this process".to_owned(),
        (Ok(Ok(_)), Ok(process)) => format!("process {process}"),
        _ => "another process".to_owned(),
    };
    Error::unavailable(format!("the database {} is in use by {who}", path.display())).with_reason("locked")
}

/// Removes what a killed process left half-written. sled would take it for a snapshot and refuse to open.
pub(crate) fn remove_leftovers(path: &Path) -> Result<()> {
    let remove = || {
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with("snap.") && name.ends_with(".generating") {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    };
    remove().map_err(|cause: std::io::Error| file("removing an unfinished snapshot", cause))
}

/// A note beside the database: which database this is, and whether the last run closed it.
///
/// sled takes a damaged end of its log for the point where a crash cut it off, and goes on without a word. After an orderly
/// close nothing may be missing, so the note can tell the two apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// Drawn when the database was made.
    pub(crate) id: u64,
    /// The number of the run that closed the database in order.
    pub(crate) closed: Option<u64>,
}

impl Note {
    /// Reads the note, if there is one.
    pub(crate) fn read(path: &Path) -> Result<Option<Note>> {
        let text = match fs::read(path.join(NOTE)) {
            Ok(bytes) => bytes,
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(file("reading the file STORE", cause)),
        };
        let text = String::from_utf8_lossy(&text);
        let mut words = text.split_ascii_whitespace();
        let mut hex = |name| match (words.next(), words.next()) {
            (Some(word), Some(value)) if word == name => u64::from_str_radix(value, 16).ok(),
            _ => None,
        };
        match (hex("store-sled"), hex("id"), hex("closed")) {
            (Some(1), Some(id), closed) => Ok(Some(Note { id, closed: closed.filter(|&run| run != 0) })),
            (Some(2..), ..) => {
                Err(Error::internal("the database was written by a later version of this library")
                    .with_reason("format"))
            }
            _ => Err(corrupt("the file STORE of the database is damaged")),
        }
    }

    /// Replaces the note, durably.
    pub(crate) fn write(self, path: &Path) -> Result<()> {
        let text = format!("store-sled 1\nid {:016x}\nclosed {:016x}\n", self.id, self.closed.unwrap_or(0));
        let write = || {
            let fresh = path.join("STORE.new");
            let mut out = File::create(&fresh)?;
            out.write_all(text.as_bytes())?;
            out.sync_all()?;
            fs::rename(&fresh, path.join(NOTE))?;
            sync_folder(path)
        };
        write().map_err(|cause: std::io::Error| file("writing the file STORE", cause))
    }
}

/// Whether a folder could be a database, or become one.
pub(crate) fn is_ours_or_empty(path: &Path) -> Result<bool> {
    if path.join("db").exists() || path.join(NOTE).exists() {
        return Ok(true);
    }
    let mut entries = fs::read_dir(path).map_err(|cause| file("reading the folder", cause))?;
    // `conf`, `blobs`: a process was killed while it made the database.
    Ok(entries.all(|entry| {
        entry.is_ok_and(|entry| ["LOCK", "conf", "blobs", "lost+found"].iter().any(|name| entry.file_name() == *name))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_note_reads_back_and_damage_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Note::read(folder.path()).unwrap(), None);
        for note in [Note { id: 7, closed: None }, Note { id: u64::MAX, closed: Some(3) }] {
            note.write(folder.path()).unwrap();
            assert_eq!(Note::read(folder.path()).unwrap(), Some(note));
        }
        for (text, reason) in [("", "corrupt"), ("store-sled 1\nid x", "corrupt"), ("store-sled 2\nnew", "format")] {
            fs::write(folder.path().join(NOTE), text).unwrap();
            assert_eq!(Note::read(folder.path()).unwrap_err().reason(), Some(reason));
        }
    }

    #[test]
    fn the_lock_is_held_once_and_names_its_holder() {
        let folder = tempfile::tempdir().unwrap();
        let held = lock(folder.path()).unwrap().unwrap();
        assert!(lock(folder.path()).unwrap().is_none());
        let error = locked(folder.path());
        assert!(error.message().contains("in use by this process"), "{error}");
        assert!(error.is_retryable());
        drop(held);
        assert!(lock(folder.path()).unwrap().is_some());
    }
}
