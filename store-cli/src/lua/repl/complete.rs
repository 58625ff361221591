//! What Tab completes: names of globals, fields and methods, and ids of stores.

use std::collections::BTreeSet;

use mlua::{Lua, Table, Value};
use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};
use store::Registry;

const KEYWORDS: [&str; 22] = [
    "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local", "nil",
    "not", "or", "repeat", "return", "then", "true", "until", "while",
];

/// Knows what there is in the VM, without running anything of it.
pub(super) struct Assistant {
    lua: Lua,
    registry: Registry,
}

impl Assistant {
    pub(super) fn new(lua: &Lua, registry: &Registry) -> Assistant {
        Assistant { lua: lua.clone(), registry: registry.clone() }
    }

    /// Where the word begins that ends a line, and what it may become.
    fn candidates(&self, line: &str) -> (usize, Vec<String>) {
        if let Some(start) = open_id(line) {
            let begun = &line[start..];
            let ids = self.registry.ids().filter(|id| id.starts_with(begun)).map(|id| id.to_string());
            return (start, ids.collect());
        }
        let start = line
            .rfind(|char: char| !(char.is_alphanumeric() || matches!(char, '_' | '.' | ':')))
            .map_or(0, |at| at + line[at..].chars().next().map_or(1, char::len_utf8));
        let path = &line[start..];
        let (owner, begun) = match path.rfind(['.', ':']) {
            Some(at) => (Some(&path[..at]), &path[at + 1..]),
            None => (None, path),
        };
        let names = match owner {
            Some(owner) => self.value(owner).map(|value| self.names(&value)).unwrap_or_default(),
            None => {
                let mut names = self.names(&Value::Table(self.lua.globals()));
                names.extend(KEYWORDS.map(str::to_owned));
                names
            }
        };
        let names = names.into_iter().filter(|name| name.starts_with(begun)).collect();
        (start + path.len() - begun.len(), names)
    }

    /// The value of `a.b.c`, looked up without running anything.
    fn value(&self, path: &str) -> Option<Value> {
        path.split(['.', ':']).try_fold(Value::Table(self.lua.globals()), |value, name| {
            let value = fields(&value)?.raw_get(name).or_else(|_| Ok::<_, mlua::Error>(Value::Nil)).ok()?;
            (!matches!(value, Value::Nil)).then_some(value)
        })
    }

    fn names(&self, value: &Value) -> BTreeSet<String> {
        let Some(table) = fields(value) else { return BTreeSet::new() };
        let keys = table.pairs::<Value, Value>().filter_map(|pair| match pair.ok()?.0 {
            Value::String(name) => Some(name.to_str().ok()?.to_owned()),
            _ => None,
        });
        keys.filter(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')).take(1000).collect()
    }
}

/// The table in which the fields of a value are: its own, or the one its `__index` is.
fn fields(value: &Value) -> Option<Table> {
    match value {
        Value::Table(table) => match table.metatable().and_then(|metatable| metatable.raw_get("__index").ok()) {
            Some(Value::Table(index)) if table.is_empty() => Some(index),
            _ => Some(table.clone()),
        },
        Value::UserData(object) => object.metatable().ok()?.get("__index").ok(),
        _ => None,
    }
}

/// Where the id begins that is being written: `store.get("app:`, `store.with('`.
fn open_id(line: &str) -> Option<usize> {
    let start = line.rfind(['"', '\''])? + 1;
    let before = line[..start - 1].trim_end().trim_end_matches('(').trim_end();
    (before.ends_with("store.get") || before.ends_with("store.with")).then_some(start)
}

impl Completer for Assistant {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.candidates(line.get(..pos).unwrap_or_default()))
    }
}

impl Hinter for Assistant {
    type Hint = String;
}

impl Highlighter for Assistant {}
impl Validator for Assistant {}
impl Helper for Assistant {}
