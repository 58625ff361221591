//! docs/conformance.md is generated from the suite itself, and this test keeps it true: `cargo xtask docs` writes it anew.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use store_core::conformance::cases;

/// What the rules are about, in a few words; the letters are those of the tests' names.
const CHAPTERS: [(char, &str); 7] = [
    ('T', "Time to live"),
    ('K', "Keys and ids"),
    ('V', "Values"),
    ('E', "Results and errors"),
    ('C', "Concurrency and versions"),
    ('H', "Handles and lifecycle"),
    ('S', "Security"),
];

const BACKENDS: [&str; 3] = ["memory", "sled", "redis"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Whether a backend's tests run the whole suite.
fn runs_the_suite(backend: &str) -> bool {
    let tests = root().join(format!("store-{backend}/tests/conformance.rs"));
    std::fs::read_to_string(tests).is_ok_and(|text| text.contains("conformance!("))
}

/// `T5` before `T10`.
fn order(rule: &str) -> (usize, u32) {
    let letter = rule.chars().next().unwrap_or_default();
    let chapter = CHAPTERS.iter().position(|(own, _)| *own == letter).unwrap_or(CHAPTERS.len());
    (chapter, rule.get(1..).and_then(|number| number.parse().ok()).unwrap_or(0))
}

fn is_rule(name: &str) -> bool {
    order(name).0 < CHAPTERS.len() && name[1..].parse::<u32>().is_ok()
}

fn page() -> String {
    let mut by_rule: BTreeMap<(usize, u32), (&str, Vec<&str>)> = BTreeMap::new();
    for case in cases() {
        let mut rules: Vec<&str> = case.rules.iter().copied().filter(|rule| is_rule(rule)).collect();
        if rules.is_empty() {
            // What an operation is described to do, and no rule of its own.
            rules.push("");
        }
        for rule in rules {
            by_rule.entry(order(rule)).or_insert((rule, Vec::new())).1.push(case.name);
        }
    }
    let mut page = String::from(
        "# Which rule is shown by which test\n\n\
         Generated from the suite by `cargo xtask docs`. Each case runs on each backend four times: on the bare store, behind\n\
         `Arc<dyn Store>`, through the synchronous path, and wrapped in another store. To run one:\n\
         `cargo test -p store-memory --test conformance t5_overwrite_never_inherits_ttl`.\n",
    );
    let mut chapter = None;
    for ((number, _), (rule, names)) in &by_rule {
        if chapter != Some(number) {
            chapter = Some(number);
            let title = CHAPTERS.get(*number).map_or("Operations", |(_, title)| title);
            let _ = write!(page, "\n## {title}\n\n| Rule | Case | {} |\n|---|---|", BACKENDS.join(" | "));
            let _ = writeln!(page, "{}", "---|".repeat(BACKENDS.len()));
        }
        for (index, name) in names.iter().enumerate() {
            let rule = if index == 0 { rule } else { "" };
            let _ = writeln!(page, "| {rule} | `{name}` | {} |", BACKENDS.map(|_| "tested").join(" | "));
        }
    }
    let _ = writeln!(page, "\n{} cases.", cases().len());
    page
}

#[test]
fn every_backend_runs_the_whole_suite() {
    for backend in BACKENDS {
        assert!(runs_the_suite(backend), "store-{backend}/tests/conformance.rs does not run the suite");
    }
}

#[test]
fn the_page_is_up_to_date() {
    let path = root().join("docs/conformance.md");
    let page = page();
    if std::env::var_os("STORE_WRITE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(there == page, "docs/conformance.md is not what the suite says: run `cargo xtask docs`");
}
