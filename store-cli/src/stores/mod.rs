//! Stores for the time of a command: the process that they are open in, who asks, and what is behind them.

mod at;
mod process;
#[cfg(feature = "redis")]
mod redis;
mod seen;
mod session;

pub(crate) use at::{At, mind_memory, open_as, refuse_memory};
pub(crate) use process::{Signals, end_on_signal, runtime, runtime_of};
#[cfg(feature = "redis")]
pub(crate) use redis::Sample;
pub(crate) use seen::Seen;
pub(crate) use session::{with, with_last};
