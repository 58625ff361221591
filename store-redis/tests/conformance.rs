//! The contract's cases, against a real server. Each test has a prefix of its own.

mod support;

use store_core::conformance::BackendHarness;
use store_redis::RedisBackend;

store_core::conformance!(BackendHarness::new(RedisBackend::new(), support::shared()));
