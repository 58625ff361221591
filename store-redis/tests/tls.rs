//! Encrypted connections, and those that must not come to be.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::{Duration, Instant};

use store_core::{Backend, Expiry, Handle, Kind, OpenContext, Result};
use store_redis::{RedisBackend, RedisOptions};
use store_testkit::{Certificates, Folder, RedisServer};

struct Rig {
    server: RedisServer,
    certificates: Certificates,
    port: u16,
    _folder: Folder,
}

impl Rig {
    fn start(clients: &str) -> Rig {
        let folder = Folder::new();
        let certificates = Certificates::new(folder.path());
        let port = RedisServer::free_port();
        let server = RedisServer::builder()
            .config("bind 127.0.0.1 127.0.0.2")
            .config(format!("tls-port {port}"))
            .config(format!("tls-ca-cert-file {}", certificates.file("ca.crt").display()))
            .config(format!("tls-cert-file {}", certificates.file("server.crt").display()))
            .config(format!("tls-key-file {}", certificates.file("server.key").display()))
            .config(format!("tls-auth-clients {clients}"))
            .start();
        Rig { server, certificates, port, _folder: folder }
    }

    fn options(&self, host: &str) -> RedisOptions {
        let mut options = support::with_timeout(format!("rediss://{host}:{}", self.port), 1000);
        options.ca_file = Some(self.certificates.file("ca.crt"));
        options
    }
}

async fn open(options: &RedisOptions) -> Result<Handle> {
    RedisBackend::new().open(options, OpenContext::new("app:cache")).await.map(Handle::new)
}

#[tokio::test]
async fn tls_works_by_name_and_by_address() {
    let rig = Rig::start("no");
    for host in ["127.0.0.1", "localhost"] {
        let cache = open(&rig.options(host)).await.unwrap();
        cache.set("k", "v", Expiry::Never).await.unwrap();
        assert_eq!(cache.get::<String>("k").await.unwrap().as_deref(), Some("v"));
    }
    let cache = open(&rig.options("localhost")).await.unwrap();
    cache.has("k").await.unwrap();
    rig.server.restart();
    let start = Instant::now();
    while cache.set("k", "v", Expiry::Never).await.is_err() {
        assert!(start.elapsed() < Duration::from_secs(2));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn tls_refuses_strangers() {
    let rig = Rig::start("no");
    let mut options = rig.options("127.0.0.1");
    options.ca_file = Some(rig.certificates.file("other-ca.crt"));
    let error = open(&options).await.unwrap().get::<i32>("k").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.to_string().contains("certificate"), "{error}");
    // The system trusts neither.
    options.ca_file = None;
    match open(&options).await {
        Ok(cache) => assert_eq!(cache.get::<i32>("k").await.unwrap_err().kind(), Kind::Unavailable),
        Err(error) => assert_eq!(error.kind(), Kind::Invalid, "a system without certificates"),
    }
    // The right authority, another name: 127.0.0.2 is loopback too, but not in the certificate.
    let error = open(&rig.options("127.0.0.2")).await.unwrap().get::<i32>("k").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.to_string().contains("certificate"), "{error}");
    // A server that does not speak TLS.
    let mut options = rig.options("127.0.0.1");
    let plain = support::with_timeout(format!("rediss://127.0.0.1:{}", rig.server.port()), 300);
    options.url = plain.url;
    let error = open(&options).await.unwrap().get::<i32>("k").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
}

#[tokio::test]
async fn tls_client_certificates() {
    let rig = Rig::start("yes");
    let mut options = rig.options("localhost");
    let error = open(&options).await.unwrap().get::<i32>("k").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    options.cert_file = Some(rig.certificates.file("client.crt"));
    options.key_file = Some(rig.certificates.file("client.key"));
    let cache = open(&options).await.unwrap();
    cache.set("k", "v", Expiry::Never).await.unwrap();
    // Relative paths are relative to the configuration file.
    let mut cx = OpenContext::new("app:cache");
    cx.base_dir = rig.certificates.file("");
    options.ca_file = Some("ca.crt".into());
    RedisBackend::new().open(&options, cx).await.unwrap();
}

#[tokio::test]
async fn tls_mistakes_are_invalid_and_name_the_option() {
    let folder = Folder::new();
    let certificates = Certificates::new(folder.path());
    let fresh = || {
        let mut options = RedisOptions::new("rediss://localhost");
        options.ca_file = Some(certificates.file("ca.crt"));
        options
    };
    let mut cases = Vec::new();
    let mut options = fresh();
    options.ca_file = Some(certificates.file("missing"));
    cases.push((options, "ca_file"));
    let mut options = fresh();
    options.ca_file = Some(certificates.file("server.key"));
    cases.push((options, "ca_file"));
    let mut options = fresh();
    options.cert_file = Some(certificates.file("client.crt"));
    cases.push((options.clone(), "cert_file"));
    options.key_file = Some(certificates.file("client.crt"));
    cases.push((options.clone(), "key_file"));
    options.key_file = Some(certificates.file("server.key"));
    cases.push((options, "key_file"));
    let mut options = RedisOptions::new("redis://localhost");
    options.ca_file = Some(certificates.file("ca.crt"));
    cases.push((options, "ca_file"));
    for (options, key) in cases {
        let error = open(&options).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.detail("key").and_then(|key| key.as_str())),
            (Kind::Invalid, Some(key)),
            "{error}"
        );
    }
}
