//! Stores in Lua: `store run` and `store repl`.

mod args;
pub(crate) mod repl;
pub(crate) mod run;
mod vm;

pub(crate) use args::{Repl, Run};
