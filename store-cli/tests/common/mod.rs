//! Running the command as people do: a real process, its output, its exit code.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A folder with a configuration and scripts, in which the command is run.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    /// An empty folder.
    pub(crate) fn new() -> Place {
        Place { folder: TempDir::new().unwrap() }
    }

    /// A folder with this store.toml.
    pub(crate) fn with(configuration: &str) -> Place {
        let place = Place::new();
        place.file("store.toml", configuration);
        place
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file and gives its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The command, with none of this process's own configuration.
    pub(crate) fn store(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_store"));
        command.args(args).current_dir(self.path()).stdin(Stdio::null());
        for name in ["STORE_ENV", "STORE_CONFIG", "LUA_INIT", "LUA_PATH"] {
            command.env_remove(name);
        }
        command
    }

    /// Runs the command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        Ended::of(self.store(args))
    }

    /// Runs the command with these variables.
    pub(crate) fn run_with(&self, args: &[&str], variables: &[(&str, &str)]) -> Ended {
        let mut command = self.store(args);
        command.envs(variables.iter().copied());
        Ended::of(command)
    }

    /// Runs a script, given as text.
    pub(crate) fn script(&self, script: &str) -> Ended {
        self.file("script.lua", script);
        self.run(&["run", "script.lua"])
    }
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn of(mut command: Command) -> Ended {
        Ended::from(command.output().unwrap())
    }

    /// It exited with 0 and said nothing on standard error.
    #[track_caller]
    pub(crate) fn well(self) -> Ended {
        assert!(self.code == Some(0) && self.stderr.is_empty(), "{self:#?}");
        self
    }

    /// It exited with this code, and each of these is in its standard error.
    #[track_caller]
    pub(crate) fn badly(self, code: i32, said: &[&str]) -> Ended {
        assert_eq!(self.code, Some(code), "{self:#?}");
        for part in said {
            assert!(self.stderr.contains(part), "{part:?} is not in {self:#?}");
        }
        self
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Ended {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}
