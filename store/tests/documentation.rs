//! The reference of configurations says what is: its examples are valid, its mistakes are real, no key is left out.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use store::config::Document;
use store::{Backends, Kind};

const PAGE: &str = include_str!("../../docs/configuration.md");

/// The blocks of a language, each with the line that it begins on.
fn blocks(language: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut lines = PAGE.lines().enumerate();
    while let Some((line, text)) = lines.next() {
        if text.trim() == format!("```{language}") {
            let body = lines.by_ref().map(|(_, text)| text).take_while(|text| text.trim() != "```");
            blocks.push((line + 1, body.collect::<Vec<_>>().join("\n")));
        }
    }
    blocks
}

fn resolve(text: &str, environment: Option<&str>, backends: &Backends) -> store::Result<store::config::Config> {
    let variables = |name: &str| (name == "REDIS_URL").then(|| "redis://127.0.0.1".to_owned());
    Document::parse(text, "store.toml")?.resolve(environment, backends, &variables)
}

#[test]
fn every_example_is_valid_in_every_environment() {
    let blocks = blocks("toml");
    assert!(blocks.len() >= 4);
    for (line, text) in blocks {
        let document = Document::parse(&text, "configuration.md").unwrap();
        let environments = document.environments().iter().map(|name| Some(name.as_str())).chain([None]);
        for environment in environments {
            let config = resolve(&text, environment, &store::backends());
            let config = config.unwrap_or_else(|error| panic!("example at line {line}, {environment:?}: {error}"));
            assert!(!config.stores.is_empty(), "example at line {line}");
        }
    }
}

#[test]
fn the_mistakes_shown_are_what_is_said() {
    let text = "# A mistake in each line that has one.\n[stores.\"app:cache\"]\nbackend = \"memory\"\noptions.max_entires = 1\n\
                default_ttl = 300\n\n[env.production.stores.\"app:cache\"]\nbackend = \"redis\"\n";
    let mut backends = Backends::new();
    backends.register(store::memory::MemoryBackend).unwrap().not_compiled("redis", "redis");
    let error = resolve(text, None, &backends).unwrap_err();
    let (_, shown) = blocks("text").pop().unwrap();
    assert_eq!((error.kind(), error.message()), (Kind::Invalid, shown.as_str()));
}

/// What the error about an unknown key lists as known.
fn known(text: &str) -> BTreeSet<String> {
    let error = resolve(text, None, &store::backends()).unwrap_err();
    let (_, known) = error.message().split_once("known: ").unwrap_or_else(|| panic!("{error}"));
    known.split([';', '\n']).next().unwrap_or_default().split(", ").map(str::to_owned).collect()
}

/// The first column of the tables in a section, without those of its own sections.
fn documented(section: &str) -> BTreeSet<String> {
    let heading = |level: &str| PAGE.find(&format!("\n{level} {section}\n"));
    let start = heading("##").or_else(|| heading("###")).unwrap_or_else(|| panic!("no section {section}"));
    let section = PAGE[start + 1..].split("\n##").next().unwrap_or_default();
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
    cells
        .flat_map(|cell| cell.split('`').step_by(2))
        .filter(|name| *name != ", ")
        .map(str::to_owned)
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn no_key_is_left_out_and_none_is_made_up() {
    for (section, text) in [
        ("A store", "[stores.s]\nbackend = 'memory'\nzzzzzzzzzz = 1"),
        ("Options of `memory`", "[stores.s]\nbackend = 'memory'\noptions.zzzzzzzzzz = 1"),
        ("Options of `sled`", "[stores.s]\nbackend = 'sled'\noptions.zzzzzzzzzz = 1"),
        ("Options of `redis`", "[stores.s]\nbackend = 'redis'\noptions.zzzzzzzzzz = 1"),
        ("`sentinel`", "[stores.s]\nbackend = 'redis'\noptions.sentinel.zzzzzzzzzz = 1"),
        ("`near_cache`", "[stores.s]\nbackend = 'redis'\noptions.near_cache.zzzzzzzzzz = 1"),
    ] {
        assert_eq!(documented(section), known(text), "{section}");
    }
    let top = known("zzzzzzzzzz = 1").into_iter().map(|key| match &*key {
        "stores" => "stores.ID".to_owned(),
        "env" => "env.NAME".to_owned(),
        _ => key,
    });
    assert_eq!(documented("At the top"), top.collect());
    let mut security = known("[security]\nzzzzzzzzzz = 1");
    security.extend(known(
        "[[security.policies]]\nid = 'x'\nactions = ['*']\nresources = ['*']\neffect = 'deny'\nzzzzzzzzzz = 1",
    ));
    assert_eq!(documented("Security"), security);
}
