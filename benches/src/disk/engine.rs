//! What an engine is: how it is opened and called, what its acknowledgement is worth, and what is written into it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fastrand::Rng;

use crate::turn::Turn;

/// The length of every key.
pub const KEY_LEN: usize = 16;
/// The length of every value.
pub const VALUE_LEN: usize = 100;
/// Page cache of every engine that has one: nothing that is measured here waits for a read from the device.
pub const CACHE: u64 = 1 << 30;

/// What the acknowledgement of a write is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// It is visible; the device will have it some time later.
    Later,
    /// The device has it.
    Durable,
}

/// An engine, open. Everything here may panic: a benchmark fails loudly.
pub trait Engine: Send + Sync {
    /// Whether the key has a value, which was read.
    fn get(&self, key: &[u8]) -> bool;

    /// Writes, and returns when the promise is kept.
    fn set(&self, key: &[u8], value: &[u8]);

    /// Reads entries in order from a key on: how many there were.
    fn page(&self, from: &[u8], limit: usize) -> usize;

    /// Writes all of these, as fast as the engine can: what it is filled with before it is measured.
    fn fill(&self, entries: &mut dyn Iterator<Item = ([u8; KEY_LEN], [u8; VALUE_LEN])>) {
        entries.for_each(|(key, value)| self.set(&key, &value));
    }

    /// So many writers at the same time, each one write after the other, until the time is over. By threads, unless the engine
    /// has something better.
    fn write(&self, writers: usize, keys: u64, time: Duration) -> Turn {
        by_threads(writers, time, 1, |random| self.set(&key(random.u64(..keys)), &value(random)))
    }

    /// Closes it in order.
    fn close(self: Box<Self>);
}

/// How to open an engine, and what that is called.
#[derive(Clone, Copy)]
pub struct Entrant {
    /// What tables call it.
    pub name: &'static str,
    /// What the acknowledgement of a write is worth,
    pub promise: Promise,
    /// and how the engine sees to it.
    pub how: &'static str,
    /// Whether this is a store of ours: the ratios are about it.
    pub ours: bool,
    /// Whether it takes part in the rows about reads too.
    pub reads: bool,
    /// Opens the engine in a folder, empty or as it was closed.
    pub open: fn(&Path) -> Box<dyn Engine>,
}

impl std::fmt::Debug for Entrant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Entrant({})", self.name)
    }
}

/// A key, spread over the key space as users' keys are.
#[must_use]
pub fn key(number: u64) -> [u8; KEY_LEN] {
    let hash = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut key = *b"k:..............";
    for (at, place) in key.iter_mut().skip(2).enumerate() {
        *place = b'a' + u8::try_from(hash >> (at * 4) & 15).unwrap_or(0);
    }
    key
}

/// 100 bytes that never come twice: sled does nothing when a value is written that is there already.
#[must_use]
pub fn value(random: &mut Rng) -> [u8; VALUE_LEN] {
    let mut value = [b'v'; VALUE_LEN];
    value[..8].copy_from_slice(&random.u64(..).to_be_bytes());
    value
}

/// Threads that do something until the time is over, and look at the clock for every n-th time.
pub fn by_threads(threads: usize, time: Duration, nth: u64, operation: impl Fn(&mut Rng) + Sync) -> Turn {
    let over = AtomicBool::new(false);
    let work = || {
        let (mut random, mut turn) = (Rng::new(), Turn::default());
        while !over.load(Ordering::Relaxed) {
            turn.time(nth, || operation(&mut random));
        }
        turn
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        std::thread::sleep(time);
        over.store(true, Ordering::Relaxed);
        Turn::sum(threads.into_iter().map(|thread| thread.join().expect("no panic")))
    })
}
