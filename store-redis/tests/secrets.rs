//! No password, no token, no value in anything that can be printed: whatever goes wrong (rule E7).
//!
//! The crate writes no log of its own; what can be printed are errors with their sources, options, backends, stores and handles.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::error::Error as _;
use std::fmt::Debug;
use std::time::Duration;

use store_core::config::{HumanDuration, Secret};
use store_core::{Backend, Error, Expiry, OpenContext, PutOptions, Registry};
use store_redis::{Format, NearCache, RedisBackend, RedisOptions};
use store_testkit::{Fault, FaultProxy, RedisServer};

/// Parts of secrets: a user name, passwords, a value, as they are and as they are written in URLs.
const SECRETS: [&str; 6] = ["s3samu5er", "op3n-sesame", "op3n%2Dsesame", "0ther-sesame", "pr1vate-value", "sesame"];

fn clean(what: &str, printed: &str) {
    for secret in SECRETS {
        assert!(!printed.contains(secret), "{what} shows a secret: {printed}");
    }
}

fn clean_debug(what: &str, shown: &impl Debug) {
    clean(what, &format!("{shown:?} {shown:#?}"));
}

fn clean_error(what: &str, error: &Error) {
    let mut printed = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(cause) = source {
        printed.push_str(&format!(" {cause} {cause:?}"));
        source = cause.source();
    }
    clean(what, &printed);
}

fn quick(mut options: RedisOptions) -> RedisOptions {
    options.timeout = HumanDuration(Duration::from_millis(150));
    options.connect_timeout = options.timeout;
    options
}

#[tokio::test]
async fn e7_no_failure_shows_a_secret() {
    let server = RedisServer::builder().password("op3n-sesame").start();
    let user = ["ACL", "SETUSER", "s3samu5er", "on", ">op3n-sesame", "~store/*", "+@all", "-del"];
    server.cli(&user);
    let url = |user: &str, password: &str, port: u16| format!("redis://{user}:{password}@127.0.0.1:{port}");
    let (port, dead) = (server.port(), RedisServer::free_port());
    let proxy = FaultProxy::start(port);
    let tls = RedisOptions::new(format!("rediss://s3samu5er:op3n-sesame@127.0.0.1:{port}"));
    let mut named = RedisOptions::new(format!("redis://127.0.0.1:{port}"));
    named.username = Some("s3samu5er".to_owned());
    named.password = Some(Secret::new("0ther-sesame"));
    let mut near = RedisOptions::new(url("s3samu5er", "0ther-sesame", port));
    near.near_cache = Some(NearCache::new(1 << 20));
    let all = [
        ("well", RedisOptions::new(url("s3samu5er", "op3n%2Dsesame", port))),
        ("wrong password", RedisOptions::new(url("s3samu5er", "0ther-sesame", port))),
        ("wrong password, near cache", near),
        ("wrong user", RedisOptions::new(url("sesame", "op3n-sesame", port))),
        ("credentials beside the URL", named),
        ("nobody there", RedisOptions::new(url("s3samu5er", "op3n-sesame", dead))),
        ("no such host", RedisOptions::new("redis://s3samu5er:op3n-sesame@nowhere.invalid:1")),
        ("no TLS there", tls),
        ("no such socket", RedisOptions::new("redis+unix:///nowhere/sock?user=s3samu5er&pass=op3n-sesame")),
        ("a cut connection", RedisOptions::new(url("s3samu5er", "op3n-sesame", proxy.port()))),
        (
            "Sentinel",
            RedisOptions::sentinel(
                "master",
                [format!("redis://s3samu5er:op3n-sesame@127.0.0.1:{dead}"), url("s3samu5er", "op3n-sesame", port)],
            ),
        ),
        (
            "cluster",
            RedisOptions::cluster([url("s3samu5er", "op3n-sesame", port), url("s3samu5er", "0ther-sesame", dead)]),
        ),
        ("no URL", RedisOptions::new("s3samu5er:op3n-sesame@h")),
        ("no such scheme", RedisOptions::new("http://s3samu5er:op3n-sesame@h")),
        ("a fragment", RedisOptions::new("redis://s3samu5er:op3n#sesame@h")),
        ("no such port", RedisOptions::new("redis://s3samu5er:op3n-sesame@h:op3n-sesame")),
    ];
    let mut failures = 0;
    for (what, options) in all {
        for format in [Format::Envelope, Format::Raw] {
            let mut options = quick(options.clone());
            options.format = format;
            clean_debug(what, &options);
            let backend = RedisBackend::new();
            clean_debug(what, &backend);
            let store = match backend.open(&options, OpenContext::new("app:cache")).await {
                Ok(store) => store,
                Err(error) => {
                    clean_error(what, &error);
                    failures += 1;
                    continue;
                }
            };
            clean_debug(what, &store);
            let cache = store_core::Handle::new(store);
            clean_debug(what, &cache);
            if what == "a cut connection" {
                proxy.set(Fault::CutReply);
            }
            let results = [
                cache.set("k", "pr1vate-value", Expiry::Never).await,
                cache.get::<String>("k").await.map(drop),
                cache.get::<i64>("k").await.map(drop),
                cache.increment("k", 1).await.map(drop),
                cache.delete("k").await.map(drop),
                cache.put("k", "pr1vate-value", &PutOptions::new().only_if_present()).await.map(drop),
                cache.set_many(&[("k", "pr1vate-value", Expiry::Never)]).await,
                cache.ping().await,
            ];
            proxy.set(Fault::None);
            for error in results.into_iter().filter_map(Result::err) {
                clean_error(what, &error);
                failures += 1;
            }
        }
    }
    assert!(failures > 100, "{failures}");
}

/// As a configuration brings them: by a registry, in errors that name file and line.
#[test]
fn e7_no_configuration_error_shows_a_secret() {
    for options in [
        "url = \"redis://s3samu5er:op3n-sesame@h:x\"",
        "url = \"redis://s3samu5er:op3n-sesame@h\", timeout = 5",
        "url = \"redis://s3samu5er:op3n-sesame@h\", password = 5",
        "url = \"redis://h\", password = \"op3n-sesame\", connections = 0",
        "url = \"redis://h\", passwort = \"op3n-sesame\"",
        "cluster = [\"http://s3samu5er:op3n-sesame@h\"]",
        "sentinel = { master = \"m\", nodes = [\"http://:op3n-sesame@h\"] }",
        "url = \"redis://s3samu5er:op3n-sesame@h\", format = \"op3n\"",
    ] {
        let text = format!("[stores.\"app:cache\"]\nbackend = \"redis\"\noptions = {{ {options} }}\n");
        let mut backends = store_core::Backends::new();
        backends.register(RedisBackend::new()).unwrap();
        let document = store_core::config::Document::parse(&text, "store.toml").unwrap();
        let error = document.resolve(None, &backends, &|_| None).map(Registry::new).map(drop).unwrap_err();
        clean_error(options, &error);
        assert!(error.to_string().contains("store.toml"), "{error}");
    }
}
