//! The command line of `store top`.

use std::ffi::OsString;

use clap::Args;
use clap::builder::RangedU64ValueParser;

use crate::args::{Common, Escaped};

#[derive(Debug, Args)]
pub(crate) struct Top {
    /// The store's id; with --url, the only one that is shown
    #[arg(value_name = "ID", required_unless_present = "url")]
    pub(super) id: Option<String>,
    /// Show what a running service tells of its stores: where it answers with its metrics, as http://127.0.0.1:8080/metrics
    #[arg(
        long,
        value_name = "URL",
        conflicts_with_all = ["budget", "separator", "depth", "prefixes", "escaped", "config", "env", "actor", "scope"]
    )]
    pub(super) url: Option<String>,
    /// One look, and done; so it is where no terminal is
    #[arg(long)]
    pub(super) once: bool,
    /// How long from one picture to the next, and what rates are taken over
    #[arg(long, value_name = "DURATION", default_value = "2s")]
    pub(super) interval: String,
    /// How long the store is read for each picture [default: a tenth of the interval; 2s for one look]
    #[arg(long, value_name = "DURATION")]
    pub(super) budget: Option<String>,
    /// What the parts of keys are separated by
    #[arg(long, value_name = "TEXT", default_value = ":")]
    pub(super) separator: OsString,
    /// How many parts of a key make its prefix
    #[arg(long, value_name = "N", default_value = "1", value_parser = RangedU64ValueParser::<usize>::new().range(1..=16))]
    pub(super) depth: usize,
    /// How many prefixes are shown
    #[arg(long, value_name = "N", default_value = "10", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1000))]
    pub(super) prefixes: usize,
    #[command(flatten)]
    pub(super) escaped: Escaped,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Top {
    pub(in crate::measure) fn json(&self) -> bool {
        self.common.json
    }
}
