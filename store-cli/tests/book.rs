//! Command lines in the book and the READMEs are such that the command takes them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::{Path, PathBuf};

use common::Place;

fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            pages(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// The command lines for `store` in the `sh` blocks of a page, and after the `$` of its `console` blocks.
fn command_lines(text: &str) -> Vec<String> {
    let mut open: Option<Option<&str>> = None;
    let mut lines = Vec::new();
    for line in text.lines().map(str::trim) {
        match (open, line.strip_prefix("```")) {
            (None, Some("sh" | "bash")) => open = Some(Some("")),
            (None, Some("console")) => open = Some(Some("$ ")),
            (None, Some(_)) => open = Some(None),
            (Some(_), Some(_)) => open = None,
            (Some(Some(prompt)), None) => {
                let Some(line) = line.strip_prefix(prompt) else { continue };
                let commands = line.split(" | ").map(str::trim);
                lines.extend(commands.filter(|command| command.starts_with("store ")).map(str::to_owned));
            }
            _ => {}
        }
    }
    lines
}

/// What a shell makes of a line without variables.
fn words(line: &str) -> Vec<String> {
    let line = line.split(" #").next().unwrap_or_default();
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for char in line.chars() {
        match (quote, char) {
            (Some(end), char) if char == end => quote = None,
            (None, '\'' | '"') => quote = Some(char),
            (None, char) if char.is_whitespace() => words.push(std::mem::take(&mut word)),
            (_, char) => word.push(char),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn command_lines_are_read_as_a_shell_does() {
    let text = "store no\n```sh\nstore get a 'b c'   # why\nstore export x | store import \"y z\"\ncargo test\n```\nstore no\n\
        ```console\n$ store has a b\nstore no\n```\n";
    let lines: Vec<Vec<String>> = command_lines(text).iter().map(|line| words(line)).collect();
    let expected = ["store get a (b c)", "store export x", "store import (y z)", "store has a b"];
    let shown = lines.iter().map(|words| {
        let quoted = words.iter().map(|word| if word.contains(' ') { format!("({word})") } else { word.clone() });
        quoted.collect::<Vec<_>>().join(" ")
    });
    assert_eq!(shown.collect::<Vec<_>>(), expected);
}

/// A line that is understood fails for want of its files, and says so itself; one that is not is refused by the reader of arguments.
#[test]
fn command_lines_in_the_book_are_understood() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = vec![root.join("README.md"), root.join("CONTRIBUTING.md"), root.join("store-cli/README.md")];
    pages(&root.join("docs"), &mut files);
    let place = Place::new();
    let mut understood = 0;
    for file in files {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        for line in command_lines(&text) {
            let words = words(&line);
            let mut arguments: Vec<&str> = words[1..].iter().map(String::as_str).collect();
            if arguments.first().is_some_and(|first| ["completions", "repl"].contains(first) || first.starts_with('-'))
            {
                continue;
            }
            // What asks a service needs no file. Before the words, since those after a script are its own.
            let wrong =
                if line.contains(" --url ") { ["--interval", "1ms"] } else { ["--config", "/nowhere/store.toml"] };
            arguments.splice(1..1, wrong);
            let ended = place.run(&arguments);
            assert!(
                ended.code == Some(2) && ended.stderr.starts_with("store: "),
                "{}: {line}\n{ended:#?}",
                file.display()
            );
            understood += 1;
        }
    }
    assert!(understood > 10, "{understood}");
}
