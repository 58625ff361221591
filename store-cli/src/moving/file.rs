//! A file that appears under its name when it is whole, and not before.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use super::session::Unfinished;

/// Where a dump goes.
#[derive(Debug)]
pub(super) enum Target {
    /// Standard output.
    Standard(io::Stdout),
    /// A pipe or device, which is written to as it is.
    Device(File),
    /// A file, under another name until it is whole.
    File { temporary: NamedTempFile, path: PathBuf, unfinished: Unfinished },
}

impl Target {
    /// Opens a path for writing. What is there already stays until the end.
    pub(super) fn file(path: &Path, unfinished: &Unfinished) -> io::Result<Target> {
        // A link stays one: what it leads to is replaced.
        let path = match fs::canonicalize(path) {
            Ok(path) => path,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => path.to_owned(),
            Err(cause) => return Err(cause),
        };
        match fs::metadata(&path) {
            Ok(there) if there.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(there) if !there.is_file() => return File::options().write(true).open(&path).map(Target::Device),
            _ => {}
        }
        let mut temporary = Builder::new();
        let temporary = temporary.prefix(".export-").suffix(".partial").tempfile_in(folder(&path))?;
        unfinished.set(Some(temporary.path().to_owned()));
        Ok(Target::File { temporary, path, unfinished: unfinished.clone() })
    }

    /// Ends it. A file is on the disk, and has its name, when this returns.
    pub(super) fn finish(self) -> io::Result<()> {
        let Target::File { temporary, path, unfinished } = self else { return Ok(()) };
        temporary.as_file().sync_all()?;
        temporary.persist(&path).map_err(|error| error.error)?;
        unfinished.set(None);
        // So that the name, too, survives a power failure.
        if cfg!(unix) { File::open(folder(&path))?.sync_all() } else { Ok(()) }
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

impl Write for &mut Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Target::Standard(out) => out.write(bytes),
            Target::Device(file) => file.write(bytes),
            Target::File { temporary, .. } => temporary.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Target::Standard(out) => out.flush(),
            Target::Device(file) => file.flush(),
            Target::File { temporary, .. } => temporary.flush(),
        }
    }
}
