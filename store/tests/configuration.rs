//! Bad input to the real backends: one clear error each, of the right kind, and no secret in it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use store::config::Document;
use store::{Error, Kind, Registry, Value, block_on};
use store_testkit::RedisServer;

/// The one mistake of a store's entry whose first line is line 2 of the file.
fn mistake(entry: &str) -> String {
    let variables = |name: &str| (name == "SECRET").then(|| "hunter2".to_owned());
    let document = Document::parse(&format!("[stores.s]\n{entry}\n"), "store.toml").unwrap();
    let error = document.resolve(None, &store::backends(), &variables).unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    assert!(matches!(error.detail("problems"), Some(Value::Array(problems)) if problems.len() == 1), "{error}");
    error.message().to_owned()
}

#[test]
fn h2_options_of_the_backends_are_checked_before_anything_opens() {
    for (entry, expected) in [
        (
            "backend = 'memory'\noptions.max_entires = 1",
            "store.toml:3: stores.s.options.max_entires: unknown option; did you mean max_entries?",
        ),
        ("backend = 'memory'\noptions.max_entries = 0", "store.toml:3: stores.s.options.max_entries: "),
        ("backend = 'memory'\noptions.on_full = 'lru'", "store.toml:3: stores.s.options.on_full: "),
        (
            "backend = 'memory'\noptions.on_full = 'evict'",
            "store.toml:3: stores.s.options.on_full: unknown variant `evict`, expected one of ",
        ),
        ("backend = 'sled'", "store.toml:1: stores.s.options.path: missing option"),
        ("backend = 'sled'\noptions.path = ''", "store.toml:3: stores.s.options.path: "),
        (
            "backend = 'sled'\noptions = { path = 'x', durability = 'synch' }",
            "store.toml:3: stores.s.options.durability: unknown variant `synch`, expected ",
        ),
        (
            "backend = 'sled'\noptions = { path = 'x', flush_interval = 200 }",
            "store.toml:3: stores.s.options.flush_interval: a duration needs a unit",
        ),
        ("backend = 'sled'\noptions = { path = 'x', cache = '1 KiB' }", "store.toml:3: stores.s.options.cache: "),
        ("backend = 'redis'", "store.toml:1: stores.s.options.url: "),
        (
            "backend = 'redis'\noptions.url = '${NONE}'",
            "store.toml:3: stores.s.options.url: the environment variable NONE is not set",
        ),
        ("backend = 'redis'\noptions.url = 'http://localhost'", "store.toml:3: stores.s.options.url: "),
        ("backend = 'redis'\noptions.url = 'http://me:hunter2@localhost'", "store.toml:3: stores.s.options.url: "),
        (
            "backend = 'redis'\noptions.url = 'redis://me:${SECRET}@localhost:port'",
            "store.toml:3: stores.s.options.url: ",
        ),
        ("backend = 'redis'\noptions.url = '${SECRET}'", "store.toml:3: stores.s.options.url: "),
        (
            "backend = 'redis'\noptions = { url = 'redis://localhost', timeout = '0s' }",
            "store.toml:3: stores.s.options.timeout: ",
        ),
        (
            "backend = 'redis'\noptions = { url = 'redis://localhost', connections = 0 }",
            "store.toml:3: stores.s.options.connections: ",
        ),
    ] {
        let found = mistake(entry);
        assert!(found.starts_with(expected), "{entry}\n{found}");
    }
}

fn registry(text: &str) -> Registry {
    store::open_with(&Document::parse(text, "store.toml").unwrap(), None, &store::backends()).unwrap()
}

/// What the first use of the store says.
fn first_use(options: &str) -> Error {
    let registry = registry(&format!("[stores.s]\n{options}"));
    let started = Instant::now();
    let error = block_on(async { registry.get("s").await?.get::<String>("k").await }).unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(10), "took {:?}", started.elapsed());
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    assert_eq!(error.detail("store").and_then(Value::as_str), Some("s"), "{error:?}");
    block_on(registry.close()).unwrap();
    error
}

#[test]
fn e7_a_path_that_is_no_folder_is_one_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "not a database").unwrap();
    let error = first_use(&format!("backend = 'sled'\noptions.path = '{}'", file.display()));
    assert!(!error.to_string().is_empty() && error.kind() != Kind::Unknown, "{error:?}");
    assert_eq!(error.detail("backend").and_then(Value::as_str), Some("sled"));
    assert_eq!(std::fs::read(&file).unwrap(), b"not a database", "nothing is lost");
}

#[test]
fn e7_a_server_that_is_down_is_unavailable() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = first_use(&format!("backend = 'redis'\noptions.url = 'redis://me:hunter2@127.0.0.1:{port}'"));
    assert_eq!((error.kind(), error.retryable()), (Kind::Unavailable, Some(true)), "{error:?}");
}

#[test]
fn e3_a_wrong_password_is_unavailable_for_good() {
    let server = RedisServer::builder().password("right").start();
    let port = server.url().rsplit(':').next().unwrap().trim_end_matches('/').to_owned();
    let port = port.split('/').next().unwrap().to_owned();
    let error = first_use(&format!("backend = 'redis'\noptions.url = 'redis://:hunter2@127.0.0.1:{port}'"));
    assert_eq!(
        (error.kind(), error.reason(), error.retryable()),
        (Kind::Unavailable, Some("auth"), Some(false)),
        "{error:?}"
    );
}

#[test]
fn k2_two_stores_share_a_folder_and_not_their_keys() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data").display().to_string();
    let registry = registry(&format!(
        "[stores.a]\nbackend = 'sled'\noptions.path = '{path}'\n[stores.'a:b']\nbackend = 'sled'\noptions.path = '{path}'\n"
    ));
    block_on(async {
        let (one, other) = (registry.get("a").await.unwrap(), registry.get("a:b").await.unwrap());
        one.set("b:c", &1, store::Expiry::Never).await.unwrap();
        other.set("c", &2, store::Expiry::Never).await.unwrap();
        assert_eq!((one.get("b:c").await.unwrap(), one.get::<i32>("c").await.unwrap()), (Some(1), None));
        assert_eq!((other.clear("").await.unwrap(), one.has("b:c").await.unwrap()), (1, true));
        registry.close().await.unwrap();
    });
}
