//! What a command on a whole store has to say.

use std::io::Write;

use crate::console::FAILED;

/// What a command has to say, and whether it found problems.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) text: String,
    pub(super) json: serde_json::Value,
    pub(super) healthy: bool,
    /// Standard output is taken: by the dump.
    pub(super) aside: bool,
}

impl Report {
    /// Says it, and gives the exit code.
    pub(super) fn print(&self, json: bool) -> u8 {
        let text = if json { self.json.to_string() } else { self.text.trim_end().to_owned() };
        // A reader that has gone away is no failure.
        let _ = match self.aside {
            true => writeln!(std::io::stderr(), "{text}"),
            false => writeln!(std::io::stdout(), "{text}"),
        };
        if self.healthy { 0 } else { FAILED }
    }
}
