//! Bounds: disk, the sweeper's work, and what a dropped future leaves.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context as TaskContext, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use common::{cx, forever, key, millis, open, open_at, run};
use store_core::{List, ManualClock, Put, Store, Want};
use store_sled::{Durability, SledBackend, doctor};

fn size(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let of = |entry: fs::DirEntry| {
        let meta = entry.metadata().unwrap();
        // What is really occupied: sled's file may have holes.
        if meta.is_dir() { size(&entry.path()) } else { meta.blocks() * 512 }
    };
    fs::read_dir(path).unwrap().map(|entry| of(entry.unwrap())).sum()
}

/// sled cleans segments of its log that are less than half live, so overwriting must not let the files grow without end.
#[test]
fn overwriting_ten_times_stays_within_bounds_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let store = open(folder.path(), "a", Durability::Interval).await.unwrap();
        let mut once = 0;
        for round in 0..11u8 {
            for number in 0..4000u32 {
                let value = vec![round; if number % 100 == 0 { 100_000 } else { 1000 }];
                store.put(&cx(), key(&number.to_be_bytes()), &value, forever()).await.unwrap();
            }
            store.flush().await.unwrap();
            if round == 0 {
                once = size(folder.path());
            }
        }
        // Cleaning goes on in the background, a little at a time.
        let started = Instant::now();
        let mut after = size(folder.path());
        while after > 4 * once && started.elapsed() < Duration::from_secs(20) {
            tokio::time::sleep(Duration::from_millis(500)).await;
            after = size(folder.path());
        }
        println!("8 MB of values: {once} bytes on disk once, {after} after 10 overwrites");
        assert!(after <= 4 * once, "{once} bytes became {after}");
        store.close().await.unwrap();
    });
    assert!(doctor::check(folder.path()).unwrap().is_healthy());
}

#[test]
fn values_from_one_byte_to_the_limit_come_back() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let store = open(folder.path(), "a", Durability::Interval).await.unwrap();
        for length in [1, 4095, 4096, 4097, 8192, 8193, 130_000, 8 << 20] {
            let value: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
            store.put(&cx(), key("k"), &value, forever()).await.unwrap();
            assert!(*store.get(&cx(), key("k")).await.unwrap().unwrap() == value, "{length}");
            let page = store.list(&cx(), common::all(b"")).await.unwrap();
            assert!(*page.items[0].entry.as_ref().unwrap().value == value, "{length}");
        }
        assert!(store.delete(&cx(), key("k"), None).await.unwrap());
        store.close().await.unwrap();
    });
    let report = doctor::check(folder.path()).unwrap();
    assert_eq!((report.stores[0].live, report.stores[0].orphans), (0, 0), "their pieces are gone: {report:?}");
}

/// The sweeper frees what has expired and never what was refreshed meanwhile.
#[test]
fn the_sweeper_against_writers() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let store = open(folder.path(), "a", Durability::Interval).await.unwrap();
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            for writer in 0..2u8 {
                let (store, stop) = (&store, &stop);
                scope.spawn(move || {
                    let mut round = 0u32;
                    while !stop.load(Ordering::Relaxed) {
                        round += 1;
                        // Short lives for the sweeper, and one entry that is kept alive all the time.
                        let short = [&[writer][..], &(round % 500).to_be_bytes()].concat();
                        let kept = [b'k', writer];
                        store_core::block_on(async {
                            store.put(&cx(), key(&short), b"v", Put::always(millis(1))).await.unwrap();
                            store.put(&cx(), key(&kept), b"v", Put::always(millis(3000))).await.unwrap();
                            assert!(store.touch(&cx(), key(&kept), millis(3000), None).await.unwrap());
                            assert!(store.has(&cx(), key(&kept)).await.unwrap(), "swept while it was live");
                        });
                    }
                });
            }
            thread::sleep(Duration::from_secs(5));
            stop.store(true, Ordering::Relaxed);
        });
        // Everything is over in a second, and freed soon after.
        thread::sleep(Duration::from_millis(2500));
        store.close().await.unwrap();
    });
    let report = doctor::check(folder.path()).unwrap();
    assert!(report.is_healthy(), "{report:?}");
    let store = &report.stores[0];
    assert!(store.expired + store.live <= 2, "the sweeper frees what has expired: {store:?}");
}

#[test]
fn t7_purge_frees_at_most_what_it_is_asked_to_in_the_order_of_deadlines() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let clock = ManualClock::new();
        let store = open_at(&SledBackend::new(), folder.path(), "a", &clock).await;
        for number in 0..100u64 {
            let put = Put::always(millis(100_000 - number * 10));
            store.put(&cx(), key(&number.to_be_bytes()), b"v", put).await.unwrap();
        }
        assert_eq!(store.purge_expired(1000).await.unwrap(), 0);
        // The last 50 written are over now, in the second that is passing.
        clock.advance(Duration::from_millis(99_505));
        let freed = store.purge_expired(10).await.unwrap();
        assert!(freed <= 10);
        let mut rest = 0;
        loop {
            match store.purge_expired(7).await.unwrap() {
                0 => break,
                more => rest += more,
            }
        }
        // The sweeper thread may have taken its share.
        assert!(freed + rest <= 50);
        assert_eq!(common::keys(&*store).await.len(), 50);
    });
}

/// An entry has one hint, however often it is written, and with whatever TTLs.
#[test]
fn one_hint_per_entry_through_refreshes() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let store = open(folder.path(), "a", Durability::Interval).await.unwrap();
        for round in 0..10u64 {
            for number in 0..200u64 {
                let name = number.to_be_bytes();
                // Longer, shorter, the same, never.
                let lifetime = match (round * 7 + number) % 5 {
                    0 => store_core::Lifetime::NEVER,
                    other => millis(3_600_000 + (other % 3) * 1_000_000),
                };
                match round % 3 {
                    0 => drop(store.touch(&cx(), key(&name), lifetime, None).await.unwrap()),
                    _ => drop(store.put(&cx(), key(&name), &round.to_be_bytes(), Put::always(lifetime)).await.unwrap()),
                }
            }
        }
        for number in 100..200u64 {
            assert!(store.delete(&cx(), key(&number.to_be_bytes()), None).await.unwrap());
        }
        store.close().await.unwrap();
    });
    let report = doctor::check(folder.path()).unwrap();
    assert!(report.is_healthy(), "{report:?}");
    assert_eq!((report.stores[0].live, report.stores[0].stale_hints), (100, 0), "{report:?}");
}

/// A hint that comes due before its entry, because that was refreshed, is moved: the entry stays, and is freed in the end.
#[test]
fn a_refreshed_entry_is_kept_and_freed_at_its_new_deadline() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let clock = ManualClock::new();
        let store = open_at(&SledBackend::new(), folder.path(), "a", &clock).await;
        let large = vec![7; 20_000];
        for name in ["small", "large"] {
            let value: &[u8] = if name == "large" { &large } else { b"v" };
            store.put(&cx(), key(name), value, Put::always(millis(1000))).await.unwrap();
        }
        for _ in 0..20 {
            clock.advance(Duration::from_millis(600));
            for name in ["small", "large"] {
                assert!(store.touch(&cx(), key(name), millis(1000), None).await.unwrap());
            }
            assert_eq!(store.purge_expired(100).await.unwrap(), 0);
        }
        assert_eq!(*store.get(&cx(), key("large")).await.unwrap().unwrap(), *large);
        clock.advance(Duration::from_millis(1001));
        let freed = store.purge_expired(100).await.unwrap();
        // Unless the sweeper thread came first.
        assert!(freed <= 2);
        assert_eq!(store.purge_expired(100).await.unwrap(), 0);
        store.close().await.unwrap();
    });
    let report = doctor::check(folder.path()).unwrap();
    let store = &report.stores[0];
    assert_eq!((store.live, store.expired, store.stale_hints, store.orphans), (0, 0, 0, 0), "{report:?}");
}

/// A run of expired entries ends a page early, with a cursor that leads on.
#[test]
fn a_page_examines_a_bounded_number_of_entries() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let clock = ManualClock::new();
        let store = open_at(&SledBackend::new(), folder.path(), "a", &clock).await;
        for number in 0..10_000u32 {
            let lifetime = if number == 9_999 { store_core::Lifetime::NEVER } else { millis(100) };
            store.put(&cx(), key(&number.to_be_bytes()), b"v", Put::always(lifetime)).await.unwrap();
        }
        // Over, but in the second that is passing: the sweeper leaves them alone.
        clock.advance(Duration::from_millis(500));
        let (mut pages, mut after, mut found) = (0, None::<Box<[u8]>>, Vec::new());
        loop {
            let list = List { prefix: b"", after: after.as_deref(), limit: 10, want: Want::Keys };
            let page = store.list(&cx(), list).await.unwrap();
            pages += 1;
            found.extend(page.items);
            match page.resume {
                Some(resume) => after = Some(resume),
                None => break,
            }
        }
        assert_eq!(found.len(), 1);
        assert_eq!(pages, 3, "4096 entries a page");
    });
}

/// C3: a future that is dropped while it waits for the device, or between the pieces of a large value.
#[test]
fn c3_dropped_writes_happen_or_do_not_and_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let store = open(folder.path(), "a", Durability::Sync).await.unwrap();
        let large = vec![1; 1 << 20];
        let mut polled = TaskContext::from_waker(Waker::noop());
        for round in 0..40u32 {
            let name = round.to_be_bytes();
            let value: &[u8] = if round % 2 == 0 { b"small" } else { &large };
            let context = cx();
            {
                let mut write = pin!(store.put(&context, key(&name), value, forever()));
                for _ in 0..=round / 4 {
                    if let Poll::Ready(done) = write.as_mut().poll(&mut polled) {
                        done.unwrap();
                        break;
                    }
                }
            }
            // A later write is never overtaken by the dropped one.
            store.put(&cx(), key(&name), b"later", forever()).await.unwrap();
            assert_eq!(&*store.get(&cx(), key(&name)).await.unwrap().unwrap(), b"later");
        }
        store.close().await.unwrap();
    });
    let report = doctor::check(folder.path()).unwrap();
    assert!(report.is_healthy(), "{report:?}");
    assert_eq!((report.stores[0].live, report.stores[0].orphans), (40, 0), "{report:?}");
}
