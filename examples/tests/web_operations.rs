//! The web service as those who run it meet it: its metrics, and its configuration loaded anew, on each backend.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use common::{PATIENCE, Service, on_each_backend};

/// What `/metrics` says: a number for each series, as it is written.
fn scrape(service: &Service) -> BTreeMap<String, f64> {
    let answer = service.get("/metrics", "");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/plain; version=0.0.4")), "{answer:?}");
    let numbers = answer.body.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let (series, number) = line.rsplit_once(' ').unwrap();
        (series.to_owned(), number.parse().unwrap_or_else(|_| panic!("{line}")))
    });
    numbers.collect()
}

#[test]
fn metrics_tell_what_requests_did_and_name_no_key() {
    on_each_backend(|start, environment, _| {
        let service = start();
        let before = scrape(&service);
        assert_eq!(
            before["store_open{store=\"app:cache\",backend=\"BACKEND\"}"
                .replace("BACKEND", backend(environment))
                .as_str()],
            1.0
        );
        let alice = service.login("alice");
        for _ in 0..3 {
            assert_eq!(service.get("/me", &alice).status, 200, "{environment}");
            assert_eq!(service.get("/report/2024", "").status, 200, "{environment}");
        }
        // A health check is nobody's traffic.
        assert_eq!(service.get("/health", "").status, 200);
        let now = scrape(&service);
        let of = |metric: &str, labels: &str| now.get(&format!("{metric}{{{labels}}}")).copied().unwrap_or_default();
        let loads = "store=\"app:cache\",operation=\"get_or_set\"";
        assert_eq!(of("store_operations_total", &format!("{loads},outcome=\"ok\"")), 3.0, "{environment}: {now:?}");
        assert_eq!(
            (of("store_hits_total", loads), of("store_misses_total", loads)),
            (2.0, 1.0),
            "{environment}: {now:?}"
        );
        let counted = "store=\"app:cache\",operation=\"increment\",outcome=\"ok\"";
        assert_eq!(of("store_operations_total", counted), 1.0, "{environment}: {now:?}");
        assert!(
            !now.keys().any(|series| series.contains("alice") || series.contains("2024") || series.contains("ping"))
        );
        service.stop();
    });
}

fn backend(environment: &str) -> &'static str {
    match environment {
        "edge" => "sled",
        "production" => "redis",
        _ => "memory",
    }
}

/// How long browsers may keep a report, in seconds.
fn kept(service: &Service, year: u32) -> u64 {
    let answer = service.get(&format!("/report/{year}"), "");
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.header("cache-control").and_then(|value| value.strip_prefix("max-age=")).unwrap().parse().unwrap()
}

fn change(folder: &Path, from: &str, to: &str) {
    let path = folder.join("web.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(&path, text.replace(from, to)).unwrap();
}

#[test]
fn a_changed_configuration_is_taken_up_and_nobody_notices() {
    on_each_backend(|start, environment, folder| {
        let service = start();
        let alice = service.login("alice");
        let hour = kept(&service, 2000);
        assert!((3500..=3600).contains(&hour), "{environment}: {hour}");

        change(folder, "default_ttl = \"1h\"", "default_ttl = \"5m\"");
        service.signal("-HUP");
        let said = loop {
            let line = service.lines.recv_timeout(PATIENCE).expect("it says that it has loaded it");
            if !line.starts_with("computing") {
                break line;
            }
        };
        assert_eq!(said, "configuration loaded: changed app:cache", "{environment}");
        let minutes = kept(&service, 2001);
        assert!((200..=300).contains(&minutes), "{environment}: {minutes}");
        // What was there is there, with the time that it was given.
        assert!(kept(&service, 2000) > 3400, "{environment}");
        assert_eq!(service.get("/me", &alice).body, "{\"user\":\"alice\",\"visits\":1}", "{environment}");

        // Mistakes: all of them are told, and what holds goes on to hold.
        change(folder, "default_ttl = \"5m\"", "default_tll = \"9m\"\nmax_ttl = \"never ever\"");
        service.signal("-HUP");
        let refused = service.complaints.recv_timeout(PATIENCE).expect("it says why not");
        assert!(refused.starts_with("configuration refused: "), "{environment}: {refused}");
        let mut rest = String::new();
        while !(rest.contains("default_tll") && rest.contains("max_ttl")) {
            rest += &service.complaints.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{environment}: {rest}"));
        }
        assert!(rest.contains("web.toml"), "{rest}");
        assert!((200..=300).contains(&kept(&service, 2002)), "{environment}");
        assert_eq!(service.get("/me", &alice).body, "{\"user\":\"alice\",\"visits\":2}", "{environment}");
        assert_eq!(service.get("/health", "").status, 200, "{environment}");
        service.stop();
    });
}
