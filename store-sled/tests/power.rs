//! Power loss: what was acknowledged is on the device, and not only in its cache.
//!
//! The child runs on a disk (`faults/disk.c`) that remembers what was really synced. After the kill its files are put together
//! from that memory alone. That sled with its own flush fails the same test shows that the test can see the difference.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;
mod faults;
#[path = "../crash-child/plan.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod plan;

use std::fs;
use std::path::Path;
use std::time::Duration;

use common::{cx, key, open, run};
use faults::{Disk, Run};
use plan::{Action, action, value};
use store_sled::{Durability, doctor};

fn rounds(few: usize, many: usize) -> usize {
    if std::env::var_os("STORE_DEEP").is_some() { many } else { few }
}

/// Checks the last acknowledged write to each key: the value, or a later one of the operation in flight.
async fn missing(image: &Path, seed: u64, acknowledged: u64) -> usize {
    let store = open(image, "crash", Durability::Sync).await.unwrap();
    let mut missing = 0;
    for slot in 0..plan::SLOTS {
        let touches = |number: &u64| match action(seed, 0, *number) {
            Action::Set { slot: other, .. } | Action::Delete { slot: other } => other == slot,
            Action::Touch { .. } => false,
            Action::Batch { slots } => slots.contains(&slot),
        };
        let written = (1..=acknowledged).rev().find(touches);
        let in_flight = Some(acknowledged + 1).filter(touches);
        let entry = store.entry(&cx(), key(&plan::key(0, slot))).await.unwrap();
        let is = |number: Option<u64>| match (number.map(|number| (number, action(seed, 0, number))), &entry) {
            (None | Some((_, Action::Delete { .. })), None) => true,
            (Some((number, Action::Set { length, .. })), Some(entry)) => *entry.value == value(seed, 0, number, length),
            (Some((number, Action::Batch { .. })), Some(entry)) => *entry.value == value(seed, 0, number, 50),
            // It may have had, or been given, a short TTL.
            (Some(_), None) => (1..=acknowledged + 1).any(|number| match action(seed, 0, number) {
                Action::Set { slot: other, ttl, .. } | Action::Touch { slot: other, ttl } => {
                    other == slot && ttl == plan::SHORT
                }
                _ => false,
            }),
            _ => false,
        };
        if !(is(written) || in_flight.is_some() && is(in_flight)) {
            missing += 1;
        }
    }
    store.close().await.unwrap();
    missing
}

/// A run that the power fails in: at a call of its, or some time after the start; if it writes, after it has opened the store.
fn cut(seed: u64, writers: u64, fail: Option<&str>, longest: u64) -> Run<'_> {
    // One without writers would wait for ever if it made no such call.
    let kill = (fail.is_none() || writers == 0).then(|| Duration::from_millis(fastrand::u64(..longest)));
    Run { durability: "sync", seed, writers, fail, kill, opened: fail.is_none() && writers > 0 }
}

/// Every step of opening, committing, growing and beginning again is one of these.
fn at_a_call(most: u32) -> String {
    format!("{} {} 0", if fastrand::bool() { "sync" } else { "write" }, fastrand::u32(1..most))
}

fn lose_power(rounds: usize, torn: bool) {
    let (mut acknowledged, mut lost) = (0, 0);
    for _ in 0..rounds {
        let disk = Disk::new();
        let seed = fastrand::u64(..);
        let ran = disk.run(&cut(seed, 1, fastrand::bool().then(|| at_a_call(200)).as_deref(), 400));
        let mut image = disk.image(torn);
        // It may have failed before there was a folder.
        fs::create_dir_all(&image).unwrap();
        // The power fails again while the journal is replayed.
        let mut again = Vec::new();
        while fastrand::bool() {
            let disk = Disk::holding(&image);
            let ran = disk.run(&cut(seed, 0, fastrand::bool().then(|| at_a_call(20)).as_deref(), 60));
            assert!(ran.failures.is_empty(), "{:?}", ran.failures);
            image = disk.image(torn);
            again.push(disk);
        }
        thread_sleep();
        lost += run(missing(&image, seed, ran.acknowledged));
        assert!(doctor::check(&image).unwrap().is_healthy());
        acknowledged += ran.acknowledged;
    }
    println!(
        "power loss{}: {rounds} rounds, {acknowledged} writes acknowledged, {lost} lost",
        if torn { ", torn" } else { "" }
    );
    assert_eq!(lost, 0);
    assert!(acknowledged > 100, "{acknowledged}: too few to mean anything");
}

fn thread_sleep() {
    std::thread::sleep(Duration::from_millis(plan::SHORT + 5));
}

#[test]
fn sync_keeps_every_acknowledged_write_through_power_loss() {
    lose_power(rounds(12, 300), false);
}

/// Of what was not synced any part may have reached the device all the same.
#[test]
fn sync_keeps_every_acknowledged_write_through_power_loss_with_torn_writes() {
    lose_power(rounds(12, 300), true);
}

#[test]
fn sled_with_its_own_flush_loses_acknowledged_writes() {
    let mut lost = 0;
    let mut acknowledged = 0;
    for _ in 0..rounds(4, 20) {
        let disk = Disk::new();
        let kill = Some(Duration::from_millis(fastrand::u64(50..450)));
        let ran = disk.run(&Run { durability: "raw", seed: 1, writers: 1, fail: None, kill, opened: true });
        acknowledged += ran.acknowledged;
        let image = disk.image(false);
        if !image.join("db").exists() {
            lost += ran.acknowledged;
            continue;
        }
        let db = sled::open(&image).unwrap();
        lost += (1..=ran.acknowledged).filter(|number| db.get(number.to_be_bytes()).unwrap().is_none()).count() as u64;
        drop(db);
        let _ = fs::remove_dir_all(image);
    }
    println!("sled + flush: {acknowledged} writes acknowledged, {lost} lost");
    assert!(lost > 0, "the test cannot see what it is about");
}
