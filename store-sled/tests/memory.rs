//! Memory is bounded. Alone in its process, whose memory it measures.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::fs;

use common::{cx, forever, key, run};
use store_core::{Backend, OpenContext, Store};
use store_sled::{Durability, Options, SledBackend};

fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// Holding many times as much as the cache does not take as much memory. sled needs more than its cache (buffers of its log,
/// its page table, pages on their way to the disk): with the default of 64 MiB about 220 MiB were seen, and no growth from there.
#[test]
fn memory_is_bounded_by_the_cache() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let options = Options::new(folder.path()).with_durability(Durability::Interval).with_cache(64 << 20);
        let store = SledBackend::new().open(&options, OpenContext::new("a")).await.unwrap();
        let before = resident();
        for number in 0..if std::env::var_os("STORE_DEEP").is_some() { 400_000u32 } else { 60_000 } {
            let spread = number.wrapping_mul(0x9e37_79b9);
            let value = vec![b'v'; if number % 1000 == 0 { 500_000 } else { 4000 }];
            store.put(&cx(), key(&spread.to_be_bytes()), &value, forever()).await.unwrap();
        }
        let grown = resident().saturating_sub(before) >> 20;
        println!("270 MB of values (1.8 GB if deep) through a cache of 64 MiB: {grown} MiB of memory");
        assert!(grown < 320, "{grown} MiB");
        store.close().await.unwrap();
    });
}
