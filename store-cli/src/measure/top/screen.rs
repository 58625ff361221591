//! What is seen: one picture, drawn again and again at a terminal.

use std::io::Write;
use std::time::Duration;

use super::picture::Picture;
use super::survey::Group;
use crate::console::{Output, Paint, Trouble, explained};
use crate::text::escape::{printed, quoted};
#[cfg(feature = "redis")]
use crate::text::readable::ttl;
use crate::text::readable::{count, cut};
use crate::text::units::{bar, bytes, share, time};
#[cfg(feature = "redis")]
use crate::text::units::{per_second, ratio};

const PREFIX_WIDTH: usize = 30;
const BAR_WIDTH: u64 = 20;
/// How many commands of a server are shown.
#[cfg(feature = "redis")]
const COMMANDS: usize = 6;

/// A terminal's other screen, for as long as this lives: what stood there comes back.
#[derive(Debug)]
pub(super) struct OtherScreen;

impl OtherScreen {
    pub(super) fn enter() -> OtherScreen {
        print!("\x1b[?1049h\x1b[?25l");
        OtherScreen
    }

    /// To the top left; what is drawn over is cleared line by line, so that nothing flickers.
    fn home() {
        print!("\x1b[H");
    }
}

impl Drop for OtherScreen {
    fn drop(&mut self) {
        print!("\x1b[?25h\x1b[?1049l");
        // There is nobody to tell.
        let _ = std::io::stdout().flush();
    }
}

/// Draws the picture; `live` clears what an earlier one left.
pub(super) fn draw(picture: &Picture<'_>, live: bool, out: &mut Output) -> Result<(), Trouble> {
    show(&lines(picture, out), live, out)
}

/// Shows lines; `live` in the place of those that stand there.
pub(super) fn show(lines: &[String], live: bool, out: &mut Output) -> Result<(), Trouble> {
    let end = if live { "\x1b[K" } else { "" };
    if live {
        OtherScreen::home();
    }
    for line in lines {
        out.line(&format!("{line}{end}"))?;
    }
    if live {
        out.bytes(b"\x1b[J")?;
    }
    out.flush()
}

fn lines(picture: &Picture<'_>, out: &Output) -> Vec<String> {
    let mut lines = vec![format!("{} ({})", out.paint(Paint::Key, picture.id), picture.backend)];
    for trouble in picture.troubles {
        lines.push(out.paint(Paint::Bad, &explained(trouble)));
    }
    let name = |name: &str| out.paint(Paint::Dim, &format!("{name:9}"));
    if let Some(ping) = picture.ping {
        lines.push(format!("{}one answers in {}", name("ping"), time(nanos(ping))));
    }
    let (counted, whole) = picture.survey.counted();
    let about = picture.entries.filter(|_| !whole).map_or_else(String::new, |all| format!(" of about {}", count(all)));
    let extent = if whole { "all of it" } else { "a part, so far" };
    lines.push(format!(
        "{}{}{about} entries, {} of keys and values, {} with a TTL; {extent}",
        name("holds"),
        count(counted.all.entries),
        bytes(counted.all.bytes),
        share(counted.expiring, counted.all.entries)
    ));
    lines.extend(server(picture, out));
    if counted.all.entries > 0 {
        lines.push(String::new());
        let head = format!("{:30}{:>14}{:>12}  of the bytes", "prefix", "entries", "bytes");
        lines.push(out.paint(Paint::Dim, &head));
    }
    let row = |label: String, group: Group| {
        let label = out.paint(Paint::Key, &format!("{:30}", cut(&label, PREFIX_WIDTH)));
        let bar = out.paint(Paint::Good, &bar(group.bytes, counted.all.bytes, BAR_WIDTH));
        let part = share(group.bytes, counted.all.bytes);
        format!("{label}{:>14}{:>12}  {bar} {part}", count(group.entries), bytes(group.bytes))
    };
    for (prefix, group) in counted.largest(picture.prefixes) {
        let label = match prefix {
            [] => format!("without {}", quoted(picture.separator)),
            prefix => printed(prefix),
        };
        lines.push(row(label, group));
    }
    if counted.rest.entries > 0 {
        lines.push(row("(too many to tell apart)".to_owned(), counted.rest));
    }
    if let Some(note) = picture.note {
        lines.push(String::new());
        lines.push(out.paint(Paint::Dim, note));
    }
    lines
}

#[cfg(not(feature = "redis"))]
fn server(_: &Picture<'_>, _: &Output) -> Vec<String> {
    Vec::new()
}

#[cfg(feature = "redis")]
fn server(picture: &Picture<'_>, out: &Output) -> Vec<String> {
    let Some(sample) = picture.sample else { return Vec::new() };
    let stats = &sample.stats;
    let name = |name: &str| out.paint(Paint::Dim, &format!("{name:9}"));
    let of = if stats.max_memory > 0 { format!(" of {}", bytes(stats.max_memory)) } else { String::new() };
    let servers = if stats.servers == 1 { String::new() } else { format!("{} primaries, ", stats.servers) };
    let mut lines = vec![
        String::new(),
        format!(
            "{}{servers}{}, up {}, {}, {}{of}, {} keys in the database",
            name("server"),
            stats.version,
            ttl(store::Ttl::Left(stats.uptime)),
            if stats.clients == 1 { "1 client".to_owned() } else { format!("{} clients", count(stats.clients)) },
            bytes(stats.used_memory),
            count(stats.keys)
        ),
    ];
    let Some(rates) = picture.rates else { return lines };
    let hits = match rates.hit_ratio {
        None => "no reads".to_owned(),
        hits => format!("{} hits", ratio(hits)),
    };
    lines.push(format!(
        "{}{} commands/s, {hits}, {} expired/s, {} evicted/s; of all its clients",
        name(""),
        per_second(rates.commands),
        per_second(rates.expired),
        per_second(rates.evicted)
    ));
    lines.push(String::new());
    lines.push(out.paint(Paint::Dim, &format!("{:30}{:>14}{:>16}", "command", "per second", "in the server")));
    for (command, rate, one) in rates.calls.iter().take(COMMANDS) {
        let command = out.paint(Paint::Key, &format!("{command:30}"));
        // The server counts whole microseconds.
        let one = if one.is_zero() { "<1 µs".to_owned() } else { time(nanos(*one)) };
        lines.push(format!("{command}{:>14}{one:>16}", per_second(*rate)));
    }
    lines
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
