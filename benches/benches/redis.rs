//! store-redis beside raw redis-rs and redis-benchmark on one server, interleaved in one process.
//!
//! `cargo bench -p store-benches --bench redis -- [--quick] [--rounds N] [--turn SECONDS] [--only PART,PART] [ROW...]` with rows `get`,
//! `set`, `delete`, `batch` and `near`. It starts a `redis-server` of its own. `benches/peers` runs the same with other clients beside.

use std::time::Duration;

use store_benches::redis::{RedisServer, entrants, run};
use store_benches::{Plan, Report};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let plan = Plan { keys: 0, rounds: 7, turn: Duration::from_millis(300), rows: Vec::new(), only: None };
    let plan = plan.parse(std::env::args().skip(1))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let server = RedisServer::start();
    let entrants = entrants(&runtime, &server);
    run(&plan, &runtime, &server, &entrants, &mut Report::new("redis", None)?)?;
    Ok(())
}
