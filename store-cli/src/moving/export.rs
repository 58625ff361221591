//! `store export`.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use store::dump;

use super::file::Target;
use super::report::Report;
use super::session::{Unfinished, with_store};
use crate::args::{Common, Escaped, values};
use crate::console::{Progress, Trouble, explained};
use crate::stores::refuse_memory;
use crate::text::escape::quoted;
use crate::text::readable::entries;
use crate::text::units::bytes;

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The store's id
    #[arg(value_name = "ID")]
    id: String,
    /// Where to write to; - is standard output
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    /// Only keys with this prefix
    #[arg(long, default_value = "", hide_default_value = true)]
    prefix: OsString,
    #[command(flatten)]
    escaped: Escaped,
    #[command(flatten)]
    pub(super) common: Common,
}

pub(super) fn export(export: &Export) -> Result<Report, Trouble> {
    let Export { id, file, common, .. } = export;
    let prefix = values::bytes(&export.prefix, &export.escaped)?;
    let aside = file == Path::new("-");
    if aside && std::io::stdout().is_terminal() {
        let message = "an export is no text for a terminal: name a file, or redirect the output";
        return Err(Trouble::Usage(message.to_owned()));
    }
    refuse_memory(&common.source.resolve()?, id)?;
    let unfinished = Unfinished::default();
    let cannot = |cause| format!("cannot write {}: {cause}", file.display());
    let done = with_store(common, id, &unfinished, async |handle| {
        let mut target = match aside {
            true => Target::Standard(std::io::stdout()),
            false => Target::file(file, &unfinished).map_err(|cause| Trouble::Usage(cannot(cause)))?,
        };
        let mut progress = Progress::new("exported", None, common.json);
        let done = dump::export(handle, &prefix, &mut target, |done| progress.at(done.entries, done.bytes)).await;
        drop(progress);
        let done = done.map_err(|error| failure(error, id, common.json))?;
        target.finish().map_err(|cause| Trouble::Failed(cannot(cause)))?;
        Ok(done)
    })?;
    let target = if aside { String::new() } else { format!(" to {}", file.display()) };
    Ok(Report {
        text: format!("exported {} of {id}{target}, {}", entries(done.entries), bytes(done.bytes)),
        json: json!({ "store": id, "entries": done.entries, "bytes": done.bytes, "file": file.to_string_lossy() }),
        healthy: true,
        aside,
    })
}

/// A failure, and the key that it is about.
fn failure(error: store::Error, id: &str, json: bool) -> Trouble {
    match error.detail("key").and_then(|key| key.as_bytes()) {
        Some(key) if !json => {
            let hint = format!("the key is {}; store doctor {id} finds all such keys", quoted(key));
            Trouble::Failed(format!("{}\n{hint}", explained(&error)))
        }
        _ => Trouble::Store(error),
    }
}
