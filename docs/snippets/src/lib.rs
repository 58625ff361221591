//! The snippets of the book and of the README, compiled and run: what the pages say is what the code does.
//!
//! - A ```` ```rust ```` block of the README is a doc test of this crate.
//! - A ```` ```rust ```` block of the pages in [`PAGES`] is the inside of an async function that has `registry`, `cache` (a handle on
//!   the store `app:cache`), and what `store` exports. It runs on memory, sled and Redis.
//! - A ```` ```lua ```` block of those pages, and of the README, has `store` and `cache`, and runs on all three as well. What it
//!   prints must be what its comments `--> ...` say, in their order.
//!
//! Each block runs on an empty store.

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

use std::path::{Path, PathBuf};

/// The pages whose snippets are run, relative to `docs/`, besides all of `operations/`.
pub const PAGES: &[&str] = &[
    "getting-started.md",
    "coming-from/wippy.md",
    "coming-from/moka.md",
    "coming-from/redis-rs.md",
    "coming-from/ngx-shared.md",
    "ttl.md",
    "errors.md",
    "security.md",
    "services.md",
    "observability.md",
    "reload.md",
];

/// Where the book is.
#[must_use]
pub fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The pages of the book: those that its summary names.
#[must_use]
pub fn book() -> Vec<PathBuf> {
    let summary = std::fs::read_to_string(docs().join("SUMMARY.md")).unwrap_or_default();
    let links = summary.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    links.map(|(page, _)| docs().join(page)).collect()
}

/// A fenced block of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet {
    /// `get_2`: the page, and which of its blocks in this language it is.
    pub name: String,
    /// Where its first line stands in the page, counted from 1.
    pub line: usize,
    /// What is between the fences.
    pub code: String,
}

/// The blocks of a page that are in one language.
#[must_use]
pub fn snippets(page: &str, text: &str, language: &str) -> Vec<Snippet> {
    let mut found: Vec<Snippet> = Vec::new();
    let mut open: Option<Option<Snippet>> = None;
    for (index, line) in text.lines().enumerate() {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (None, Some(info)) => {
                let wanted = info.trim() == language;
                let name = || format!("{page}_{}", found.len() + 1);
                open = Some(wanted.then(|| Snippet { name: name(), line: index + 2, code: String::new() }));
            }
            (Some(_), Some(_)) => found.extend(open.take().flatten()),
            (Some(Some(snippet)), None) => {
                snippet.code.push_str(line);
                snippet.code.push('\n');
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_by_language() {
        let text = "a\n```lua\nx = 1\n```\n```rust\nlet x = 1;\n```\n\n```lua\ny = 2\nz = 3\n```\n";
        let found = snippets("page", text, "lua");
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].name.as_str(), found[0].line, found[0].code.as_str()), ("page_1", 3, "x = 1\n"));
        assert_eq!((found[1].name.as_str(), found[1].line, found[1].code.as_str()), ("page_2", 10, "y = 2\nz = 3\n"));
    }
}
