//! Tables for people, JSON lines for programs.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use crate::{Latencies, Outcome};

/// Where results go: a table on standard output, and a line of JSON each to a file.
///
/// Every line has the same form, whatever was measured: `section`, `row`, `contender`, `value` and `unit`; `x` where it is a point of a
/// curve; the ratio and its spread where contenders were compared (`ratio`, `low`, `lower`, `upper`, `high`: how many times as fast
/// as this contender the first of the row is, the lowest round, the quartiles, the highest); percentiles where operations were timed one by one.
/// [`Line`](crate::lines::Line) reads them.
#[derive(Debug)]
pub struct Report {
    section: String,
    lines: Option<File>,
}

impl Report {
    /// The report of a section, that appends its lines to a file, if one is given.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn new(section: impl Into<String>, file: Option<&Path>) -> io::Result<Report> {
        let lines = file.map(|path| File::options().create(true).append(true).open(path)).transpose()?;
        Ok(Report { section: section.into(), lines })
    }

    /// The report of a benchmark that takes `--lines FILE` on its command line, and leaves other words alone.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn from_args(section: impl Into<String>) -> io::Result<Report> {
        let mut words = std::env::args_os().skip_while(|word| word != "--lines").skip(1);
        Report::new(section, words.next().as_deref().map(Path::new))
    }

    /// One comparison: the first contender is the one that the ratios are about. Values are nanoseconds per operation, the median
    /// of the rounds.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn comparison(&mut self, row: &str, outcomes: &[Outcome]) -> io::Result<()> {
        self.compared(row, None, outcomes)
    }

    /// A comparison at a point `x` of a curve.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn curve(&mut self, row: &str, x: f64, outcomes: &[Outcome]) -> io::Result<()> {
        self.compared(row, Some(x), outcomes)
    }

    fn compared(&mut self, row: &str, x: Option<f64>, outcomes: &[Outcome]) -> io::Result<()> {
        let at = x.map(|x| format!(", at {x}")).unwrap_or_default();
        println!("\n{row}{at}");
        let Some(own) = outcomes.first() else { return Ok(()) };
        for outcome in outcomes {
            let ratio = own.speed_against(outcome);
            println!("  {:<28} {:>10.1} ns   {} is {ratio} times as fast", outcome.name, outcome.median(), own.name);
            let spread = [
                ("ratio", ratio.median),
                ("low", ratio.low),
                ("lower", ratio.lower),
                ("upper", ratio.upper),
                ("high", ratio.high),
                #[expect(clippy::cast_precision_loss, reason = "few")]
                ("rounds", outcome.rounds.len() as f64),
            ];
            self.line(row, &outcome.name, x, outcome.median(), "ns", &spread)?;
        }
        Ok(())
    }

    /// One value of a contender in a row.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn value(&mut self, row: &str, contender: &str, value: f64, unit: &str) -> io::Result<()> {
        println!("  {row:<44} {contender:<28} {value:>14.1} {unit}");
        self.line(row, contender, None, value, unit, &[])
    }

    /// One value of a contender in a row, at a point `x` of a curve.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn point(&mut self, row: &str, contender: &str, x: f64, value: f64, unit: &str) -> io::Result<()> {
        println!("  {row:<34} {contender:<28} {x:>12} {value:>14.1} {unit}");
        self.line(row, contender, Some(x), value, unit, &[])
    }

    /// How long single operations took; the value is the median.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn latency(&mut self, row: &str, contender: &str, latencies: &Latencies) -> io::Result<()> {
        #[expect(clippy::cast_precision_loss, reason = "statistics")]
        let [p50, p99, p999, worst] =
            [latencies.quantile(0.5), latencies.quantile(0.99), latencies.quantile(0.999), latencies.worst()]
                .map(|nanos| nanos as f64);
        println!("  {row:<44} {contender:<28} p50 {p50} ns, p99 {p99} ns, p99.9 {p999} ns, worst {worst} ns");
        self.line(row, contender, None, p50, "ns", &[("p50", p50), ("p99", p99), ("p999", p999), ("worst", worst)])
    }

    fn line(
        &mut self,
        row: &str,
        contender: &str,
        x: Option<f64>,
        value: f64,
        unit: &str,
        more: &[(&str, f64)],
    ) -> io::Result<()> {
        let Some(file) = &mut self.lines else { return Ok(()) };
        let mut line = format!(
            "{{\"section\":{},\"row\":{},\"contender\":{},\"value\":{},\"unit\":{}",
            quoted(&self.section),
            quoted(row),
            quoted(contender),
            number(value),
            quoted(unit)
        );
        for (name, value) in x.iter().map(|x| ("x", *x)).chain(more.iter().copied()) {
            let _ = write!(line, ",\"{name}\":{}", number(value));
        }
        writeln!(file, "{line}}}")
    }
}

/// Four significant digits: no benchmark is more exact.
#[expect(clippy::cast_possible_truncation, reason = "exponents are small")]
fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    if !value.is_finite() {
        return "null".to_owned();
    }
    let power = value.abs().log10().floor() as i32 - 3;
    let unit = 10f64.powi(power);
    format!("{:.*}", usize::try_from(-power).unwrap_or(0), (value / unit).round() * unit)
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if u32::from(letter) < 0x20 => drop(write!(quoted, "\\u{:04x}", u32::from(letter))),
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines;

    #[test]
    fn lines_are_json_and_are_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        let mut report = Report::new("a section", Some(&path)).unwrap();
        report.point("a \"row\"", "me\n", 1000.0, 2.5, "ns").unwrap();
        let outcome = |name: &str, rounds: &[f64]| Outcome { name: name.into(), rounds: rounds.to_vec() };
        report.comparison("b", &[outcome("me", &[2.0]), outcome("you", &[6.0])]).unwrap();
        let mut latencies = Latencies::new();
        latencies.add(std::time::Duration::from_nanos(100));
        report.latency("c", "me", &latencies).unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        assert_eq!(
            text.lines().next().unwrap(),
            r#"{"section":"a section","row":"a \"row\"","contender":"me\u000a","value":2.500,"unit":"ns","x":1000}"#
        );
        let lines = lines::read(&text).unwrap();
        assert_eq!(
            (lines[0].row.as_str(), lines[0].contender.as_str(), lines[0].x),
            ("a \"row\"", "me\n", Some(1000.0))
        );
        let ratio = lines[2].ratio.unwrap();
        assert_eq!((ratio.median, ratio.low, ratio.upper, lines[2].rounds), (3.0, 3.0, 3.0, 1));
        assert_eq!(lines[3].percentiles.unwrap().worst, 100.0);
    }

    #[test]
    fn four_digits_are_kept() {
        let written = [0.0, 1.0, 12_345.678, 0.000_123_456, 999.96, f64::NAN].map(number);
        assert_eq!(written, ["0", "1.000", "12350", "0.0001235", "1000.0", "null"]);
    }
}
