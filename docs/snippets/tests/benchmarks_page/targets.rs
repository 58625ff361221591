//! What was aimed at, and what was reached.

use std::fmt::Write as _;

use store_benches::lines::Line;
use store_benches::runs::each;

use crate::tables::{rough, time};

/// What a figure shall be.
#[derive(Clone, Copy)]
enum Goal {
    AtLeast(f64),
    AtMost(f64),
}
use Goal::{AtLeast, AtMost};

/// Where a figure is found.
#[derive(Clone, Copy)]
enum Figure {
    /// How many times as fast as a contender the first of the row is.
    Against(&'static str),
    /// A value of a contender, on a curve at some point.
    Value(&'static str, Option<f64>),
    /// The slowest of a contender's operations, or 99.9 % of them; in nanoseconds.
    Worst(&'static str),
    P999(&'static str),
    /// How many times as slow 99.9 % of its operations are as in another row.
    P999Over(&'static str, &'static str),
    /// How much steeper a contender's curve is than another's, between two points.
    Slope(&'static str, &'static str, f64, f64),
    /// How many times as long the first of the row takes as the first of another row, which another program has measured: by what each is
    /// beside the same contender in its own run.
    Cost(&'static str, &'static str),
    /// How many times as fast the first of the row is as a contender in another row.
    Than(&'static str, &'static str),
}
use Figure::{Against, Cost, P999, P999Over, Slope, Than, Value, Worst};

struct Target {
    section: &'static str,
    row: &'static str,
    figure: Figure,
    goal: Goal,
    unit: &'static str,
}

const fn target(section: &'static str, row: &'static str, figure: Figure, goal: Goal, unit: &'static str) -> Target {
    Target { section, row, figure, goal, unit }
}

const STORE: &str = "store-memory";
const DASHMAP: &str = "dashmap, no TTL";
const MILLION: Option<f64> = Some(1e6);

const TARGETS: &[Target] = &[
    target("inproc", "get, 1 thread", Against(DASHMAP), AtLeast(1.0), "×"),
    target("inproc", "get, 2 threads", Against(DASHMAP), AtLeast(1.0), "×"),
    target("inproc", "get, 1 thread", Against("moka"), AtLeast(5.0), "×"),
    target("inproc", "get, 2 threads", Against("moka"), AtLeast(5.0), "×"),
    target("inproc", "95/5 with TTL, 1 thread", Against(DASHMAP), AtLeast(0.9), "×"),
    target("inproc", "95/5 with TTL, 2 threads", Against(DASHMAP), AtLeast(0.9), "×"),
    target("inproc", "95/5 with TTL, 1 thread", Against("moka"), AtLeast(5.0), "×"),
    target("inproc", "95/5 with TTL, 2 threads", Against("moka"), AtLeast(5.0), "×"),
    target("inproc", "50/50 with TTL, 1 thread", Against(DASHMAP), AtLeast(1.0), "×"),
    target("inproc", "50/50 with TTL, 2 threads", Against(DASHMAP), AtLeast(1.0), "×"),
    target("inproc", "50/50 with TTL, 1 thread", Against("moka"), AtLeast(6.0), "×"),
    target("inproc", "50/50 with TTL, 2 threads", Against("moka"), AtLeast(6.0), "×"),
    target("inproc", "set with TTL, 1 thread", Against(DASHMAP), AtLeast(1.1), "×"),
    target("inproc", "set with TTL, 2 threads", Against(DASHMAP), AtLeast(1.1), "×"),
    target("inproc", "set with TTL, 1 thread", Against("moka"), AtLeast(7.0), "×"),
    target("inproc", "set with TTL, 2 threads", Against("moka"), AtLeast(7.0), "×"),
    target("inproc", "95/5 with TTL, 2 threads", P999(STORE), AtMost(2000.0), "ns"),
    target("inproc", "bytes resident per entry, by entries", Value(STORE, MILLION), AtMost(230.0), "B"),
    target("inproc", "set with TTL by entries", Slope(STORE, DASHMAP, 1e3, 1e6), AtMost(1.3), "×"),
    target("inproc", "while 1000000 entries expire", Worst(STORE), AtMost(1e7), "ns"),
    target(
        "inproc",
        "while 1000000 entries expire",
        P999Over(STORE, "before 1000000 entries expire"),
        AtMost(1.0),
        "×",
    ),
    target("inproc", "95 % released after, by entries", Value(STORE, MILLION), AtMost(1000.0), "ms"),
    target("inproc", "page of 100 entries by entries", Value(STORE, MILLION), AtMost(50.0), "us"),
    target(
        "road",
        "get of a 100-byte value: over the direct call",
        Value("three wrappers, synchronous path", None),
        AtMost(6.0),
        "ns",
    ),
    target("road", "get of a 100-byte value: over the direct call", Value("dyn, future", None), AtMost(15.0), "ns"),
    target("disk", "get, uniform, 1 threads, 1000000 keys", Against("sled"), AtLeast(0.9), "×"),
    target("disk", "get, uniform, 2 threads, 1000000 keys", Against("sled"), AtLeast(0.9), "×"),
    target("disk", "set, 1 writers, store-sled interval, TTL", Against("sled"), AtLeast(0.8), "×"),
    target("disk", "set, 2 writers, store-sled interval, TTL", Against("sled"), AtLeast(0.8), "×"),
    target("disk", "set, 1 writers, store-sled sync, threads", Against("sled + flush"), AtLeast(0.7), "×"),
    target(
        "disk",
        "set, 64 writers, store-sled sync, tasks",
        Than("sled + flush", "set, 1 writers, store-sled sync, tasks"),
        AtLeast(20.0),
        "×",
    ),
    target("disk", "scan of 100, 1000000 keys", Against("sled"), AtLeast(0.8), "×"),
    target("disk", "scan of 1000, 1000000 keys", Against("sled"), AtLeast(0.8), "×"),
    target("redis", "GET, 1 callers", Against("redis-rs"), AtLeast(0.95), "×"),
    target("redis", "GET, 64 callers", Against("redis-rs"), AtLeast(0.95), "×"),
    target("redis", "GET, 512 callers", Against("redis-rs"), AtLeast(0.95), "×"),
    target("redis", "SET PX, 1 callers", Against("redis-rs"), AtLeast(0.95), "×"),
    target("redis", "SET PX, 64 callers", Against("redis-rs"), AtLeast(0.95), "×"),
    target("redis", "SET PX, 512 callers", Against("redis-rs"), AtLeast(0.95), "×"),
    target("redis", "DELETE, 1 callers", Against("redis-rs"), AtLeast(0.95), "×"),
    target("redis", "DELETE, 64 callers", Against("redis-rs"), AtLeast(0.95), "×"),
    target("redis", "DELETE, 512 callers", Against("redis-rs"), AtLeast(0.95), "×"),
    target("redis", "GET, 64 callers", Against("redis-benchmark -c 50"), AtLeast(2.0), "×"),
    target("redis", "GET x 100, 4 callers", Against("redis-rs"), AtLeast(0.9), "×"),
    target("redis", "SET PX x 100, 4 callers", Against("redis-rs"), AtLeast(0.9), "×"),
    target("redis", "hit of the near cache, 1 caller", Against("store-memory"), AtLeast(0.2), "×"),
    target("lua", "lua54: string get", Against("ngx.shared.DICT"), AtLeast(1.0), "×"),
    target("lua", "lua54: string set, TTL", Against("ngx.shared.DICT"), AtLeast(1.0), "×"),
    target("lua", "luajit: string get", Against("ngx.shared.DICT"), AtLeast(1.2), "×"),
    target("lua", "luajit: string set, TTL", Against("ngx.shared.DICT"), AtLeast(1.2), "×"),
    target("lua", "lua54: {user_id, role} get", Against("ngx.shared.DICT"), AtLeast(1.4), "×"),
    target("lua", "lua54: {user_id, role} set, TTL", Against("ngx.shared.DICT"), AtLeast(1.4), "×"),
    target("lua", "luajit: {user_id, role} get", Against("ngx.shared.DICT"), AtLeast(1.4), "×"),
    target("lua", "luajit: {user_id, role} set, TTL", Against("ngx.shared.DICT"), AtLeast(1.4), "×"),
    target("lua", "lua54, send: string get", Cost("ngx.shared.DICT", "lua54: string get"), AtMost(1.2), "×"),
    target("lua", "lua54, send: string set, TTL", Cost("ngx.shared.DICT", "lua54: string set, TTL"), AtMost(1.2), "×"),
];

impl Target {
    /// The figure, and for a ratio its spread.
    fn seen(&self, lines: &[Line]) -> Option<(f64, Option<(f64, f64)>)> {
        let find = |row: &str, contender: &str, x: Option<f64>| {
            lines.iter().find(|line| {
                line.section == self.section && line.row == row && line.contender == contender && line.x == x
            })
        };
        // The percentiles of a row that is also compared are in a line of their own.
        let timed = |row: &str, contender: &str| {
            let of = |line: &&Line| line.section == self.section && line.row == row && line.contender == contender;
            lines.iter().filter(of).find_map(|line| line.percentiles)
        };
        let against = |row: &str, contender: &str| {
            let of = |line: &&Line| line.section == self.section && line.row == row && line.contender == contender;
            lines.iter().filter(of).find_map(|line| line.ratio)
        };
        match self.figure {
            Against(contender) => {
                let ratio = against(self.row, contender)?;
                Some((ratio.median, Some((ratio.low, ratio.high))))
            }
            Value(contender, x) => Some((find(self.row, contender, x)?.value, None)),
            Worst(contender) => Some((timed(self.row, contender)?.worst, None)),
            P999(contender) => Some((timed(self.row, contender)?.p999, None)),
            P999Over(contender, row) => Some((timed(self.row, contender)?.p999 / timed(row, contender)?.p999, None)),
            Slope(own, other, from, to) => {
                let steep =
                    |name| Some(find(self.row, name, Some(to))?.value / find(self.row, name, Some(from))?.value);
                Some((steep(own)? / steep(other)?, None))
            }
            Than(contender, row) => {
                let own = lines.iter().find(|line| line.section == self.section && line.row == self.row)?;
                Some((find(row, contender, None)?.value / own.value, None))
            }
            Cost(contender, row) => {
                Some((against(row, contender)?.median / against(self.row, contender)?.median, None))
            }
        }
    }

    /// Below which factor a difference between two contenders is none, on the machines that measure.
    fn noise(&self) -> f64 {
        let is_loud = self.row.contains("2 threads") || self.row.starts_with("set, ") || self.section == "redis";
        match self.figure {
            Against(_) | Than(..) | Cost(..) | P999Over(..) if is_loud => 1.2,
            Against(_) | Than(..) | Cost(..) | P999Over(..) => 1.1,
            _ => 1.0,
        }
    }

    fn what(&self) -> String {
        match self.figure {
            Against(contender) => format!("{}: as fast as {contender}", self.row),
            Value(contender, Some(x)) => format!("{}: {contender} at {x}", self.row),
            Value(contender, None) => format!("{}: {contender}", self.row),
            Worst(contender) => format!("{}: worst of {contender}", self.row),
            P999(contender) => format!("{}: p99.9 of {contender}", self.row),
            P999Over(contender, row) => format!("{}: p99.9 of {contender}, over {row}", self.row),
            Slope(own, other, from, to) => format!("{}, from {from} to {to}: {own} over {other}", self.row),
            Cost(contender, row) => format!("{}: over {row}, by {contender} in each", self.row),
            Than(contender, row) => format!("{}: as fast as {contender} in {row}", self.row),
        }
    }
}

/// What is to be said of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Reached,
    Near,
    Missed,
}

impl Target {
    fn verdict(&self, seen: f64) -> Verdict {
        // Above 1, it is missed by that factor.
        let missed_by = match self.goal {
            AtLeast(goal) => goal / seen,
            AtMost(goal) => seen / goal,
        };
        match missed_by {
            by if by <= 1.0 => Verdict::Reached,
            by if by <= self.noise() => Verdict::Near,
            _ => Verdict::Missed,
        }
    }

    fn number(&self, number: f64) -> String {
        match self.unit {
            "ns" => time(number),
            "×" => format!("{number:.2} ×"),
            unit => format!("{} {unit}", rough(number, &[(1.0, "")])),
        }
    }
}

/// The targets of a section, by what each run has seen: what was not measured is not in it. Reached is what each of the runs reaches.
pub(crate) fn table(section: &str, lines: &[Line]) -> String {
    let mut table =
        String::from("\n| | aimed at | measured | runs, or rounds of the only run | |\n|---|---|---|---|---|\n");
    let runs = each(lines);
    for target in TARGETS.iter().filter(|target| target.section == section) {
        let mut seen: Vec<_> = runs.iter().filter_map(|run| target.seen(run)).collect();
        if seen.is_empty() {
            continue;
        }
        seen.sort_by(|one, other| one.0.total_cmp(&other.0));
        let aim = match target.goal {
            AtLeast(goal) => format!("at least {}", target.number(goal)),
            AtMost(goal) => format!("at most {}", target.number(goal)),
        };
        let spread = match &seen[..] {
            [(_, rounds)] => rounds.map(|(low, high)| format!("{low:.2} to {high:.2}")).unwrap_or_default(),
            all => all.iter().map(|(seen, _)| target.number(*seen).replace(" ×", "")).collect::<Vec<_>>().join(", "),
        };
        let verdicts: Vec<Verdict> = seen.iter().map(|(seen, _)| target.verdict(*seen)).collect();
        let missed = verdicts.iter().filter(|verdict| **verdict == Verdict::Missed).count();
        let verdict = match verdicts.iter().max() {
            None | Some(Verdict::Reached) => "reached".to_owned(),
            Some(Verdict::Near) => "as near as can be told".to_owned(),
            Some(Verdict::Missed) if missed == verdicts.len() => "**missed**".to_owned(),
            Some(Verdict::Missed) => format!("**missed** in {missed} of {}", verdicts.len()),
        };
        let verdict = if verdicts.len() == 1 { format!("{verdict}, one run") } else { verdict };
        let middle = target.number(seen[seen.len() / 2].0);
        let _ = writeln!(table, "| {} | {aim} | {middle} | {spread} | {verdict} |", target.what());
    }
    table
}

#[test]
fn a_target_is_reached_or_missed() {
    let line = |ratio: f64| {
        let text = format!(
            r#"{{"section":"inproc","row":"get, 1 thread","contender":"moka","value":9,"unit":"ns","ratio":{ratio},"low":4,"lower":4,"upper":9,"high":9,"rounds":5}}"#
        );
        store_benches::lines::read(&text).unwrap()
    };
    assert!(
        table("inproc", &line(5.0)).contains(
            "| get, 1 thread: as fast as moka | at least 5.00 × | 5.00 × | 4.00 to 9.00 | reached, one run |"
        )
    );
    assert!(table("inproc", &line(4.6)).contains("as near as can be told"));
    assert!(table("inproc", &line(4.5)).contains("**missed**"));
    let points = r#"{"section":"inproc","row":"set with TTL by entries","contender":"store-memory","value":100,"unit":"ns","x":1000}
        {"section":"inproc","row":"set with TTL by entries","contender":"store-memory","value":300,"unit":"ns","x":1000000}
        {"section":"inproc","row":"set with TTL by entries","contender":"dashmap, no TTL","value":50,"unit":"ns","x":1000}
        {"section":"inproc","row":"set with TTL by entries","contender":"dashmap, no TTL","value":100,"unit":"ns","x":1000000}
        {"section":"inproc","row":"while 1000000 entries expire","contender":"store-memory","value":50,"unit":"ns","p50":50,"p99":900,"p999":1500,"worst":2500000}"#;
    let text = table("inproc", &store_benches::lines::read(points).unwrap());
    assert!(
        text.contains("1.50 × |  | **missed**, one run")
            && text.contains("at most 10 ms | 2.5 ms |  | reached, one run"),
        "{text}"
    );
}

#[test]
fn what_is_reached_is_reached_in_each_run() {
    let runs = |ratios: [f64; 3]| {
        let line = |run: usize| {
            let ratio = ratios[run];
            format!(
                r#"{{"section":"inproc","row":"get, 1 thread","contender":"moka","value":9,"unit":"ns","ratio":{ratio},"low":4,"lower":4,"upper":9,"high":9,"rounds":5,"run":{run}}}"#
            )
        };
        table("inproc", &store_benches::lines::read(&[line(0), line(1), line(2)].join("\n")).unwrap())
    };
    for (ratios, told) in [
        ([6.0, 5.0, 5.5], "| 5.50 × | 5.00, 5.50, 6.00 | reached |"),
        ([6.0, 4.8, 5.5], "| 5.50 × | 4.80, 5.50, 6.00 | as near as can be told |"),
        ([6.0, 4.0, 5.5], "| 5.50 × | 4.00, 5.50, 6.00 | **missed** in 1 of 3 |"),
        ([3.0, 4.0, 3.5], "| 3.50 × | 3.00, 3.50, 4.00 | **missed** |"),
    ] {
        let table = runs(ratios);
        assert!(table.contains(told), "{told}\n{table}");
    }
}
