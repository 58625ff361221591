//! The `store` command: `store run` runs Lua scripts against a configuration, `store check` checks one; the others are for
//! looking inside and putting right.
//!
//! From the ground up; a room uses those above it in this table, and no other:
//!
//! | room | what |
//! |---|---|
//! | `text` | values, bytes, times and numbers as text |
//! | `console` | what is said and asked, and how a command ends |
//! | `args` | what command lines have in common |
//! | `stores` | stores for the time of a command |
//! | `lua`, `operator`, `moving`, `measure`, `check` | the commands, which know nothing of each other |
//! | `cli`, `completions` | the whole command line |

mod args;
mod check;
mod cli;
mod completions;
mod console;
mod lua;
mod measure;
mod moving;
mod operator;
mod stores;
mod text;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use completions::completions;
use console::Trouble;
use lua::{repl, run};

fn main() -> ExitCode {
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(mistake) => return not_understood(&mistake),
    };
    let done = match command {
        Command::Run(run) => run::run(&run),
        Command::Repl(repl) => repl::run(&repl),
        Command::Check(source) => check::check(&source),
        Command::Operator(command) => return operator::run(command),
        Command::Completions { shell } => return completions(shell),
        Command::Moving(command) => return moving::run(&command),
        Command::Measure(command) => return measure::run(&command),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(end) => end.report(),
    }
}

/// Help, the version, and mistakes on the command line; where the answer was to be JSON, so is the complaint.
fn not_understood(mistake: &clap::Error) -> ExitCode {
    let json = std::env::args_os().skip(1).take_while(|arg| arg != "--").any(|arg| arg == "--json");
    if !(mistake.use_stderr() && json) {
        mistake.exit();
    }
    let said = mistake.to_string();
    let said = said.strip_prefix("error: ").unwrap_or(&said).split("\n\nUsage:").next().unwrap_or_default();
    ExitCode::from(
        Trouble::Usage(said.replace("\n\nFor more information, try '--help'.", "").trim().to_owned()).report(true),
    )
}
