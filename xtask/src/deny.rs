//! `cargo xtask deny`: what may be built in, see deny.toml.
//!
//! Not a part of `ci`: building cargo-deny takes as long as everything else there, and new advisories should not stop a change
//! that has nothing to do with them. It runs where the tool is installed, at least before a release and every week.

use crate::run::{Failed, cargo, step};

pub(crate) fn run() -> Result<(), Failed> {
    let present = cargo(&["deny", "--version"]).output().is_ok_and(|output| output.status.success());
    if !present {
        return Err(Failed::new("cargo-deny is not installed: cargo install cargo-deny --locked"));
    }
    step("dependencies", cargo(&["deny", "--workspace", "check"]))
}
