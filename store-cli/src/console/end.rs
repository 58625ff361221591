//! How the command ends when it does not end well.

use std::error::Error as StdError;
use std::fmt::Write;
use std::process::ExitCode;

use store::Error;

/// The exit code of a "no".
pub(crate) const NO: u8 = 1;
/// The exit code of a script that failed, or whose stores could not be closed well.
pub(crate) const FAILED: u8 = 1;
/// The exit code of mistakes on the command line or in the configuration.
pub(crate) const USAGE: u8 = 2;

/// An early end: what to say, and the exit code.
#[derive(Debug)]
pub(crate) struct End {
    code: u8,
    message: String,
}

impl End {
    pub(crate) fn failed(message: impl Into<String>) -> End {
        End { code: FAILED, message: message.into() }
    }

    pub(crate) fn usage(message: impl Into<String>) -> End {
        End { code: USAGE, message: message.into() }
    }

    /// A mistake in the configuration: each on its own line, under one heading.
    pub(crate) fn configuration(error: &Error) -> End {
        End::usage(described(error))
    }

    /// What to say.
    pub(crate) fn message(&self) -> &str {
        self.message.trim_end()
    }

    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        self.code
    }

    /// Says it on standard error.
    pub(crate) fn report(&self) -> ExitCode {
        eprintln!("store: {}", self.message());
        ExitCode::from(self.code)
    }
}

/// An error of the library: its kind, itself, and what caused it.
pub(crate) fn described(error: &Error) -> String {
    let mut text = format!("{}: {error}", error.kind());
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            // Writing to a string does not fail.
            let _ = write!(text, ": {said}");
        }
        cause = error.source();
    }
    text
}
