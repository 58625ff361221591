//! The command lines of scripts and of the REPL.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use store::Context;

use crate::args::{Caller, Source, values};
use crate::console::Trouble;

#[derive(Debug, Args)]
#[command(override_usage = "store run [OPTIONS] <SCRIPT> [ARGS]...")]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    caller: Caller,
    /// Run a script that is not trusted: no files, no processes, no bytecode, and these limits
    #[arg(long)]
    sandbox: bool,
    /// How much memory the sandbox has
    #[arg(long, value_name = "SIZE", default_value = "64 MiB", requires = "sandbox", value_parser = size)]
    memory_limit: usize,
    /// How long the script may run in the sandbox
    #[arg(long, value_name = "DURATION", default_value = "10s", requires = "sandbox", value_parser = duration)]
    time_limit: Duration,
    /// The Lua script (- reads it from standard input), and what it gets as `arg[1]`, `arg[2]`, ... and `...`; options that stand
    /// after the script are its own
    #[arg(value_name = "SCRIPT", required = true, trailing_var_arg = true)]
    line: Vec<OsString>,
}

impl Run {
    /// The script: a path, or `-`.
    pub(crate) fn script(&self) -> &Path {
        self.line.first().map_or(Path::new(""), Path::new)
    }

    /// The script's own arguments.
    pub(crate) fn args(&self) -> &[OsString] {
        self.line.get(1..).unwrap_or_default()
    }

    /// Who asks, for the policies.
    pub(crate) fn context(&self) -> Context {
        self.caller.context()
    }

    /// The limits of the sandbox, if the script is to run in one.
    pub(crate) fn sandbox(&self) -> Option<Limits> {
        self.sandbox.then_some(Limits { memory: self.memory_limit, time: self.time_limit })
    }
}

#[derive(Debug, Args)]
pub(crate) struct Repl {
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    caller: Caller,
}

impl Repl {
    /// Who asks, for the policies.
    pub(crate) fn context(&self) -> Context {
        self.caller.context()
    }
}

/// What a script in a sandbox may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// In bytes.
    pub(crate) memory: usize,
    pub(crate) time: Duration,
}

fn size(text: &str) -> Result<usize, String> {
    let size = values::size(text).map_err(said)?;
    usize::try_from(size.0).map_err(|_| "is more than there is".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    values::duration(text).map_err(said)
}

fn said(trouble: Trouble) -> String {
    match trouble {
        Trouble::Usage(message) => message,
        _ => "cannot be read".to_owned(),
    }
}
