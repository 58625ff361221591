//! The same as the program `store-peers`, with an allocator that counts: a burden on every operation, and needed for bytes per entry.

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

/// Bytes that are allocated at this moment.
fn held() -> f64 {
    let stats = ALLOCATOR.stats();
    // What grows and shrinks is in one signed number.
    (stats.bytes_allocated as f64) + stats.bytes_reallocated as f64 - stats.bytes_deallocated as f64
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    store_peers::run(Some(held))
}
