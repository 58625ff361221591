//! What each way to a store costs in time: directly, through `dyn`, through futures, through a handle.
//!
//! No criterion: the ways are interleaved in rounds, and what counts is the difference to the first. What it says of allocations is
//! stated with the ways and held by a test (`tests/allocations`): an allocator that counts would cost a future in its box as much
//! again.

#[path = "common/ways.rs"]
mod ways;

use std::hint::black_box;

use store_benches::{Contender, Report, compare};
use store_core::{Handle, Payload};
use ways::{Table, World};

/// Not optimised, it only shows that it runs.
const TIMES: usize = if cfg!(debug_assertions) { 1000 } else { 20_000 };

fn rounds() -> usize {
    if std::env::args().any(|word| word == "--quick" || word == "--test") { 11 } else { 101 }
}

fn table(report: &mut Report, table: &Table<'_>) -> std::io::Result<()> {
    let (title, ways) = (table.title, &table.ways);
    let contenders = ways.iter().map(|way| Contender::timed(way.name, TIMES, || (way.run)(TIMES))).collect();
    let outcomes = compare(contenders, rounds());
    report.comparison(title, &outcomes)?;
    println!();
    for (outcome, way) in outcomes.iter().zip(ways) {
        let above: Vec<f64> =
            outcome.rounds.iter().zip(&outcomes[0].rounds).map(|(own, direct)| own - direct).collect();
        report.value(&format!("{title}: over the direct call"), way.name, store_benches::median(&above), "ns")?;
        report.value(&format!("{title}: allocations"), way.name, f64::from(way.allocations), "")?;
    }
    Ok(())
}

/// Two threads that count on one meter, beside two that nobody counts: each reads a key of its own.
fn two_threads(report: &mut Report, world: &World) -> std::io::Result<()> {
    fn both(handle: &Handle) {
        std::thread::scope(|scope| {
            for key in ["key", "typed"] {
                scope.spawn(move || (0..10 * TIMES).for_each(|_| drop(black_box(handle.try_get::<Payload>(key)))));
            }
        });
    }
    let contenders = vec![
        Contender::timed("handle", 10 * TIMES, || both(&world.handle)),
        Contender::timed("metered", 10 * TIMES, || both(&world.metered)),
    ];
    report.comparison("get on two threads, for each of them", &compare(contenders, rounds()))
}

fn main() -> std::io::Result<()> {
    let mut report = Report::from_args("road")?;
    let world = World::new();
    for one in world.tables() {
        table(&mut report, &one)?;
    }
    two_threads(&mut report, &world)
}
