//! The tables and the pictures of docs/benchmarks.md come from benches/results, which `cargo xtask bench NAME --save` writes:
//! `cargo xtask docs` writes them anew.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod heads;
mod tables;
mod targets;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use store_benches::lines::{Line, read};
use store_benches::plot::{Curve, svg};
use store_benches::runs::middle;

/// A part of the page.
struct Section {
    name: &'static str,
    title: &'static str,
    /// What was measured, and how to read it.
    about: &'static str,
    /// Whether its tables show operations per second, and not the time of one.
    rates: bool,
}

const SECTIONS: &[Section] = &[
    Section {
        name: "inproc",
        title: "In process",
        about: "`store-memory`, by its synchronous path, beside maps and caches. A million entries unless said, keys of 16 bytes, values of 100; which key comes next \
                follows Zipf's law (0.99), on the curves every key is as likely. All hash with foldhash, own their keys, keep values that are shared, \
                and answer a read by sharing the value and looking at its first byte; nobody copies it. No cache is so small that it evicts.\n\n\
                What differs: TTL, versions and the order of listings are ours in every figure. dashmap and papaya have none of these. `sharded RwLock` is what a \
                careful engineer writes in an hour: 64 maps under a lock each, a deadline (`Instant`) with each value, swept every few milliseconds while entries expire. \
                quick_cache and foyer have such a deadline in the value too, and never free what is expired; mini-moka has one TTL for all entries, \
                moka one for each. A small *worst operation while they expire* is worth something only beside a time in *95 % released after*: who frees nothing \
                stalls nobody.",
        rates: false,
    },
    Section {
        name: "road",
        title: "The way to a store",
        about: "One key of `store-memory`, in the processor's cache: what `dyn`, futures, wrappers that are off, and handles add to the direct call of the same store, in \
                time and allocations. `metered`: with counters and times of each operation. And what the check of an operation costs, by what the \
                policies ask.",
        rates: false,
    },
    Section {
        name: "disk",
        title: "On disk",
        about: "`store-sled` beside raw sled and other engines. A million entries (300,000 for writes that do not wait) with keys of 16 bytes and values of 100 that \
                differ, and a cache that holds all of them. Writes stand beside writes that promise the same: `interval` and `none` beside what waits for no device, `sync` beside what \
                is durable when it is acknowledged. For that sled has `flush`, which survives a crash of the process but no loss of power, so sled is there \
                with an `fdatasync` too. Ours keep a version with each entry and, with a TTL, its deadline in an index; the others keep keys and values.",
        rates: true,
    },
    Section {
        name: "redis",
        title: "Redis",
        about: "`store-redis` with its defaults beside other clients of the same `redis-server`, over loopback: client and server share this machine's processors. Values of \
                100 bytes; a caller makes one call after the other. All give up after half a second, as redis-rs does by default, but for `redis-rs without deadline`. \
                Ours send an envelope with deadline and version, supervise the connection and count. redis-benchmark is the C program that comes with Redis: \
                one request at a time on each of its connections, one for each caller up to 50.",
        rates: true,
    },
    Section {
        name: "lua",
        title: "Lua",
        about: "A call from Lua on `store-memory`, beside `ngx.shared.DICT` in nginx (LuaJIT; tables by cjson there). The loop around the call is included on both sides; `empty loop` \
                is what it costs alone. Ours is beside the same dictionary in PUC Lua 5.4 and in LuaJIT. `policies`: with two policies in force. \
                `send`: with a VM that may move between threads.",
        rates: false,
    },
];

/// All figures, of all runs, and by section what its file says of the runs.
struct Measured {
    lines: Vec<Line>,
    runs: BTreeMap<String, String>,
}

fn measured(folder: &Path) -> Measured {
    let mut measured = Measured { lines: Vec::new(), runs: BTreeMap::new() };
    for section in SECTIONS {
        let Ok(text) = std::fs::read_to_string(folder.join(format!("{}.jsonl", section.name))) else { continue };
        measured.runs.insert(section.name.to_owned(), heads::told(&text));
        measured.lines.extend(read(&text).unwrap());
    }
    measured
}

/// The name of a row's picture.
fn picture_name(section: &str, row: &str) -> String {
    let name = format!("{section}-{row}").replace(|letter: char| !letter.is_alphanumeric(), "-");
    format!("pictures/{name}.svg")
}

/// Curves: those rows that have an `x`, in order, each once.
fn curves<'a>(lines: &[&'a Line]) -> Vec<(&'a str, Vec<&'a Line>)> {
    let mut rows: Vec<(&str, Vec<&Line>)> = Vec::new();
    for line in lines.iter().copied().filter(|line| line.x.is_some()) {
        match rows.iter_mut().find(|(row, _)| *row == line.row) {
            Some((_, points)) => points.push(line),
            None => rows.push((&line.row, vec![line])),
        }
    }
    rows
}

fn draw(row: &str, points: &[&Line]) -> String {
    let mut curves: Vec<Curve> = Vec::new();
    for point in points {
        let at = (point.x.unwrap(), point.value);
        match curves.iter_mut().find(|curve| curve.name == point.contender) {
            Some(curve) => curve.points.push(at),
            None => curves.push(Curve { name: point.contender.clone(), points: vec![at] }),
        }
    }
    curves.iter_mut().for_each(|curve| curve.points.sort_by(|one, other| one.0.total_cmp(&other.0)));
    svg(row, "entries", &points[0].unit, &curves)
}

/// What stands between the marks of the page, and the pictures.
fn generated(measured: &Measured) -> (String, Vec<(String, String)>) {
    let (mut page, mut pictures) = (String::new(), Vec::new());
    let middle = middle(&measured.lines);
    page.push_str("\n## What was aimed at\n");
    for section in SECTIONS.iter().filter(|section| measured.runs.contains_key(section.name)) {
        let _ = write!(page, "\n{}:\n{}", section.title, targets::table(section.name, &measured.lines));
    }
    for section in SECTIONS {
        let _ = write!(page, "\n## {}\n{}\n", section.title, section.about);
        let Some(run) = measured.runs.get(section.name) else {
            let _ = writeln!(page, "\nNot measured yet: `cargo xtask bench {} --save`.", section.name);
            continue;
        };
        let _ = writeln!(page, "\n{run}");
        let lines: Vec<&Line> = middle.iter().filter(|line| line.section == section.name).collect();
        page.push_str(&tables::all(&lines, section.rates));
        for (row, points) in curves(&lines) {
            let name = picture_name(section.name, row);
            let _ = write!(page, "\n![{row}]({name})\n\n{}", tables::curve(row, &points));
            pictures.push((name, draw(row, &points)));
        }
    }
    (page, pictures)
}

#[test]
fn the_page_shows_what_was_measured() {
    let docs = store_book::docs();
    let measured = measured(&docs.join("../benches/results"));
    let there = std::fs::read_to_string(docs.join("benchmarks.md")).unwrap();
    let from = there.find("<!-- measured").unwrap();
    let from = from + there[from..].find('\n').unwrap() + 1;
    let to = there.find("<!-- end -->").unwrap();
    let (page, mut files) = generated(&measured);
    files.push(("benchmarks.md".to_owned(), format!("{}{page}\n{}", &there[..from], &there[to..])));
    for (name, text) in files {
        let path = docs.join(&name);
        if std::env::var_os("STORE_WRITE_DOCS").is_some() {
            std::fs::write(&path, &text).unwrap();
        } else {
            let there = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(there == text, "docs/{name} is not what was measured: run `cargo xtask docs`");
        }
    }
}

#[test]
fn figures_of_every_kind_are_shown() {
    let text = r#"{"section":"redis","row":"GET","contender":"store","value":2000,"unit":"ns","ratio":1,"low":1,"lower":1,"upper":1,"high":1,"rounds":5}
        {"section":"redis","row":"GET","contender":"fred","value":4000,"unit":"ns","ratio":2.04,"low":1.9,"lower":2,"upper":2.1,"high":2.2,"rounds":5}
        {"section":"redis","row":"one by one","contender":"store","value":50,"unit":"ns","p50":50,"p99":900,"p999":1500,"worst":2500000}
        {"section":"redis","row":"opening","contender":"fred","value":12.34,"unit":"ms"}
        {"section":"redis","row":"by entries","contender":"store","value":null,"unit":"ms","x":1000}
        {"section":"redis","row":"by entries","contender":"store","value":7,"unit":"ms","x":1000000}"#;
    let measured =
        Measured { lines: read(text).unwrap(), runs: [("redis".to_owned(), "Measured today.".to_owned())].into() };
    let (page, pictures) = generated(&measured);
    for told in [
        "## In process\n",
        "Not measured yet: `cargo xtask bench inproc --save`.",
        "Measured today.",
        "| store | 500 k/s |\n| fred | 250 k/s, 2.0 (1.9 to 2.2) |",
        "| one by one | store | 50 ns | 900 ns | 1.5 µs | 2.5 ms |",
        "|  | fred |\n|---|---|\n| opening | 12 ms |",
        "| by entries (ms) | 1 k | 1 M |",
        "| store | never | 7.0 |",
    ] {
        assert!(page.contains(told), "{told}\n{page}");
    }
    assert_eq!(pictures[0].0, "pictures/redis-by-entries.svg");
    assert!(!pictures[0].1.contains("NaN"), "{}", pictures[0].1);
}
