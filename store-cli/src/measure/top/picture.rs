//! All that is told of a store at one look.

use std::time::Duration;

use serde_json::{Value as Json, json};
use store::Error;

#[cfg(feature = "redis")]
use super::server;
use super::survey::Survey;
use crate::console::error_object;
#[cfg(feature = "redis")]
use crate::stores::Sample;
use crate::text::json::from_bytes;

/// All that is drawn.
pub(super) struct Picture<'a> {
    pub(super) id: &'a str,
    pub(super) backend: &'static str,
    /// About how many entries there are, where the backend knows.
    pub(super) entries: Option<u64>,
    pub(super) ping: Option<Duration>,
    pub(super) survey: &'a Survey,
    pub(super) prefixes: usize,
    pub(super) separator: &'a [u8],
    /// What could not be found out.
    pub(super) troubles: &'a [Error],
    pub(super) note: Option<&'static str>,
    #[cfg(feature = "redis")]
    pub(super) sample: Option<&'a Sample>,
    #[cfg(feature = "redis")]
    pub(super) rates: Option<&'a server::Rates>,
}

/// The same as JSON.
pub(super) fn object(picture: &Picture<'_>, interval: Duration) -> Json {
    let (counted, whole) = picture.survey.counted();
    let prefixes = counted
        .largest(picture.prefixes)
        .into_iter()
        .map(|(prefix, group)| json!({ "prefix": from_bytes(prefix), "entries": group.entries, "bytes": group.bytes }));
    let prefixes: Vec<Json> = prefixes.collect();
    let errors: Vec<Json> = picture.troubles.iter().map(error_object).collect();
    #[cfg(feature = "redis")]
    let server = picture.sample.map(|sample| server::object(sample, picture.rates));
    #[cfg(not(feature = "redis"))]
    let server = Json::Null;
    json!({
        "store": picture.id,
        "backend": picture.backend,
        "interval": interval.as_secs_f64(),
        "ping": picture.ping.map(|ping| ping.as_secs_f64()),
        "entries": picture.entries,
        "seen": {
            "whole": whole,
            "entries": counted.all.entries,
            "bytes": counted.all.bytes,
            "expiring": counted.expiring,
            "prefixes": prefixes,
        },
        "server": server,
        "errors": errors,
    })
}
