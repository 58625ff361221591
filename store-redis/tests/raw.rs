//! The raw format: both ways between this library and any other Redis client.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use store_core::{Context, Expiry, IncrementOptions, Kind, ListOptions, Outcome, PutOptions, Store, Ttl, Value};
use store_redis::{Format, RedisOptions};
use store_testkit::{Fault, FaultProxy, RedisServer, Reply};
use support::{key, open, with_timeout};

static CX: Context = Context::none();

fn raw(mut options: RedisOptions) -> RedisOptions {
    options.format = Format::Raw;
    options
}

fn redis<A: AsRef<[u8]>>(arguments: &[A]) -> Reply {
    RedisServer::shared().cli(arguments)
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct User {
    name: String,
    visits: u32,
    ratio: f64,
    tags: Vec<String>,
}

#[tokio::test]
async fn what_is_set_here_any_client_reads() {
    let options = raw(support::shared());
    let (store, cache) = open(&options);
    let full = |name: &str| format!("{}/app:cache/{name}", options.prefix);
    let user = User { name: "Alice".into(), visits: 3, ratio: 1.0, tags: vec!["a\"b".into()] };
    cache.set("user", &user, Expiry::seconds(60)).await.unwrap();
    let json = redis(&["GET", &full("user")]);
    assert_eq!(json.text(), r#"{"name":"Alice","visits":3,"ratio":1.0,"tags":["a\"b"]}"#);
    assert!((59_000..=60_000).contains(&redis(&["PTTL", &full("user")]).integer()));
    for (value, text) in [
        (Value::from("plain text"), &b"plain text"[..]),
        (Value::String(vec![0, 0xff, b'\r', b'\n']), b"\0\xff\r\n"),
        (Value::from(""), b""),
        (Value::Integer(-42), b"-42"),
        (Value::Bool(false), b"false"),
        (Value::Float(0.1), b"0.1"),
        (Value::Array(vec![Value::Null, Value::Integer(1)]), b"[null,1]"),
    ] {
        cache.set("k", &value, Expiry::Never).await.unwrap();
        assert_eq!(redis(&["GET", &full("k")]).bytes(), text);
        cache.set_many(&[("k2", &value, Expiry::Never)]).await.unwrap();
        assert_eq!(redis(&["GET", &full("k2")]).bytes(), text);
        assert_eq!(cache.get::<Value>("k2").await.unwrap(), Some(value));
    }
    let capabilities = store.info().capabilities;
    assert!(!capabilities.exact_values && !capabilities.unique_versions && capabilities.versions);
}

#[tokio::test]
async fn what_any_client_sets_is_read_here() {
    let options = raw(support::shared());
    let (store, cache) = open(&options);
    let full = |name: &str| format!("{}/app:cache/{name}", options.prefix);
    redis(&["SET", &full("user"), r#" {"visits": 4, "name": "Bob", "ratio": 2, "tags": []}"#]);
    // A blank before it: then it is text.
    assert!(cache.get::<String>("user").await.unwrap().unwrap().starts_with(" {"));
    redis(&["SET", &full("user"), r#"{"visits": 4, "name": "Bob", "ratio": 2.5, "tags": []}"#, "PX", "60000"]);
    let user = User { name: "Bob".into(), visits: 4, ratio: 2.5, tags: vec![] };
    let entry = cache.entry::<User>("user").await.unwrap().unwrap();
    assert_eq!(entry.value, user);
    assert!(matches!(entry.ttl, Ttl::Left(left) if left > Duration::from_secs(50)));
    redis(&["SET", &full("n"), "41"]);
    assert_eq!(cache.increment("n", 1).await.unwrap(), 42);
    assert_eq!(redis(&["INCRBY", &full("n"), "8"]).integer(), 50);
    assert_eq!(cache.get::<i64>("n").await.unwrap(), Some(50));
    redis(&["APPEND", &full("t"), "text"]);
    assert_eq!(cache.get::<String>("t").await.unwrap().as_deref(), Some("text"));
    let listed = cache.list(&ListOptions::default()).await.unwrap();
    let keys: Vec<_> = listed.items.iter().map(|item| std::str::from_utf8(&item.key).unwrap()).collect();
    assert_eq!(keys, ["n", "t", "user"]);
    assert_eq!(cache.take::<i64>("n").await.unwrap(), Some(50));
    assert_eq!(redis(&["EXISTS", &full("n")]).integer(), 0);
    // What is no string is foreign here too.
    redis(&["RPUSH", &full("list"), "a"]);
    for error in [
        cache.get::<Value>("list").await.unwrap_err(),
        cache.increment("list", 1).await.unwrap_err(),
        cache.take::<Value>("list").await.unwrap_err(),
        store.delete(&CX, key("list"), Some(&entry.version)).await.unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.reason()), (Kind::Internal, Some("foreign")), "{error:?}");
    }
    assert!(cache.delete("list").await.unwrap());
}

/// A version is the digest of the value: it notices another value, whoever wrote it, and only that.
#[tokio::test]
async fn versions_notice_other_values_and_not_other_writes() {
    let options = raw(support::shared());
    let (_, cache) = open(&options);
    let full = format!("{}/app:cache/k", options.prefix);
    let first = cache.put("k", "a", &PutOptions::new()).await.unwrap();
    assert_eq!(first.version.to_string(), "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8", "sha1 of what lies there");
    redis(&["SET", &full, "b"]);
    let stale = PutOptions::new().if_version(first.version.clone());
    assert_eq!(cache.put("k", "c", &stale).await.unwrap_err().kind(), Kind::Conflict);
    assert_eq!(cache.delete_if("k", &first.version).await.unwrap_err().kind(), Kind::Conflict);
    assert_eq!(cache.touch_if("k", Expiry::Never, &first.version).await.unwrap_err().kind(), Kind::Conflict);
    // Changed back, it passes for unchanged: declared as `unique_versions = false`.
    redis(&["SET", &full, "a"]);
    assert!(cache.touch_if("k", Expiry::seconds(9), &first.version).await.unwrap());
    let second = cache.put("k", "c", &stale).await.unwrap();
    assert!(cache.delete_if("k", &second.version).await.unwrap());
    assert!(!cache.delete_if("k", &second.version).await.unwrap());
    assert_eq!(cache.put("k", "d", &stale).await.unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test]
async fn counting_is_that_of_redis_and_exact() {
    let options = raw(support::shared());
    let (_, cache) = open(&options);
    let full = |name: &str| format!("{}/app:cache/{name}", options.prefix);
    let options = IncrementOptions::by(1).initial(i64::MAX - 1).expiry(Expiry::seconds(60));
    assert_eq!(cache.increment_with("n", &options).await.unwrap(), i64::MAX);
    assert!(matches!(cache.ttl("n").await.unwrap(), Some(Ttl::Left(_))), "a TTL applies at creation");
    assert_eq!(cache.increment("n", 1).await.unwrap_err().kind(), Kind::Invalid);
    assert_eq!(redis(&["GET", &full("n")]).text(), i64::MAX.to_string());
    assert_eq!(cache.increment("n", -1).await.unwrap(), i64::MAX - 1);
    assert!(matches!(cache.ttl("n").await.unwrap(), Some(Ttl::Left(_))), "and stays");
    for text in ["1.0", "abc", "", "01"] {
        redis(&["SET", &full("t"), text]);
        assert_eq!(cache.increment("t", 1).await.unwrap_err().kind(), Kind::Invalid, "{text}");
        assert_eq!(redis(&["GET", &full("t")]).text(), text);
    }
}

#[tokio::test]
async fn one_value_that_cannot_be_held_refuses_the_whole_batch() {
    let (_, cache) = open(&raw(support::shared()));
    let items = [("a", Value::Integer(1), Expiry::Never), ("b", Value::Float(f64::NAN), Expiry::Never)];
    let error = cache.set_many(&items).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.reason(), error.outcome()),
        (Kind::Invalid, Some("unsupported"), Outcome::NotApplied)
    );
    assert!(!cache.has("a").await.unwrap());
}

/// Without versions of its own writes it cannot tell what became of one whose answer was lost: it says so.
#[tokio::test]
async fn a_lost_answer_leaves_the_outcome_unknown() {
    let server = RedisServer::start();
    let proxy = FaultProxy::start(server.port());
    let (_, cache) = open(&raw(with_timeout(proxy.url(), 2000)));
    let first = cache.put("k", "a", &PutOptions::new()).await.unwrap();
    cache.increment("n", 1).await.unwrap();
    let well = async || while cache.get::<String>("k").await.is_err() {};
    let cut_once = async || {
        proxy.set(Fault::CutReply);
        tokio::time::sleep(Duration::from_millis(60)).await;
        proxy.set(Fault::None);
    };
    let (written, ()) = tokio::join!(cache.set("k", "a", Expiry::Never), cut_once());
    assert_eq!(written.unwrap_err().outcome(), Outcome::Unknown);
    well().await;
    let (counted, ()) = tokio::join!(cache.increment("n", 1), cut_once());
    assert_eq!(counted.unwrap_err().outcome(), Outcome::Unknown);
    well().await;
    assert_eq!(cache.get::<i64>("n").await.unwrap(), Some(2), "it was applied, and once");
    let current = PutOptions::new().if_version(first.version);
    let (written, ()) = tokio::join!(cache.put("k", "b", &current), cut_once());
    assert_eq!(written.unwrap_err().outcome(), Outcome::Unknown);
}

#[test]
fn mistakes_are_named() {
    let toml = |text: &str| toml::from_str::<RedisOptions>(text);
    toml("url = \"redis://h\"\nformat = \"raw\"").unwrap().check().unwrap();
    assert!(toml("url = \"redis://h\"\nformat = \"Raw\"").is_err());
    let error = toml("url = \"redis://h\"\nformat = \"raw\"\nordered_index = true").unwrap().check().unwrap_err();
    assert_eq!(
        (error.kind(), error.detail("key").and_then(|key| key.as_str())),
        (Kind::Invalid, Some("ordered_index"))
    );
}
