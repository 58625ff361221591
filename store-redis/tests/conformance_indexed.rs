//! The contract's cases once more, with the ordered index.

mod support;

use store_core::conformance::BackendHarness;
use store_redis::{RedisBackend, RedisOptions};

store_core::conformance!(BackendHarness::new(RedisBackend::new(), options()));

fn options() -> RedisOptions {
    let mut options = support::shared();
    options.ordered_index = true;
    options
}
