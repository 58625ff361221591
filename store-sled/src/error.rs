//! What sled and the file system say, in the library's own errors: the one place where they are translated.

use std::any::Any;
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use store_core::{Error, Kind, Result};

/// What to do about damage. Part of every message about it.
pub(crate) const SALVAGE: &str =
    "restore a backup, or salvage what is readable into a new folder (store doctor --salvage)";

/// A failure inside sled that is not about one argument: how it looks to a caller.
pub(crate) fn engine(error: sled::Error) -> Error {
    match error {
        // sled reads large pages from files of their own: one that is gone, or short, is damage.
        sled::Error::Io(cause)
            if matches!(cause.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof | ErrorKind::InvalidData) =>
        {
            corrupt("a part of the database is gone").with_source(cause)
        }
        sled::Error::Io(cause) => file("reading or writing the database", cause),
        sled::Error::Corruption { .. } => corrupt("the database is damaged").with_source(error),
        sled::Error::Unsupported(_) => {
            Error::internal("the database was made with another version or other settings of sled")
                .with_reason("format")
                .with_source(error)
        }
        sled::Error::CollectionNotFound(_) | sled::Error::ReportableBug(_) => {
            Error::internal("sled failed in a way that it should not").with_reason("poisoned").with_source(error)
        }
    }
}

/// A failure of the file system while `doing` something.
pub(crate) fn file(doing: &str, cause: io::Error) -> Error {
    let message = format!("{doing} failed");
    let error = match cause.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Error::capacity(format!("{message}: no space is left")).with_retryable(false)
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            Error::new(Kind::PermissionDenied, format!("{message}: the file system denies it"))
        }
        _ => Error::unavailable(message).with_reason("io").with_retryable(false),
    };
    error.with_source(cause)
}

/// Damaged data.
pub(crate) fn corrupt(what: &str) -> Error {
    Error::internal(format!("{what}; {SALVAGE}")).with_reason("corrupt")
}

/// Damage at the end of the log, which nothing behind it would show.
pub(crate) fn lost() -> Error {
    corrupt("the end of the database is damaged or gone: what was written last is missing")
}

/// What later callers hear of a database that has failed once.
pub(crate) fn poisoned(path: &Path, cause: &Error) -> Error {
    Error::unavailable(format!(
        "the database {} takes no more writes since an earlier failure; close and reopen it",
        path.display()
    ))
    .with_reason("poisoned")
    .with_retryable(false)
    .with_source(cause.clone())
}

/// Runs a piece of work in sled; a panic becomes an error.
pub(crate) fn caught<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result,
        Err(panic) => Err(panicked(&*panic)),
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Error {
    let said = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    // What sled says when it panics names offsets and page numbers; cut, in case it ever prints more.
    let said: String = said.unwrap_or("no message").chars().take(200).collect();
    Error::internal(format!("sled panicked, as it does on damaged files; {SALVAGE}"))
        .with_reason("poisoned")
        .with_source(io::Error::other(said))
}

/// Whether the error came from a panic, after which nothing in memory can be trusted.
pub(crate) fn is_panic(error: &Error) -> bool {
    error.kind() == Kind::Internal && error.reason() == Some("poisoned")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e3_every_failure_of_sled_has_a_kind_and_a_reason() {
        let io = |kind| sled::Error::Io(io::Error::from(kind));
        for (error, kind, reason) in [
            (io(ErrorKind::StorageFull), Kind::Unavailable, Some("capacity")),
            (io(ErrorKind::PermissionDenied), Kind::PermissionDenied, None),
            (io(ErrorKind::NotFound), Kind::Internal, Some("corrupt")),
            (io(ErrorKind::Other), Kind::Unavailable, Some("io")),
            (sled::Error::Corruption { at: None, bt: () }, Kind::Internal, Some("corrupt")),
            (sled::Error::Unsupported(String::new()), Kind::Internal, Some("format")),
            (sled::Error::ReportableBug(String::new()), Kind::Internal, Some("poisoned")),
        ] {
            let error = engine(error);
            assert_eq!((error.kind(), error.reason(), error.is_retryable()), (kind, reason, false), "{error}");
        }
    }

    #[test]
    fn panics_become_errors() {
        let error = caught::<()>(|| panic!("prev.is_none() at {}", 7)).unwrap_err();
        assert!(is_panic(&error), "{error:?}");
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "prev.is_none() at 7");
    }
}
