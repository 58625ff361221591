//! What tools do with a whole store through a handle: ping, and scan under the caller's rights.
#![cfg(feature = "memory")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use store::config::Document;
use store::{Context, Expiry, Handle, Kind, Registry, Result};

const CONFIGURATION: &str = "
    [stores.cache]
    backend = 'memory'

    [[security.policies]]
    id = 'reads'
    actions = ['store.get', 'store.key.get']
    resources = ['*']
    effect = 'allow'
    groups = ['readers', 'listers']

    [[security.policies]]
    id = 'lists'
    actions = ['store.key.list']
    resources = ['*']
    effect = 'allow'
    groups = ['listers']

    [[security.policies]]
    id = 'no-secrets'
    actions = ['store.key.get']
    resources = ['*']
    keys = ['secret:*']
    effect = 'deny'
    groups = ['listers']
";

fn registry() -> Registry {
    let document = Document::parse(CONFIGURATION, "store.toml").unwrap();
    store::open_with(&document, None, &store::backends()).unwrap()
}

fn scope(group: &str) -> Context {
    Context::new(None, Some(vec![group.to_owned()]))
}

async fn scanned(handle: &Handle, prefix: &str) -> Result<BTreeSet<String>> {
    let (mut scan, mut keys) = (handle.scan(prefix), BTreeSet::new());
    while let Some(items) = scan.next().await? {
        keys.extend(items.iter().map(|item| String::from_utf8(item.key.to_vec()).unwrap()));
    }
    assert!(scan.next().await?.is_none(), "the end stays the end");
    Ok(keys)
}

#[test]
fn scan_brings_everything_once_whatever_its_number() {
    store::block_on(async {
        let handle = registry().get("cache").await.unwrap();
        assert_eq!(scanned(&handle, "").await.unwrap(), BTreeSet::new());
        let keys: BTreeSet<String> = (0..1700).map(|index| format!("k{index:04}")).collect();
        for key in &keys {
            handle.set(key, &1, Expiry::Never).await.unwrap();
        }
        assert_eq!(scanned(&handle, "").await.unwrap(), keys);
        assert_eq!(scanned(&handle, "k00").await.unwrap().len(), 100);
    });
}

#[test]
fn s1_scan_shows_what_get_would_and_needs_the_right_to_list() {
    store::block_on(async {
        let registry = registry();
        let all = registry.get("cache").await.unwrap();
        for key in ["open:1", "secret:1"] {
            all.set(key, "v", Expiry::Never).await.unwrap();
        }
        let lister = registry.get_as("cache", &scope("listers")).await.unwrap();
        assert_eq!(scanned(&lister, "").await.unwrap(), BTreeSet::from(["open:1".to_owned()]));
        assert_eq!(scanned(&lister, "secret:").await.unwrap(), BTreeSet::new());
        let reader = registry.get_as("cache", &scope("readers")).await.unwrap();
        let denied = scanned(&reader, "").await.unwrap_err();
        assert_eq!(
            (denied.kind(), denied.to_string().as_str()),
            (Kind::PermissionDenied, "scan on cache: store.key.list is not allowed")
        );
        assert_eq!(reader.ping().await.unwrap_err().kind(), Kind::PermissionDenied, "as info");
        all.ping().await.unwrap();
    });
}

#[test]
fn released_and_closed_come_first() {
    store::block_on(async {
        let registry = registry();
        let (handle, other) = (registry.get("cache").await.unwrap(), registry.get("cache").await.unwrap());
        handle.release();
        for error in [handle.ping().await.unwrap_err(), scanned(&handle, "").await.unwrap_err()] {
            assert_eq!((error.kind(), error.message()), (Kind::Invalid, "store is released"));
        }
        registry.close().await.unwrap();
        for error in [other.ping().await.unwrap_err(), scanned(&other, "").await.unwrap_err()] {
            assert_eq!((error.kind(), error.reason()), (Kind::Unavailable, Some("closed")));
        }
    });
}
