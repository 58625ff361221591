//! `cargo xtask redis`: a Redis server to try things on, which leaves nothing behind.

use crate::need;
use crate::run::{Failed, command, step};

/// Runs a server on a port (6379) of this machine until Ctrl-C. It saves nothing.
pub(crate) fn run(args: &[String]) -> Result<(), Failed> {
    let port = match args {
        [] => "6379",
        [port] if port.parse::<u16>().is_ok() => port,
        _ => return Err(Failed::usage("at most a port")),
    };
    need::install(&["store-redis".to_owned()])?;
    println!("\n    REDIS_URL=redis://127.0.0.1:{port}");
    let server = command(
        "redis-server",
        &["--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", "/tmp"],
    );
    step("redis-server, until Ctrl-C", server)
}
