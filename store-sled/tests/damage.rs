//! A disk that fails, and files that are damaged: a typed error and no false acknowledgement; never a panic, never a hang.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;
mod faults;
#[path = "../crash-child/plan.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod plan;

use std::fs;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use common::{cx, forever, key, millis, open, run};
use faults::{Disk, Run};
use store_core::{Kind, Put, Store};
use store_sled::{Durability, doctor};

const ENOSPC: u32 = 28;
const EIO: u32 = 5;

fn deep() -> bool {
    std::env::var_os("STORE_DEEP").is_some()
}

/// Runs a child whose disk fails from the n-th call on. What it acknowledged must be there on a disk that works.
fn fails(what: &str, at: u32, errno: u32) -> Vec<String> {
    let disk = Disk::new();
    let seed = 7;
    let fail = format!("{what} {at} {errno}");
    let ran = disk.run(&Run { durability: "sync", seed, writers: 2, fail: Some(&fail), kill: None, opened: true });
    assert!(!ran.failures.is_empty(), "{fail}: the child heard of nothing");
    for failure in &ran.failures {
        let reason = failure.split(' ').nth(2).unwrap();
        assert!(["capacity", "io", "poisoned"].contains(&reason), "{fail}: {failure}");
        // `F writer reason poisoned`: after the failure the store refuses for good.
        assert!(
            failure.starts_with("F open") || failure.starts_with("F close") || failure.ends_with("true"),
            "{fail}: {failure}"
        );
    }
    if ran.acknowledged == 0 {
        return ran.failures;
    }
    thread::sleep(Duration::from_millis(plan::SHORT + 5));
    run(async {
        let store = open(&disk.live(), "crash", Durability::Sync).await.unwrap();
        // The last acknowledged write of each slot, unless the one that failed may have changed it.
        for slot in 0..plan::SLOTS {
            let writes = |number: u64| match plan::action(seed, 0, number) {
                plan::Action::Set { slot: other, .. } | plan::Action::Delete { slot: other } => other == slot,
                plan::Action::Touch { slot: other, .. } => other == slot,
                plan::Action::Batch { slots } => slots.contains(&slot),
            };
            if writes(ran.acknowledged + 1) {
                continue;
            }
            let last = (1..=ran.acknowledged).rev().find(|&number| writes(number));
            if let Some((number, plan::Action::Set { length, ttl: 0, .. })) =
                last.map(|number| (number, plan::action(seed, 0, number)))
            {
                let value = store.get(&cx(), key(&plan::key(0, slot))).await.unwrap();
                assert!(value.as_deref() == Some(&plan::value(seed, 0, number, length)[..]), "{fail}: slot {slot}");
            }
        }
        store.put(&cx(), key("again"), b"v", forever()).await.unwrap();
        store.close().await.unwrap();
    });
    assert!(doctor::check(&disk.live()).unwrap().is_healthy());
    ran.failures
}

#[test]
fn a_full_disk_is_a_typed_error_and_nothing_acknowledged_is_lost() {
    let mut seen = Vec::new();
    let points: Vec<u32> = if deep() { (1..200).collect() } else { vec![3, 12, 20, 33, 60] };
    for at in points {
        seen.extend(fails("write", at, ENOSPC));
    }
    assert!(seen.iter().any(|failure| failure.contains("capacity")), "{seen:?}");
}

#[test]
fn a_failing_device_poisons_the_store_and_nothing_acknowledged_is_lost() {
    let points: Vec<u32> = if deep() { (1..100).collect() } else { vec![2, 10, 25, 40] };
    for at in points {
        fails("write", at, EIO);
        fails("sync", at, EIO);
    }
}

/// Fails if the work takes longer than a minute.
fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, is_done) = mpsc::channel();
    let worker = thread::spawn(move || {
        let result = work();
        let _ = done.send(());
        result
    });
    let _ = is_done
        .recv_timeout(Duration::from_secs(60))
        .map_err(|gone| assert_ne!(gone, mpsc::RecvTimeoutError::Timeout, "it hangs"));
    worker.join().unwrap()
}

fn content(number: u32) -> Vec<u8> {
    number.to_be_bytes().repeat(if number % 40 == 9 { 9000 } else { 30 })
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

/// Opens a damaged database and reads everything: errors with a reason, or data as it was written.
async fn survives(path: &Path) -> Result<usize, ()> {
    let honest = |error: store_core::Error| {
        let reason = error.reason().unwrap_or_default();
        let known = ["corrupt", "format", "foreign", "poisoned", "io"].contains(&reason);
        assert!(known && matches!(error.kind(), Kind::Internal | Kind::Unavailable), "{error:?}");
    };
    let store = match open(path, "a", Durability::Interval).await {
        Ok(store) => store,
        Err(error) => {
            honest(error);
            return Err(());
        }
    };
    let mut found = 0;
    for number in 0..400u32 {
        match store.get(&cx(), key(&format!("key:{number}"))).await {
            Ok(Some(value)) => {
                assert!(*value == content(number), "wrong data for {number}");
                found += 1;
            }
            Ok(None) => {}
            Err(error) => honest(error),
        }
    }
    let _ = store.put(&cx(), key("new"), b"v", forever()).await.map_err(honest);
    let _ = store.close().await.map_err(honest);
    Ok(found)
}

#[test]
fn truncated_and_flipped_files_give_errors_or_good_data() {
    let folder = tempfile::tempdir().unwrap();
    let good = folder.path().join("good");
    run(async {
        let store = open(&good, "a", Durability::Interval).await.unwrap();
        for number in 0..400u32 {
            let ttl = if number % 2 == 0 { millis(3_600_000) } else { store_core::Lifetime::NEVER };
            store.put(&cx(), key(&format!("key:{number}")), &content(number), Put::always(ttl)).await.unwrap();
        }
        store.close().await.unwrap();
        // Once more, so that there is a snapshot.
        open(&good, "a", Durability::Interval).await.unwrap().close().await.unwrap();
    });
    assert_eq!(
        run(survives(&{
            copy(&good, &folder.path().join("whole"));
            folder.path().join("whole")
        })),
        Ok(400)
    );
    let files: Vec<_> = fs::read_dir(&good)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_file())
        .collect();
    let (mut refused, mut whole, mut partly) = (0, 0, 0);
    for round in 0..if deep() { 1000 } else { 40 } {
        let path = folder.path().join(format!("damaged-{round}"));
        copy(&good, &path);
        // Mostly the data.
        let name = if round % 3 == 0 { files[round / 3 % files.len()].file_name() } else { "db".into() };
        let file = path.join(&name);
        let mut bytes = fs::read(&file).unwrap();
        let used = bytes.iter().rposition(|&byte| byte != 0).map_or(1, |end| end + 1);
        let at = fastrand::usize(..used);
        if round % 4 == 0 {
            bytes.truncate(at);
        } else {
            for place in &mut bytes[at..(at + fastrand::usize(1..20)).min(used)] {
                *place ^= 1 << fastrand::u8(..8);
            }
        }
        fs::write(&file, &bytes).unwrap();
        let damaged = path.clone();
        match in_time(move || run(survives(&damaged))) {
            Err(()) => refused += 1,
            Ok(400) => whole += 1,
            Ok(_) => partly += 1,
        }
        fs::remove_dir_all(&path).unwrap();
    }
    println!("damaged files: {refused} refused to open, {whole} gave everything, {partly} a part and said so");
    assert!(refused > 0);
}
