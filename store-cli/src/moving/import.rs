//! `store import`.

use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use store::Kind;
use store::dump::{self, ImportOptions};

use super::report::Report;
use super::session::{Unfinished, with_store};
use crate::args::Common;
use crate::console::{Progress, Trouble, explained};
use crate::stores::refuse_memory;
use crate::text::readable::entries;

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The store's id
    #[arg(value_name = "ID")]
    id: String,
    /// What to read; - is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    /// Leave entries that the store has as they are, instead of overwriting them
    #[arg(long)]
    keep_existing: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

pub(super) fn import(import: &Import) -> Result<Report, Trouble> {
    let Import { id, file, common, .. } = import;
    let input = open(file)?;
    refuse_memory(&common.source.resolve()?, id)?;
    let options = ImportOptions { keep_existing: import.keep_existing };
    let done = with_store(common, id, &Unfinished::default(), async |handle| {
        let mut progress = Progress::new("imported", None, common.json);
        let done = dump::import(handle, input, &options, |done| progress.at(done.written, done.bytes)).await;
        drop(progress);
        done.map_err(|error| failure(error, file, common.json))
    })?;
    Ok(Report {
        text: format!("imported {} into {id}{}", entries(done.written), others(done.kept, done.expired)),
        json: json!({ "store": id, "written": done.written, "kept": done.kept, "expired": done.expired }),
        healthy: true,
        aside: false,
    })
}

fn open(file: &Path) -> Result<Box<dyn Read>, Trouble> {
    if file == Path::new("-") {
        if std::io::stdin().is_terminal() {
            return Err(Trouble::Usage("an import is not typed: name a file, or redirect the input".to_owned()));
        }
        return Ok(Box::new(std::io::stdin()));
    }
    let opened = File::open(file).and_then(|opened| match opened.metadata()?.is_dir() {
        true => Err(std::io::ErrorKind::IsADirectory.into()),
        false => Ok(opened),
    });
    match opened {
        Ok(opened) => Ok(Box::new(opened)),
        Err(cause) => Err(Trouble::Usage(format!("cannot read {}: {cause}", file.display()))),
    }
}

/// What became of the entries that were not written.
fn others(kept: u64, expired: u64) -> String {
    let mut text = String::new();
    for (count, what) in [(kept, "kept as they were"), (expired, "expired meanwhile")] {
        if count > 0 {
            text.push_str(&format!("; {what}: {count}"));
        }
    }
    text
}

/// A failure on the way, and what was done before.
fn failure(error: store::Error, file: &Path, json: bool) -> Trouble {
    if error.kind() == Kind::Invalid && error.reason() == Some("format") {
        // No dump, or a newer one: named by mistake.
        return Trouble::Usage(format!("{}: {}", file.display(), error.message()));
    }
    if json {
        // All counts are among its details.
        return Trouble::Store(error);
    }
    let count = |name| error.detail(name).and_then(|count| u64::try_from(count.as_i64()?).ok()).unwrap_or(0);
    let others = others(count("kept"), count("expired"));
    let mut message = format!("{}\nimported before that: {}{others}", explained(&error), entries(count("written")));
    if count("unknown") > 0 {
        message.push_str(&format!("; of {} nobody knows", entries(count("unknown"))));
    }
    Trouble::Failed(message)
}
