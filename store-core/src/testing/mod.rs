//! Helpers for tests of programs that use a store. [`ManualClock`](crate::ManualClock) moves time by hand; [`FailingStore`]
//! makes operations fail, before or after they took effect, or take long.

mod failing;
mod fault;

pub use failing::FailingStore;
pub use fault::{Fault, Op};
