//! `cargo xtask measure`: the figures of docs/choosing.md, by `store bench` on each backend.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::process::{Child, Stdio};

use crate::bench::machine;
use crate::need;
use crate::run::{Failed, cargo, command, output, root, step};

/// How many call at once.
const CALLERS: [&str; 4] = ["1", "4", "32", "256"];
const STORES: [&str; 4] = ["memory", "sled-interval", "sled-sync", "redis"];

/// Measures for about a minute, and writes docs/measurements.jsonl: where and when, then what the command said, a line for each load; and
/// the page anew. Leave the machine alone meanwhile.
pub(crate) fn run() -> Result<(), Failed> {
    // Only the server is needed here; what the tests need besides is not this task's to install.
    if need::find("redis-server").is_none() {
        return Err(Failed::new("redis-server is not installed: cargo xtask needs"));
    }
    step("the command, optimised", cargo(&["build", "--locked", "--release", "-p", "store-cli"]))?;
    let failed = |error: std::io::Error| Failed::new(format!("cannot measure: {error}"));
    let target = root().join("target");
    let folder = target.join("measure");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).map_err(failed)?;
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).map_err(failed)?.port();
    let _server = Server::start(port, &folder).map_err(failed)?;
    let configuration = format!(
        "[stores.memory]\nbackend = 'memory'\n[stores.redis]\nbackend = 'redis'\noptions = {{ url = 'redis://127.0.0.1:{port}' }}\n\
         [stores.sled-sync]\nbackend = 'sled'\noptions = {{ path = 'sync' }}\n\
         [stores.sled-interval]\nbackend = 'sled'\noptions = {{ path = 'interval', durability = 'interval' }}\n"
    );
    std::fs::write(folder.join("store.toml"), configuration).map_err(failed)?;
    let mut lines = format!("{{{}}}\n", machine::fields());
    for store in STORES {
        for mix in ["get", "set"] {
            for callers in CALLERS {
                let program = target.join("release").join("store");
                let mut bench = command(program, &["bench", store, "--mix", mix, "--callers", callers]);
                bench.args(["--duration", "1s", "--yes", "--json"]).current_dir(&folder);
                let line = output(bench)?;
                println!("{store}, {mix}, {callers} callers: done");
                let _ = writeln!(lines, "{}", line.trim());
            }
        }
    }
    std::fs::write(root().join("docs").join("measurements.jsonl"), lines).map_err(failed)?;
    crate::docs::write()
}

/// A server that ends with this.
struct Server(Child);

impl Server {
    fn start(port: u16, folder: &std::path::Path) -> std::io::Result<Server> {
        let port = port.to_string();
        let mut server = command("redis-server", &["--port", &port, "--bind", "127.0.0.1", "--save", ""]);
        server.args(["--appendonly", "no", "--dir"]).arg(folder).stdout(Stdio::null());
        server.spawn().map(Server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
