//! Sessions of tower-sessions on each backend, and what becomes of them when a store fails.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::future::Future;
use std::thread::sleep;

use serde_json::json;
use store::sessions::Sessions;
use store::{Expiry, Handle, Ttl, Value, block_on};
use store_testkit::RedisServer;
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};
use tower_sessions_core::SessionStore;
use tower_sessions_core::session::{Id, Record};
use tower_sessions_core::session_store::Error as SessionError;

const BACKENDS: [&str; 3] = ["memory", "sled", "redis"];

/// A store `app:sessions` on one backend; more lines of its table may follow.
fn open(backend: &str, folder: &TempDir, redis: &RedisServer, more: &str) -> Handle {
    let options = match backend {
        "sled" => "path = 'data'".to_owned(),
        "redis" => format!("url = '{}', prefix = '{}'", redis.url(), folder.path().display()),
        _ => String::new(),
    };
    let path = folder.path().join("store.toml");
    let text = format!("[stores.'app:sessions']\nbackend = '{backend}'\noptions = {{ {options} }}\n{more}");
    std::fs::write(&path, text).unwrap();
    block_on(store::open(&path, None).unwrap().get("app:sessions")).unwrap()
}

/// On each backend, within a runtime as services have one.
fn on_each_backend<F: Future<Output = ()>>(more: &str, test: impl Fn(Handle, &'static str) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for backend in BACKENDS {
        let folder = TempDir::new().unwrap();
        runtime.block_on(test(open(backend, &folder, RedisServer::shared(), more), backend));
    }
}

fn record(left: Duration) -> Record {
    let data = [("user".to_owned(), json!("alice")), ("visits".to_owned(), json!(3))];
    Record { id: Id::default(), data: data.into(), expiry_date: OffsetDateTime::now_utc() + left }
}

/// The same session: reading it takes time, which its date may be off by.
#[track_caller]
fn assert_same(loaded: Option<&Record>, record: &Record, backend: &str) {
    let loaded = loaded.unwrap_or_else(|| panic!("no session on {backend}"));
    assert_eq!((&loaded.id, &loaded.data), (&record.id, &record.data), "{backend}");
    let off = (loaded.expiry_date - record.expiry_date).abs();
    assert!(off < Duration::seconds(5), "{off} on {backend}");
}

#[test]
fn a_session_is_created_changed_loaded_and_deleted() {
    on_each_backend("", async |handle, backend| {
        let sessions = Sessions::new(handle);
        let mut session = record(Duration::minutes(30));
        assert_eq!(sessions.load(&session.id).await.unwrap(), None, "{backend}");
        sessions.create(&mut session).await.unwrap();
        assert_same(sessions.load(&session.id).await.unwrap().as_ref(), &session, backend);

        session.data.insert("role".to_owned(), json!({ "name": "admin", "since": [2024, 1.5, null] }));
        session.expiry_date += Duration::hours(10);
        sessions.save(&session).await.unwrap();
        assert_same(sessions.load(&session.id).await.unwrap().as_ref(), &session, backend);

        sessions.delete(&session.id).await.unwrap();
        sessions.delete(&session.id).await.unwrap();
        assert_eq!(sessions.load(&session.id).await.unwrap(), None, "{backend}");
    });
}

#[test]
fn any_json_comes_back_as_it_was() {
    on_each_backend("", async |handle, backend| {
        let sessions = Sessions::new(handle);
        let mut session = record(Duration::minutes(30));
        let values = [
            json!([]),
            json!({}),
            json!(null),
            json!([[], {}, null, "", true]),
            json!(u64::MAX),
            json!(i64::MIN),
            json!(1.0),
            json!(-0.1),
            json!("ünï\u{0}"),
            json!({ "": { "1": [1] } }),
        ];
        for (index, value) in values.into_iter().enumerate() {
            session.data.insert(index.to_string(), value);
        }
        sessions.create(&mut session).await.unwrap();
        assert_same(sessions.load(&session.id).await.unwrap().as_ref(), &session, backend);
        session.data.clear();
        sessions.save(&session).await.unwrap();
        assert_same(sessions.load(&session.id).await.unwrap().as_ref(), &session, backend);
    });
}

#[test]
fn an_id_that_is_taken_is_not_taken_over() {
    on_each_backend("", async |handle, backend| {
        let sessions = Sessions::new(handle);
        let mut first = record(Duration::minutes(30));
        sessions.create(&mut first).await.unwrap();
        let mut second = Record { id: first.id, ..record(Duration::minutes(30)) };
        second.data.insert("user".to_owned(), json!("mallory"));
        sessions.create(&mut second).await.unwrap();
        assert_ne!(first.id, second.id, "{backend}");
        assert_same(sessions.load(&first.id).await.unwrap().as_ref(), &first, backend);
        assert_same(sessions.load(&second.id).await.unwrap().as_ref(), &second, backend);
    });
}

#[test]
fn saving_brings_no_session_back() {
    on_each_backend("", async |handle, backend| {
        let sessions = Sessions::new(handle);
        let mut session = record(Duration::minutes(30));
        sessions.create(&mut session).await.unwrap();
        sessions.delete(&session.id).await.unwrap();
        sessions.save(&session).await.unwrap();
        assert_eq!(sessions.load(&session.id).await.unwrap(), None, "{backend}");
    });
}

#[test]
fn a_session_lives_until_its_date() {
    on_each_backend("default_ttl = '1s'", async |handle, backend| {
        let sessions = Sessions::new(handle.clone());
        let mut short = record(Duration::milliseconds(300));
        let mut long = record(Duration::days(30));
        sessions.create(&mut short).await.unwrap();
        sessions.create(&mut long).await.unwrap();
        let Some(Ttl::Left(left)) = handle.ttl(format!("session:{}", long.id)).await.unwrap() else {
            panic!("forever on {backend}")
        };
        let month = std::time::Duration::from_secs(30 * 24 * 3600);
        assert!(left <= month && left > month - std::time::Duration::from_secs(60), "{left:?} on {backend}");
        sleep(std::time::Duration::from_millis(310));
        assert_eq!(sessions.load(&short.id).await.unwrap(), None, "{backend}");
        assert_same(sessions.load(&long.id).await.unwrap().as_ref(), &long, backend);
    });
}

#[test]
fn a_date_that_has_passed_is_no_session_and_never_forever() {
    on_each_backend("", async |handle, backend| {
        let sessions = Sessions::new(handle.clone());
        for late in [Duration::ZERO, Duration::nanoseconds(1), Duration::days(365 * 3000)] {
            let mut session = record(-late);
            sessions.create(&mut session).await.unwrap();
            assert_eq!(sessions.load(&session.id).await.unwrap(), None, "{backend}");

            let mut session = record(Duration::minutes(30));
            sessions.create(&mut session).await.unwrap();
            session.expiry_date = OffsetDateTime::now_utc() - late;
            sessions.save(&session).await.unwrap();
            assert_eq!(sessions.load(&session.id).await.unwrap(), None, "{backend}");
        }
        let listed = handle.list(&store::ListOptions::default()).await.unwrap();
        assert!(listed.items.is_empty(), "{backend}");
    });
}

#[test]
fn the_last_date_there_is_is_no_overflow() {
    on_each_backend("", async |handle, backend| {
        let sessions = Sessions::new(handle);
        let mut session = record(Duration::ZERO);
        session.expiry_date = time::Date::MAX.midnight().assume_utc();
        sessions.create(&mut session).await.unwrap();
        let loaded = sessions.load(&session.id).await.unwrap().unwrap();
        assert!(loaded.expiry_date > OffsetDateTime::now_utc() + Duration::days(365 * 99), "{backend}");
    });
}

#[test]
fn scripts_and_operators_read_sessions_under_their_prefix() {
    on_each_backend("", async |handle, backend| {
        let sessions = Sessions::new(handle.clone()).prefix("web/");
        let mut session = record(Duration::minutes(30));
        sessions.create(&mut session).await.unwrap();
        let value: Value = handle.get(format!("web/{}", session.id)).await.unwrap().unwrap();
        assert_eq!(value.get("user"), Some(&Value::from("alice")), "{backend}");
        assert_eq!(value.get("visits"), Some(&Value::Integer(3)), "{backend}");
        assert_eq!(Sessions::new(handle).load(&session.id).await.unwrap(), None, "of another prefix");
    });
}

#[test]
fn what_is_no_session_is_an_error_and_not_absent() {
    on_each_backend("max_value_size = '1KiB'", async |handle, backend| {
        let sessions = Sessions::new(handle.clone());
        let id = Id::default();
        handle.set(format!("session:{id}"), "no session", Expiry::seconds(60)).await.unwrap();
        let error = sessions.load(&id).await.unwrap_err();
        assert!(matches!(error, SessionError::Decode(_)), "{error:?} on {backend}");

        let mut session = record(Duration::minutes(30));
        session.data.insert("large".to_owned(), json!("secret".repeat(1000)));
        let error = sessions.create(&mut session).await.unwrap_err();
        assert!(matches!(error, SessionError::Encode(_)) && !error.to_string().contains("secret"), "{error:?}");

        let released = handle.clone();
        released.release();
        let error = sessions.load(&id).await.unwrap_err();
        assert!(matches!(&error, SessionError::Backend(text) if text.contains("released")), "{error:?} on {backend}");
    });
}

#[test]
fn a_server_that_is_gone_is_not_a_missing_session() {
    let (folder, server) = (TempDir::new().unwrap(), RedisServer::start());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let sessions = Sessions::new(open("redis", &folder, &server, ""));
        let mut session = record(Duration::minutes(30));
        sessions.create(&mut session).await.unwrap();
        server.kill();
        let errors = [
            sessions.load(&session.id).await.map(|_| ()).unwrap_err(),
            sessions.save(&session).await.unwrap_err(),
            sessions.create(&mut session).await.unwrap_err(),
            sessions.delete(&session.id).await.unwrap_err(),
        ];
        for error in errors {
            let SessionError::Backend(text) = &error else { panic!("{error:?}") };
            assert!(text.starts_with("UNAVAILABLE: ") || text.starts_with("TIMEOUT: "), "{text}");
            assert!(!text.contains(&session.id.to_string()), "{text}");
        }
    });
}

#[test]
fn sessions_survive_the_process_on_disk() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.toml");
    std::fs::write(&path, "[stores.s]\nbackend = 'sled'\noptions = { path = 'data' }").unwrap();
    let mut session = record(Duration::minutes(30));
    for start in 0..2 {
        let registry = store::open(&path, None).unwrap();
        let sessions = Sessions::new(block_on(registry.get("s")).unwrap());
        if start == 0 {
            block_on(sessions.create(&mut session)).unwrap();
        } else {
            assert_same(block_on(sessions.load(&session.id)).unwrap().as_ref(), &session, "sled");
        }
        block_on(registry.close()).unwrap();
    }
}
