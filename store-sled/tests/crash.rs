//! kill -9 at random instants: what was acknowledged is there, and nothing else is wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;
#[path = "../crash-child/plan.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod plan;

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use common::{cx, forever, key, open, run};
use plan::{Action, LONG, SHORT, SLOTS, action, value};
use store_core::{Store, Ttl};
use store_sled::{Durability, doctor};

/// The child's `flush_interval` (the default), and what a busy machine may take to flush and to hand a line through a pipe.
const INTERVAL: Duration = Duration::from_millis(500 + 500);

/// What a slot holds, as far as its parent can know.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Slot {
    /// Identifies the value: seed and number of the operation that wrote it.
    written: (u64, u64),
    /// Its time to live, 0 for never.
    ttl: u64,
    /// It had a short TTL when it was touched, and may have expired before.
    maybe: bool,
}

type Model = Vec<Option<Slot>>;

fn apply(model: &mut Model, seed: u64, writer: u64, number: u64) {
    let at = |slot: u64| usize::try_from(slot).unwrap();
    match action(seed, writer, number) {
        Action::Set { slot, ttl, .. } => model[at(slot)] = Some(Slot { written: (seed, number), ttl, maybe: false }),
        Action::Delete { slot } => model[at(slot)] = None,
        Action::Touch { slot, ttl } => {
            if let Some(slot) = &mut model[at(slot)] {
                slot.maybe |= slot.ttl == SHORT;
                slot.ttl = ttl;
            }
        }
        Action::Batch { slots } => {
            for slot in slots {
                model[at(slot)] = Some(Slot { written: (seed, number), ttl: 0, maybe: false });
            }
        }
    }
}

/// What was found in a slot, after all short TTLs are over.
type Actual = Option<((u64, u64), bool)>;

fn fits(expected: Option<Slot>, actual: Actual) -> bool {
    match (expected, actual) {
        (None, None) => true,
        (Some(slot), None) => slot.maybe || slot.ttl == SHORT,
        (Some(slot), Some((written, mortal))) => {
            slot.written == written && slot.ttl != SHORT && mortal == (slot.ttl == LONG)
        }
        (None, Some(_)) => false,
    }
}

struct Ran {
    /// Of each writer: the operations it acknowledged, when that was read, and their versions.
    acks: Vec<Vec<(Instant, String)>>,
    killed: Instant,
}

/// Runs a child and kills it a while after it was started, or after it has opened the store.
fn killed(path: &Path, durability: &str, seed: u64, writers: usize, opened: bool, after: Duration) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_store-sled-child"))
        .args([path.as_os_str()])
        .args([durability, &seed.to_string(), &writers.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let (open, is_open) = mpsc::channel();
    let reader = thread::spawn(move || {
        let mut acks = vec![Vec::new(); writers];
        for line in out.lines() {
            let line = line.unwrap();
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["O"] => open.send(()).unwrap(),
                ["C"] => {}
                ["A", writer, number, version] => {
                    let acks = &mut acks[writer.parse::<usize>().unwrap()];
                    acks.push((Instant::now(), version.to_owned()));
                    assert_eq!(acks.len(), number.parse::<usize>().unwrap());
                }
                _ => panic!("the child failed: {line}"),
            }
        }
        acks
    });
    if opened {
        is_open.recv_timeout(Duration::from_secs(30)).expect("the child opens the store");
    }
    thread::sleep(after);
    child.kill().unwrap();
    let killed = Instant::now();
    child.wait().unwrap();
    Ran { acks: reader.join().unwrap(), killed }
}

/// What the rounds add up to.
#[derive(Default)]
struct Tally {
    acknowledged: usize,
    lost: usize,
    while_opening: usize,
    versions: HashSet<String>,
}

struct Round<'a> {
    path: &'a Path,
    durability: Durability,
    seed: u64,
    ran: Ran,
}

impl Round<'_> {
    async fn check(&self, models: &mut [Model], tally: &mut Tally) {
        thread::sleep(Duration::from_millis(SHORT + 5));
        let store = open(self.path, "crash", self.durability).await.unwrap();
        for (writer, model) in models.iter_mut().enumerate() {
            self.check_writer(&*store, writer, model, tally).await;
        }
        let fresh = store.put(&cx(), key("fresh"), b"v", forever()).await.unwrap().version.to_string();
        assert!(tally.versions.insert(fresh), "a version came again");
        store.close().await.unwrap();
        drop(store);
        let report = doctor::check(self.path).unwrap();
        assert!(report.is_healthy(), "{report:?}");
        // After an orderly close nothing in it is needed. A new one is small, and is full again and again in the next round.
        if fastrand::bool() {
            let _there_is_one = std::fs::remove_file(self.path.join("journal"));
        }
    }

    async fn check_writer(&self, store: &dyn Store, writer: usize, model: &mut Model, tally: &mut Tally) {
        let id = writer as u64;
        let acks = &self.ran.acks[writer];
        let mut by_value = HashMap::new();
        let known = model.iter().flatten().map(|slot| slot.written);
        let new = (1..=acks.len() as u64 + 1).map(|number| (self.seed, number));
        for (seed, number) in known.chain(new) {
            by_value.insert(value(seed, id, number, 8), (seed, number));
        }
        for (_, version) in acks.iter().filter(|(_, version)| version != "-") {
            assert!(tally.versions.insert(version.clone()), "version {version} came again");
        }

        let mut actual: Vec<Actual> = Vec::new();
        for slot in 0..SLOTS {
            let entry = store.entry(&cx(), key(&plan::key(id, slot))).await.unwrap();
            actual.push(entry.map(|entry| {
                let written = by_value[&entry.value[..8]];
                let (seed, number) = written;
                assert!(*entry.value == value(seed, id, number, entry.value.len()), "a value is damaged");
                if let Action::Set { length, .. } = action(seed, id, number) {
                    assert_eq!(entry.value.len(), length);
                }
                if seed == self.seed
                    && let Some((_, version)) = acks.get(usize::try_from(number).unwrap() - 1)
                    && version != "-"
                {
                    assert_eq!(entry.version.to_string(), *version);
                }
                (written, matches!(entry.ttl, Ttl::Left(_)))
            }));
        }

        // Which operation was the last one? It must be the same for all slots: no holes.
        let least = match self.durability {
            Durability::Sync => acks.len(),
            _ => acks.iter().filter(|(read, _)| *read + INTERVAL < self.ran.killed).count(),
        };
        let mut state = model.clone();
        let mut found = None;
        for number in 0..=acks.len() + 1 {
            let before = state.clone();
            if number > 0 {
                apply(&mut state, self.seed, id, number as u64);
            }
            if number >= least && (0..actual.len()).all(|slot| fits(state[slot], actual[slot])) {
                found = Some(number);
                // The latest that fits: several may, where an operation changes nothing that can be seen.
                continue;
            }
            // A batch is not atomic across keys: of the one that was in flight some may be there.
            let torn = number > least && matches!(action(self.seed, id, number as u64), Action::Batch { .. });
            if torn && (0..actual.len()).all(|slot| fits(before[slot], actual[slot]) || fits(state[slot], actual[slot]))
            {
                found = Some(number);
            }
        }
        let Some(found) = found else {
            panic!("writer {writer}, {} acknowledged, at least {least} expected: found {actual:?}", acks.len());
        };
        tally.acknowledged += acks.len();
        tally.lost += acks.len().saturating_sub(found);
        tally.while_opening += usize::from(acks.is_empty());
        let now = |actual: &Actual| {
            actual.map(|(written, mortal)| Slot { written, ttl: if mortal { LONG } else { 0 }, maybe: false })
        };
        *model = actual.iter().map(now).collect();
    }
}

fn rounds(durability: Durability, name: &str, writers: usize, few: usize, many: usize, longest: u64) -> Tally {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let count = if std::env::var_os("STORE_DEEP").is_some() { many } else { few };
    let mut models = vec![vec![None; usize::try_from(SLOTS).unwrap()]; writers];
    let mut tally = Tally::default();
    for round in 0..count {
        let seed = fastrand::u64(..);
        // Every fourth is killed while it opens, recovers, sweeps; some again while recovering from that.
        let opened = round % 4 != 0;
        let after = Duration::from_millis(fastrand::u64(..if opened { longest } else { 60 }));
        let ran = killed(&path, name, seed, writers, opened, after);
        if round % 3 == 0 {
            killed(&path, name, 0, 0, false, Duration::from_millis(fastrand::u64(..40)));
        }
        let round = Round { path: &path, durability, seed, ran };
        run(round.check(&mut models, &mut tally));
    }
    println!(
        "{name}: {count} rounds, {} writes acknowledged, {} lost, {} writers killed before their first",
        tally.acknowledged, tally.lost, tally.while_opening
    );
    tally
}

#[test]
fn sync_keeps_every_acknowledged_write_through_kill_9() {
    let tally = rounds(Durability::Sync, "sync", 4, 40, 1000, 200);
    assert_eq!(tally.lost, 0);
    assert!(tally.acknowledged > 500, "{}: too few to mean anything", tally.acknowledged);
}

#[test]
fn interval_loses_a_suffix_at_most_through_kill_9() {
    let tally = rounds(Durability::Interval, "interval", 1, 20, 500, 1500);
    assert!(tally.acknowledged > 500, "{}: too few to mean anything", tally.acknowledged);
}

/// Nothing is owed to a process that closes in order but that all is there, whatever the durability.
#[test]
fn a_store_that_is_closed_keeps_everything() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        for round in 0..10u32 {
            let store: Arc<dyn Store> = open(folder.path(), "a", Durability::None).await.unwrap();
            for number in 0..round * 100 {
                assert!(store.has(&cx(), key(&number.to_be_bytes())).await.unwrap());
            }
            for number in round * 100..(round + 1) * 100 {
                store.put(&cx(), key(&number.to_be_bytes()), b"v", forever()).await.unwrap();
            }
            store.close().await.unwrap();
        }
    });
}
