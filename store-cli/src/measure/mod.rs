//! How a store does: `store bench` puts a load on it, `store top` watches it.

mod bench;
mod histogram;
mod top;

use std::process::ExitCode;

use clap::Subcommand;

use crate::console::answer;

/// How a store does.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Put a load on a store for a few seconds, and show how fast it answers.
    ///
    /// Works on keys of its own, which it removes afterwards and which expire by themselves if it cannot; other keys are not
    /// touched. Asks first where the store outlives this process; where nobody can be asked, needs --yes.
    Bench(bench::Bench),
    /// Watch a store: what it holds, by prefix, how fast it answers, and what its server does.
    ///
    /// Reads the store a little at a time, so that watching does not slow it down. A store in memory can only be seen from inside
    /// its process; one on sled, only while no other process has it open, in one look. What a running service does with its
    /// stores, wherever they are, it tells itself: --url reads its metrics, and no configuration. Ctrl-C ends it.
    Top(top::Top),
}

/// Does it, and says how it ended.
pub(crate) fn run(command: &Command) -> ExitCode {
    match command {
        Command::Bench(bench) => answer(bench.json(), |out| bench::bench(bench, out)),
        Command::Top(top) => answer(top.json(), |out| top::top(top, out)),
    }
}
