//! Turns the Rust blocks of the pages into tests: see `src/lib.rs`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

// The library's own way of finding blocks, so that there is one.
#[path = "src/lib.rs"]
#[allow(dead_code, unreachable_pub, reason = "a build script uses a part of it")]
mod book;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/lib.rs");
    let docs = Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("..");
    println!("cargo::rerun-if-changed={}", docs.join("operations").display());
    let mut tests = String::new();
    for path in pages(&docs)? {
        println!("cargo::rerun-if-changed={}", path.display());
        let mut page = path.file_stem().unwrap_or_default().to_string_lossy().replace('-', "_");
        if path.parent().is_some_and(|folder| folder.ends_with("operations")) {
            page.insert_str(0, "operation_");
        }
        for snippet in book::snippets(&page, &std::fs::read_to_string(&path)?, "rust") {
            let book::Snippet { name, line, code } = snippet;
            write!(
                tests,
                "/// {}, line {line}.\n#[test]\nfn {name}() {{\n    on_each_backend(\"{name}\", async |registry: &Registry, cache: &Handle| {{\n\
                 {code}\n        Ok(())\n    }});\n}}\n\n",
                path.display()
            )?;
        }
    }
    let out = PathBuf::from(std::env::var("OUT_DIR")?).join("snippets.rs");
    std::fs::write(out, tests)?;
    Ok(())
}

fn pages(docs: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut pages: Vec<PathBuf> = book::PAGES.iter().map(|page| docs.join(page)).collect();
    for entry in std::fs::read_dir(docs.join("operations"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    pages.sort();
    Ok(pages)
}
