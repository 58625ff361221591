//! A real `redis-server`.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};
use std::{fs, thread};

use rustix::process::{Pid, Signal, kill_process};

use crate::spawn::{have, spawn};
use crate::{Folder, Reply, RespClient};

const PATIENCE: Duration = Duration::from_secs(15);

/// How to start a server.
#[derive(Clone, Debug, Default)]
pub struct RedisServerBuilder {
    lines: Vec<String>,
    password: Option<String>,
    unix_socket: bool,
    persistent: bool,
    sentinel: bool,
}

impl RedisServerBuilder {
    /// Adds a line to `redis.conf`.
    #[must_use]
    pub fn config(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// Requires this password of the default user.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Listens on a Unix socket too.
    #[must_use]
    pub fn unix_socket(mut self) -> Self {
        self.unix_socket = true;
        self
    }

    /// Runs as a Sentinel that watches a primary on a loopback port, and replaces it within about 2 s when it does not answer.
    #[must_use]
    pub fn sentinel(mut self, master: &str, port: u16) -> Self {
        self.sentinel = true;
        self.config(format!("sentinel monitor {master} 127.0.0.1 {port} 1"))
            .config(format!("sentinel down-after-milliseconds {master} 500"))
            .config(format!("sentinel failover-timeout {master} 2000"))
    }

    /// Writes every command to an append-only file before answering, so that a restart loses nothing.
    #[must_use]
    pub fn persistent(mut self) -> Self {
        self.persistent = true;
        self
    }

    /// Starts the server and waits until it answers.
    ///
    /// # Panics
    /// If `redis-server` is missing or does not start.
    #[must_use]
    pub fn start(self) -> RedisServer {
        assert!(
            have(program()),
            "redis-server is not installed. Install it: `apt-get install redis-server` (Debian, Ubuntu), \
             `dnf install redis` (Fedora), `brew install redis` (macOS)"
        );
        let mut log = String::new();
        // Another process may take the port between the look and the start: then look again.
        for _ in 0..10 {
            let port = RedisServer::free_port();
            let server = RedisServer { options: self.clone(), port, child: Mutex::new(None), folder: Folder::new() };
            if server.launch() {
                return server;
            }
            log = server.log();
        }
        panic!("redis-server does not start; its log:\n{log}");
    }
}

/// A running `redis-server` on a loopback port, with a temporary folder of its own. Stopped on drop.
#[derive(Debug)]
pub struct RedisServer {
    options: RedisServerBuilder,
    port: u16,
    child: Mutex<Option<Child>>,
    folder: Folder,
}

impl RedisServer {
    /// Starts a server with default options: no password, nothing on disk.
    ///
    /// # Panics
    /// If `redis-server` is missing (with the command that installs it) or does not start.
    #[must_use]
    pub fn start() -> RedisServer {
        RedisServer::builder().start()
    }

    /// A port that is free now, low enough for a cluster bus (port + 10000) beside it.
    ///
    /// # Panics
    /// If no port is free.
    #[must_use]
    pub fn free_port() -> u16 {
        loop {
            let listener = TcpListener::bind(("127.0.0.1", 0)).expect("bind a loopback port");
            let port = listener.local_addr().expect("an address").port();
            if port < 55_000 {
                return port;
            }
        }
    }

    /// A server with options.
    #[must_use]
    pub fn builder() -> RedisServerBuilder {
        RedisServerBuilder::default()
    }

    /// One server for all tests of this process, started when first asked for. Do not restart or freeze it.
    #[must_use]
    pub fn shared() -> &'static RedisServer {
        static SHARED: OnceLock<RedisServer> = OnceLock::new();
        SHARED.get_or_init(RedisServer::start)
    }

    /// `redis://127.0.0.1:PORT`, with the password if there is one.
    #[must_use]
    pub fn url(&self) -> String {
        match &self.options.password {
            Some(password) => format!("redis://:{password}@127.0.0.1:{}", self.port),
            None => format!("redis://127.0.0.1:{}", self.port),
        }
    }

    /// `redis+unix:///...`, for a server started with [`unix_socket`](RedisServerBuilder::unix_socket).
    #[must_use]
    pub fn unix_url(&self) -> String {
        format!("redis+unix://{}", self.socket_path().display())
    }

    /// The TCP port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The server's folder: configuration, log, persistence.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn socket_path(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    /// A new connection, authenticated with the password given at the start.
    ///
    /// # Panics
    /// If the server does not accept it.
    #[must_use]
    pub fn client(&self) -> RespClient {
        let mut client = RespClient::connect(self.port).expect("connect to redis-server");
        if let Some(password) = &self.options.password {
            let reply = client.call(&["AUTH", password]).expect("AUTH");
            assert_eq!(reply, Reply::Simple("OK".into()));
        }
        client
    }

    /// Runs one command on a new connection. Error replies are returned, not raised.
    ///
    /// # Panics
    /// If the server does not answer.
    pub fn cli<A: AsRef<[u8]>>(&self, arguments: &[A]) -> Reply {
        self.client().call(arguments).expect("an answer from redis-server")
    }

    /// Kills the server with SIGKILL: nothing is saved, sockets are reset.
    ///
    /// # Panics
    /// If it is not running.
    pub fn kill(&self) {
        let mut child = self.child.lock().unwrap().take().expect("the server runs");
        let _ = child.kill();
        let _ = child.wait();
    }

    /// Starts a killed server again: same port, same folder, same options.
    ///
    /// # Panics
    /// If it runs, or does not start.
    pub fn revive(&self) {
        assert!(self.child.lock().unwrap().is_none(), "the server runs");
        assert!(self.launch(), "redis-server does not start again; its log:\n{}", log_of(self.folder.path()));
    }

    /// [`kill`](RedisServer::kill) and [`revive`](RedisServer::revive).
    ///
    /// # Panics
    /// If it is not running, or does not start again.
    pub fn restart(&self) {
        self.kill();
        self.revive();
    }

    /// Stops the server in its tracks (SIGSTOP): sockets stay open, nobody answers.
    ///
    /// # Panics
    /// If it is not running.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets a frozen server run on (SIGCONT): it first executes what its sockets hold.
    ///
    /// # Panics
    /// If it is not running.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// What the server has logged.
    #[must_use]
    pub fn log(&self) -> String {
        log_of(self.folder.path())
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.lock().unwrap();
        let id = child.as_ref().expect("the server runs").id();
        let pid = i32::try_from(id).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, signal).expect("send a signal");
    }

    /// Whether it started: false if the process ended, as it does when the port is taken.
    fn launch(&self) -> bool {
        let folder = self.folder.path();
        let mut conf = vec![
            format!("port {}", self.port),
            "bind 127.0.0.1".to_owned(),
            format!("dir {}", folder.display()),
            format!("logfile {}", folder.join("redis.log").display()),
            "daemonize no".to_owned(),
        ];
        if !self.options.sentinel {
            conf.extend(["save \"\"", "repl-diskless-sync-delay 0"].map(str::to_owned));
            // Before 7.0 nothing of this had to be enabled.
            if !is_before_7() {
                conf.extend(["enable-debug-command yes", "enable-protected-configs yes"].map(str::to_owned));
            }
        }
        if self.options.persistent {
            conf.extend(["appendonly yes".to_owned(), "appendfsync always".to_owned()]);
        }
        if let Some(password) = &self.options.password {
            conf.push(format!("requirepass {password}"));
        }
        if self.options.unix_socket {
            conf.push(format!("unixsocket {}", self.socket_path().display()));
        }
        conf.extend(self.options.lines.iter().cloned());
        let file = folder.join("redis.conf");
        fs::write(&file, conf.join("\n")).expect("write redis.conf");
        let mut arguments = vec![file.display().to_string()];
        if self.options.sentinel {
            arguments.push("--sentinel".to_owned());
        }
        let mut child = spawn(program(), arguments).expect("start redis-server");
        let start = Instant::now();
        loop {
            if matches!(child.try_wait(), Ok(Some(_))) {
                return false;
            }
            if self.answers() {
                break;
            }
            if start.elapsed() > PATIENCE {
                let _ = child.kill();
                let _ = child.wait();
                return false;
            }
            thread::sleep(Duration::from_millis(5));
        }
        *self.child.lock().unwrap() = Some(child);
        true
    }

    /// Whether *this* server answers on the port, and not another process that took it.
    fn answers(&self) -> bool {
        let Ok(mut client) = RespClient::connect(self.port) else { return false };
        if let Some(password) = &self.options.password {
            let _ = client.call(&["AUTH", password]);
        }
        if self.options.sentinel {
            return matches!(client.call(&["SENTINEL", "MASTERS"]), Ok(Reply::Array(_)));
        }
        // A server that reads its files answers this and refuses commands.
        if !client.call(&["PING"]).is_ok_and(|reply| !reply.is_error("LOADING")) {
            return false;
        }
        match client.call(&["CONFIG", "GET", "dir"]) {
            Ok(Reply::Array(items)) => {
                let here = fs::canonicalize(self.folder.path()).ok();
                items.get(1).is_some_and(|dir| fs::canonicalize(dir.text()).ok() == here)
            }
            _ => false,
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.lock().ok().and_then(|mut child| child.take()) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The server to test against: `redis-server`, or what `STORE_TEST_REDIS` names (of another version, or Valkey's).
fn program() -> &'static str {
    static PROGRAM: OnceLock<String> = OnceLock::new();
    PROGRAM.get_or_init(|| std::env::var("STORE_TEST_REDIS").unwrap_or_else(|_| "redis-server".to_owned()))
}

/// `Redis server v=6.2.14 ...`
fn is_before_7() -> bool {
    static OLD: OnceLock<bool> = OnceLock::new();
    *OLD.get_or_init(|| {
        let output = Command::new(program()).arg("--version").output().expect("the version of redis-server");
        let text = String::from_utf8_lossy(&output.stdout);
        let major = text.split_once("v=").and_then(|(_, rest)| rest.split('.').next()?.parse::<u32>().ok());
        major.is_some_and(|major| major < 7)
    })
}

fn log_of(folder: &Path) -> String {
    fs::read_to_string(folder.join("redis.log")).unwrap_or_else(|_| "(no log)".to_owned())
}
