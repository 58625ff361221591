//! How the store is measured.
//!
//! - [`compare`] runs contenders in rounds, interleaved in one process and in rotating order, so that what the machine does
//!   meanwhile hits all alike. What counts is the ratio within a round; [`Ratio`] tells its median and its spread.
//! - [`Latencies`] collects single operations: p50, p99, p99.9, worst.
//! - [`Workload`] chooses keys: uniform, or skewed as real traffic is ([`Workload::zipf`]).
//! - `disk` and `redis` (features) are the work of engines on disk and of clients of Redis, whoever wrote them.
//! - [`Report`] prints a table for people and JSON lines for programs; [`lines`] reads those again, [`runs`] puts several runs together,
//!   [`plot`] draws SVG from them.
//!
//! The harness is tested like everything else: a contender slowed by a known factor reads as that factor.

mod compare;
#[cfg(feature = "disk")]
pub mod disk;
mod latency;
pub mod lines;
mod plan;
pub mod plot;
#[cfg(feature = "redis")]
pub mod redis;
mod report;
pub mod runs;
mod turn;
mod workload;

pub use compare::{Contender, Outcome, Ratio, compare, median};
pub use latency::Latencies;
pub use plan::Plan;
pub use report::Report;
pub use turn::{Turn, Turns};
pub use workload::{KEY_LEN, Keys, Workload};
