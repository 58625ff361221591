//! A question, where somebody can be asked.

use std::io::{BufRead, IsTerminal, Write};

use super::output::Trouble;

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
