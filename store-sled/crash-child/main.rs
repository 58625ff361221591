//! The process that the crash tests kill. `store-sled-child PATH DURABILITY SEED WRITERS` opens the store `crash`, and each writer
//! carries out the operations of `plan.rs` in order, printing `A writer operation version` only after one has returned Ok.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test helper may fail loudly")]

mod plan;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use store_core::{Backend, BatchWrite, Context, Key, Lifetime, OpenContext, Put, Store, block_on};
use store_sled::{Durability, Options, SledBackend};

use plan::{Action, action, key, value};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, path, durability, seed, writers] = &arguments[..] else { panic!("wrong arguments") };
    let (seed, writers): (u64, u64) = (seed.parse().unwrap(), writers.parse().unwrap());
    if durability == "raw" {
        return raw(&PathBuf::from(path), seed);
    }
    let durability = match durability.as_str() {
        "sync" => Durability::Sync,
        "interval" => Durability::Interval,
        other => panic!("no durability {other}"),
    };
    let options = Options::new(path).with_durability(durability);
    let opened = block_on(SledBackend::new().open(&options, OpenContext::new("crash")));
    let store = match opened {
        Ok(store) => store,
        Err(error) => return say(&format!("F open {}", error.reason().unwrap_or(error.kind().name()))),
    };
    say("O");
    let writers: Vec<_> = (0..writers)
        .map(|writer| {
            let store = Arc::clone(&store);
            thread::spawn(move || write(&*store, seed, writer))
        })
        .collect();
    for writer in writers {
        writer.join().expect("a writer panicked");
    }
    match block_on(store.close()) {
        Ok(()) => say("C"),
        Err(error) => say(&format!("F close {}", error.reason().unwrap_or(error.kind().name()))),
    }
}

/// One line in one write: a killed process leaves whole lines, and a full pipe would hold up the writer, not lose it.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // The parent is gone when this fails, and nobody is left to care.
    let _ = out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush());
}

fn write(store: &dyn Store, seed: u64, writer: u64) {
    for number in 1.. {
        match act(store, seed, writer, number) {
            Ok(version) => say(&format!("A {writer} {number} {version}")),
            Err(error) => {
                let after = store.flush();
                let poisoned = block_on(after).is_err();
                return say(&format!("F {writer} {} {poisoned}", error.reason().unwrap_or(error.kind().name())));
            }
        }
    }
}

fn act(store: &dyn Store, seed: u64, writer: u64, number: u64) -> store_core::Result<String> {
    let cx = Context::none();
    let lifetime = |millis| {
        if millis == 0 { Ok(Lifetime::NEVER) } else { Lifetime::after(std::time::Duration::from_millis(millis)) }
    };
    match action(seed, writer, number) {
        Action::Set { slot, length, ttl } => {
            let put = Put::always(lifetime(ttl)?);
            let value = value(seed, writer, number, length);
            let written = block_on(store.put(&cx, Key::new(&key(writer, slot))?, &value, put))?;
            Ok(written.version.to_string())
        }
        Action::Delete { slot } => {
            block_on(store.delete(&cx, Key::new(&key(writer, slot))?, None))?;
            Ok("-".to_owned())
        }
        Action::Touch { slot, ttl } => {
            block_on(store.touch(&cx, Key::new(&key(writer, slot))?, lifetime(ttl)?, None))?;
            Ok("-".to_owned())
        }
        Action::Batch { slots } => {
            let value = value(seed, writer, number, 50);
            let keys = slots.map(|slot| key(writer, slot));
            let mut items = Vec::new();
            for key in &keys {
                items.push(BatchWrite { key: Key::new(key)?, value: &value, lifetime: Lifetime::NEVER });
            }
            block_on(store.set_many(&cx, &items))?;
            Ok("-".to_owned())
        }
    }
}

/// sled alone, acknowledging after its own flush.
fn raw(path: &std::path::Path, seed: u64) {
    let db = sled::open(path).expect("opens");
    // The names are durable, so that the test is about the data alone.
    for name in ["db", "conf", "blobs", "", ".."] {
        std::fs::File::open(path.join(name)).and_then(|file| file.sync_all()).expect("syncs");
    }
    say("O");
    for number in 1u64.. {
        db.insert(number.to_be_bytes(), value(seed, 0, number, 100)).expect("inserts");
        db.flush().expect("flushes");
        say(&format!("A 0 {number} -"));
    }
}
