//! The bytes on disk: what a format wrote once must open in every later version.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{cx, key, open, run};
use store_core::{Backend, Lifetime, OpenContext, Put, Store, Ttl, Version};
use store_sled::{Durability, Options, SledBackend, doctor};

/// 2100-01-01, in milliseconds: what the fixture's mortal entries live until, about.
const YEAR_2100: u64 = 4_102_444_800_000;

fn fixture(format: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(format)
}

fn value(number: u32) -> Vec<u8> {
    number.to_be_bytes().repeat(if number % 20 == 7 { 5000 } else { 10 })
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// Writes the fixture of the present format, when `STORE_SLED_WRITE_FIXTURE` names a folder: once for each format. It is what
/// a crash would leave, with the last changes in the journal.
async fn write(path: &Path) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let left = std::time::Duration::from_millis(YEAR_2100 - u64::try_from(now).unwrap());
    let live = tempfile::tempdir().unwrap();
    let (backend, options) = (SledBackend::new(), Options::new(live.path()));
    let mut stores = Vec::new();
    for id in ["app:one", "app:two"] {
        stores.push(backend.open(&options, OpenContext::new(id)).await.unwrap());
    }
    for number in 0..40u32 {
        for store in &stores {
            let lifetime = if number % 2 == 0 { Lifetime::NEVER } else { Lifetime::after(left).unwrap() };
            store.put(&cx(), key(&number.to_be_bytes()), &value(number), Put::always(lifetime)).await.unwrap();
            if number == 27 {
                // All from here on is in the journal alone.
                fs::remove_dir_all(path).ok();
                copy(live.path(), path);
            }
        }
    }
    for store in &stores {
        store.delete(&cx(), key(&39u32.to_be_bytes()), None).await.unwrap();
    }
    fs::copy(live.path().join("journal"), path.join("journal")).unwrap();
    let _ = fs::remove_dir(path.join("blobs"));
}

#[test]
fn the_fixture_of_format_1_opens() {
    opens("v1");
}

#[test]
fn the_fixture_of_format_2_opens() {
    opens("v2");
}

#[test]
fn the_fixture_of_format_3_opens() {
    if let Some(path) = std::env::var_os("STORE_SLED_WRITE_FIXTURE") {
        run(write(Path::new(&path)));
    }
    opens("v3");
}

fn opens(format: &str) {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        copy(&fixture(format), folder.path());
        for id in ["app:one", "app:two"] {
            let store = open(folder.path(), id, Durability::Sync).await.unwrap();
            let mut seen = std::collections::HashSet::new();
            for number in 0..39u32 {
                let entry = store.entry(&cx(), key(&number.to_be_bytes())).await.unwrap().unwrap();
                assert!(*entry.value == value(number));
                assert_eq!(matches!(entry.ttl, Ttl::Left(_)), number % 2 == 1);
                assert!(seen.insert(entry.version));
            }
            assert_eq!(store.get(&cx(), key(&39u32.to_be_bytes())).await.unwrap(), None);
            let version: Version = store.put(&cx(), key("new"), b"v", common::forever()).await.unwrap().version;
            assert!(seen.insert(version), "versions go on where they stopped");
            // Records of an older format can be written, touched and deleted as any other.
            let hour = Lifetime::after(std::time::Duration::from_secs(3600)).unwrap();
            for number in 0..8u32 {
                let name = number.to_be_bytes();
                assert!(store.touch(&cx(), key(&name), hour, None).await.unwrap());
                assert!(*store.get(&cx(), key(&name)).await.unwrap().unwrap() == value(number));
                store.put(&cx(), key(&name), b"again", Put::always(hour)).await.unwrap();
            }
            assert!(store.delete(&cx(), key(&8u32.to_be_bytes()), None).await.unwrap());
            assert!(store.delete(&cx(), key(&9u32.to_be_bytes()), None).await.unwrap());
            store.close().await.unwrap();
        }
        let report = doctor::check(folder.path()).unwrap();
        assert!(report.is_healthy(), "{report:?}");
        let counts = |store: &doctor::StoreReport| (store.live, store.stale_hints, store.orphans);
        assert_eq!(report.stores.iter().map(counts).collect::<Vec<_>>(), [(38, 0, 0), (38, 0, 0)]);
    });
}
