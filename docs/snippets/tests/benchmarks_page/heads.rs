//! Where, when and how often something was measured.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use store_benches::lines::{Field, fields};

/// What the heads of a file's blocks say: one sentence, if all of it was measured alike; else one for each way it was.
pub(crate) fn told(text: &str) -> String {
    let mut slices: Vec<(String, BTreeMap<String, u32>)> = Vec::new();
    for head in text.lines().filter_map(fields).filter(|head| !head.contains_key("row")) {
        let said = |name: &str| match head.get(name) {
            Some(Field::Text(text)) => text.clone(),
            // What was measured before slices had heads of their own is one of them.
            _ if name == "slice" => String::new(),
            _ => panic!("a head without `{name}`: {head:?}"),
        };
        let place = format!("{}: {}, {}, commit {}", said("date"), said("machine"), said("rustc"), said("commit"));
        let slice = said("slice");
        match slices.iter_mut().find(|(name, _)| *name == slice) {
            Some((_, places)) => *places.entry(place).or_default() += 1,
            None => slices.push((slice, BTreeMap::from([(place, 1)]))),
        }
    }
    assert!(!slices.is_empty(), "a file that does not say where it is from");
    let mut alike: Vec<(String, Vec<String>)> = Vec::new();
    for (slice, places) in slices {
        let places: Vec<String> = places
            .into_iter()
            .map(|(place, runs)| if runs == 1 { format!("{place}, one run") } else { format!("{place}, {runs} runs") })
            .collect();
        let places = places.join("; ");
        match alike.iter_mut().find(|(other, _)| *other == places) {
            Some((_, slices)) => slices.push(slice),
            None => alike.push((places, vec![slice])),
        }
    }
    if let [(places, _)] = &alike[..] {
        return format!("Measured {places}.");
    }
    let mut text = String::from("Measured");
    for (at, (places, slices)) in alike.iter().enumerate() {
        let slices: Vec<String> = slices.iter().map(|slice| format!("`{slice}`")).collect();
        let _ = write!(text, "{} {} on {places}", if at == 0 { "" } else { ";" }, slices.join(" "));
    }
    text + "."
}

#[test]
fn a_page_says_where_its_figures_are_from() {
    let head = |slice: &str, run: u32, commit: &str| {
        format!(
            r#"{{"section":"s","slice":"{slice}","run":{run},"date":"today","machine":"m","rustc":"r","commit":"{commit}"}}"#
        )
    };
    let text = |heads: &[String]| told(&heads.join("\n{\"section\":\"s\",\"row\":\"a\"}\n"));
    let old = r#"{"section":"s","date":"today","machine":"m","rustc":"r","commit":"c"}"#.to_owned();
    assert_eq!(text(&[old]), "Measured today: m, r, commit c, one run.");
    let (get, set) = (|run| head("get", run, "c"), |run| head("set", run, "c"));
    assert_eq!(text(&[get(1), get(2), set(1), set(2)]), "Measured today: m, r, commit c, 2 runs.");
    assert_eq!(
        text(&[get(1), get(2), set(1), head("big", 1, "old")]),
        "Measured `get` on today: m, r, commit c, 2 runs; `set` on today: m, r, commit c, one run; `big` on today: m, r, commit old, one run."
    );
}
