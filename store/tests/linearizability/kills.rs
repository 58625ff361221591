//! Histories on a Redis that is killed again and again in the middle of them.
//!
//! The server syncs each command to its file before it answers (`appendfsync always`), so what was acknowledged survives. A
//! write of unknown outcome may take effect at any later time, or never. What is shown is that nothing else happens: no acknowledged
//! write is lost or undone, none happens twice, none that was refused happens at all.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use store::{Error, Expiry, Handle, Kind, Outcome, PutOptions, Version, block_on};
use store_testkit::RedisServer;

use super::checker::{Event, Op, check};
use super::run::{number, registry, rounds};

const CLIENTS: usize = 4;
const KEYS: usize = 3;

struct Client<'a> {
    index: usize,
    handle: &'a Handle,
    start: Instant,
    random: fastrand::Rng,
    versions: BTreeMap<String, Version>,
    events: BTreeMap<String, Vec<Event>>,
    unknown: usize,
    refused: usize,
}

impl Client<'_> {
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap()
    }

    async fn step(&mut self, number: usize, key: &str) {
        let id = (self.index * 100_000 + number + 1) as u64;
        let value = i64::try_from(id).unwrap();
        let choice = self.random.u8(..10);
        let begin = self.now();
        let result = self.operate(choice, key, value).await;
        let mut end = self.now();
        let op = match result {
            Ok(op) => op,
            // Said to have had no effect: it must not be needed to explain anything.
            Err((_, error)) if error.outcome() == Outcome::NotApplied => {
                assert!(matches!(error.kind(), Kind::Unavailable | Kind::Timeout), "{error:?}");
                self.refused += 1;
                return;
            }
            Err((op, _)) => {
                self.unknown += 1;
                end = u64::MAX;
                op
            }
        };
        self.events.entry(key.to_owned()).or_default().push(Event { client: self.index, id, begin, end, op });
    }

    /// What happened; with an error, what may have.
    async fn operate(&mut self, choice: u8, key: &str, value: i64) -> Result<Op, (Op, Error)> {
        let handle = self.handle;
        match choice {
            0 | 1 => handle.get(key).await.map(Op::Get).map_err(|error| (Op::Get(None), error)),
            2 => {
                let entry = handle.entry::<i64>(key).await.map_err(|error| (Op::Get(None), error))?;
                if let Some(entry) = &entry {
                    self.versions.insert(key.to_owned(), entry.version.clone());
                }
                Ok(Op::Entry(entry.map(|entry| (entry.value, number(&entry.version)))))
            }
            3 => handle.set(key, &value, Expiry::Never).await.map(|()| Op::Set(value)).map_err(|e| (Op::Set(value), e)),
            4 => {
                let put = handle.put(key, &value, &PutOptions::new()).await;
                let written = put.map_err(|error| (Op::Set(value), error))?;
                self.versions.insert(key.to_owned(), written.version.clone());
                Ok(Op::Put(value, Ok(number(&written.version))))
            }
            5 => match handle.put(key, &value, &PutOptions::new().only_if_absent()).await {
                Ok(_) => Ok(Op::Add(value, true)),
                Err(error) if error.kind() == Kind::AlreadyExists => Ok(Op::Add(value, false)),
                Err(error) => Err((Op::Add(value, true), error)),
            },
            6 => {
                let Some(version) = self.versions.get(key).cloned() else {
                    return handle.get(key).await.map(Op::Get).map_err(|error| (Op::Get(None), error));
                };
                let result = match handle.put(key, &value, &PutOptions::new().if_version(version.clone())).await {
                    Ok(written) => {
                        self.versions.insert(key.to_owned(), written.version.clone());
                        Ok(number(&written.version))
                    }
                    Err(error) if error.outcome() == Outcome::Unknown => {
                        return Err((Op::SomeCas(number(&version), value), error));
                    }
                    Err(error) if error.kind() == Kind::Conflict => Err(Some(())),
                    Err(error) if error.kind() == Kind::NotFound => Err(None),
                    Err(error) => return Err((Op::SomeCas(number(&version), value), error)),
                };
                Ok(Op::Cas(number(&version), value, result))
            }
            7 => handle.delete(key).await.map(Op::Delete).map_err(|error| (Op::Delete(true), error)),
            8 => handle.take(key).await.map(Op::Take).map_err(|error| (Op::Delete(true), error)),
            _ => {
                let sum = handle.increment(key, value).await;
                sum.map(|sum| Op::Increment(value, sum)).map_err(|error| (Op::SomeIncrement(value), error))
            }
        }
    }
}

#[test]
fn c1_redis_is_linearizable_per_key_while_it_is_killed() {
    let server = RedisServer::builder().persistent().start();
    let url = server.url();
    let registry = registry(&format!("[stores.killed]\nbackend = 'redis'\noptions = {{ url = '{url}' }}"));
    let seed: u64 =
        std::env::var("STORE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    let (mut operations, mut unknown, mut refused) = (0, 0, 0);
    for round in 0..rounds(12) {
        let seed = seed.wrapping_add(round as u64);
        let start = Instant::now();
        let (stop, running) = (AtomicBool::new(false), AtomicUsize::new(0));
        let client = |index: usize| {
            let handle = block_on(registry.get("killed")).unwrap();
            let mut client = Client {
                index,
                handle: &handle,
                start,
                random: fastrand::Rng::with_seed(seed ^ (index as u64) << 32),
                versions: BTreeMap::new(),
                events: BTreeMap::new(),
                unknown: 0,
                refused: 0,
            };
            running.fetch_add(1, Ordering::SeqCst);
            for number in 0.. {
                if stop.load(Ordering::SeqCst) || number == 200 {
                    break;
                }
                let key = format!("round-{round}-key-{}", client.random.usize(..KEYS));
                let before = Instant::now();
                block_on(client.step(number, &key));
                assert!(before.elapsed() < Duration::from_millis(1600), "a call took {:?}", before.elapsed());
                thread::sleep(Duration::from_micros(client.random.u64(..1500)));
            }
            (client.events, client.unknown, client.refused)
        };
        let client = &client;
        let recorded: Vec<_> = thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS).map(|index| scope.spawn(move || client(index))).collect();
            while running.load(Ordering::SeqCst) < CLIENTS {
                thread::yield_now();
            }
            let mut random = fastrand::Rng::with_seed(seed);
            for _ in 0..2 {
                thread::sleep(Duration::from_millis(random.u64(5..40)));
                server.kill();
                thread::sleep(Duration::from_millis(random.u64(..20)));
                server.revive();
            }
            thread::sleep(Duration::from_millis(40));
            stop.store(true, Ordering::SeqCst);
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        });
        let mut histories: BTreeMap<String, Vec<Event>> = BTreeMap::new();
        for (events, some, none) in recorded {
            (unknown, refused) = (unknown + some, refused + none);
            for (key, events) in events {
                operations += events.len();
                histories.entry(key).or_default().extend(events);
            }
        }
        for (key, events) in histories {
            if let Err(counterexample) = check(events) {
                panic!("{key}, STORE_SEED={seed}: {counterexample}");
            }
        }
    }
    println!("{operations} operations explained, of which {unknown} unknown; {refused} refused");
    assert!(operations > 500, "{operations}");
    block_on(registry.close()).unwrap();
}
