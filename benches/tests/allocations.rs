//! What the ways to a store may cost in allocations: nothing on the synchronous path and in a handle's future, one box for a future
//! behind `dyn`.

#[path = "../benches/common/ways.rs"]
mod ways;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

const TIMES: usize = 1000;

/// Allocations of a way, in a hundredth: what the harness of the test does meanwhile on its own is below that.
fn allocations(way: &ways::Way<'_>) -> usize {
    (way.run)(1);
    let region = Region::new(ALLOCATOR);
    (way.run)(TIMES);
    let change = region.change();
    (change.allocations + change.reallocations) * 100 / TIMES
}

// One test, so that no other allocates meanwhile.
#[test]
fn every_way_to_a_store_takes_the_allocations_that_it_states() {
    let world = ways::World::new();
    let mut wrong = Vec::new();
    for table in world.tables() {
        for way in &table.ways {
            let counted = allocations(way);
            if counted != way.allocations as usize * 100 {
                wrong.push(format!("{}, {}: {counted} hundredths, not {}", table.title, way.name, way.allocations));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
