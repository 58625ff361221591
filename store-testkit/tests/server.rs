//! The test kit itself: servers start, misbehave and end as promised.
use std::time::{Duration, Instant};

use store_testkit::{Fault, FaultProxy, RedisServer, Reply, RespClient};

#[test]
fn server_ends_with_its_value() {
    let server = RedisServer::start();
    let (port, folder) = (server.port(), server.folder().to_owned());
    assert_eq!(server.cli(&["PING"]), Reply::Simple("PONG".into()));
    drop(server);
    assert!(RespClient::connect(port).is_err());
    assert!(!folder.exists());
}

#[test]
fn restart_keeps_port_and_forgets_data() {
    let server = RedisServer::start();
    server.cli(&["SET", "k", "v"]);
    server.restart();
    assert_eq!(server.cli(&["GET", "k"]), Reply::Nil);
}

#[test]
fn persistent_server_keeps_data_over_a_kill() {
    let server = RedisServer::builder().persistent().start();
    server.cli(&["SET", "k", "v"]);
    server.restart();
    assert_eq!(server.cli(&["GET", "k"]).text(), "v");
}

#[test]
fn frozen_server_answers_after_the_thaw() {
    let server = RedisServer::start();
    let mut client = server.client();
    server.freeze();
    client.send(&["PING"]).unwrap();
    let start = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(100));
            server.thaw();
        });
        assert_eq!(client.receive().unwrap(), Reply::Simple("PONG".into()));
    });
    assert!(start.elapsed() >= Duration::from_millis(100));
}

#[test]
fn password_is_required() {
    let server = RedisServer::builder().password("sesame").start();
    assert!(RespClient::connect(server.port()).unwrap().call(&["GET", "k"]).unwrap().is_error("NOAUTH"));
    assert_eq!(server.cli(&["GET", "k"]), Reply::Nil);
}

#[test]
fn proxy_cuts_the_reply_after_the_server_executed() {
    let server = RedisServer::start();
    let proxy = FaultProxy::start(server.port());
    let mut client = RespClient::connect(proxy.port()).unwrap();
    assert_eq!(client.call(&["INCR", "n"]).unwrap(), Reply::Integer(1));
    proxy.set(Fault::CutReply);
    assert!(client.call(&["INCR", "n"]).is_err());
    assert_eq!(server.cli(&["GET", "n"]).text(), "2");
    proxy.set(Fault::CutRequestAfter(5));
    let mut client = RespClient::connect(proxy.port()).unwrap();
    assert!(client.call(&["INCR", "n"]).is_err());
    assert_eq!(server.cli(&["GET", "n"]).text(), "2");
}

/// The child process of the next test: starts a server and is killed before it can clean up.
const CHILD: &str = "STORE_TESTKIT_CHILD";

#[test]
fn server_ends_when_the_test_process_is_killed() {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};
    if std::env::var_os(CHILD).is_some() {
        let server = RedisServer::shared();
        // Straight to the file descriptor: the harness captures what println prints.
        writeln!(std::io::stderr(), "PORT {}", server.port()).unwrap();
        std::thread::sleep(Duration::from_secs(60));
        return;
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "server_ends_when_the_test_process_is_killed"])
        .env(CHILD, "1")
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let port = BufReader::new(child.stderr.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("PORT ").map(|port| port.parse::<u16>().unwrap()))
        .unwrap();
    assert!(RespClient::connect(port).is_ok());
    child.kill().unwrap();
    child.wait().unwrap();
    let start = Instant::now();
    while RespClient::connect(port).is_ok() {
        assert!(start.elapsed() < Duration::from_secs(5), "the server outlives its test");
        std::thread::sleep(Duration::from_millis(10));
    }
}
