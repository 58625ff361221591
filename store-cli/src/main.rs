//! The `store` command: `store run` runs Lua scripts against a configuration, `store check` checks one; the others are for
//! looking inside and putting right.

mod args;
mod check;
mod end;
mod lua;
mod measure;
mod moving;
mod operator;
mod process;
mod repl;
mod run;
mod source;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(run) => run::run(&run),
        Command::Repl(repl) => repl::run(&repl),
        Command::Check(source) => check::check(&source),
        Command::Operator(command) => return operator::run(command),
        Command::Moving(command) => return moving::run(&command),
        Command::Measure(command) => return measure::run(&command),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(end) => end.report(),
    }
}
