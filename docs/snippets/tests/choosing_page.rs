//! The figures and the pictures of docs/choosing.md come from docs/measurements.jsonl: `cargo xtask docs` writes them anew.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value as Json;
use store_benches::plot::{Curve, svg};

/// The contenders, as `cargo xtask measure` names their stores, and as the page does.
const STORES: [(&str, &str); 4] = [
    ("memory", "`memory`"),
    ("sled-interval", "`sled`, `\"interval\"`"),
    ("sled-sync", "`sled`, `\"sync\"`"),
    ("redis", "`redis`, on the same machine"),
];

/// By operation, store and callers: what `store bench --json` said.
type Measured = BTreeMap<(String, String), BTreeMap<u64, Json>>;

fn measured(text: &str) -> Measured {
    let mut measured = Measured::new();
    for line in text.lines().skip(1) {
        let seen: Json = serde_json::from_str(line).unwrap();
        for (operation, calls) in seen["operations"].as_object().unwrap() {
            let key = (operation.clone(), seen["store"].as_str().unwrap().to_owned());
            measured.entry(key).or_default().insert(seen["callers"].as_u64().unwrap(), calls.clone());
        }
    }
    measured
}

/// Where and when that was.
fn head(line: &str) -> String {
    let head: Json = serde_json::from_str(line).unwrap();
    let said = |name: &str| head[name].as_str().unwrap().to_owned();
    format!("Measured {}: {}, {}, commit {}.", said("date"), said("machine"), said("rustc"), said("commit"))
}

/// Two digits: the third is noise.
fn rough(number: f64, units: &[(f64, &str)]) -> String {
    let (size, unit) = units.iter().rev().find(|(size, _)| number >= *size).unwrap_or(&units[0]);
    let scaled = number / size;
    if scaled < 10.0 { format!("{scaled:.1}{unit}") } else { format!("{scaled:.0}{unit}") }
}

fn cell(calls: &Json) -> String {
    let rate = rough(calls["per_second"].as_f64().unwrap(), &[(1.0, ""), (1e3, " k"), (1e6, " M")]);
    let late = rough(calls["p99"].as_f64().unwrap() * 1e9, &[(1.0, " ns"), (1e3, " µs"), (1e6, " ms"), (1e9, " s")]);
    format!("{rate}/s, {late}")
}

fn table(measured: &Measured, operation: &str, title: &str) -> String {
    let callers: Vec<u64> = measured[&(operation.to_owned(), STORES[0].0.to_owned())].keys().copied().collect();
    let heads: Vec<String> =
        callers.iter().map(|callers| if *callers == 1 { "1 caller".to_owned() } else { callers.to_string() }).collect();
    let mut table = format!("| {title} | {} |\n|---|{}\n", heads.join(" | "), "---|".repeat(callers.len()));
    for (store, name) in STORES {
        let by_callers = &measured[&(operation.to_owned(), store.to_owned())];
        let cells: Vec<String> = callers.iter().map(|callers| cell(&by_callers[callers])).collect();
        let _ = writeln!(table, "| {name} | {} |", cells.join(" | "));
    }
    table
}

fn picture(measured: &Measured, operation: &str, title: &str) -> String {
    let curves = STORES.map(|(store, _)| Curve {
        name: store.to_owned(),
        points: measured[&(operation.to_owned(), store.to_owned())]
            .iter()
            .map(|(callers, calls)| {
                (f64::from(u32::try_from(*callers).unwrap()), calls["per_second"].as_f64().unwrap())
            })
            .collect(),
    });
    svg(title, "callers", "calls per second", &curves)
}

#[test]
fn the_page_shows_what_was_measured() {
    let docs = store_book::docs();
    let text = std::fs::read_to_string(docs.join("measurements.jsonl")).unwrap();
    let measured = measured(&text);
    let there = std::fs::read_to_string(docs.join("choosing.md")).unwrap();
    let from = there.find("<!-- measured").unwrap();
    let from = from + there[from..].find('\n').unwrap() + 1;
    let to = there.find("<!-- end -->").unwrap();
    let (reads, writes) = (table(&measured, "get", "Reads"), table(&measured, "set", "Writes"));
    let tables = format!("\n{}\n\n{reads}\n{writes}\n", head(text.lines().next().unwrap()));
    let page = format!("{}{tables}{}", &there[..from], &there[to..]);
    let files = [
        ("choosing.md", page),
        ("pictures/reads.svg", picture(&measured, "get", "Reads")),
        ("pictures/writes.svg", picture(&measured, "set", "Writes")),
    ];
    for (name, text) in files {
        let path = docs.join(name);
        if std::env::var_os("STORE_WRITE_DOCS").is_some() {
            std::fs::write(&path, &text).unwrap();
        } else {
            let there = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(there == text, "docs/{name} is not what was measured: run `cargo xtask docs`");
        }
    }
}
