//! The web service as its users meet it: the real binary, over HTTP, on each backend.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use common::{PATIENCE, Service, ask, on_each_backend};
use store_testkit::RedisServer;
use tempfile::TempDir;

#[test]
fn users_sign_in_and_out_and_stay_signed_in_where_the_storage_is_durable() {
    on_each_backend(|start, environment, _| {
        let service = start();
        assert_eq!(service.get("/me", "").status, 401, "{environment}");
        let (alice, bob) = (service.login("alice"), service.login("bob"));
        assert_ne!(alice, bob);
        for visits in 1..=3 {
            let answer = service.get("/me", &alice);
            assert_eq!(answer.body, format!("{{\"user\":\"alice\",\"visits\":{visits}}}"), "{environment}: {answer:?}");
        }
        service.stop();

        let service = start();
        let answer = service.get("/me", &alice);
        if environment.is_empty() {
            assert_eq!(answer.status, 401, "{answer:?}");
            return;
        }
        assert_eq!(answer.body, "{\"user\":\"alice\",\"visits\":4}", "{environment}: {answer:?}");
        assert_eq!(service.ask("POST", "/logout", &alice, "").status, 204, "{environment}");
        assert_eq!(service.get("/me", &alice).status, 401, "{environment}");
        assert_eq!(service.get("/me", &bob).status, 200, "{environment}");
        service.stop();
    });
}

#[test]
fn a_session_that_was_planted_is_worth_nothing() {
    on_each_backend(|start, environment, _| {
        let service = start();
        let planted = service.login("mallory");
        let answer = service.ask("POST", "/login", &planted, "{\"user\": \"alice\"}");
        assert_eq!(answer.status, 204, "{answer:?}");
        let fresh = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        assert_eq!(service.get("/me", &planted).status, 401, "{environment}");
        assert!(service.get("/me", &fresh).body.contains("alice"), "{environment}");
    });
}

#[test]
fn who_tries_too_often_waits() {
    on_each_backend(|start, environment, _| {
        let service = start();
        for _ in 0..5 {
            service.login("alice");
        }
        let answer = service.ask("POST", "/login", "", "{\"user\": \"alice\"}");
        assert_eq!(answer.status, 429, "{environment}: {answer:?}");
        let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&seconds), "{environment}: {seconds}");
        assert_eq!(service.get("/health", "").status, 200, "{environment}");
    });
}

#[test]
fn a_page_is_computed_once_however_many_ask() {
    on_each_backend(|start, environment, _| {
        let service = start();
        let address = service.address;
        let asking: Vec<_> =
            (0..4).map(|_| thread::spawn(move || ask(address, "GET", "/report/2024", "", "").body)).collect();
        for body in asking {
            assert_eq!(body.join().unwrap(), "{\"year\":2024,\"days\":366}", "{environment}");
        }
        assert_eq!(service.get("/report/2024", "").status, 200);
        let computed: Vec<String> = service.lines.try_iter().collect();
        assert_eq!(computed, ["computing the report of 2024"], "{environment}");
        service.stop();
    });
}

#[test]
fn told_to_end_it_answers_first() {
    on_each_backend(|start, environment, _| {
        let service = start();
        let (address, alice) = (service.address, service.login("alice"));
        let slow = thread::spawn(move || ask(address, "GET", "/report/2000", "", ""));
        let said = service.lines.recv_timeout(PATIENCE).unwrap();
        assert_eq!(said, "computing the report of 2000", "{environment}");
        service.terminate();
        assert!(service.ended().success(), "{environment}");
        let answer = slow.join().unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "{\"year\":2000,\"days\":366}"), "{environment}");
        assert!(TcpStream::connect(address).is_err(), "{environment}");

        // What was acknowledged is there.
        if !environment.is_empty() {
            let service = start();
            assert_eq!(service.get("/me", &alice).status, 200, "{environment}");
            assert_eq!(service.get("/report/2000", "").status, 200, "{environment}");
            assert_eq!(service.lines.try_iter().count(), 0, "{environment}: it was kept");
        }
    });
}

#[test]
fn health_says_why_and_a_failing_store_signs_nobody_out() {
    on_each_backend(|start, environment, _| {
        let answer = start().get("/health", "");
        assert_eq!(answer.status, 200, "{environment}");
        assert_eq!(answer.body, "{\"app:cache\":\"ok\",\"app:sessions\":\"ok\"}", "{environment}");
    });

    let (folder, redis) = (TempDir::new().unwrap(), RedisServer::builder().persistent().start());
    let service = Service::start(folder.path(), "production", Some(&redis));
    let alice = service.login("alice");
    redis.kill();
    let answer = service.get("/health", "");
    assert_eq!((answer.status, answer.header("content-type")), (503, Some("application/json")), "{answer:?}");
    assert!(answer.body.contains("\"app:sessions\":\"UNAVAILABLE: "), "{answer:?}");
    let refused = [
        service.get("/me", &alice),
        service.ask("POST", "/logout", &alice, ""),
        service.ask("POST", "/login", "", "{\"user\": \"bob\"}"),
        service.get("/report/1999", ""),
    ];
    for answer in refused {
        assert_eq!(answer.status, 503, "{answer:?}");
        assert_eq!(answer.header("set-cookie"), None, "{answer:?}");
        assert!(!answer.body.contains("127.0.0.1"), "{answer:?}");
    }

    redis.revive();
    let start = Instant::now();
    while service.get("/health", "").status != 200 {
        assert!(start.elapsed() < PATIENCE, "the service does not recover");
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(service.get("/me", &alice).status, 200, "still signed in");
    service.stop();
}
