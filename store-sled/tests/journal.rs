//! The journal: what it holds is replayed, what is missing from it is noticed, and who does not wait ends its use.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;
mod faults;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use common::{cx, forever, key, millis, open, run};
use faults::copy;
use store_core::{Backend, OpenContext, Put, Store};
use store_sled::{Durability, Options, SledBackend, doctor};

/// What a crash of the process would leave of a database that is in use: a copy, first of the journal. sled's file is copied
/// as of its last checkpoint, so all that came later is in the journal alone.
struct Crashed {
    folder: tempfile::TempDir,
}

impl Crashed {
    fn path(&self) -> PathBuf {
        self.folder.path().join("crashed")
    }

    fn journal(&self) -> PathBuf {
        self.path().join("journal")
    }

    fn again(&self) -> Crashed {
        let folder = tempfile::tempdir().unwrap();
        copy(&self.path(), &folder.path().join("crashed"));
        Crashed { folder }
    }
}

fn value(number: u32) -> Vec<u8> {
    number.to_be_bytes().repeat(10)
}

/// Writes `count` entries, every third with a TTL, deletes every tenth, and crashes.
async fn crashed(count: u32) -> Crashed {
    let folder = tempfile::tempdir().unwrap();
    let live = folder.path().join("live");
    let store = open(&live, "app:a", Durability::Sync).await.unwrap();
    // This one is durable in sled's log, and begins the journal.
    store.put(&cx(), key("first"), b"v", forever()).await.unwrap();
    // Before sled's own thread writes more.
    fs::create_dir(folder.path().join("crashed")).unwrap();
    copy(&live, &folder.path().join("crashed"));
    for number in 0..count {
        let lifetime = if number % 3 == 0 { millis(3_600_000) } else { store_core::Lifetime::NEVER };
        store.put(&cx(), key(&number.to_be_bytes()), &value(number), Put::always(lifetime)).await.unwrap();
        if number % 10 == 9 {
            assert!(store.delete(&cx(), key(&number.to_be_bytes()), None).await.unwrap());
        }
    }
    fs::copy(live.join("journal"), folder.path().join("crashed/journal")).unwrap();
    store.close().await.unwrap();
    Crashed { folder }
}

async fn count(path: &Path, of: u32) -> u32 {
    let store = open(path, "app:a", Durability::Sync).await.unwrap();
    let mut found = 0;
    for number in 0..of {
        let entry = store.entry(&cx(), key(&number.to_be_bytes())).await.unwrap();
        if let Some(entry) = &entry {
            assert_eq!(*entry.value, *value(number));
            assert_eq!(entry.ttl.left().is_some(), number % 3 == 0);
        }
        found += u32::from(entry.is_some());
    }
    assert!(store.has(&cx(), key("first")).await.unwrap());
    store.close().await.unwrap();
    assert!(doctor::check(path).unwrap().is_healthy());
    found
}

fn reason(path: &Path) -> Option<String> {
    run(open(path, "app:a", Durability::Sync)).unwrap_err().reason().map(ToOwned::to_owned)
}

/// 100 entries fit into the first pass over the file.
#[test]
fn what_is_in_the_journal_alone_is_replayed() {
    let crashed = run(crashed(100));
    let other = crashed.again();
    assert_eq!(run(count(&crashed.path(), 100)), 90);
    assert_eq!(run(count(&crashed.path(), 100)), 90, "and sled has it from then on");
    // Whatever opens it next.
    run(async {
        let store = open(&other.path(), "app:b", Durability::Interval).await.unwrap();
        store.close().await.unwrap();
    });
    assert_eq!(run(count(&other.path(), 100)), 90);
}

#[test]
fn a_journal_that_is_gone_cut_off_or_damaged_is_noticed_and_salvaged() {
    let crashed = run(crashed(100));
    let gone = crashed.again();
    fs::remove_file(gone.journal()).unwrap();
    assert_eq!(reason(&gone.path()).as_deref(), Some("corrupt"));

    let short = crashed.again();
    let bytes = fs::read(short.journal()).unwrap();
    fs::write(short.journal(), &bytes[..bytes.len() / 4]).unwrap();
    assert_eq!(reason(&short.path()).as_deref(), Some("corrupt"));

    for _ in 0..20 {
        let damaged = crashed.again();
        let mut bytes = bytes.clone();
        let used = bytes.iter().rposition(|&byte| byte != 0).unwrap();
        // Not in the last frame: that could be where a crash cut it off.
        let at = fastrand::usize(..used - 200);
        bytes[at] ^= 1 << fastrand::u32(..8);
        fs::write(damaged.journal(), &bytes).unwrap();
        assert_eq!(reason(&damaged.path()).as_deref(), Some("corrupt"), "byte {at}");
        let saved = doctor::salvage(&damaged.path(), &damaged.folder.path().join("saved")).unwrap();
        // `first`, and all but what the damaged frame did: one entry more or less.
        assert!((90..=92).contains(&saved.saved), "{saved:?}");
    }

    let saved = doctor::salvage(&crashed.path(), &crashed.folder.path().join("saved")).unwrap();
    assert_eq!((saved.saved, saved.lost), (91, 0));
}

/// sled takes damage to the end of its log for the place where a crash cut it off. A journal that is ahead of it tells.
#[test]
fn an_old_log_under_a_new_journal_is_noticed() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let (live, old) = (folder.path().join("live"), folder.path().join("old"));
        let store = open(&live, "app:a", Durability::Sync).await.unwrap();
        store.put(&cx(), key("first"), b"v", forever()).await.unwrap();
        copy(&live, &old);
        // Large values are made durable in sled's log, and the journal begins again.
        for large in [true, false] {
            store.put(&cx(), key("k"), &vec![1; if large { 10_000 } else { 10 }], forever()).await.unwrap();
        }
        fs::copy(live.join("journal"), old.join("journal")).unwrap();
        let error = open(&old, "app:a", Durability::Sync).await.unwrap_err();
        assert_eq!(error.reason(), Some("corrupt"), "{error}");
        store.close().await.unwrap();
        assert_eq!(fs::metadata(live.join("journal")).unwrap().len(), 16 << 10);
    });
}

#[test]
fn the_journal_of_a_small_database_stays_small() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        for round in 0..5u32 {
            let store = open(folder.path(), "app:a", Durability::Sync).await.unwrap();
            for _ in 0..3 {
                store.put(&cx(), key("k"), &value(round), forever()).await.unwrap();
            }
            store.close().await.unwrap();
            assert_eq!(fs::metadata(folder.path().join("journal")).unwrap().len(), 16 << 10);
        }
    });
}

/// The file is used again and again, and grows to a limit.
#[test]
fn a_journal_that_is_full_begins_again() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let store = open(folder.path(), "app:a", Durability::Sync).await.unwrap();
        let mut sizes = Vec::new();
        for round in 0..60u32 {
            let writes = (0..20u32).map(|number| {
                let store = Arc::clone(&store);
                tokio::spawn(async move {
                    let value = round.to_be_bytes().repeat(500);
                    store.put(&cx(), key(&number.to_be_bytes()), &value, forever()).await.unwrap();
                })
            });
            for write in writes.collect::<Vec<_>>() {
                write.await.unwrap();
            }
            sizes.push(fs::metadata(folder.path().join("journal")).unwrap().len());
        }
        assert!(sizes.is_sorted(), "{sizes:?}");
        assert!(sizes[59] > sizes[0], "{sizes:?}");
        store.close().await.unwrap();
        let store = open(folder.path(), "app:a", Durability::Sync).await.unwrap();
        for number in 0..20u32 {
            let value = store.get(&cx(), key(&number.to_be_bytes())).await.unwrap().unwrap();
            assert_eq!(*value, 59u32.to_be_bytes().repeat(500));
        }
    });
}

/// A disk that has no room for it has room for sled's log, maybe.
#[test]
fn a_journal_that_finds_no_room_is_done_without() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        open(folder.path(), "app:a", Durability::Sync).await.unwrap().close().await.unwrap();
        std::os::unix::fs::symlink("/dev/full", folder.path().join("journal")).unwrap();
        let store = open(folder.path(), "app:a", Durability::Sync).await.unwrap();
        for number in 0..20u32 {
            store.put(&cx(), key(&number.to_be_bytes()), &value(number), forever()).await.unwrap();
        }
        let crashed = tempfile::tempdir().unwrap();
        fs::copy(folder.path().join("db"), crashed.path().join("db")).unwrap();
        fs::copy(folder.path().join("conf"), crashed.path().join("conf")).unwrap();
        let again = open(crashed.path(), "app:a", Durability::Sync).await.unwrap();
        for number in 0..20u32 {
            assert!(again.has(&cx(), key(&number.to_be_bytes())).await.unwrap());
        }
        again.close().await.unwrap();
        store.close().await.unwrap();
    });
    assert!(doctor::check(folder.path()).unwrap().is_healthy());
}

/// Stores of different durability in one folder: before somebody writes who does not wait, sled's log has everything, and is
/// the only one from then on.
#[test]
fn whoever_does_not_wait_ends_the_use_of_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    run(async {
        let backend = SledBackend::new();
        let with = |durability| Options::new(path).with_durability(durability);
        let sync = backend.open(&with(Durability::Sync), OpenContext::new("app:a")).await.unwrap();
        let stop = AtomicBool::new(false);
        let written = AtomicU32::new(0);
        let interval = thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let number = written.load(Ordering::Relaxed);
                    store_core::block_on(async {
                        sync.put(&cx(), key(&number.to_be_bytes()), &value(number), forever()).await.unwrap();
                    });
                    written.store(number + 1, Ordering::Relaxed);
                }
            });
            thread::sleep(Duration::from_millis(100));
            let options = with(Durability::Interval);
            let interval = store_core::block_on(backend.open(&options, OpenContext::new("app:b"))).unwrap();
            thread::sleep(Duration::from_millis(100));
            stop.store(true, Ordering::Relaxed);
            interval
        });
        let before = fs::read(path.join("journal")).unwrap();
        let number = written.load(Ordering::Relaxed);
        sync.put(&cx(), key(&number.to_be_bytes()), &value(number), forever()).await.unwrap();
        interval.put(&cx(), key("k"), b"v", forever()).await.unwrap();
        interval.flush().await.unwrap();
        assert!(fs::read(path.join("journal")).unwrap() == before, "it is not written to any more");
        // Nor is anything in it replayed over what came later.
        let crashed = tempfile::tempdir().unwrap();
        copy(path, crashed.path());
        let again = open(crashed.path(), "app:a", Durability::Sync).await.unwrap();
        for number in 0..=number {
            assert!(again.has(&cx(), key(&number.to_be_bytes())).await.unwrap(), "{number} of {written:?}");
        }
        again.close().await.unwrap();
        sync.close().await.unwrap();
        interval.close().await.unwrap();
    });
}
