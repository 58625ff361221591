//! The tables of options in docs/configuration.md are generated from the types that read them: `cargo xtask docs` writes them anew.
//! The other tables there are held against the lists of keys that the configuration knows.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Debug;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use store_core::config::Document;

/// What is generated: the heading of the page's section, the file, and the type.
const TABLES: [(&str, &str, &str); 5] = [
    ("Options of `memory`", "store-memory/src/config.rs", "MemoryOptions"),
    ("Options of `sled`", "store-sled/src/config.rs", "Options"),
    ("Options of `redis`", "store-redis/src/config.rs", "RedisOptions"),
    ("`sentinel`", "store-redis/src/config.rs", "Sentinel"),
    ("`near_cache`", "store-redis/src/config.rs", "NearCache"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn source(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap()
}

/// A field of a struct, or a variant of an enum.
#[derive(Debug)]
struct Member {
    docs: String,
    attributes: String,
    name: String,
    /// Nothing for a variant.
    kind: String,
}

/// The members of a type, as they are written.
fn members(source: &str, keyword: &str, name: &str) -> Option<Vec<Member>> {
    let body = source.split_once(&format!("{keyword} {name} {{\n"))?.1;
    let body = body.split_once("\n}").unwrap().0;
    let (mut members, mut docs, mut attributes) = (Vec::new(), String::new(), String::new());
    for line in body.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            docs.push_str(text);
        } else if line.starts_with('#') {
            attributes.push_str(line);
        } else if !line.is_empty() {
            let declared = line.trim_start_matches("pub ").trim_end_matches(',');
            let (name, kind) = declared.split_once(": ").unwrap_or((declared, ""));
            members.push(Member {
                docs: std::mem::take(&mut docs).trim().to_owned(),
                attributes: std::mem::take(&mut attributes),
                name: name.to_owned(),
                kind: kind.to_owned(),
            });
        }
    }
    Some(members)
}

/// What a person writes for a type of Rust.
fn written(kind: &str, source: &str) -> String {
    let optional = kind.strip_prefix("Option<").and_then(|kind| kind.strip_suffix('>'));
    let kind = optional.unwrap_or(kind);
    match kind {
        "String" | "PathBuf" | "Secret" => "string".to_owned(),
        "Vec<Secret>" => "list of strings".to_owned(),
        "bool" => "boolean".to_owned(),
        "HumanDuration" => "duration".to_owned(),
        "Size" => "size".to_owned(),
        "u64" | "i64" | "usize" => "integer".to_owned(),
        other if source.contains(&format!("pub enum {other} {{")) => "string".to_owned(),
        other if source.contains(&format!("pub struct {other} {{")) => "table".to_owned(),
        other => panic!("how is a {other} written?"),
    }
}

/// Documentation as it reads in a table: links to items are their names.
fn plain(docs: &str) -> String {
    docs.replace("[`", "`").replace("`]", "`").replace('|', "\\|")
}

/// A field's meaning, and its default: the last sentence, `Default: ...`.
fn meaning(field: &Member) -> (String, String) {
    let docs = plain(&field.docs);
    let Some((meaning, default)) = docs.split_once("Default: ") else {
        assert!(
            !field.attributes.contains("default"),
            "the documentation of {} does not end with its default",
            field.name
        );
        return (docs, "required".to_owned());
    };
    assert!(
        field.attributes.contains("serde(default"),
        "{} has a default that only its documentation knows",
        field.name
    );
    (meaning.trim().to_owned(), default.trim_end_matches('.').to_owned())
}

/// All source files of a crate, given one of them: an option may be of a type that is declared elsewhere.
fn sources(file: &str) -> String {
    let folder = root().join(file).parent().unwrap().to_owned();
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect();
    files.sort();
    files.into_iter().map(|file| std::fs::read_to_string(file).unwrap()).collect()
}

fn table(file: &str, name: &str) -> String {
    let (source, all) = (&source(file), &sources(file));
    let mut table = String::from("| Option | Type | Default | What it is |\n|---|---|---|---|\n");
    for field in members(source, "pub struct", name).unwrap_or_else(|| panic!("there is no {name}")) {
        let (mut meaning, default) = meaning(&field);
        for variant in members(all, "pub enum", &field.kind).unwrap_or_default() {
            let _ = write!(meaning, " `\"{}\"`: {}", variant.name.to_lowercase(), plain(&variant.docs));
        }
        let _ = writeln!(table, "| `{}` | {} | {default} | {meaning} |", field.name, written(&field.kind, all));
    }
    table
}

/// The page with its tables of options as the types have them.
fn page(there: &str) -> String {
    let mut page = there.to_owned();
    for (heading, file, name) in TABLES {
        let at = page.find(&format!("# {heading}\n")).unwrap_or_else(|| panic!("no section {heading}"));
        let from = at + page[at..].find("\n| Option |").unwrap_or_else(|| panic!("no table under {heading}")) + 1;
        let to = page[from..].find("\n\n").map_or(page.len(), |end| from + end + 1);
        page.replace_range(from..to, &table(file, name));
    }
    page
}

#[test]
fn the_page_is_up_to_date() {
    let path = root().join("docs/configuration.md");
    let there = std::fs::read_to_string(&path).unwrap();
    let page = page(&there);
    if std::env::var_os("STORE_WRITE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    } else {
        assert!(there == page, "docs/configuration.md is not what the types say: run `cargo xtask docs`");
    }
}

/// Reads options without and with what the table calls the default: both must be the same.
fn defaults_are_true<O: serde::de::DeserializeOwned + Debug>(file: &str, name: &str, required: &str) {
    let source = source(file);
    let read = |text: &str| toml::from_str::<O>(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let without = format!("{:?}", read(required));
    let mut compared = 0;
    for field in members(&source, "pub struct", name).unwrap() {
        let (_, default) = meaning(&field);
        let Some(value) = default.strip_prefix('`').and_then(|value| value.strip_suffix('`')) else { continue };
        let with = format!("{:?}", read(&format!("{required}\n{} = {value}", field.name)));
        assert_eq!(with, without, "{} is not {value} by default", field.name);
        compared += 1;
    }
    assert!(compared > 0, "{name} has no defaults");
}

#[test]
fn defaults_are_what_the_tables_say() {
    defaults_are_true::<store::memory::MemoryOptions>(TABLES[0].1, "MemoryOptions", "");
    defaults_are_true::<store::sled::Options>(TABLES[1].1, "Options", "path = 'x'");
    defaults_are_true::<store::redis::RedisOptions>(TABLES[2].1, "RedisOptions", "url = 'redis://h'");
    defaults_are_true::<store::redis::NearCache>(TABLES[4].1, "NearCache", "max_bytes = '1 MiB'");
}

/// The first column of the table under a heading, `a`, `b` as two names.
fn names(page: &str, head: &str) -> Vec<String> {
    let rows = page.split_once(head).unwrap_or_else(|| panic!("no table {head}")).1.lines().skip(2);
    let cells = rows.map_while(|row| row.strip_prefix("| ")?.split(" | ").next());
    let names = cells.flat_map(|cell| cell.split(", ")).map(|name| name.trim_matches('`').to_owned());
    let mut names: Vec<String> = names.map(|name| name.split('.').next().unwrap_or_default().to_owned()).collect();
    names.sort();
    names
}

/// The strings of a list in a source file.
fn list(file: &str, name: &str) -> Vec<String> {
    let source = source(file);
    let list = source.split_once(&format!("const {name}: [")).unwrap().1.split_once(';').unwrap().1;
    let list = list.split_once("];").unwrap().0;
    let mut names: Vec<String> = list.split('"').skip(1).step_by(2).map(str::to_owned).collect();
    names.sort();
    names
}

#[test]
fn the_other_tables_have_every_key_and_no_other() {
    let page = source("docs/configuration.md");
    let tables = ["At the top", "A store", "Security"];
    let [top, store, security] = tables.map(|title| page.split_once(&format!("\n## {title}\n")).unwrap().1);
    let head = "| Key | Type | Default | What it is |";
    assert_eq!(names(top, head), list("store-core/src/config/resolve.rs", "TOP_KEYS"));
    assert_eq!(names(store, head), list("store-core/src/config/entry.rs", "KEYS"));
    assert_eq!(names(security, head), list("store-core/src/config/security.rs", "KEYS"));
    let policy = members(&source("store-core/src/config/security.rs"), "struct", "Stated").unwrap();
    let mut policy: Vec<String> = policy.into_iter().map(|field| field.name).collect();
    policy.sort();
    assert_eq!(names(security, "| Key of a policy | Type | Default | What it is |"), policy);
}

/// Every configuration that the book shows is one: `toml` blocks are checked as `store check` does.
#[test]
fn configurations_in_the_book_have_no_mistakes() {
    let mut found = 0;
    for page in store_book::book() {
        let text = std::fs::read_to_string(&page).unwrap();
        for block in store_book::snippets("page", &text, "toml") {
            // Manifests are of another language in the same form.
            if block.code.contains("[dependencies]") || block.code.contains("[package]") {
                continue;
            }
            let place = format!("{}, line {}", page.display(), block.line);
            let document =
                Document::parse(&block.code, "store.toml").unwrap_or_else(|error| panic!("{place}: {error}"));
            let variables = |_: &str| Some("redis://localhost".to_owned());
            let mut names: Vec<Option<String>> =
                document.environments().iter().map(|name| Some(name.to_owned())).collect();
            names.push(None);
            for name in names {
                let resolved = document.resolve(name.as_deref(), &store::backends(), &variables);
                resolved.unwrap_or_else(|error| panic!("{place}: {error}"));
            }
            found += 1;
        }
    }
    assert!(found >= 5, "{found}");
}
