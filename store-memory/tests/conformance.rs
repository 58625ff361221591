//! The contract, case by case.

use store_core::conformance::BackendHarness;
use store_memory::{MemoryBackend, MemoryOptions};

fn limited(max_entries: u64) -> MemoryOptions {
    let mut options = MemoryOptions::default();
    options.max_entries = Some(max_entries);
    options
}

store_core::conformance!(BackendHarness::new(MemoryBackend, MemoryOptions::default()).limited(limited));
