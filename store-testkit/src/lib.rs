//! Real servers and faults, for tests.
//!
//! [`RedisServer`] starts a real `redis-server` on a free loopback port in a temporary folder and stops it whatever happens
//! to the test: it is killed on drop, and also when the test process itself is killed. [`RedisServer::shared`] is one
//! server for all tests of a test binary; each test then uses a store id of its own.
//!
//! ```
//! use store_testkit::{RedisServer, Reply};
//! let server = RedisServer::start();
//! assert_eq!(server.cli(&["SET", "greeting", "hello"]), Reply::Simple("OK".into()));
//! assert_eq!(server.cli(&["GET", "greeting"]).text(), "hello");
//! ```
//!
//! Everything here panics when it fails, with a message that says what to do: a missing server is a failing test, never a
//! skipped one.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test kit fails by panicking")]

mod certificates;
mod cluster;
mod folder;
mod proxy;
mod resp;
mod server;
mod spawn;

pub use certificates::Certificates;
pub use cluster::RedisCluster;
pub use folder::Folder;
pub use proxy::{Fault, FaultProxy};
pub use resp::{Reply, RespClient};
pub use server::{RedisServer, RedisServerBuilder};
