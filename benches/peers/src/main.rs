//! The store in memory beside its competitors: the rows of the table in the book, contenders interleaved in one process.
//!
//! `cargo run --release --manifest-path benches/peers/Cargo.toml -- [--quick] [--rounds N] [--lines FILE] [ROW...]`
//! with rows `get`, `mixed`, `half`, `set`, `latency`, `slope`, `list`, `expire`; and, with `--features count`, `memory`.

mod caches;
mod rows;

use std::path::PathBuf;

/// What the command line asks for.
pub struct Asked {
    pub keys: usize,
    pub rounds: usize,
    pub operations: usize,
    pub only: Option<String>,
    pub rows: Vec<String>,
}

#[cfg(feature = "count")]
#[global_allocator]
static ALLOCATOR: &stats_alloc::StatsAlloc<std::alloc::System> = &stats_alloc::INSTRUMENTED_SYSTEM;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut asked = Asked { keys: 1_000_000, rounds: 5, operations: 2_000_000, only: None, rows: Vec::new() };
    let mut lines: Option<PathBuf> = None;
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--quick" => (asked.keys, asked.rounds, asked.operations) = (100_000, 3, 300_000),
            "--keys" => asked.keys = value()?.parse()?,
            "--rounds" => asked.rounds = value()?.parse()?,
            "--operations" => asked.operations = value()?.parse()?,
            "--only" => asked.only = Some(value()?),
            "--lines" => lines = Some(value()?.into()),
            _ => asked.rows.push(word),
        }
    }
    let mut report = store_benches::Report::new(lines.as_deref())?;
    rows::run(&asked, &mut report)?;
    Ok(())
}
