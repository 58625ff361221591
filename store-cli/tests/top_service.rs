//! `store top --url`: a running service, as its own metrics tell of it, over real HTTP.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
#[path = "common/terminal.rs"]
mod terminal;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use common::{Ended, Place};
use serde_json::{Value as Json, json};
use store::observe::{Meter, prometheus};
use store::{Expiry, ListOptions, Registry, block_on};
use terminal::Terminal;

/// Answers every request on a connection with the same, until it is dropped.
struct Server {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start(address: &str, answer: impl Fn(&str) -> String + Send + 'static) -> Server {
        let listener = TcpListener::bind(address).unwrap();
        let (address, ended) = (listener.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
        let told = Arc::clone(&ended);
        let thread = thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                if told.load(Ordering::SeqCst) {
                    return;
                }
                let mut request = [0; 4096];
                let read = stream.read(&mut request).unwrap_or(0);
                let _ = stream.write_all(answer(&String::from_utf8_lossy(&request[..read])).as_bytes());
            }
        });
        Server { address, ended, thread: Some(thread) }
    }

    fn url(&self) -> String {
        format!("http://{}/metrics", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// A service with two stores and customers: three hits to a miss, and now and then a mistake.
struct Service {
    server: Server,
    ended: Arc<AtomicBool>,
    customers: Option<JoinHandle<()>>,
}

impl Service {
    fn start(address: &str) -> Service {
        let config = "[stores.'app:cache']\nbackend = 'memory'\noptions = { max_bytes = '1 GiB' }\n[stores.idle]\nbackend = 'memory'\n";
        let document = store::config::Document::parse(config, "test.toml").unwrap();
        let meter = Meter::new();
        let config = document.resolve(None, &store::backends(), &|_| None).unwrap();
        let registry = Registry::builder(config).observer(meter.clone()).build();
        let ended = Arc::new(AtomicBool::new(false));
        let (told, served) = (Arc::clone(&ended), registry.clone());
        let customers = thread::spawn(move || {
            let cache = block_on(served.get("app:cache")).unwrap();
            for key in ["a", "b", "c"] {
                block_on(cache.set(key, "value", Expiry::Never)).unwrap();
            }
            while !told.load(Ordering::SeqCst) {
                for key in ["a", "b", "c", "d"] {
                    block_on(cache.get::<String>(key)).unwrap();
                }
                block_on(cache.increment("a", 1)).unwrap_err();
                block_on(cache.list(&ListOptions::default())).unwrap();
                thread::sleep(Duration::from_millis(1));
            }
        });
        let server = Server::start(address, move |request| {
            if !request.starts_with("GET /metrics HTTP/1.1\r\n") {
                return "HTTP/1.1 404 Not Found\r\n\r\n".to_owned();
            }
            let body = prometheus(&registry, &meter);
            // In chunks, as frameworks like to.
            let (first, rest) = body.split_at(body.len() / 2);
            format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{first}\r\n{:x}\r\n{rest}\r\n0\r\n\r\n",
                first.len(),
                rest.len()
            )
        });
        Service { server, ended, customers: Some(customers) }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        self.customers.take().unwrap().join().unwrap();
    }
}

fn object(ended: Ended) -> Json {
    serde_json::from_str(ended.well().stdout.trim()).unwrap()
}

#[test]
fn a_service_tells_what_it_does_with_its_stores() {
    let (service, place) = (Service::start("127.0.0.1:0"), Place::new());
    let url = service.server.url();
    let seen = object(place.run(&["top", "--url", &url, "--once", "--interval", "300ms", "--json"]));
    assert_eq!((&seen["url"], &seen["errors"]), (&json!(url), &json!([])));
    assert!(seen["seconds"].as_f64().unwrap() > 0.0, "{seen}");
    let cache = &seen["stores"][0];
    assert_eq!(
        (&cache["store"], &cache["backend"], &cache["open"]),
        (&json!("app:cache"), &json!("memory"), &json!(true))
    );
    assert_eq!((&cache["entries"], &cache["handles"], &cache["in_flight"]), (&json!(3), &json!(1), &json!(0)));
    assert!(cache["bytes"].as_u64().unwrap() > 0);
    assert_eq!(cache["operations"].as_array().unwrap().len(), 3, "{cache}");
    let get = cache["operations"].as_array().unwrap().iter().find(|one| one["operation"] == "get").unwrap();
    let ratio = get["hit_ratio"].as_f64().unwrap();
    assert!((0.6..0.9).contains(&ratio), "three of four: {get}");
    let rate = |of: &Json, name: &str| of["per_second"][name].as_f64().unwrap();
    assert!(rate(get, "calls") > 10.0 && rate(cache, "calls") > rate(get, "calls"), "{cache}");
    assert!(cache["per_second"]["errors"]["INVALID"].as_f64().unwrap() > 1.0, "{cache}");
    let (half, most) = (get["p50_at_most"].as_f64().unwrap(), get["p99_at_most"].as_f64().unwrap());
    assert!(get["mean"].as_f64().unwrap() > 0.0 && half <= most && half > 0.0, "{get}");
    assert_eq!((&seen["stores"][1]["store"], &seen["stores"][1]["open"]), (&json!("idle"), &json!(false)));

    // In a pipe: one picture, no colours.
    let text = place.run(&["top", "--url", &url, "--interval", "300ms"]).well().stdout;
    for part in [
        "\napp:cache  ",
        "\napp:cache get  ",
        "\napp:cache list  ",
        "\nidle  ",
        "on memory, not opened yet",
        " INVALID/s",
        "1 handle",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    assert!(
        !text.contains("-0.0") && !text.contains('\x1b') && text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );

    // One store of it; and one that it has not.
    let seen = object(place.run(&["top", "idle", "--url", &url, "--interval", "100ms", "--once", "--json"]));
    assert_eq!((seen["stores"].as_array().unwrap().len(), &seen["stores"][0]["store"]), (1, &json!("idle")));
    let ended = place.run(&["top", "ideal", "--url", &url, "--once"]).badly(1, &[]);
    assert!(ended.stdout.contains("the service has no store \"ideal\"; it has app:cache, idle"), "{ended:?}");
}

#[test]
fn what_is_no_such_service_is_told_and_why() {
    let place = Place::new();
    let gone = format!("http://127.0.0.1:{}", store_testkit::RedisServer::free_port());
    let ended = place.run(&["top", "--url", &gone]).badly(1, &[]);
    assert!(ended.stdout.contains("UNAVAILABLE: cannot connect to the service: Connection refused"), "{ended:?}");
    let said = [
        ("HTTP/1.1 200 OK\r\n\r\nup 1\n", "the answer has no metrics of stores"),
        ("HTTP/1.1 404 Not Found\r\n\r\n", "the service answers 404 Not Found"),
        ("HTTP/1.1 302 Found\r\nLocation: /login\r\n\r\n", "the service answers 302 Found"),
        ("-ERR unknown command\r\n", "the answer is not HTTP"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nstore_open{store=\"a\"} 1\n", "the answer was cut off"),
    ];
    for (answer, why) in said {
        let server = Server::start("127.0.0.1:0", move |_| answer.to_owned());
        let ended = place.run(&["top", "--url", &server.url(), "--once"]).badly(1, &[]);
        assert!(ended.stdout.contains(why), "{why}: {ended:?}");
        let seen: Json = serde_json::from_str(
            place.run(&["top", "--url", &server.url(), "--once", "--json"]).badly(1, &[]).stdout.trim(),
        )
        .unwrap();
        assert_eq!((&seen["errors"][0]["kind"], &seen["stores"]), (&json!("UNAVAILABLE"), &json!([])), "{seen}");
    }
    // One that accepts, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/metrics", silent.local_addr().unwrap());
    let ended = place.run(&["top", "--url", &url, "--once"]).badly(1, &[]);
    assert!(ended.stdout.contains("TIMEOUT: no answer within 5s"), "{ended:?}");

    place
        .run(&["top", "--url", "https://localhost/metrics"])
        .badly(2, &["--url https://localhost/metrics: https is not spoken"]);
    place.run(&["top", "--url", "http://localhost:x"]).badly(2, &["x is not a port"]);
    place.run(&["top", "--url", &url, "--depth", "2"]).badly(2, &["--depth", "cannot be used with"]);
    place.run(&["top", "--url", &url, "--config", "x.toml"]).badly(2, &["cannot be used with"]);
    place.run(&["top"]).badly(2, &["ID"]);
}

#[test]
fn at_a_terminal_it_goes_on_and_sees_the_service_go_and_come_back() {
    let (service, place) = (Service::start("127.0.0.1:0"), Place::new());
    let (url, address) = (service.server.url(), service.server.address.to_string());
    let mut command = place.store(&["top", "--url", &url, "--interval", "100ms"]);
    command.env("TERM", "xterm").env_remove("NO_COLOR");
    let mut terminal = Terminal::run(command);
    terminal.wait_for("\x1b[?1049h");
    terminal.wait_for("app:cache get");
    drop(service);
    terminal.wait_for("UNAVAILABLE");
    let again = Service::start(&address);
    terminal.wait_for("app:cache get");
    terminal.signal("-INT");
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(130), "{screen}");
    assert!(screen.trim_end().ends_with("\x1b[?25h\x1b[?1049l") || screen.contains("\x1b[?1049l"), "{screen}");
    drop(again);
}
