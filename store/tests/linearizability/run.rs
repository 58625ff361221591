//! Recording histories on real backends.

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use store::{Expiry, Handle, IncrementOptions, Kind, PutOptions, Registry, Version, block_on};
use store_testkit::RedisServer;

use super::checker::{Event, Op, WriteId, check};

const CLIENTS: usize = 4;
const OPERATIONS: usize = 14;
const KEYS: usize = 2;

/// How late an entry may end beyond its TTL: the deadline is rounded up to a millisecond, a read may lag by another, and Redis
/// keeps an entry through the millisecond of its deadline.
const LATE: Duration = Duration::from_millis(3);

/// More rounds where time does not matter.
pub(crate) fn rounds(bounded: usize) -> usize {
    if std::env::var_os("STORE_DEEP").is_some() { bounded * 50 } else { bounded }
}

pub(crate) fn registry(config: &str) -> Registry {
    let document = store::config::Document::parse(config, "test.toml").unwrap();
    Registry::new(document.resolve(None, &store::backends(), &|_| None).unwrap())
}

/// One client's operation, recorded.
struct Client<'a> {
    index: usize,
    handle: &'a Handle,
    start: Instant,
    random: fastrand::Rng,
    /// The version last seen, by key.
    versions: BTreeMap<String, Version>,
    events: BTreeMap<String, Vec<Event>>,
}

impl Client<'_> {
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap()
    }

    fn step(&mut self, number: usize, key: &str) {
        let id = (self.index * 1000 + number + 1) as WriteId;
        let value = i64::try_from(id).unwrap();
        let ttl = (self.random.u8(..3) == 0).then(|| Duration::from_millis(self.random.u64(1..6)));
        let expiry = ttl.map_or(Expiry::Never, Expiry::After);
        let choice = self.random.u8(..12);
        let begin = self.now();
        let op = block_on(self.operate(choice, key, value, expiry));
        let end = self.now();
        let created = match &op {
            Op::Set(_) | Op::Put(..) | Op::Add(_, true) | Op::Cas(_, _, Ok(_)) => true,
            // Only if it created the key does the TTL count; if it did not, no entry has this deadline.
            Op::Increment(..) => true,
            _ => false,
        };
        let events = self.events.entry(key.to_owned()).or_default();
        events.push(Event { client: self.index, id, begin, end, op });
        if let (true, Some(ttl)) = (created, ttl) {
            let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap();
            let (begin, end) = (begin + nanos(ttl), end + nanos(ttl + LATE));
            events.push(Event { client: self.index, id: id + 500_000, begin, end, op: Op::Expire(id) });
        }
    }

    async fn operate(&mut self, choice: u8, key: &str, value: i64, expiry: Expiry) -> Op {
        let handle = self.handle;
        match choice {
            0 | 1 => Op::Get(handle.get(key).await.unwrap()),
            2 => Op::Has(handle.has(key).await.unwrap()),
            3 | 4 => {
                let entry = handle.entry::<i64>(key).await.unwrap();
                if let Some(entry) = &entry {
                    self.versions.insert(key.to_owned(), entry.version.clone());
                }
                Op::Entry(entry.map(|entry| (entry.value, number(&entry.version))))
            }
            5 => {
                handle.set(key, &value, expiry).await.unwrap();
                Op::Set(value)
            }
            6 => {
                let written = handle.put(key, &value, &PutOptions::new().expiry(expiry)).await.unwrap();
                self.versions.insert(key.to_owned(), written.version.clone());
                Op::Put(value, Ok(number(&written.version)))
            }
            7 => match handle.put(key, &value, &PutOptions::new().expiry(expiry).only_if_absent()).await {
                Ok(_) => Op::Add(value, true),
                Err(error) if error.kind() == Kind::AlreadyExists => Op::Add(value, false),
                Err(error) => panic!("{error:?}"),
            },
            8 => {
                let Some(version) = self.versions.get(key).cloned() else {
                    return Op::Get(handle.get(key).await.unwrap());
                };
                let options = PutOptions::new().expiry(expiry).if_version(version.clone());
                let result = match handle.put(key, &value, &options).await {
                    Ok(written) => {
                        self.versions.insert(key.to_owned(), written.version.clone());
                        Ok(number(&written.version))
                    }
                    Err(error) if error.kind() == Kind::Conflict => Err(Some(())),
                    Err(error) if error.kind() == Kind::NotFound => Err(None),
                    Err(error) => panic!("{error:?}"),
                };
                Op::Cas(number(&version), value, result)
            }
            9 => Op::Delete(handle.delete(key).await.unwrap()),
            10 => Op::Take(handle.take(key).await.unwrap()),
            _ => {
                let options = IncrementOptions::by(value).expiry(expiry);
                Op::Increment(value, handle.increment_with(key, &options).await.unwrap())
            }
        }
    }
}

pub(crate) fn number(version: &Version) -> u64 {
    version.as_u64().unwrap()
}

fn linearizable(config: &str, id: &str, rounds: usize) {
    let registry = registry(config);
    let seed: u64 =
        std::env::var("STORE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    for round in 0..rounds {
        let seed = seed.wrapping_add(round as u64);
        let start = Instant::now();
        let barrier = Barrier::new(CLIENTS);
        let client = |index: usize| {
            let handle = block_on(registry.get(id)).unwrap();
            let mut client = Client {
                index,
                handle: &handle,
                start,
                random: fastrand::Rng::with_seed(seed ^ (index as u64) << 32),
                versions: BTreeMap::new(),
                events: BTreeMap::new(),
            };
            barrier.wait();
            for number in 0..OPERATIONS {
                let key = format!("round-{round}-key-{}", client.random.usize(..KEYS));
                client.step(number, &key);
            }
            client.events
        };
        let client = &client;
        let recorded: Vec<_> = thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS).map(|index| scope.spawn(move || client(index))).collect();
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        });
        let mut histories: BTreeMap<String, Vec<Event>> = BTreeMap::new();
        for (key, events) in recorded.into_iter().flatten() {
            histories.entry(key).or_default().extend(events);
        }
        for (key, events) in histories {
            if let Err(counterexample) = check(events) {
                panic!("{key}, STORE_SEED={seed}: {counterexample}");
            }
        }
    }
    block_on(registry.close()).unwrap();
}

#[test]
fn c1_memory_is_linearizable_per_key() {
    linearizable("[stores.s]\nbackend = 'memory'", "s", rounds(2000));
}

#[test]
fn c1_sled_is_linearizable_per_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display();
    let config = format!("[stores.s]\nbackend = 'sled'\noptions = {{ path = '{path}', durability = 'interval' }}");
    linearizable(&config, "s", rounds(500));
}

#[test]
fn c1_sled_in_sync_mode_is_linearizable_per_key() {
    let folder = tempfile::tempdir().unwrap();
    let config = format!("[stores.s]\nbackend = 'sled'\noptions = {{ path = '{}' }}", folder.path().display());
    linearizable(&config, "s", rounds(50));
}

#[test]
fn c1_redis_is_linearizable_per_key() {
    let server = RedisServer::shared();
    let config =
        format!("[stores.linear]\nbackend = 'redis'\noptions = {{ url = '{}', prefix = 'linear:' }}", server.url());
    linearizable(&config, "linear", rounds(200));
}
