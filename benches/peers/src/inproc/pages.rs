//! Pages of a listing. Among the contenders only a sorted map has any, without locks, TTL and shards.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io;
use std::ops::Bound::{Excluded, Unbounded};
use std::time::Instant;

use store_benches::{Keys, Latencies, Report};
use store_core::{Context, List, TryStore, Want};
use store_memory::MemoryStore;

use super::caches::{LONG, Ours};
use super::work::{VALUE, filled};
use crate::Args;

const TURNS: u32 = 2000;

pub fn run(args: &Args, report: &mut Report) -> io::Result<()> {
    let keys = Keys::new(args.keys);
    let store = filled::<Ours>(&keys, Some(LONG)).0;
    for (name, prefix, anywhere) in [
        ("anywhere", "", true),
        ("of a prefix of 1,000", "key:000000020", false),
        ("of a prefix of 100", "key:0000000200", false),
    ] {
        for (want, of) in [(Want::Keys, "keys"), (Want::Entries, "entries")] {
            let latencies = pages(&store, &keys, prefix, anywhere, want);
            report.latency(&format!("page of 100 {of} {name}"), "store-memory", &latencies)?;
        }
    }
    report.latency("page of 100 entries anywhere", "BTreeMap, no lock", &sorted(&keys))
}

/// A position that is another one each time.
fn positions(keys: &Keys) -> impl Iterator<Item = &[u8]> {
    let mut random = fastrand::Rng::with_seed(2);
    let count = u32::try_from(keys.all().len()).unwrap_or(u32::MAX);
    (0..TURNS).map(move |_| &keys.get(random.u32(0..count))[..])
}

pub fn pages(store: &MemoryStore, keys: &Keys, prefix: &str, anywhere: bool, want: Want) -> Latencies {
    let mut latencies = Latencies::new();
    for position in positions(keys) {
        let after = anywhere.then_some(position);
        let list = List { prefix: prefix.as_bytes(), after, limit: 100, want };
        let start = Instant::now();
        black_box(store.try_list(&Context::none(), list)).expect("synchronous").expect("no error");
        latencies.add(start.elapsed());
    }
    latencies
}

pub fn sorted(keys: &Keys) -> Latencies {
    let map: BTreeMap<Box<[u8]>, [u8; 100]> = keys.all().iter().map(|key| (Box::from(&key[..]), VALUE)).collect();
    let mut latencies = Latencies::new();
    for position in positions(keys) {
        let start = Instant::now();
        let page = map.range::<[u8], _>((Excluded(position), Unbounded)).take(100);
        black_box(page.map(|(key, value)| (key.clone(), value.to_vec())).collect::<Vec<_>>());
        latencies.add(start.elapsed());
    }
    latencies
}
