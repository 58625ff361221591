//! Which configuration is meant.

use std::path::{Path, PathBuf};

use clap::Args;
use store::config::{Config, Document};

use crate::console::End;

/// The configuration that is used where none is named, if it exists.
const HERE: &str = "store.toml";

/// Which configuration, and which part of it.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// The configuration file [default: $STORE_CONFIG, else ./store.toml if it exists, else one memory store, app:cache]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The environment [default: $STORE_ENV, else none]
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
}

impl Source {
    /// The configuration: named, else of `STORE_CONFIG`, else the one in this folder, else the built-in one.
    pub(crate) fn document(&self) -> Result<Document, End> {
        let named = self.config.clone().or_else(|| variable("STORE_CONFIG").map(PathBuf::from));
        let path = match named {
            Some(path) => path,
            // Anything but a clear "there is none" must not silently mean the built-in configuration.
            None if matches!(Path::new(HERE).try_exists(), Ok(false)) => return Ok(Document::default_memory()),
            None => PathBuf::from(HERE),
        };
        Document::read(&path).map_err(|error| End::configuration(&error))
    }

    /// The environment: named, else of `STORE_ENV`. Empty means none.
    pub(crate) fn environment(&self) -> Result<Option<String>, End> {
        let name = match &self.env {
            Some(name) => Some(name.clone()),
            None => match std::env::var_os("STORE_ENV") {
                Some(name) => Some(name.into_string().map_err(|_| End::usage("STORE_ENV is not valid UTF-8"))?),
                None => None,
            },
        };
        Ok(name.filter(|name| !name.is_empty()))
    }

    /// The configuration for the environment, checked.
    pub(crate) fn resolve(&self) -> Result<Config, End> {
        let environment = self.environment()?;
        let document = self.document()?;
        resolve(&document, environment.as_deref())
    }
}

/// The configuration for an environment, checked, with this process's variables.
pub(crate) fn resolve(document: &Document, environment: Option<&str>) -> Result<Config, End> {
    let variables = |name: &str| std::env::var(name).ok();
    document.resolve(environment, &store::backends(), &variables).map_err(|error| End::configuration(&error))
}

/// An environment variable that is set to something.
fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
