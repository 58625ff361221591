//! The web service as its users meet it: the real binary, over HTTP, on each backend.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use store_testkit::RedisServer;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

/// A running service. Killed on drop, if it has not ended.
struct Service {
    child: Child,
    address: SocketAddr,
    lines: Receiver<String>,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Service {
    fn start(folder: &Path, environment: &str, redis: Option<&RedisServer>) -> Service {
        std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/web.toml"), folder.join("web.toml")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_web"));
        command.arg("web.toml").current_dir(folder).env("STORE_ENV", environment).env("LISTEN", "127.0.0.1:0");
        command.env_remove("REDIS_URL").envs(redis.map(|redis| ("REDIS_URL", redis.url())));
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let (said, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| said.send(line)));
        let first = lines.recv_timeout(PATIENCE).expect("the service says where it listens");
        let address = first.strip_prefix("listening on ").unwrap().parse().unwrap();
        Service { child, address, lines }
    }

    fn ask(&self, method: &str, path: &str, cookie: &str, body: &str) -> Answer {
        ask(self.address, method, path, cookie, body)
    }

    fn get(&self, path: &str, cookie: &str) -> Answer {
        self.ask("GET", path, cookie, "")
    }

    /// The cookie of a session, as a browser sends it.
    fn login(&self, user: &str) -> String {
        let answer = self.ask("POST", "/login", "", &format!("{{\"user\": \"{user}\"}}"));
        assert_eq!(answer.status, 204, "{answer:?}");
        let cookie = answer.header("set-cookie").unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("Secure") && cookie.contains("SameSite"), "{cookie}");
        cookie.split(';').next().unwrap().to_owned()
    }

    fn terminate(&self) {
        let done = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status().unwrap();
        assert!(done.success());
    }

    fn ended(mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "the service does not end");
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn stop(self) {
        self.terminate();
        assert!(self.ended().success());
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        headers.find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// One request on a connection of its own.
fn ask(address: SocketAddr, method: &str, path: &str, cookie: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: {cookie}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

fn on_each_backend(test: impl Fn(&dyn Fn() -> Service, &'static str)) {
    for environment in ["", "edge", "production"] {
        let folder = TempDir::new().unwrap();
        let redis = (environment == "production").then(RedisServer::start);
        test(&|| Service::start(folder.path(), environment, redis.as_ref()), environment);
        assert_eq!(folder.path().join("data").exists(), environment == "edge", "next to the configuration file");
    }
}

#[test]
fn users_sign_in_and_out_and_stay_signed_in_where_the_storage_is_durable() {
    on_each_backend(|start, environment| {
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
    on_each_backend(|start, environment| {
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
    on_each_backend(|start, environment| {
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
    on_each_backend(|start, environment| {
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
    on_each_backend(|start, environment| {
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
    on_each_backend(|start, environment| {
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
