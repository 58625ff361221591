//! The contract's cases once more, against a Redis Cluster of three.

mod support;

use store_core::conformance::BackendHarness;
use store_redis::{RedisBackend, RedisOptions};
use store_testkit::RedisCluster;

store_core::conformance!(BackendHarness::new(RedisBackend::new(), options()));

fn options() -> RedisOptions {
    let mut options = RedisOptions::cluster(RedisCluster::shared().urls());
    options.prefix = support::unique();
    options
}
