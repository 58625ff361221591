//! Dumps between all pairs of backends, with values as raw bytes, deadlines to the millisecond, policies, and failures.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use store::config::Document;
use store::dump::{self, ImportOptions, Imported, Reader, Record, Writer};
use store::{
    Actor, Context, Expiry, Handle, Kind, MAX_TTL, ManualClock, Payload, Registry, RegistryBuilder, Time, codec,
};
use store_testkit::RedisServer;
use tempfile::TempDir;

const BACKENDS: [&str; 3] = ["memory", "sled", "redis"];

fn builder(folder: &TempDir, more: &str) -> RegistryBuilder {
    let url = RedisServer::shared().url();
    let path = folder.path().display();
    let mut text = String::new();
    for role in ["from", "to"] {
        text.push_str(&format!(
            "[stores.'memory:{role}']\nbackend = 'memory'\n\
             [stores.'sled:{role}']\nbackend = 'sled'\noptions = {{ path = '{path}', durability = 'none' }}\n\
             [stores.'redis:{role}']\nbackend = 'redis'\noptions = {{ url = '{url}', prefix = '{path}' }}\n"
        ));
    }
    text.push_str(more);
    let document = Document::parse(&text, "store.toml").unwrap();
    Registry::builder(document.resolve(None, &store::backends(), &|_| None).unwrap())
}

async fn exported(handle: &Handle, prefix: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let done = dump::export(handle, prefix.as_bytes(), &mut bytes, |_| {}).await.unwrap();
    assert_eq!(done.bytes, bytes.len() as u64);
    assert_eq!(usize::try_from(done.entries).unwrap(), records(&bytes).len());
    bytes
}

fn records(bytes: &[u8]) -> BTreeMap<Box<[u8]>, Record> {
    Reader::new(bytes).unwrap().map(|record| record.map(|record| (record.key.clone(), record)).unwrap()).collect()
}

async fn imported(handle: &Handle, bytes: &[u8], keep_existing: bool) -> Imported {
    dump::import(handle, bytes, &ImportOptions { keep_existing }, |_| {}).await.unwrap()
}

fn now() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

#[tokio::test]
async fn every_pair_of_backends_moves_values_and_deadlines() {
    let folder = TempDir::new().unwrap();
    let registry = builder(&folder, "").build();
    for backend in BACKENDS {
        let from = registry.get(&format!("{backend}:from")).await.unwrap();
        let before = now();
        for number in 0..1500_i64 {
            from.set(number.to_be_bytes(), &number, Expiry::Never).await.unwrap();
        }
        from.set("float", &1.0, Expiry::seconds(3600)).await.unwrap();
        from.set("century", "x", MAX_TTL).await.unwrap();
        from.set(vec![0xff; 1024], &vec!["y".repeat(1000); 300], Expiry::Never).await.unwrap();
        let after = now();
        let bytes = exported(&from, "").await;
        let source = records(&bytes);
        assert_eq!(source.len(), 1503);
        let deadline = source[&b"float"[..]].deadline.as_millis();
        let range = before + 3_600_000..=after + 3_600_000 + 2000;
        assert!(range.contains(&deadline), "{backend}: {deadline} is not in {range:?}");

        for target in BACKENDS {
            let to = registry.get(&format!("{target}:to")).await.unwrap();
            to.set("own", "stays", Expiry::Never).await.unwrap();
            assert_eq!(imported(&to, &bytes, false).await.written, 1503);
            let mut copy = records(&exported(&to, "").await);
            assert!(copy.remove(&b"own"[..]).is_some(), "other keys are not touched");
            assert_eq!(copy.len(), source.len());
            let mut drift = 0;
            for (key, record) in &source {
                let moved = &copy[key];
                assert_eq!(moved.value, record.value, "{backend} to {target}: {}", key.escape_ascii());
                assert_ne!(moved.version, record.version, "versions are new");
                let (was, is) = (record.deadline.as_millis(), moved.deadline.as_millis());
                // A TTL of a hundred years is clamped again.
                assert!(was == 0 && is == 0 || is >= was || **key == *b"century", "never early: {was} {is}");
                drift = drift.max(is.saturating_sub(was));
            }
            println!("{backend} to {target}: {drift} ms later at most");
            assert!(drift < 2000, "{drift}");
            to.clear("").await.unwrap();
        }
    }
    registry.close().await.unwrap();
}

#[tokio::test]
async fn time_passes_between_export_and_import() {
    let folder = TempDir::new().unwrap();
    let clock = ManualClock::new();
    let registry = builder(&folder, "").clock(clock.clone()).build();
    for (from, to) in [("memory:from", "sled:to"), ("sled:from", "memory:to")] {
        let (from, to) = (registry.get(from).await.unwrap(), registry.get(to).await.unwrap());
        from.set("short", "v", Expiry::millis(1000)).await.unwrap();
        from.set("long", "v", Expiry::millis(60_000)).await.unwrap();
        from.set("never", "v", Expiry::Never).await.unwrap();
        let bytes = exported(&from, "").await;
        clock.advance(Duration::from_millis(999));
        assert_eq!(imported(&to, &bytes, false).await.written, 3);
        let left = |ttl: Option<store::Ttl>| ttl.unwrap().left();
        assert_eq!(left(to.ttl("short").await.unwrap()), Some(Duration::from_millis(1)), "to the millisecond");
        assert_eq!(left(to.ttl("long").await.unwrap()), Some(Duration::from_millis(59_001)));
        assert_eq!(left(to.ttl("never").await.unwrap()), None);
        clock.advance(Duration::from_millis(1));
        let done = imported(&to, &bytes, false).await;
        assert_eq!((done.written, done.expired), (2, 1), "from its deadline on it is absent");
        assert!(!to.has("short").await.unwrap());
        // What is already there and what is not.
        to.delete("never").await.unwrap();
        let done = imported(&to, &bytes, true).await;
        assert_eq!((done.written, done.kept, done.expired), (1, 1, 1));
    }
}

#[tokio::test]
async fn rules_and_limits_of_the_receiving_store_hold() {
    let folder = TempDir::new().unwrap();
    let registry = builder(
        &folder,
        "[stores.strict]\nbackend = 'memory'\nmax_ttl = '1m'\ndefault_ttl = '1s'\nmax_value_size = 10\nmax_depth = 1\n",
    );
    let registry = registry.build();
    let (from, to) = (registry.get("memory:from").await.unwrap(), registry.get("strict").await.unwrap());
    from.set("a", "small", Expiry::Never).await.unwrap();
    imported(&to, &exported(&from, "").await, false).await;
    let left = to.ttl("a").await.unwrap().unwrap().left().unwrap();
    assert!(left > Duration::from_secs(50), "never, as far as max_ttl allows: {left:?}");
    for (value, limit) in [(vec![vec![1]], 1), (vec![vec![0; 20]], 10)] {
        from.set("b", &value, Expiry::Never).await.unwrap();
        let bytes = exported(&from, "b").await;
        let error = dump::import(&to, &*bytes, &ImportOptions::default(), |_| {}).await.unwrap_err();
        assert_eq!((error.kind(), error.detail("limit").unwrap().as_i64()), (Kind::Invalid, Some(limit)));
        assert_eq!(error.detail("key").unwrap().as_bytes(), Some(&b"b"[..]));
    }
    let mut writer = Writer::new(Vec::new(), Time::default()).unwrap();
    let good = records(&exported(&from, "a").await).into_values().next().unwrap();
    writer.write(&good).unwrap();
    writer.write(&Record { key: b"c"[..].into(), value: Payload::from(&b"\xc1"[..]), ..good }).unwrap();
    let bytes = writer.finish().unwrap();
    let error = dump::import(&to, &*bytes, &ImportOptions::default(), |_| {}).await.unwrap_err();
    assert_eq!(error.reason(), Some("foreign"), "what is no value is not stored");
    assert_eq!(error.detail("written").unwrap().as_i64(), Some(1));
    assert!(!to.has("c").await.unwrap());
}

#[tokio::test]
async fn s1_a_dump_holds_what_the_caller_may_read_and_only_that_is_written_which_he_may() {
    let folder = TempDir::new().unwrap();
    let policy = "[security]\nstrict = false\n\
        [[security.policies]]\nid = 'own'\nactions = ['store.key.*']\nresources = ['*']\nkeys = ['${actor.id}:*']\n\
        effect = 'allow'\ngroups = ['users']\n\
        [[security.policies]]\nid = 'open'\nactions = ['store.get']\nresources = ['*']\neffect = 'allow'\n\
        [[security.policies]]\nid = 'all'\nactions = ['store.key.list']\nresources = ['*']\neffect = 'allow'\n";
    let registry = builder(&folder, policy).build();
    let (from, to) = (registry.get("memory:from").await.unwrap(), registry.get("memory:to").await.unwrap());
    from.set_many(&[("alice:1", 1, Expiry::Never), ("bob:1", 2, Expiry::Never)]).await.unwrap();
    let alice = Context::new(Some(Actor::new("alice")), Some(vec!["users".to_owned()]));
    let bytes = exported(&from.with_context(&alice), "").await;
    assert_eq!(records(&bytes).into_keys().collect::<Vec<_>>(), [Box::from(&b"alice:1"[..])]);
    let everything = exported(&from, "").await;
    for keep_existing in [false, true] {
        let options = ImportOptions { keep_existing };
        let error = dump::import(&to.with_context(&alice), &*everything, &options, |_| {}).await.unwrap_err();
        assert_eq!(error.kind(), Kind::PermissionDenied);
        assert!(!to.has("bob:1").await.unwrap());
    }
    from.release();
    assert_eq!(dump::export(&from, b"", Vec::new(), |_| {}).await.unwrap_err().kind(), Kind::Invalid);
    assert_eq!(
        dump::import(&from, &*bytes, &ImportOptions::default(), |_| {}).await.unwrap_err().kind(),
        Kind::Invalid
    );
}

#[tokio::test]
async fn an_import_that_fails_counts_what_was_written() {
    let folder = TempDir::new().unwrap();
    let full = "[stores.full]\nbackend = 'memory'\noptions = { max_entries = 1200, on_full = 'reject' }\n";
    let registry = builder(&folder, full).build();
    let (from, to) = (registry.get("memory:from").await.unwrap(), registry.get("full").await.unwrap());
    for number in 0..1500_i64 {
        from.set(number.to_be_bytes(), &number, Expiry::Never).await.unwrap();
    }
    let bytes = exported(&from, "").await;
    for keep_existing in [false, true] {
        to.clear("").await.unwrap();
        let options = ImportOptions { keep_existing };
        let mut seen = Vec::new();
        let error = dump::import(&to, &*bytes, &options, |done| seen.push(done.written)).await.unwrap_err();
        assert_eq!(error.reason(), Some("capacity"));
        let there = records(&exported(&to, "").await).len() as i64;
        assert_eq!(error.detail("written").unwrap().as_i64(), Some(there));
        assert_eq!(seen, [500, 1000]);
    }
}

#[tokio::test]
async fn verify_counts_what_can_be_read() {
    let folder = TempDir::new().unwrap();
    let registry = builder(&folder, "").build();
    for backend in BACKENDS {
        let handle = registry.get(&format!("{backend}:from")).await.unwrap();
        handle.set("a", "four", Expiry::Never).await.unwrap();
        handle.set("b", "four", Expiry::seconds(60)).await.unwrap();
        handle.set("c", &codec::Raw(b"\xc1"), Expiry::Never).await.unwrap();
        let mut progress = 0;
        let found = dump::verify(&handle, |found| progress = found.entries).await.unwrap();
        assert_eq!((found.entries, found.expiring, found.bytes, found.faulty), (2, 1, 10, 1), "{backend}: {found:?}");
        assert_eq!((&*found.faults[0].key, found.faults[0].error.reason()), (&b"c"[..], Some("foreign")));
        assert_eq!(progress, 2);
        let error = dump::export(&handle, b"", Vec::new(), |_| {}).await.unwrap_err();
        assert_eq!((error.reason(), error.detail("key").unwrap().as_bytes()), (Some("foreign"), Some(&b"c"[..])));
    }
}

#[tokio::test]
async fn a_backend_that_fails_ends_it() {
    let folder = TempDir::new().unwrap();
    let registry = builder(&folder, "").build();
    let from = registry.get("memory:from").await.unwrap();
    from.set("a", "v", Expiry::Never).await.unwrap();
    let bytes = exported(&from, "").await;
    registry.close().await.unwrap();
    for error in [
        dump::export(&from, b"", Vec::new(), |_| {}).await.unwrap_err(),
        dump::verify(&from, |_| {}).await.unwrap_err(),
        dump::import(&from, &*bytes, &ImportOptions::default(), |_| {}).await.unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.reason()), (Kind::Unavailable, Some("closed")));
    }
}
