//! What goes over whole stores: `store export`, `store import`, `store doctor`.

#[cfg(feature = "sled")]
mod database;
mod doctor;
mod export;
mod file;
mod import;
mod report;
mod session;

use std::process::ExitCode;

use clap::Subcommand;

/// What goes over whole stores.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write all entries of a store to a file, for `store import` into any other, also on another backend.
    ///
    /// The file appears under its name when it is whole and on the disk, and is readable by its owner only. An entry that cannot
    /// be read ends the export: `store doctor` finds them all.
    Export(export::Export),
    /// Write the entries of a file made by `store export` into a store.
    ///
    /// Values come back to the byte. TTLs have run on meanwhile: what has expired is skipped. Versions are new. Other keys of the
    /// store are not touched.
    Import(import::Import),
    /// Look at every record of a store, and say what is wrong; exit code 1 if anything is.
    ///
    /// On sled the files themselves are examined, and the database must not be open anywhere. Of a damaged one, --salvage-to
    /// saves what can be read.
    Doctor(doctor::Doctor),
}

/// Runs one, and says how it ended.
pub(crate) fn run(command: &Command) -> ExitCode {
    let (json, done) = match command {
        Command::Export(export) => (export.common.json, export::export(export)),
        Command::Import(import) => (import.common.json, import::import(import)),
        Command::Doctor(doctor) => (doctor.common.json, doctor::doctor(doctor)),
    };
    let code = match done {
        Ok(report) => report.print(json),
        Err(trouble) => trouble.report(json),
    };
    ExitCode::from(code)
}
