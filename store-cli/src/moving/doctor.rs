//! `store doctor`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use store::dump::{self, Verified};

use super::report::Report;
use super::session::{Unfinished, with_store};
use crate::args::Common;
use crate::console::{Progress, Trouble};
use crate::text::escape::{printed, quoted};
use crate::text::readable::entries;
use crate::text::units::bytes;

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The store's id
    #[arg(value_name = "ID")]
    pub(super) id: String,
    /// Save what can be read of a damaged database into this new folder, and leave the damaged one as it is; sled only
    #[arg(long, alias = "salvage", value_name = "FOLDER")]
    pub(super) salvage_to: Option<PathBuf>,
    #[command(flatten)]
    pub(super) common: Common,
}

pub(super) fn doctor(doctor: &Doctor) -> Result<Report, Trouble> {
    let Doctor { id, common, .. } = doctor;
    #[cfg(feature = "sled")]
    if let Some(path) = super::database::of_store(&common.source, id)? {
        return match &doctor.salvage_to {
            None => super::database::check(id, &path),
            Some(into) => super::database::salvage(id, &path, into),
        };
    }
    if doctor.salvage_to.is_some() {
        return Err(Trouble::Usage(format!("{id} has no files of its own: --salvage-to is for stores on sled")));
    }
    let (backend, found) = with_store(common, id, &Unfinished::default(), async |handle| {
        let mut progress = Progress::new("examined", None, common.json);
        let found = dump::verify(handle, |found| progress.at(found.entries, found.bytes)).await?;
        Ok((handle.info()?.backend.backend, found))
    })?;
    Ok(report(id, backend, &found))
}

fn report(id: &str, backend: &str, found: &Verified) -> Report {
    let mut text = format!(
        "{id} ({backend}): {}\n{}, {} of them with a TTL, {} of values\n",
        if found.is_healthy() { "healthy" } else { "PROBLEMS" },
        entries(found.entries),
        found.expiring,
        bytes(found.bytes)
    );
    if found.faulty > 0 {
        text.push_str(&format!("{} cannot be read; delete or overwrite their keys:\n", entries(found.faulty)));
    }
    for fault in &found.faults {
        text.push_str(&format!("  {}: {}\n", quoted(&fault.key), fault.error.message()));
    }
    let faults = found.faults.iter().map(|fault| {
        let key = printed(&fault.key);
        json!({ "key": key, "message": fault.error.message(), "reason": fault.error.reason() })
    });
    let faults: Vec<_> = faults.collect();
    Report {
        text,
        json: json!({
            "store": id, "backend": backend, "healthy": found.is_healthy(), "entries": found.entries,
            "expiring": found.expiring, "bytes": found.bytes, "faulty": found.faulty, "faults": faults,
        }),
        healthy: found.is_healthy(),
        aside: false,
    }
}
