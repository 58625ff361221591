//! Asking before something is destroyed.

use std::io::{BufRead, IsTerminal, Write};

use super::args::{Clear, Copy};
use super::escape::quoted;
use super::output::Trouble;

pub(crate) fn clear(clear: &Clear, prefix: &[u8]) -> Result<(), Trouble> {
    if clear.yes {
        return Ok(());
    }
    ask(&format!("delete {} of {}", which(prefix), clear.id), "--yes")
}

pub(crate) fn copy(copy: &Copy, prefix: &[u8]) -> Result<(), Trouble> {
    if copy.yes || copy.keep_existing {
        return Ok(());
    }
    let place = |id: &str, environment: &Option<String>| match environment {
        Some(environment) => format!("{id} in {environment}"),
        None => id.to_owned(),
    };
    let (from, to) = (place(&copy.from, &copy.from_env), place(&copy.to, &copy.to_env));
    ask(&format!("overwrite {to} with {} of {from}", which(prefix)), "--yes or --keep-existing")
}

fn which(prefix: &[u8]) -> String {
    if prefix.is_empty() { "all entries".to_owned() } else { format!("the entries with the prefix {}", quoted(prefix)) }
}

/// Asks on the terminal. Where there is none, nobody can have meant it but by an option.
pub(crate) fn ask(what: &str, option: &str) -> Result<(), Trouble> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() || !std::io::stderr().is_terminal() {
        return Err(Trouble::Usage(format!("this would {what}: say so with {option}")));
    }
    let mut question = what.to_owned();
    question[..1].make_ascii_uppercase();
    question.push_str("? [y/N] ");
    // In one piece, or what is typed meanwhile stands in the middle of it. A question that cannot be seen is answered with no.
    let mut answer = String::new();
    let asked = std::io::stderr().write_all(question.as_bytes());
    let read = asked.and_then(|()| stdin.lock().read_line(&mut answer));
    if read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    Err(Trouble::Failed("not confirmed; nothing was changed".to_owned()))
}
