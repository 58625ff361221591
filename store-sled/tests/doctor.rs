//! Verifying and salvaging.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::time::Duration;

use common::{cx, forever, key, millis, open, run};
use store_core::{Kind, Put, Store};
use store_sled::{Durability, doctor};

async fn fill(store: &dyn Store, count: u32) {
    for number in 0..count {
        let value = number.to_be_bytes().repeat(if number % 50 == 7 { 5000 } else { 25 });
        let lifetime = if number % 3 == 0 { millis(3_600_000) } else { store_core::Lifetime::NEVER };
        store.put(&cx(), key(&format!("key:{number:05}")), &value, Put::always(lifetime)).await.unwrap();
    }
}

#[test]
fn a_good_database_is_healthy_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let store = open(folder.path(), "app:a", Durability::Interval).await.unwrap();
        fill(&*store, 200).await;
        store.put(&cx(), key("short"), b"v", Put::always(millis(1))).await.unwrap();
        assert_eq!(doctor::check(folder.path()).unwrap_err().reason(), Some("locked"));
        store.close().await.unwrap();
        let report = doctor::check(folder.path()).unwrap();
        assert!(report.is_healthy(), "{report:?}");
        let [store] = &report.stores[..] else { panic!("{report:?}") };
        assert_eq!((store.id.as_str(), store.live, store.bytes), ("app:a", 200, 196 * 100 + 4 * 20_000));
        assert_eq!((store.stale_hints, store.orphans), (0, 0));
        let error = doctor::check(&folder.path().join("nothing")).unwrap_err();
        assert_eq!(error.kind(), Kind::NotFound);
    });
}

#[test]
fn what_is_wrong_is_found() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let store = open(folder.path(), "a", Durability::Interval).await.unwrap();
        fill(&*store, 20).await;
        store.close().await.unwrap();
    });
    let db = sled::open(folder.path()).unwrap();
    let hints = db.open_tree(b"xa").unwrap();
    let (first, _) = hints.first().unwrap().unwrap();
    hints.remove(&first).unwrap();
    hints.insert([0, 0, 0, 0, 0, 0, 0, 1, b'k'], &[]).unwrap();
    let chunks = db.open_tree(b"va").unwrap();
    let (last, _) = chunks.last().unwrap().unwrap();
    chunks.remove(last).unwrap();
    db.open_tree(b"da").unwrap().insert("alien", "bytes").unwrap();
    drop((hints, chunks, db));
    std::thread::sleep(Duration::from_millis(200));

    let report = doctor::check(folder.path()).unwrap();
    assert!(!report.is_healthy());
    let store = &report.stores[0];
    assert_eq!((store.without_hint, store.incomplete, store.unreadable, store.stale_hints), (1, 1, 1, 1), "{store:?}");
    assert_eq!(store.live, 19);
    assert_eq!(store.faulty.len(), 3);

    run(async {
        let store = open(folder.path(), "a", Durability::Sync).await.unwrap();
        let error = store.get(&cx(), key("alien")).await.unwrap_err();
        assert_eq!((error.kind(), error.reason()), (Kind::Internal, Some("foreign")));
        let error = store.get(&cx(), key("key:00007")).await.unwrap_err();
        assert_eq!((error.kind(), error.reason()), (Kind::Internal, Some("corrupt")));
        assert!(store.delete(&cx(), key("key:00007"), None).await.unwrap(), "what is damaged can be deleted");
        store.put(&cx(), key("alien"), b"ours", forever()).await.unwrap();
        assert_eq!(&*store.get(&cx(), key("alien")).await.unwrap().unwrap(), b"ours");
    });
}

#[test]
fn what_is_readable_of_a_damaged_database_is_salvaged() {
    let folder = tempfile::tempdir().unwrap();
    let (from, into) = (folder.path().join("from"), folder.path().join("into"));
    run(async {
        let store = open(&from, "app:a", Durability::Interval).await.unwrap();
        fill(&*store, 300).await;
        store.close().await.unwrap();
    });
    // The end of the log is gone: the database does not open, since it was closed in order.
    let data = from.join("db");
    let mut bytes = fs::read(&data).unwrap();
    let end = bytes.iter().rposition(|&byte| byte != 0).unwrap();
    bytes[end - 20] ^= 1;
    fs::write(&data, &bytes).unwrap();
    assert_eq!(doctor::check(&from).unwrap_err().reason(), Some("corrupt"));

    // sled has cut off the damaged end by now; that is how it recovers.
    let bytes = fs::read(&data).unwrap();
    let salvaged = doctor::salvage(&from, &into).unwrap();
    assert!((290..=300).contains(&salvaged.saved), "{salvaged:?}");
    assert!(fs::read(&data).unwrap() == bytes, "the damaged one is not touched");
    let report = doctor::check(&into).unwrap();
    assert!(report.is_healthy(), "{report:?}");
    assert_eq!(report.stores[0].live, salvaged.saved);
    run(async {
        let store = open(&into, "app:a", Durability::Sync).await.unwrap();
        let value = store.get(&cx(), key("key:00057")).await.unwrap().unwrap();
        assert_eq!(&*value, 57u32.to_be_bytes().repeat(5000));
        let left = store.ttl(&cx(), key("key:00003")).await.unwrap().unwrap().left().unwrap();
        assert!(left > Duration::from_secs(3500), "deadlines are kept: {left:?}");
    });
    assert_eq!(doctor::salvage(&from, &into).unwrap_err().kind(), Kind::Invalid, "not over another database");
}
