//! What a call from Lua costs, beside `ngx.shared.DICT` (tables by cjson there), interleaved in one run.
//!
//! `cargo run --release --manifest-path benches/lua/Cargo.toml --features lua54 -- [--rounds N] [--calls N] [--quick] [--lines FILE] [--only TEXT] [--plain]`,
//! the same with `--features luajit`, and with `send` besides. `cargo xtask bench lua` does all that, and brings nginx with its Lua
//! module and cjson (see `nginx.rs`); without nginx the rest is measured, and said so.
//!
//! Every figure is nanoseconds per call, the loop around it included, on both sides. `--only` takes the row of that name, or all that contain the
//! text; `--plain` leaves out nginx and policies, for a profiler.

mod nginx;
mod vm;

use std::path::PathBuf;

use store_benches::{Contender, Report, compare};

/// A row: what it is called, what our side runs for it, what nginx does.
struct Row {
    name: &'static str,
    ours: &'static str,
    theirs: Option<&'static str>,
    /// Whether it is also measured with policies.
    ruled: bool,
}

const fn row(name: &'static str, ours: &'static str, theirs: Option<&'static str>, ruled: bool) -> Row {
    Row { name, ours, theirs, ruled }
}

/// What is read is kept until the next time: a compiler may leave out what nobody looks at.
const ROWS: &[Row] = &[
    row("empty loop", "", Some(""), false),
    row("empty Rust function", "empty()", None, false),
    row("string get", "seen[1] = cache:get(k)", Some("seen[1] = dict:get(k)"), true),
    row(
        "string get, each another",
        "seen[1] = cache:get(others[i % 1000])",
        Some("seen[1] = dict:get(others[i % 1000])"),
        false,
    ),
    row("string set, TTL", "cache:set(k, text, 300)", Some("dict:set(k, text, 300)"), true),
    row("string get, absent", "cache:get('absent')", Some("dict:get('absent')"), true),
    row("{user_id, role} get", "seen[1] = cache:get(t)", Some("seen[1] = decode((dict:get(t)))"), true),
    row("{user_id, role} set, TTL", "cache:set(t, row, 300)", Some("dict:set(t, encode(row), 300)"), true),
    row("has", "cache:has(k)", None, true),
    row("delete, absent", "cache:delete('absent')", Some("dict:delete('absent')"), true),
    row("increment", "cache:increment('n')", Some("dict:incr('n', 1, 0)"), true),
    row("entry", "seen[1] = cache:entry(k)", None, false),
    row("awaited: get_or_set, hit", "seen[1] = cache:get_or_set(k, empty)", None, false),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut rounds, mut calls, mut lines, mut only, mut plain) = (101, 1000, None::<PathBuf>, None::<String>, false);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--rounds" => rounds = value()?.parse()?,
            "--calls" => calls = value()?.parse()?,
            "--lines" => lines = Some(value()?.into()),
            "--only" => only = Some(value()?),
            "--plain" => plain = true,
            "--quick" => (rounds, calls) = (11, 300),
            _ => return Err(format!("unknown argument {word}").into()),
        }
    }
    let (free, ruled) = (vm::vm(false)?, vm::vm(true)?);
    let only = only.as_deref().unwrap_or_default();
    let is_name = ROWS.iter().any(|row| row.name == only);
    let rows: Vec<&Row> =
        ROWS.iter().filter(|row| if is_name { row.name == only } else { row.name.contains(only) }).collect();
    let bodies: Vec<&str> = rows.iter().filter_map(|row| row.theirs).collect();
    let nginx = if plain { Err("left out".into()) } else { nginx::Nginx::start(&bodies, calls) };
    if let Err(why) = &nginx {
        println!("NOT MEASURED: ngx.shared.DICT ({why})");
    }
    let nginx = nginx.ok();
    let mut report = Report::new("lua", lines.as_deref())?;
    let lua = if cfg!(feature = "luajit") { "luajit" } else { "lua54" };
    let send = if cfg!(feature = "send") { ", send" } else { "" };
    for row in rows {
        let mut contenders = vec![vm::contender("store".to_owned(), &free, row.ours, calls)?];
        if row.ruled && !plain {
            contenders.push(vm::contender("store, policies".to_owned(), &ruled, row.ours, calls)?);
        }
        if let (Some(nginx), Some(theirs)) = (&nginx, row.theirs) {
            let index = bodies.iter().position(|body| *body == theirs).unwrap_or_default();
            contenders.push(Contender::new("ngx.shared.DICT", move || nginx.round(index)));
        }
        report.comparison(&format!("{lua}{send}: {}", row.name), &compare(contenders, rounds))?;
    }
    Ok(())
}
