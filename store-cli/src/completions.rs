//! `store completions`.

use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use crate::cli::Cli;
use crate::console::answer;

/// Writes a script that completes command lines in the shell.
pub(crate) fn completions(shell: Shell) -> ExitCode {
    answer(false, |out| {
        let mut script = Vec::new();
        generate(shell, &mut Cli::command(), "store", &mut script);
        out.bytes(&script)?;
        Ok(0)
    })
}
