//! The `store` command: `store run` runs Lua scripts against a configuration, `store check` checks one.

mod args;
mod check;
mod end;
mod lua;
mod run;
mod source;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(run) => run::run(&run),
        Command::Check(source) => check::check(&source),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(end) => end.report(),
    }
}
