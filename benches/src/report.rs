//! Tables for people, JSON lines for programs.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use crate::Outcome;

/// Where results go: a table on standard output, and a line of JSON each to a file.
#[derive(Debug)]
pub struct Report {
    lines: Option<File>,
}

impl Report {
    /// A report that appends its lines to a file, if one is given.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn new(file: Option<&Path>) -> io::Result<Report> {
        let lines = file.map(|path| File::options().create(true).append(true).open(path)).transpose()?;
        Ok(Report { lines })
    }

    /// One comparison: the first contender is the one that the ratios are about.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn comparison(&mut self, row: &str, outcomes: &[Outcome]) -> io::Result<()> {
        println!("\n{row}");
        let Some(own) = outcomes.first() else { return Ok(()) };
        for outcome in outcomes {
            let ratio = own.speed_against(outcome);
            println!("  {:<28} {:>10.1} ns   {} is {ratio} times as fast", outcome.name, outcome.median(), own.name);
            self.line(&[
                field("row", row),
                field("contender", &outcome.name),
                ("median_ns", outcome.median().to_string()),
                ("speed_of_first", ratio.median.to_string()),
                ("speed_low", ratio.low.to_string()),
                ("speed_high", ratio.high.to_string()),
            ])?;
        }
        Ok(())
    }

    /// One value of a contender in a row, at a point `x` of a curve: what the plots are drawn from.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn point(&mut self, row: &str, contender: &str, x: f64, value: f64, unit: &str) -> io::Result<()> {
        println!("  {row:<34} {contender:<24} {x:>12} {value:>14.1} {unit}");
        self.line(&[
            field("row", row),
            field("contender", contender),
            ("x", x.to_string()),
            ("value", value.to_string()),
            field("unit", unit),
        ])
    }

    fn line(&mut self, fields: &[(&str, String)]) -> io::Result<()> {
        let Some(file) = &mut self.lines else { return Ok(()) };
        let body: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        writeln!(file, "{{{}}}", body.join(","))
    }
}

/// A text field of a JSON line.
#[must_use]
pub fn field<'a>(name: &'a str, text: &str) -> (&'a str, String) {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if u32::from(letter) < 0x20 => drop(write!(quoted, "\\u{:04x}", u32::from(letter))),
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    (name, quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_json() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        let mut report = Report::new(Some(&path)).unwrap();
        report.point("a \"row\"", "me\n", 1000.0, 2.5, "ns").unwrap();
        let line = std::fs::read_to_string(path).unwrap();
        assert_eq!(
            line,
            "{\"row\":\"a \\\"row\\\"\",\"contender\":\"me\\u000a\",\"x\":1000,\"value\":2.5,\"unit\":\"ns\"}\n"
        );
    }
}
