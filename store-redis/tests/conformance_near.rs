//! The contract's cases once more, with a near cache.

mod support;

use store_core::conformance::BackendHarness;
use store_redis::{NearCache, RedisBackend, RedisOptions};

store_core::conformance!(BackendHarness::new(RedisBackend::new(), options()));

fn options() -> RedisOptions {
    let mut options = support::shared();
    options.near_cache = Some(NearCache::new(1 << 20));
    options
}
