//! store-sled beside raw sled in modes that promise the same, interleaved in one process.
//!
//! `cargo bench -p store-benches --bench disk -- [--quick] [--keys N] [--rounds N] [--turn SECONDS] [--only PART,PART] [ROW...]` with
//! rows `get`, `scan`, `open`, `set` (no wait) and `sync` (durable). `STORE_BENCH_DIR` says where the files go.
//! `benches/peers` runs the same with other engines beside.

use std::time::Duration;

use store_benches::disk::{entrants, run};
use store_benches::{Plan, Report};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let plan = Plan { keys: 1_000_000, rounds: 5, turn: Duration::from_millis(300), rows: Vec::new(), only: None };
    let plan = plan.parse(std::env::args().skip(1))?;
    let base = std::env::var_os("STORE_BENCH_DIR").map_or_else(std::env::temp_dir, Into::into);
    let folder = tempfile::tempdir_in(base)?;
    run(&plan, &entrants(), folder.path(), &mut Report::new("disk", None)?)?;
    Ok(())
}
