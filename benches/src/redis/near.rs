//! Reads that need no server: hits of the near cache, beside the same reads of a store in memory.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use store_core::config::HumanDuration;
use store_core::{Backend, Context, Key, OpenContext, Store};
use store_memory::{MemoryBackend, MemoryOptions};
use store_redis::{NearCache, RedisOptions, RedisStore};
use store_testkit::RedisServer;
use tokio::runtime::Runtime;

use super::client::{Client, VALUE_LEN, Work, name};
use super::clients::Ours;
use crate::{Contender, Plan, Report, compare};

/// How many keys are hot.
const HOT: u64 = 10_000;

static CX: Context = Context::none();

pub(super) fn run(plan: &Plan, runtime: &Runtime, server: &RedisServer, report: &mut Report) -> io::Result<()> {
    let mut options = RedisOptions::new(server.url());
    let mut near = NearCache::new(64 << 20);
    near.ttl = HumanDuration(Duration::from_secs(3600));
    options.near_cache = Some(near);
    // As in a service: the store finds a runtime, and uses it.
    let _inside = runtime.enter();
    let near: Arc<dyn Store> = Arc::new(RedisStore::open("near", &options).expect("opens"));
    let memory = runtime.block_on(MemoryBackend.open(&MemoryOptions::default(), OpenContext::new("near")));
    let stores = [("store-redis, near cache", near), ("store-memory", memory.expect("opens"))];
    let names: Vec<String> = (0..HOT).map(name).collect();
    for (_, store) in &stores {
        runtime.block_on(async {
            for names in names.chunks(1000) {
                Ours(Arc::clone(store)).call(Work::SetMany, names, &[b'v'; VALUE_LEN]).await;
            }
            for name in &names {
                store.get(&CX, Key::new(name).expect("a key")).await.expect("read").expect("is there");
            }
        });
    }
    let contender = |(title, store): &(&'static str, Arc<dyn Store>)| {
        let (now, names) = (Arc::clone(store).immediate().expect("a synchronous path"), &names);
        Contender::new(*title, move || {
            let (mut random, start, mut done) = (Rng::with_seed(4), Instant::now(), 0);
            while start.elapsed() < plan.turn {
                for _ in 0..1000 {
                    let key = Key::new(&names[random.usize(..names.len())]).expect("a key");
                    std::hint::black_box(now.try_get(&CX, key).expect("a hit").expect("no error"));
                }
                done += 1000;
            }
            start.elapsed().as_nanos() as f64 / f64::from(done)
        })
    };
    let outcomes = compare(stores.iter().map(contender).collect(), plan.rounds);
    report.comparison("hit of the near cache, 1 caller", &outcomes)
}
