//! docs/errors.md lists every reason that the code gives.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_reason_is_explained() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::new();
    for package in ["store-core", "store-memory", "store-sled", "store-redis", "store", "store-lua"] {
        sources(&root.join(package).join("src"), &mut files);
    }
    let mut given = BTreeSet::new();
    for file in files {
        let text = std::fs::read_to_string(file).unwrap();
        for rest in text.split("with_reason(\"").skip(1) {
            given.insert(rest.split('"').next().unwrap().to_owned());
        }
    }
    assert!(given.contains("capacity"), "{given:?}");
    let page = std::fs::read_to_string(root.join("docs/errors.md")).unwrap();
    let unexplained: Vec<_> = given.iter().filter(|reason| !page.contains(&format!("`{reason}`"))).collect();
    assert!(unexplained.is_empty(), "docs/errors.md does not explain {unexplained:?}");
}
