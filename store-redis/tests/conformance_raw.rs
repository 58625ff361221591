//! The contract's cases once more, in the raw format: what does not hold there is declared, and refused.

mod support;

use store_core::conformance::BackendHarness;
use store_redis::{Format, RedisBackend, RedisOptions};

store_core::conformance!(BackendHarness::new(RedisBackend::new(), options()));

fn options() -> RedisOptions {
    let mut options = support::shared();
    options.format = Format::Raw;
    options
}
