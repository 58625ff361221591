//! Engines on disk that are not ours: redb and fjall. store-sled, raw sled and the work itself are in store-benches.

use std::io;
use std::ops::Bound::{Included, Unbounded};
use std::path::{Path, PathBuf};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use redb::{Durability, ReadableDatabase, TableDefinition};
use store_benches::Report;
use store_benches::disk::{CACHE, Engine, Entrant, KEY_LEN, Promise, VALUE_LEN};

use crate::Args;

/// Measures on the device of the folder for temporary files, or of the one that `STORE_BENCH_DIR` names.
pub fn run(args: &Args, report: &mut Report) -> io::Result<()> {
    let base = std::env::var_os("STORE_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(base)?;
    store_benches::disk::run(&args.plan(), &entrants(), folder.path(), report)
}

/// All: ours and raw sled first.
fn entrants() -> Vec<Entrant> {
    use Promise::{Durable, Later};
    let entrant = |name, promise, how, open| Entrant { name, promise, how, ours: false, reads: promise == Later, open };
    let mut all = store_benches::disk::entrants();
    all.extend([
        entrant(
            "redb, None",
            Later,
            "a transaction for each write, which no later crash is promised to leave",
            |path| Redb::open(path, Durability::None),
        ),
        entrant("redb, Immediate", Durable, "a transaction for each write, with its fdatasync", |path| {
            Redb::open(path, Durability::Immediate)
        }),
        entrant("fjall, Buffer", Later, "each write is handed to the kernel", |path| Fjall::open(path, None)),
        entrant(
            "fjall, SyncData",
            Durable,
            "each write is handed to the kernel, then fdatasync of the journal",
            |path| Fjall::open(path, Some(PersistMode::SyncData)),
        ),
    ]);
    all
}

const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("bench");

struct Redb {
    db: redb::Database,
    durability: Durability,
}

impl Redb {
    fn open(path: &Path, durability: Durability) -> Box<dyn Engine> {
        std::fs::create_dir_all(path).expect("a folder");
        let cache = usize::try_from(CACHE).expect("64 bits");
        let db = redb::Database::builder().set_cache_size(cache).create(path.join("redb")).expect("opens");
        Box::new(Redb { db, durability })
    }

    fn write(&self, durability: Durability, work: impl FnOnce(&mut redb::Table<'_, &[u8], &[u8]>)) {
        let mut write = self.db.begin_write().expect("a transaction");
        write.set_durability(durability).expect("one process");
        work(&mut write.open_table(TABLE).expect("a table"));
        write.commit().expect("committed");
    }
}

impl Engine for Redb {
    fn get(&self, key: &[u8]) -> bool {
        let read = self.db.begin_read().expect("a transaction");
        let table = read.open_table(TABLE).expect("a table");
        table.get(key).expect("no error").is_some()
    }

    fn set(&self, key: &[u8], value: &[u8]) {
        self.write(self.durability, |table| drop(table.insert(key, value).expect("written")));
    }

    fn page(&self, from: &[u8], limit: usize) -> usize {
        let read = self.db.begin_read().expect("a transaction");
        let table = read.open_table(TABLE).expect("a table");
        let range = table.range::<&[u8]>((Included(from), Unbounded)).expect("no error").take(limit);
        // As the others hand them out: owned by the caller.
        let owned = range.map(|item| item.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())));
        owned.collect::<Result<Vec<_>, _>>().expect("no error").len()
    }

    fn fill(&self, entries: &mut dyn Iterator<Item = ([u8; KEY_LEN], [u8; VALUE_LEN])>) {
        // One transaction for each would take minutes.
        self.write(Durability::Immediate, |table| {
            for (key, value) in entries {
                table.insert(&key[..], &value[..]).expect("written");
            }
        });
    }

    fn close(self: Box<Self>) {}
}

struct Fjall {
    db: Database,
    entries: Keyspace,
    persist: Option<PersistMode>,
}

impl Fjall {
    fn open(path: &Path, persist: Option<PersistMode>) -> Box<dyn Engine> {
        let db = Database::builder(path).cache_size(CACHE).open().expect("opens");
        let entries = db.keyspace("bench", KeyspaceCreateOptions::default).expect("a keyspace");
        Box::new(Fjall { db, entries, persist })
    }
}

impl Engine for Fjall {
    fn get(&self, key: &[u8]) -> bool {
        self.entries.get(key).expect("no error").is_some()
    }

    fn set(&self, key: &[u8], value: &[u8]) {
        self.entries.insert(key, value).expect("written");
        if let Some(mode) = self.persist {
            self.db.persist(mode).expect("synced");
        }
    }

    fn page(&self, from: &[u8], limit: usize) -> usize {
        let items: Vec<_> =
            self.entries.range(from..).take(limit).map(|item| item.into_inner().expect("no error")).collect();
        items.len()
    }

    fn close(self: Box<Self>) {
        self.db.persist(PersistMode::SyncAll).expect("synced");
    }
}
