//! Every link between files of the repository leads somewhere, headings included.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                pages(&path, found);
            }
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
}

/// The text outside of fenced blocks and of `code`.
fn prose(text: &str) -> String {
    let mut fenced = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            let outside = line.split('`').step_by(2);
            prose.extend(outside.chain(["\n"]));
        }
    }
    prose
}

/// What stands in `](...)`.
fn links(text: &str) -> Vec<String> {
    let found = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    found.map(|(link, _)| link.split(' ').next().unwrap_or_default().to_owned()).collect()
}

/// The anchor that a heading gets.
fn anchor(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = heading.chars().filter(|char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_'));
    kept.map(|char| if char == ' ' { '-' } else { char }).collect()
}

/// A page of the book that links to what is not in the book leads nowhere once the book is built. Files of the repository are named
/// by their path instead.
#[test]
fn the_book_has_all_its_pages_and_links_to_nothing_else() {
    if std::env::var_os("STORE_WRITE_DOCS").is_some() {
        // The summary is being written at this moment.
        return;
    }
    let docs = store_book::docs().canonicalize().unwrap();
    let book: Vec<PathBuf> = store_book::book().iter().map(|page| page.canonicalize().unwrap()).collect();
    let mut files = Vec::new();
    pages(&docs, &mut files);
    let missing: Vec<&PathBuf> =
        files.iter().filter(|page| !page.ends_with("SUMMARY.md") && !book.contains(page)).collect();
    assert!(missing.is_empty(), "not in docs/SUMMARY.md (`cargo xtask docs` adds decisions): {missing:?}");
    let mut outside = Vec::new();
    for page in &book {
        for link in links(&prose(&std::fs::read_to_string(page).unwrap())) {
            let path = link.split('#').next().unwrap_or_default();
            if path.is_empty() || path.contains("://") {
                continue;
            }
            let Ok(target) = page.parent().unwrap().join(path).canonicalize() else { continue };
            // What is no page is copied into the built book as it is.
            let copied = target.starts_with(&docs) && target.extension().is_some_and(|extension| extension != "md");
            if !(book.contains(&target) || copied) {
                outside.push(format!("{}: {link}", page.strip_prefix(&docs).unwrap().display()));
            }
        }
    }
    assert!(outside.is_empty(), "links out of the book:\n{}", outside.join("\n"));
}

/// The decisions in the summary are those in the folder, by the titles that they have.
#[test]
fn the_summary_lists_the_decisions() {
    let docs = store_book::docs();
    let mut pages: Vec<String> = std::fs::read_dir(docs.join("adr"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.md")
        .collect();
    pages.sort();
    let mut list = String::from("- [Decisions](adr/README.md)\n");
    for name in pages {
        let number = name.split('-').next().unwrap_or_default();
        let text = std::fs::read_to_string(docs.join("adr").join(&name)).unwrap();
        let title = text.lines().next().unwrap_or_default();
        let title = title.trim_start_matches(|char: char| !char.is_alphabetic());
        list.push_str(&format!("  - [{number} {title}](adr/{name})\n"));
    }
    let path = docs.join("SUMMARY.md");
    let there = std::fs::read_to_string(&path).unwrap();
    let (before, _) = there.split_once("- [Decisions]").unwrap();
    let summary = format!("{before}{list}");
    if std::env::var_os("STORE_WRITE_DOCS").is_some() {
        std::fs::write(&path, &summary).unwrap();
    } else {
        assert!(there == summary, "docs/SUMMARY.md has not the decisions of docs/adr: run `cargo xtask docs`");
    }
}

/// What the page on writing a backend shows is what the example says.
#[test]
fn excerpts_are_from_the_example() {
    let text = std::fs::read_to_string(store_book::docs().join("writing-a-backend.md")).unwrap();
    let example = std::fs::read_to_string(root().join("examples/src/custom_backend.rs")).unwrap();
    let excerpts = store_book::snippets("page", &text, "rust");
    assert!(!excerpts.is_empty());
    for excerpt in excerpts {
        assert!(example.contains(&excerpt.code), "not in examples/src/custom_backend.rs:\n{}", excerpt.code);
    }
}

#[test]
fn links_lead_somewhere() {
    let mut files = Vec::new();
    pages(&root(), &mut files);
    assert!(files.len() > 20, "{files:?}");
    let mut broken = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for link in links(&prose(&text)) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, fragment) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() { file.clone() } else { file.parent().unwrap().join(path) };
            let good = target.exists()
                && (fragment.is_empty()
                    || std::fs::read_to_string(&target)
                        .is_ok_and(|text| text.lines().any(|line| line.starts_with('#') && anchor(line) == fragment)));
            if !good {
                broken.push(format!("{}: {link}", file.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}
