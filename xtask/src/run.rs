//! Running commands, visibly.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Why a task ended early.
#[derive(Debug)]
pub(crate) struct Failed {
    message: String,
    usage: bool,
}

impl Failed {
    pub(crate) fn new(message: impl Into<String>) -> Failed {
        Failed { message: message.into(), usage: false }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Failed {
        Failed { message: message.into(), usage: true }
    }

    pub(crate) fn is_usage(&self) -> bool {
        self.usage
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The top of the repository.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// A command at the top of the repository, without standard input.
///
/// `cargo run` hands its package's own `CARGO_*` variables to what it starts. They are taken away again, so that the cargo
/// started here sees what a cargo started by hand would see and rebuilds nothing for their sake.
pub(crate) fn command(program: impl Into<OsString>, args: &[&str]) -> Command {
    let mut command = Command::new(program.into());
    command.args(args).current_dir(root()).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        let of_package = name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        if of_package || matches!(name, "CARGO_BIN_NAME" | "CARGO_CRATE_NAME" | "CARGO_PRIMARY_PACKAGE" | "OUT_DIR") {
            command.env_remove(name);
        }
    }
    command
}

/// The cargo that runs this task.
pub(crate) fn cargo(args: &[&str]) -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), args)
}

/// Runs a command, showing it, its output, and how long it took.
pub(crate) fn step(what: &str, mut command: Command) -> Result<(), Failed> {
    println!("\n==> {what}\n    {}", shown(&command));
    let start = Instant::now();
    let status = command.status().map_err(|error| Failed::new(format!("cannot start {}: {error}", shown(&command))))?;
    let seconds = start.elapsed().as_secs_f64();
    if status.success() {
        println!("    done in {seconds:.1} s");
        return Ok(());
    }
    Err(Failed::new(format!("{what}: failed ({status}) after {seconds:.1} s\n    {}", shown(&command))))
}

/// The standard output of a command that must succeed.
pub(crate) fn output(mut command: Command) -> Result<String, Failed> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Failed::new(format!("cannot start {}: {error}", shown(&command))))?;
    if !output.status.success() {
        return Err(Failed::new(format!("failed ({}): {}", output.status, shown(&command))));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A command as one would type it.
fn shown(command: &Command) -> String {
    let mut line = String::new();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            line.push_str(&format!("{}={:?} ", name.to_string_lossy(), value.to_string_lossy()));
        }
    }
    let program = Path::new(command.get_program());
    line.push_str(&program.file_name().unwrap_or(program.as_os_str()).to_string_lossy());
    for arg in command.get_args() {
        line.push(' ');
        line.push_str(&arg.to_string_lossy());
    }
    line
}
