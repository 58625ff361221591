//! Redis' own benchmark: one request at a time on each connection.

use std::process::Command;
use std::time::Duration;

use store_testkit::RedisServer;

use super::client::{KEYS, TTL_MILLIS, VALUE_LEN, Work};

/// Runs it for about so long: nanoseconds per operation, by its own clock.
pub(super) fn run(server: &RedisServer, work: Work, connections: usize, time: Duration) -> f64 {
    // It takes a number of requests, not a time: as many as it does in about this time where one connection does 14 thousand in
    // a second, and 50 do 160 thousand.
    let rate = if connections == 1 { 14 } else { 160 };
    let requests = (rate * time.as_millis()).max(100).to_string();
    let (port, connections) = (server.port().to_string(), connections.to_string());
    let (range, ttl) = (KEYS.to_string(), TTL_MILLIS.to_string());
    let (key, value) = ("key:__rand_int__", "v".repeat(VALUE_LEN));
    let command: &[&str] = match work {
        Work::Get => &["GET", key],
        Work::SetPx => &["SET", key, &value, "PX", &ttl],
        Work::Delete => &["DEL", key],
        Work::GetMany | Work::SetMany => unreachable!("it has no batches"),
    };
    let output = Command::new("redis-benchmark")
        .args(["-p", &port, "-c", &connections, "-n", &requests, "-r", &range, "--csv"])
        .args(command)
        .output()
        .expect("redis-benchmark runs; it comes with redis-server (Debian: redis-tools)");
    let text = String::from_utf8_lossy(&output.stdout);
    // The last line is of the test: its name, which has commas here in quotes, and the rate first of the figures.
    let rate =
        text.lines().last().and_then(|line| line.rsplit("\",\"").nth(6)).and_then(|rate| rate.parse::<f64>().ok());
    1e9 / rate.unwrap_or_else(|| panic!("redis-benchmark said: {text}{}", String::from_utf8_lossy(&output.stderr)))
}
