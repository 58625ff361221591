//! store-sled and raw sled.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fastrand::Rng;
use store_core::{Backend, Context, Key, Lifetime, List, OpenContext, Put, Store, TryStore, Want, block_on};
use store_sled::{Durability, Options, SledBackend};
use tokio::runtime::{Builder, Runtime};

use super::engine::{CACHE, Engine, Entrant, Promise, VALUE_LEN, by_threads, key, value};
use crate::Turn;

static CX: Context = Context::none();

/// store-sled in each of its modes, and raw sled; the first is the one that rows about reads are about.
#[must_use]
pub fn entrants() -> Vec<Entrant> {
    use Promise::{Durable, Later};
    let entrant = |name, promise, how, open| Entrant { name, promise, how, ours: false, reads: false, open };
    let ours = |name, promise, how, open| Entrant { ours: true, ..entrant(name, promise, how, open) };
    let fsync = "fdatasync before the acknowledgement, shared by those who write at the same time";
    vec![
        Entrant {
            reads: true,
            ..ours("store-sled interval", Later, "flush and fdatasync every 500 ms", |path| {
                Ours::open(path, Durability::Interval, Lifetime::NEVER, Callers::Direct)
            })
        },
        ours(
            "store-sled interval, TTL",
            Later,
            "flush and fdatasync every 500 ms; each entry expires in an hour",
            |path| Ours::open(path, Durability::Interval, hour(), Callers::Direct),
        ),
        ours("store-sled none", Later, "sled's thread writes and syncs every second", |path| {
            Ours::open(path, Durability::None, Lifetime::NEVER, Callers::Direct)
        }),
        ours("store-sled sync, threads", Durable, fsync, |path| {
            Ours::open(path, Durability::Sync, Lifetime::NEVER, Callers::Threads)
        }),
        ours("store-sled sync, tasks", Durable, fsync, |path| {
            Ours::open(path, Durability::Sync, Lifetime::NEVER, Callers::Tasks(workers()))
        }),
        Entrant {
            reads: true,
            ..entrant("sled", Later, "its thread writes and syncs every 500 ms", |path| Raw::open(path, After::Nothing))
        },
        entrant(
            "sled + flush",
            Durable,
            "flush: sync_file_range, which survives no power cut; our targets speak of it",
            |path| Raw::open(path, After::Flush),
        ),
        entrant("sled + flush + fdatasync", Durable, "flush, then fdatasync of its file", |path| {
            Raw::open(path, After::Sync)
        }),
        entrant(
            "append + fdatasync",
            Durable,
            "no engine: what the device gives to one write after the other",
            |path| Append::open(path),
        ),
    ]
}

fn hour() -> Lifetime {
    Lifetime::after(Duration::from_secs(3600)).expect("an hour is a lifetime")
}

fn workers() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).build().expect("a runtime")
}

/// Who writes to our store.
enum Callers {
    /// Threads that never wait, by the synchronous path.
    Direct,
    /// Threads that wait for a future each.
    Threads,
    /// Tasks of a runtime with two threads, as in a service.
    Tasks(Runtime),
}

struct Ours {
    store: Arc<dyn Store>,
    now: Arc<dyn TryStore>,
    lifetime: Lifetime,
    callers: Callers,
}

impl Ours {
    fn open(path: &Path, durability: Durability, lifetime: Lifetime, callers: Callers) -> Box<dyn Engine> {
        let options = Options::new(path).with_durability(durability).with_cache(CACHE);
        let store = block_on(SledBackend::new().open(&options, OpenContext::new("bench"))).expect("opens");
        let now = Arc::clone(&store).immediate().expect("a synchronous path");
        Box::new(Ours { store, now, lifetime, callers })
    }
}

async fn put(store: &dyn Store, key: &[u8], value: &[u8], lifetime: Lifetime) {
    store.put(&CX, Key::new(key).expect("a key"), value, Put::always(lifetime)).await.expect("written");
}

impl Engine for Ours {
    fn get(&self, key: &[u8]) -> bool {
        self.now.try_get(&CX, Key::new(key).expect("a key")).expect("at once").expect("no error").is_some()
    }

    fn set(&self, key: &[u8], value: &[u8]) {
        if let Callers::Direct = self.callers {
            let put = Put::always(self.lifetime);
            self.now.try_put(&CX, Key::new(key).expect("a key"), value, put).expect("at once").expect("no error");
        } else {
            block_on(put(&*self.store, key, value, self.lifetime));
        }
    }

    fn page(&self, from: &[u8], limit: usize) -> usize {
        let list = List { prefix: b"k:", after: Some(from), limit, want: Want::Entries };
        self.now.try_list(&CX, list).expect("at once").expect("no error").items.len()
    }

    fn write(&self, writers: usize, keys: u64, time: Duration) -> Turn {
        let Callers::Tasks(runtime) = &self.callers else {
            return by_threads(writers, time, 1, |random| self.set(&key(random.u64(..keys)), &value(random)));
        };
        let over = Arc::new(AtomicBool::new(false));
        let task = |_| {
            let (store, lifetime, over) = (Arc::clone(&self.store), self.lifetime, Arc::clone(&over));
            runtime.spawn(async move {
                let (mut random, mut turn) = (Rng::new(), Turn::default());
                while !over.load(Ordering::Relaxed) {
                    let start = turn.begin(1);
                    put(&*store, &key(random.u64(..keys)), &value(&mut random), lifetime).await;
                    turn.end(start, 1);
                }
                turn
            })
        };
        let tasks: Vec<_> = (0..writers).map(task).collect();
        std::thread::sleep(time);
        over.store(true, Ordering::Relaxed);
        Turn::sum(tasks.into_iter().map(|task| runtime.block_on(task).expect("a writer has panicked")))
    }

    fn close(self: Box<Self>) {
        block_on(self.store.close()).expect("closed");
    }
}

/// What raw sled does after an insertion.
#[derive(Clone, Copy, PartialEq)]
enum After {
    Nothing,
    Flush,
    Sync,
}

struct Raw {
    db: sled::Db,
    file: File,
    after: After,
}

impl Raw {
    fn open(path: &Path, after: After) -> Box<dyn Engine> {
        let db = sled::Config::new().path(path).cache_capacity(CACHE).open().expect("opens");
        let file = File::open(path.join("db")).expect("sled's file");
        Box::new(Raw { db, file, after })
    }
}

impl Engine for Raw {
    fn get(&self, key: &[u8]) -> bool {
        self.db.get(key).expect("no error").is_some()
    }

    fn set(&self, key: &[u8], value: &[u8]) {
        self.db.insert(key, value).expect("written");
        if self.after != After::Nothing {
            self.db.flush().expect("flushed");
        }
        if self.after == After::Sync {
            self.file.sync_data().expect("synced");
        }
    }

    fn page(&self, from: &[u8], limit: usize) -> usize {
        let items: Vec<_> = self.db.range(from..).take(limit).map(|item| item.expect("no error")).collect();
        items.len()
    }

    fn close(self: Box<Self>) {
        self.db.flush().expect("flushed");
    }
}

/// A log without an index.
struct Append(File);

impl Append {
    fn open(path: &Path) -> Box<dyn Engine> {
        std::fs::create_dir_all(path).expect("a folder");
        let file = File::options().create(true).append(true).open(path.join("log"));
        Box::new(Append(file.expect("a file")))
    }
}

impl Engine for Append {
    fn get(&self, _: &[u8]) -> bool {
        true
    }

    fn set(&self, key: &[u8], value: &[u8]) {
        let mut record = [0; super::KEY_LEN + VALUE_LEN];
        record[..key.len()].copy_from_slice(key);
        record[key.len()..].copy_from_slice(value);
        std::io::Write::write_all(&mut &self.0, &record).expect("written");
        self.0.sync_data().expect("synced");
    }

    fn page(&self, _: &[u8], _: usize) -> usize {
        0
    }

    fn close(self: Box<Self>) {}
}
