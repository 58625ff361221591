//! The web service as its users meet it: the real binary, over HTTP, on each backend.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use store_testkit::RedisServer;
use tempfile::TempDir;

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A running service. Killed on drop, if it has not ended.
pub(crate) struct Service {
    child: Child,
    pub(crate) address: SocketAddr,
    /// What it says on standard output, and on standard error.
    pub(crate) lines: Receiver<String>,
    pub(crate) complaints: Receiver<String>,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Service {
    pub(crate) fn start(folder: &Path, environment: &str, redis: Option<&RedisServer>) -> Service {
        std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/web.toml"), folder.join("web.toml")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_web"));
        command.arg("web.toml").current_dir(folder).env("STORE_ENV", environment).env("LISTEN", "127.0.0.1:0");
        command.env_remove("REDIS_URL").envs(redis.map(|redis| ("REDIS_URL", redis.url())));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = lines_of(child.stdout.take().unwrap());
        let complaints = lines_of(child.stderr.take().unwrap());
        let first = lines.recv_timeout(PATIENCE).expect("the service says where it listens");
        let address = first.strip_prefix("listening on ").unwrap().parse().unwrap();
        Service { child, address, lines, complaints }
    }

    pub(crate) fn ask(&self, method: &str, path: &str, cookie: &str, body: &str) -> Answer {
        ask(self.address, method, path, cookie, body)
    }

    pub(crate) fn get(&self, path: &str, cookie: &str) -> Answer {
        self.ask("GET", path, cookie, "")
    }

    /// The cookie of a session, as a browser sends it.
    pub(crate) fn login(&self, user: &str) -> String {
        let answer = self.ask("POST", "/login", "", &format!("{{\"user\": \"{user}\"}}"));
        assert_eq!(answer.status, 204, "{answer:?}");
        let cookie = answer.header("set-cookie").unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("Secure") && cookie.contains("SameSite"), "{cookie}");
        cookie.split(';').next().unwrap().to_owned()
    }

    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    pub(crate) fn signal(&self, name: &str) {
        let done = Command::new("kill").arg(name).arg(self.child.id().to_string()).status().unwrap();
        assert!(done.success());
    }

    pub(crate) fn ended(mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "the service does not end");
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn stop(self) {
        self.terminate();
        assert!(self.ended().success());
    }
}

/// What it says, line by line, as it says it.
fn lines_of(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (said, lines) = channel();
    thread::spawn(move || BufReader::new(stream).lines().map_while(Result::ok).try_for_each(|line| said.send(line)));
    lines
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        headers.find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// One request on a connection of its own.
pub(crate) fn ask(address: SocketAddr, method: &str, path: &str, cookie: &str, body: &str) -> Answer {
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

/// Runs the test with what starts the service in each environment, and the folder that it is started in.
pub(crate) fn on_each_backend(test: impl Fn(&dyn Fn() -> Service, &'static str, &Path)) {
    for environment in ["", "edge", "production"] {
        let folder = TempDir::new().unwrap();
        let redis = (environment == "production").then(RedisServer::start);
        test(&|| Service::start(folder.path(), environment, redis.as_ref()), environment, folder.path());
        assert_eq!(folder.path().join("data").exists(), environment == "edge", "next to the configuration file");
    }
}
