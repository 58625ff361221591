//! The Lua blocks of the guide print what their comments say. Its Rust blocks are doc tests of the crate.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

mod common;

use std::path::Path;

use common::{Bench, Vm};
use store_lua::mlua::Table;

const PRELUDE: &str = "
    lines = {}
    store = require('store')
    cache = assert(store.get('app:cache'))
    cache:clear()
    function print(...)
        local n, texts = select('#', ...), {}
        while n > 1 and select(n, ...) == nil do n = n - 1 end
        for i = 1, n do texts[i] = tostring((select(i, ...))) end
        lines[#lines + 1] = table.concat(texts, ' ', 1, n)
    end
    return lines";

fn blocks(page: &str) -> impl Iterator<Item = (usize, &str)> {
    page.split("```lua\n").skip(1).map(move |rest| {
        let code = rest.split("```").next().unwrap();
        let offset = page.find(code).unwrap();
        (page[..offset].lines().count(), code)
    })
}

fn expected(code: &str) -> Vec<String> {
    code.lines().filter_map(|line| line.split_once("-->")).map(|(_, text)| text.trim().to_owned()).collect()
}

fn guide_on(bench: Bench) {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/lua.md")).unwrap();
    let vm = Vm::new(bench, "");
    let mut count = 0;
    for (line, code) in blocks(&page) {
        let newer = code.contains("<close>") || code.contains("math.type");
        count += 1;
        if newer && !cfg!(any(feature = "lua54", feature = "lua55")) {
            continue;
        }
        let lines: Table = vm.block_on(vm.lua.load(PRELUDE).eval_async()).unwrap();
        vm.run(&format!("lua.md block at line {line}"), code).unwrap();
        let printed: Vec<String> = lines.sequence_values().collect::<Result<_, _>>().unwrap();
        assert_eq!(printed, expected(code), "block at line {line}");
    }
    assert!(count >= 5, "only {count} blocks");
}

#[test]
fn the_guide_runs_in_memory() {
    guide_on(Bench::Memory);
}

#[test]
fn the_guide_runs_on_redis() {
    guide_on(Bench::Redis);
}
