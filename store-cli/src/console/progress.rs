//! How far a copy is, on a terminal.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::text::readable;
use crate::text::units::bar;

/// How often the line is drawn anew.
const EVERY: Duration = Duration::from_millis(100);

/// How wide the bar is, where it is known how much there is.
const BAR: usize = 15;

/// How much there is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Total {
    About(u64),
    AtMost(u64),
}

/// One line on standard error, drawn over and over; nothing where nobody sees it.
#[derive(Debug)]
pub(crate) struct Progress {
    shown: bool,
    what: &'static str,
    total: Option<Total>,
    started: Instant,
    drawn: Option<Instant>,
}

impl Progress {
    pub(crate) fn new(what: &'static str, total: Option<Total>, quiet: bool) -> Progress {
        let shown = !quiet && std::io::stderr().is_terminal();
        Progress { shown, what, total, started: Instant::now(), drawn: None }
    }

    pub(crate) fn at(&mut self, done: u64, bytes: u64) {
        if !self.shown || self.drawn.is_some_and(|drawn| drawn.elapsed() < EVERY) {
            return;
        }
        self.drawn = Some(Instant::now());
        eprint!("\r\x1b[K{}", line(self.what, done, bytes, self.total, self.started.elapsed()));
        // It is drawn again anyway.
        let _ = std::io::stderr().flush();
    }

    /// Takes the line away.
    pub(crate) fn end(&mut self) {
        if self.drawn.take().is_some() {
            eprint!("\r\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate for people"
)]
fn line(what: &str, done: u64, bytes: u64, total: Option<Total>, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64().max(0.001);
    let rate = done as f64 / seconds;
    let megabytes = bytes as f64 / f64::from(1 << 20);
    let mut text = format!("{what} {}", readable::count(done));
    let total = total.map(|total| match total {
        Total::About(total) => ("about ", "", total),
        Total::AtMost(total) => ("at most ", "at most ", total),
    });
    if let Some((about, most, total)) = total.filter(|(_, _, total)| *total >= done && *total > 0) {
        let percent = done * 100 / total;
        text.push_str(&format!(
            " of {about}{} {:BAR$} {percent}%",
            readable::count(total),
            bar(done, total, BAR as u64)
        ));
        if rate >= 1.0 {
            text.push_str(&format!(", {most}{} s left", ((total - done) as f64 / rate).ceil() as u64));
        }
    }
    text.push_str(&format!(", {}/s, {megabytes:.1} MiB", readable::count(rate as u64)));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_time_left_are_told_where_they_are_known() {
        let second = Duration::from_secs(1);
        assert_eq!(line("copied", 2500, 1 << 20, None, second), "copied 2 500, 2 500/s, 1.0 MiB");
        assert_eq!(
            line("copied", 2500, 1 << 20, Some(Total::About(10_000)), second),
            "copied 2 500 of about 10 000 ███▊            25%, 3 s left, 2 500/s, 1.0 MiB"
        );
        assert_eq!(
            line("copied", 5000, 1 << 20, Some(Total::AtMost(10_000)), second),
            "copied 5 000 of at most 10 000 ███████▌        50%, at most 1 s left, 5 000/s, 1.0 MiB"
        );
        assert_eq!(
            line("copied", 20, 0, Some(Total::About(10)), second),
            "copied 20, 20/s, 0.0 MiB",
            "an estimate that was too low"
        );
    }
}
