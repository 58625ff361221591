//! `cargo xtask deny`: what may be built in, see deny.toml.
//!
//! Licences, duplicates and sources depend on this repository alone, and are a part of `ci`. Advisories are not: new ones should not stop a
//! change that has nothing to do with them, and their database has to be fetched from GitHub, which not every machine reaches. They
//! are checked where it can be, at least before a release and every week.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::need;
use crate::run::{Failed, command, root, step};

/// What depends on nothing but this repository.
pub(crate) fn run_local() -> Result<(), Failed> {
    for overdue in overdue(&exceptions()?) {
        println!("\n    REVIEW DUE: {overdue}");
    }
    check(&["licenses", "bans", "sources"])
}

/// Everything, exceptions that are due for review included.
pub(crate) fn run() -> Result<(), Failed> {
    check(&["licenses", "bans", "sources"])?;
    if let Some(overdue) = overdue(&exceptions()?).first() {
        return Err(Failed::new(format!("due for review, see deny.toml: {overdue}")));
    }
    check(&["advisories"])
}

fn check(what: &[&str]) -> Result<(), Failed> {
    let program = need::cargo_deny()?;
    let mut deny = command(program, &["--workspace", "check"]);
    deny.args(what);
    step(&format!("dependencies: {}", what.join(", ")), deny)
}

/// The exceptions of deny.toml: the lines with a reason, but for the engines and what is banned for good.
fn exceptions() -> Result<Vec<String>, Failed> {
    let text = std::fs::read_to_string(root().join("deny.toml"))
        .map_err(|error| Failed::new(format!("cannot read deny.toml: {error}")))?;
    let mut found = Vec::new();
    let mut list = "";
    for line in text.lines().map(str::trim) {
        if let Some((name, "[")) = line.split_once(" = ") {
            list = name;
        } else if matches!(list, "ignore" | "skip" | "skip-tree") && line.starts_with('{') {
            if date(line).is_none() {
                return Err(Failed::new(format!("deny.toml: an exception without `review by YYYY-MM-DD`: {line}")));
            }
            found.push(line.to_owned());
        }
    }
    Ok(found)
}

/// The day of review, as year, month, day.
fn date(line: &str) -> Option<(u64, u64, u64)> {
    let text = line.split_once("review by ")?.1.get(..10)?;
    let mut numbers = text.split('-').map(str::parse);
    match (numbers.next(), numbers.next(), numbers.next()) {
        (Some(Ok(year)), Some(Ok(month)), Some(Ok(day))) => Some((year, month, day)),
        _ => None,
    }
}

fn overdue(exceptions: &[String]) -> Vec<String> {
    let now = today();
    exceptions.iter().filter(|line| date(line).is_some_and(|date| date < now)).cloned().collect()
}

/// The date in UTC.
fn today() -> (u64, u64, u64) {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    civil(seconds / 86_400)
}

/// The same as text: 2026-11-26.
pub(crate) fn today_text() -> String {
    let (year, month, day) = today();
    format!("{year}-{month:02}-{day:02}")
}

/// The date of a day since 1970-01-01, by Howard Hinnant's algorithm (<https://howardhinnant.github.io/date_algorithms.html>).
fn civil(day: u64) -> (u64, u64, u64) {
    let day = day + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_as_in_the_calendar() {
        for (day, date) in [(0, (1970, 1, 1)), (59, (1970, 3, 1)), (11_016, (2000, 2, 29)), (20_783, (2026, 11, 26))] {
            assert_eq!(civil(day), date);
        }
    }

    #[test]
    fn every_exception_says_when_to_look_again() {
        let exceptions = exceptions().unwrap();
        assert!(exceptions.len() >= 4, "{exceptions:?}");
        assert_eq!(date("{ reason = \"x; review by 2027-05-31\" }"), Some((2027, 5, 31)));
        assert_eq!((date("{ reason = \"x\" }"), date("review by soon, soon")), (None, None));
        let old = ["review by 2020-01-01".to_owned(), "review by 9999-01-01".to_owned()];
        assert_eq!(overdue(&old), old[..1]);
    }
}
