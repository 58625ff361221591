//! What is said, and where: for people, for pipes, or as JSON.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::process::ExitCode;

use serde_json::{Value as Json, json};
use store::{Error, Outcome};

use super::end::{End, FAILED, USAGE, described};
use crate::text::json::from_value;

/// Why a command ends early.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// A mistake on the command line.
    Usage(String),
    /// A mistake in the configuration.
    End(End),
    /// A store refused or failed.
    Store(Error),
    /// What was asked for did not come true.
    Failed(String),
    /// Whoever read the output has gone away, as `head` does.
    Gone,
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        Trouble::Store(error)
    }
}

impl From<End> for Trouble {
    fn from(end: End) -> Trouble {
        Trouble::End(end)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Trouble {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Trouble::Gone,
            _ => Trouble::Failed(format!("cannot write the output: {error}")),
        }
    }
}

/// How a part of a line is coloured, on a terminal that may be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Paint {
    Key,
    Good,
    Bad,
    Dim,
}

/// Standard output, and how to write on it.
#[derive(Debug)]
pub(crate) struct Output {
    json: bool,
    terminal: bool,
    colours: bool,
    out: BufWriter<Stdout>,
}

impl Output {
    pub(crate) fn new(json: bool) -> Output {
        let terminal = io::stdout().is_terminal();
        Output { json, terminal, colours: terminal && may_colour(), out: BufWriter::new(io::stdout()) }
    }

    /// Whether the answer is to be JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether a person reads it.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// One object.
    pub(crate) fn object(&mut self, object: &Json) -> Result<(), Trouble> {
        Ok(writeln!(self.out, "{object}")?)
    }

    /// One line.
    pub(crate) fn line(&mut self, line: &str) -> Result<(), Trouble> {
        Ok(writeln!(self.out, "{line}")?)
    }

    /// The answer, in the form that was asked for.
    pub(crate) fn answer(&mut self, line: &str, object: &Json) -> Result<(), Trouble> {
        if self.json { self.object(object) } else { self.line(line) }
    }

    /// Bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        Ok(self.out.write_all(bytes)?)
    }

    /// The text, coloured if that is wanted.
    pub(crate) fn paint(&self, paint: Paint, text: &str) -> String {
        if !self.colours {
            return text.to_owned();
        }
        let code = match paint {
            Paint::Key => "36",
            Paint::Good => "32",
            Paint::Bad => "31",
            Paint::Dim => "2",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// Sends what was written on its way.
    pub(crate) fn flush(&mut self) -> Result<(), Trouble> {
        Ok(self.out.flush()?)
    }
}

/// See <https://no-color.org>.
fn may_colour() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

impl Trouble {
    /// Says it on standard error, and gives the exit code.
    pub(crate) fn report(&self, json: bool) -> u8 {
        let (code, line, object) = match self {
            Trouble::Gone => return 0,
            Trouble::Usage(message) => (USAGE, message.clone(), plain("INVALID", message)),
            Trouble::End(end) => (end.code(), end.message().to_owned(), plain("INVALID", end.message())),
            Trouble::Failed(message) => (FAILED, message.clone(), plain("UNKNOWN", message)),
            Trouble::Store(error) => (FAILED, explained(error), error_object(error)),
        };
        if json {
            eprintln!("{}", json!({ "error": object }));
            return code;
        }
        eprintln!("store: {line}");
        if let Trouble::Store(error) = self
            && let Some(hint) = error.detail("hint").and_then(store::Value::as_str)
        {
            eprintln!("store: {hint}");
        }
        code
    }
}

fn plain(kind: &str, message: &str) -> Json {
    json!({ "kind": kind, "message": message })
}

/// An error in one line, with its kind and its reason.
pub(crate) fn explained(error: &Error) -> String {
    match error.reason() {
        Some(reason) => format!("{} (reason: {reason})", described(error)),
        None => described(error),
    }
}

/// An error with all that it says.
pub(crate) fn error_object(error: &Error) -> Json {
    let details: serde_json::Map<String, Json> =
        error.details().map(|(name, value)| (name.to_owned(), from_value(value))).collect();
    let mut object = json!({
        "kind": error.kind().name(),
        "message": error.message(),
        "retryable": error.retryable(),
        "details": details,
    });
    if error.outcome() == Outcome::Unknown {
        object["outcome"] = Json::from("unknown");
    }
    let said = described(error);
    let cause = said.strip_prefix(&format!("{}: {error}: ", error.kind()));
    if let Some(cause) = cause {
        object["cause"] = Json::from(cause);
    }
    object
}

/// Has a command say what it has to, and gives its exit code.
pub(crate) fn answer(json: bool, act: impl FnOnce(&mut Output) -> Result<u8, Trouble>) -> ExitCode {
    let mut out = Output::new(json);
    let ended = act(&mut out);
    let flushed = out.flush();
    let code = match (ended, flushed) {
        (Ok(code), Ok(())) => code,
        (Ok(_), Err(trouble)) | (Err(trouble), _) => trouble.report(json),
    };
    ExitCode::from(code)
}
