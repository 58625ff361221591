//! A configuration's text, parsed.

use std::fmt;
use std::io::Read;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::problem::{Path, Problems, Source};
use crate::{Error, Result};

/// The largest configuration file that is read.
const MAX_FILE: u64 = 16 << 20;

/// A configuration as text: parsed, not yet checked. [`resolve`](Document::resolve) checks it and makes a [`Config`](super::Config).
#[derive(Clone)]
pub struct Document {
    pub(super) source: Source,
    pub(super) base_dir: PathBuf,
    text: Arc<str>,
    environments: Vec<String>,
}

impl Document {
    /// Parses TOML. `file` is what mistakes are reported under; relative paths in the configuration are relative to the
    /// current folder.
    ///
    /// # Errors
    /// INVALID: all mistakes of syntax at once, see [the module](super).
    pub fn parse(text: &str, file: impl AsRef<FilePath>) -> Result<Document> {
        let name = file.as_ref().display().to_string();
        let source = Source::new(&name, text);
        let (_, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            let mut problems = Problems::new(&source);
            for error in errors {
                let span = error.span().unwrap_or_default();
                let start = source.line_start(span.start);
                let column = text.get(start..span.start).map_or(0, |before| before.chars().count()) + 1;
                let message = format!("not TOML: column {column}: {}", error.message());
                problems.add(&span, &Path::root(), message);
            }
            return Err(problems.into_error().unwrap_or_else(|| Error::invalid(format!("{name}: not TOML"))));
        }
        Ok(Document::new(source, text))
    }

    /// Reads a file. Relative paths in the configuration are relative to its folder.
    ///
    /// # Errors
    /// INVALID: the file cannot be read, is larger than 16 MiB or not UTF-8; or as [`parse`](Document::parse).
    pub fn read(path: impl AsRef<FilePath>) -> Result<Document> {
        let path = path.as_ref();
        let name = path.display();
        let unreadable = |error| Error::invalid(format!("{name}: the configuration cannot be read")).with_source(error);
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).map_err(unreadable)?;
        file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > MAX_FILE {
            return Err(Error::invalid(format!("{name}: a configuration has at most 16 MiB")));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
            Error::invalid(format!("{name}:{line}: not UTF-8"))
        })?;
        let mut document = Document::parse(&text, path)?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            document.base_dir = folder.to_path_buf();
        }
        Ok(document)
    }

    /// The built-in default: one store in memory, `app:cache`.
    #[must_use]
    pub fn default_memory() -> Document {
        let text = "[stores.\"app:cache\"]\nbackend = \"memory\"\n";
        let source = Source::new("(default configuration)", text);
        Document::new(source, text)
    }

    fn new(source: Source, text: &str) -> Document {
        let mut document =
            Document { source, base_dir: PathBuf::from("."), text: text.into(), environments: Vec::new() };
        if let Some(DeValue::Table(table)) = document.table().get("env").map(toml::Spanned::get_ref) {
            document.environments = table.keys().map(|key| key.get_ref().to_string()).collect();
        }
        document
    }

    /// The parsed text, which borrows from it.
    pub(super) fn table(&self) -> DeTable<'_> {
        DeTable::parse_recoverable(&self.text).0.into_inner()
    }

    /// What relative paths are relative to.
    #[must_use]
    pub fn with_base_dir(mut self, folder: impl Into<PathBuf>) -> Document {
        self.base_dir = folder.into();
        self
    }

    /// The name that mistakes are reported under.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.source.name
    }

    /// The environments that the file declares (`[env.NAME]`), in byte order.
    #[must_use]
    pub fn environments(&self) -> &[String] {
        &self.environments
    }
}

/// The file's name; a configuration can hold secrets.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document({})", self.source.name)
    }
}
