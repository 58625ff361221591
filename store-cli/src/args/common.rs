//! What commands on stores have in common.

use clap::Args;

use super::caller::Caller;
use super::source::Source;

/// Which configuration, who asks, and how to answer.
#[derive(Debug, Args)]
pub(crate) struct Common {
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) caller: Caller,
    /// Answer in JSON, one object per line; errors are objects on standard error
    #[arg(long)]
    pub(crate) json: bool,
}

/// How keys are written.
#[derive(Debug, Args)]
pub(crate) struct Escaped {
    /// In keys, prefixes and string values, \xNN is the byte NN; \\, \", \n, \r and \t as they are printed
    #[arg(long)]
    pub(crate) escaped: bool,
}
