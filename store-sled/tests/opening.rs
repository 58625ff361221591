//! Opening, sharing, closing: what is found again, and what is said when it cannot be.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::time::{Duration, Instant};

use common::{cx, forever, key, open, open_at, run};
use store_core::{Backend, Kind, ManualClock, OpenContext, Put, Store};
use store_sled::{Durability, Options, SledBackend};

#[test]
fn what_was_written_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        for durability in [Durability::Sync, Durability::Interval, Durability::None] {
            let path = folder.path().join(format!("{durability:?}"));
            let large = vec![7; 1 << 20];
            let store = open(&path, "app:a", durability).await.unwrap();
            let version = store.put(&cx(), key("small"), b"value", forever()).await.unwrap().version;
            store.put(&cx(), key("large"), &large, forever()).await.unwrap();
            store.put(&cx(), key("mortal"), b"value", Put::always(common::millis(100_000))).await.unwrap();
            store.close().await.unwrap();
            drop(store);

            let store = open(&path, "app:a", durability).await.unwrap();
            let entry = store.entry(&cx(), key("small")).await.unwrap().unwrap();
            assert_eq!((&*entry.value, entry.version), (&b"value"[..], version));
            assert_eq!(&*store.get(&cx(), key("large")).await.unwrap().unwrap(), &large[..]);
            let left = store.ttl(&cx(), key("mortal")).await.unwrap().unwrap().left().unwrap();
            assert!(left > Duration::from_secs(90), "{left:?}");
        }
    });
}

#[test]
fn k2_stores_in_one_folder_never_see_each_others_keys() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let clock = ManualClock::new();
        let backend = SledBackend::new();
        let ids = ["a", "a:b", "a\0b", "m", "dm", "xa", "__sled__default", "ä"];
        let mut stores = Vec::new();
        for id in ids {
            stores.push(open_at(&backend, folder.path(), id, &clock).await);
        }
        for (id, store) in ids.iter().zip(&stores) {
            for name in ["b:c", "c", "format"] {
                store.put(&cx(), key(name), id.as_bytes(), forever()).await.unwrap();
            }
        }
        stores[0].clear(&cx(), b"", None).await.unwrap();
        assert!(common::keys(&*stores[0]).await.is_empty());
        for (id, store) in ids.iter().zip(&stores).skip(1) {
            assert_eq!(common::keys(&**store).await, [&b"b:c"[..], b"c", b"format"]);
            assert_eq!(&*store.get(&cx(), key("c")).await.unwrap().unwrap(), id.as_bytes());
        }
    });
}

#[test]
fn a_folder_that_is_in_use_says_which_and_by_whom() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let first = open(folder.path(), "a", Durability::Sync).await.unwrap();
        let started = Instant::now();
        let error = open(folder.path(), "b", Durability::Sync).await.unwrap_err();
        assert_eq!((error.kind(), error.reason()), (Kind::Unavailable, Some("locked")));
        assert!(error.is_retryable());
        let path = folder.path().canonicalize().unwrap();
        assert!(
            error.message().contains(path.to_str().unwrap()) && error.message().contains("this process"),
            "{error}"
        );
        assert!(started.elapsed() < Duration::from_secs(4));
        first.close().await.unwrap();
        open(folder.path(), "b", Durability::Sync).await.unwrap();
    });
}

#[test]
fn reopening_right_after_closing_and_dropping_works() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        for round in 0..20u8 {
            let store = open(folder.path(), "a", Durability::Interval).await.unwrap();
            assert_eq!(common::keys(&*store).await.len(), usize::from(round));
            store.put(&cx(), key(&[b'k', round]), b"v", forever()).await.unwrap();
            if round % 2 == 0 {
                store.close().await.unwrap();
            }
            drop(store);
        }
    });
}

#[test]
fn two_stores_of_one_backend_share_a_database_and_agree_on_it() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let backend = SledBackend::new();
        let options = Options::new(folder.path());
        let first = backend.open(&options, OpenContext::new("a")).await.unwrap();
        let error = backend.open(&options.clone().with_cache(1 << 21), OpenContext::new("b")).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        assert_eq!(error.detail("key").and_then(store_core::Value::as_str), Some("cache"));
        let second =
            backend.open(&options.clone().with_durability(Durability::None), OpenContext::new("b")).await.unwrap();
        first.close().await.unwrap();
        first.close().await.unwrap();
        assert_eq!(first.get(&cx(), key("k")).await.unwrap_err().reason(), Some("closed"));
        second.put(&cx(), key("k"), b"v", forever()).await.unwrap();
        second.close().await.unwrap();
        let again = backend.open(&options.with_cache(1 << 21), OpenContext::new("b")).await.unwrap();
        assert!(again.has(&cx(), key("k")).await.unwrap());
    });
}

#[test]
fn leftovers_of_a_process_killed_while_opening_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let store = open(folder.path(), "a", Durability::Sync).await.unwrap();
        store.put(&cx(), key("k"), b"v", forever()).await.unwrap();
        store.close().await.unwrap();
        let leftover = folder.path().join("snap.FFFFFFFFFFFFFFFF.generating");
        fs::write(&leftover, b"half a snap").unwrap();
        assert!(sled::open(folder.path()).is_err(), "sled alone is stuck: this is what the test is about");
        let store = open(folder.path(), "a", Durability::Sync).await.unwrap();
        assert!(store.has(&cx(), key("k")).await.unwrap());
        assert!(!leftover.exists());
    });
}

#[test]
fn folders_of_others_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let other = folder.path().join("documents");
        fs::create_dir(&other).unwrap();
        fs::write(other.join("letter.txt"), b"Dear").unwrap();
        let error = open(&other, "a", Durability::Sync).await.unwrap_err();
        assert_eq!((error.kind(), error.reason()), (Kind::Internal, Some("foreign")));

        let other = folder.path().join("sled");
        let db = sled::open(&other).unwrap();
        db.insert("k", "v").unwrap();
        drop(db);
        let error = open(&other, "a", Durability::Sync).await.unwrap_err();
        assert_eq!((error.kind(), error.reason()), (Kind::Internal, Some("foreign")));
        assert_eq!(sled::open(&other).unwrap().get("k").unwrap().as_deref(), Some(&b"v"[..]));

        let file = folder.path().join("file");
        fs::write(&file, b"").unwrap();
        let error = open(&file, "a", Durability::Sync).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(error.message().contains("file"), "{error}");
    });
}

#[test]
fn options_are_checked_without_touching_files() {
    let backend = SledBackend::new();
    let check = |options: &Options| backend.check(options).map_err(|error| error.detail("key").cloned());
    let good = Options::new("/nonexistent/store");
    assert!(check(&good).is_ok());
    let key = |key: &str| Err(Some(store_core::Value::from(key)));
    assert_eq!(check(&Options::new("")), key("path"));
    assert_eq!(check(&good.clone().with_cache(0)), key("cache"));
    assert_eq!(check(&good.with_flush_interval(Duration::ZERO)), key("flush_interval"));
}

#[test]
fn a_damaged_end_of_the_log_is_noticed_after_an_orderly_close() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let store = open(folder.path(), "a", Durability::Sync).await.unwrap();
        for number in 0..100u32 {
            store.put(&cx(), key(&number.to_be_bytes()), b"v", forever()).await.unwrap();
        }
        store.close().await.unwrap();
        drop(store);
        let data = folder.path().join("db");
        let mut bytes = fs::read(&data).unwrap();
        let end = bytes.iter().rposition(|&byte| byte != 0).unwrap();
        bytes[end - 20] ^= 1;
        fs::write(&data, &bytes).unwrap();
        let error = open(folder.path(), "a", Durability::Sync).await.unwrap_err();
        assert_eq!((error.kind(), error.reason()), (Kind::Internal, Some("corrupt")), "{error}");
        assert!(error.message().contains("salvage"), "{error}");

        fs::remove_file(&data).unwrap();
        let error = open(folder.path(), "a", Durability::Sync).await.unwrap_err();
        assert_eq!(error.reason(), Some("corrupt"), "{error}");
    });
}

#[test]
fn c2_versions_are_not_reused_after_delete_and_reopening() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let mut seen = std::collections::HashSet::new();
        for _ in 0..5 {
            let store = open(folder.path(), "a", Durability::None).await.unwrap();
            for _ in 0..100 {
                let written = store.put(&cx(), key("k"), b"v", forever()).await.unwrap();
                assert!(seen.insert(written.version));
                store.delete(&cx(), key("k"), None).await.unwrap();
            }
            store.close().await.unwrap();
        }
    });
}
