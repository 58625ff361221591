//! The Lua blocks of the pages and of the README, each on every backend.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::Path;

use store_book::{PAGES, Snippet, docs, snippets};
use store_lua::mlua::{Lua, Result, Value};

/// Collects what is printed, in place of printing it.
const PRELUDE: &str = "
    local lines = ...
    local store = require('store')
    local cache = assert(store.get('app:cache'))
    function print(...)
        local texts = table.pack(...)
        -- Results come with their error; where that is nil, the comments leave it out.
        while texts.n > 1 and texts[texts.n] == nil do texts.n = texts.n - 1 end
        for i = 1, texts.n do texts[i] = tostring(texts[i]) end
        lines[#lines + 1] = table.concat(texts, ' ', 1, texts.n)
    end
    return store, cache";

/// What the comments say is printed.
fn expected(code: &str) -> Vec<String> {
    code.lines().filter_map(|line| line.split_once("-->")).map(|(_, text)| text.trim().to_owned()).collect()
}

/// Runs a block and gives what it printed.
async fn printed(lua: &Lua, code: &str) -> Result<Vec<String>> {
    let lines = lua.create_table()?;
    let (store, cache): (Value, Value) = lua.load(PRELUDE).call_async(&lines).await?;
    // In one line, so that line numbers stay those of the block.
    let code = format!("local store, cache = ... {code}");
    lua.load(code).set_name("=block").call_async::<()>((store, cache)).await?;
    lines.sequence_values().collect()
}

fn run(snippet: &Snippet) {
    let runtime = common::runtime();
    for fresh in common::each_backend(&format!("lua-{}", snippet.name)) {
        let place = format!("{} (line {} of the page) on {}", snippet.name, snippet.line, fresh.backend);
        runtime.block_on(async {
            let lua = Lua::new();
            store_lua::install(&lua, fresh.registry.clone()).unwrap();
            match printed(&lua, &snippet.code).await {
                Ok(lines) => assert_eq!(lines, expected(&snippet.code), "{place}"),
                Err(error) => panic!("{place}: {error}"),
            }
            drop(lua);
            fresh.registry.close().await.unwrap();
        });
    }
}

fn page(path: &Path) -> Vec<Snippet> {
    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    snippets(&name, &text, "lua")
}

#[test]
fn readme() {
    let found = page(&docs().join("../README.md"));
    assert!(!found.is_empty());
    found.iter().for_each(run);
}

#[test]
fn pages() {
    for name in PAGES {
        let found = page(&docs().join(name));
        let shows_rust = std::fs::read_to_string(docs().join(name)).unwrap().contains("```rust\n");
        assert!(!found.is_empty() || shows_rust, "{name} shows nothing");
        found.iter().for_each(run);
    }
}

/// The operations of the contract: each has a page, and no page is of anything else.
const OPERATIONS: [&str; 19] = [
    "get",
    "set",
    "has",
    "delete",
    "release",
    "entry",
    "put",
    "ttl",
    "touch",
    "get_and_touch",
    "take",
    "increment",
    "get_many",
    "set_many",
    "delete_many",
    "list",
    "clear",
    "get_or_set",
    "info",
];

#[test]
fn operations() {
    let folder = docs().join("operations");
    let mut named: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .filter(|name| name != "README")
        .collect();
    named.sort();
    let mut operations = OPERATIONS.map(str::to_owned).to_vec();
    operations.sort();
    assert_eq!(named, operations);
    for name in OPERATIONS {
        let path = folder.join(format!("{name}.md"));
        let text = std::fs::read_to_string(&path).unwrap();
        for heading in ["## Rules", "## Errors", "## Cost"] {
            assert!(text.contains(heading), "{name}.md lacks {heading}");
        }
        let found = page(&path);
        assert!(!found.is_empty() && text.contains("```rust"), "{name}.md lacks an example");
        found.iter().for_each(run);
    }
}
