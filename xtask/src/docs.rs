//! `cargo xtask docs`: the pages that are generated.

use crate::run::{Failed, cargo, step};

/// Writes docs/conformance.md anew. The test that keeps the page true is also what writes it.
pub(crate) fn write() -> Result<(), Failed> {
    let mut command = cargo(&["test", "--locked", "--quiet", "-p", "store-book", "--test", "conformance_page"]);
    command.env("STORE_WRITE_DOCS", "1");
    step("docs/conformance.md", command)
}
