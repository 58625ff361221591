//! Tables of lines.

use std::fmt::Write as _;

use store_benches::lines::Line;

/// Two digits, three from a hundred on: what is beyond is noise.
pub(crate) fn rough(number: f64, units: &[(f64, &str)]) -> String {
    let (size, unit) = units.iter().rev().find(|(size, _)| number.abs() >= *size).unwrap_or(&units[0]);
    let scaled = number / size;
    if scaled.abs() < 10.0 { format!("{scaled:.1}{unit}") } else { format!("{scaled:.0}{unit}") }
}

/// A time in nanoseconds.
pub(crate) fn time(nanos: f64) -> String {
    rough(nanos, &[(1.0, " ns"), (1e3, " µs"), (1e6, " ms"), (1e9, " s")])
}

/// A count.
fn count(number: f64) -> String {
    let text = rough(number, &[(1.0, ""), (1e3, " k"), (1e6, " M")]);
    text.replace(".0", "")
}

fn figure(line: &Line, rates: bool) -> String {
    match line.unit.as_str() {
        _ if line.value.is_nan() => "never".to_owned(),
        "ns" if rates && line.ratio.is_some() => rough(1e9 / line.value, &[(1.0, "/s"), (1e3, " k/s"), (1e6, " M/s")]),
        "ns" => time(line.value),
        unit => format!("{} {unit}", rough(line.value, &[(1.0, "")])).trim_end().to_owned(),
    }
}

fn cell(line: &Line, rates: bool, is_first: bool) -> String {
    let figure = figure(line, rates);
    match line.ratio {
        Some(ratio) if !is_first => {
            let digits = |number| rough(number, &[(1.0, "")]);
            format!("{figure}, {} ({} to {})", digits(ratio.median), digits(ratio.low), digits(ratio.high))
        }
        _ => figure,
    }
}

/// What goes into one table: rows by what stands before a colon, else by who comes first.
struct Group<'a> {
    key: String,
    title: Option<&'a str>,
    rows: Vec<&'a str>,
    contenders: Vec<&'a str>,
    lines: Vec<&'a Line>,
}

fn groups<'a>(lines: &[&'a Line]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for &line in lines {
        let first = lines.iter().find(|other| other.row == line.row).unwrap();
        let title = line.row.split_once(": ").map(|(title, _)| title);
        // What was compared is not mixed with what was not.
        let key = format!("{:?} {}", title.unwrap_or(&first.contender), line.ratio.is_some());
        let row = line.row.split_once(": ").map_or(line.row.as_str(), |(_, row)| row);
        if !groups.iter().any(|group| group.key == key) {
            let empty = Group { key: key.clone(), title, rows: Vec::new(), contenders: Vec::new(), lines: Vec::new() };
            groups.push(empty);
        }
        let group = groups.iter_mut().find(|group| group.key == key).unwrap();
        if !group.rows.contains(&row) {
            group.rows.push(row);
        }
        if !group.contenders.contains(&line.contender.as_str()) {
            group.contenders.push(&line.contender);
        }
        group.lines.push(line);
    }
    groups
}

impl Group<'_> {
    fn at(&self, row: &str, contender: &str, rates: bool) -> String {
        let of_row = |line: &&&Line| line.row == row || line.row.split_once(": ").is_some_and(|(_, name)| name == row);
        let mut lines = self.lines.iter().filter(of_row).peekable();
        let first = lines.peek().map(|line| line.contender.clone()).unwrap_or_default();
        let found = lines.find(|line| line.contender == contender);
        found.map_or_else(|| "–".to_owned(), |line| cell(line, rates, line.contender == first))
    }

    /// The longer side goes down.
    fn table(&self, rates: bool) -> String {
        let title = self.title.unwrap_or_default();
        let down = self.contenders.len() > self.rows.len();
        let (lines, columns) = if down { (&self.contenders, &self.rows) } else { (&self.rows, &self.contenders) };
        let mut table = format!("\n| {title} | {} |\n|---|{}\n", columns.join(" | "), "---|".repeat(columns.len()));
        for line in lines {
            let cells = columns.iter().map(|column| {
                let (row, contender) = if down { (column, line) } else { (line, column) };
                self.at(row, contender, rates)
            });
            let cells: Vec<String> = cells.collect();
            let _ = writeln!(table, "| {line} | {} |", cells.join(" | "));
        }
        table
    }
}

/// Everything that is no curve.
pub(crate) fn all(lines: &[&Line], rates: bool) -> String {
    let mut text = String::new();
    let flat = lines.iter().copied().filter(|line| line.x.is_none() && line.percentiles.is_none());
    for group in groups(&flat.collect::<Vec<_>>()) {
        text.push_str(&group.table(rates));
    }
    let single: Vec<_> = lines.iter().filter_map(|line| Some((line, line.percentiles?))).collect();
    if !single.is_empty() {
        text.push_str("\n| Operation by operation | | p50 | p99 | p99.9 | worst |\n|---|---|---|---|---|---|\n");
    }
    for (line, of) in single {
        let times = [of.p50, of.p99, of.p999, of.worst].map(time).join(" | ");
        let _ = writeln!(text, "| {} | {} | {times} |", line.row, line.contender);
    }
    text
}

/// The points of a curve.
pub(crate) fn curve(row: &str, points: &[&Line]) -> String {
    let mut at: Vec<f64> = points.iter().filter_map(|point| point.x).collect();
    at.sort_by(f64::total_cmp);
    at.dedup();
    let heads: Vec<String> = at.iter().map(|x| count(*x)).collect();
    let mut table =
        format!("| {row} ({}) | {} |\n|---|{}\n", points[0].unit, heads.join(" | "), "---|".repeat(at.len()));
    let mut contenders: Vec<&str> = Vec::new();
    for point in points {
        if !contenders.contains(&point.contender.as_str()) {
            contenders.push(&point.contender);
        }
    }
    for contender in contenders {
        let cells = at.iter().map(|x| {
            let point = points.iter().find(|point| point.contender == contender && point.x == Some(*x));
            point.map_or("–".to_owned(), |point| {
                if point.value.is_nan() { "never".to_owned() } else { rough(point.value, &[(1.0, "")]) }
            })
        });
        let cells: Vec<String> = cells.collect();
        let _ = writeln!(table, "| {contender} | {} |", cells.join(" | "));
    }
    table
}
