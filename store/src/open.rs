//! From a file to a registry.

use std::path::Path;

use store_core::config::Document;
use store_core::{Backends, Registry, Result};

/// The registry of a configuration file, with the backends of this build and the variables of this process.
///
/// `environment` selects one of the file's `[env.NAME]` tables; `None`, or an empty name, is the base configuration. Everything
/// is checked, and nothing opened: a store opens when it is first asked for.
///
/// # Errors
/// INVALID: the file cannot be read, or all mistakes in it at once, with file, line and key.
pub fn open(path: impl AsRef<Path>, environment: Option<&str>) -> Result<Registry> {
    open_with(&Document::read(path)?, environment, &crate::backends())
}

/// [`open`] for a configuration from elsewhere, or with other backends.
///
/// For a clock, a timer or an audit hook of your own, resolve the document yourself and use [`Registry::builder`].
///
/// # Errors
/// As [`open`].
pub fn open_with(document: &Document, environment: Option<&str>, backends: &Backends) -> Result<Registry> {
    document.resolve(environment, backends, &|name| std::env::var(name).ok()).map(Registry::new)
}
