//! What the Redis servers behind a store did between two looks.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value as Json, json};
use store::redis::ServerStats;

use crate::stores::Sample;

/// What happened between two samples, for each second.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rates {
    pub(super) commands: f64,
    /// Of the reads, those that found something; `None` if there were none.
    pub(super) hit_ratio: Option<f64>,
    pub(super) expired: f64,
    pub(super) evicted: f64,
    /// The commands with the most calls first: name, calls, and how long one took in the server.
    pub(super) calls: Vec<(String, f64, Duration)>,
}

impl Rates {
    pub(super) fn between(before: &Sample, now: &Sample) -> Rates {
        Rates::over(&before.stats, &now.stats, now.at - before.at)
    }

    #[expect(clippy::cast_precision_loss, reason = "rates for people")]
    fn over(before: &ServerStats, now: &ServerStats, elapsed: Duration) -> Rates {
        let seconds = elapsed.as_secs_f64().max(1e-3);
        // After a restart the counters began anew, and what they say happened since.
        let restarted = now.commands < before.commands;
        let grown = |now: u64, before: u64| if restarted { now } else { now.saturating_sub(before) };
        let rate = |now: u64, before: u64| grown(now, before) as f64 / seconds;
        let (hits, misses) = (grown(now.hits, before.hits), grown(now.misses, before.misses));
        let none = BTreeMap::new();
        let earlier = if restarted { &none } else { &before.calls };
        let mut calls: Vec<(String, f64, Duration)> = now
            .calls
            .iter()
            .filter_map(|(name, stats)| {
                let (old_calls, old_time) = earlier.get(name).map_or((0, Duration::ZERO), |old| (old.calls, old.time));
                let calls = stats.calls.saturating_sub(old_calls);
                let one = stats.time.saturating_sub(old_time) / u32::try_from(calls).ok().filter(|calls| *calls > 0)?;
                Some((name.clone(), calls as f64 / seconds, one))
            })
            .collect();
        calls.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        Rates {
            commands: rate(now.commands, before.commands),
            hit_ratio: (hits + misses > 0).then(|| hits as f64 / (hits + misses) as f64),
            expired: rate(now.expired, before.expired),
            evicted: rate(now.evicted, before.evicted),
            calls,
        }
    }
}

/// A sample, and what happened since the one before, as JSON.
pub(super) fn object(sample: &Sample, rates: Option<&Rates>) -> Json {
    let stats = &sample.stats;
    let mut object = json!({
        "of": "all clients and databases of the server",
        "servers": stats.servers,
        "version": stats.version,
        "uptime": stats.uptime.as_secs_f64(),
        "clients": stats.clients,
        "used_memory": stats.used_memory,
        "max_memory": stats.max_memory,
        "keys_in_database": stats.keys,
    });
    if let Some(rates) = rates {
        let calls = rates.calls.iter().map(|(name, per_second, one)| {
            json!({ "command": name, "per_second": per_second, "seconds_each": one.as_secs_f64() })
        });
        object["per_second"] =
            json!({ "commands": rates.commands, "expired": rates.expired, "evicted": rates.evicted });
        object["hit_ratio"] = json!(rates.hit_ratio);
        object["commands"] = Json::Array(calls.collect());
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(info: [u64; 3]) -> ServerStats {
        let mut stats = ServerStats::default();
        [stats.commands, stats.hits, stats.misses] = info;
        stats
    }

    #[test]
    fn rates_are_those_of_the_time_between() {
        let rates = Rates::over(&stats([100, 50, 50]), &stats([300, 80, 60]), Duration::from_secs(2));
        assert_eq!((rates.commands, rates.hit_ratio), (100.0, Some(0.75)));
        let idle = Rates::over(&stats([100, 50, 50]), &stats([102, 50, 50]), Duration::from_secs(2));
        assert_eq!((idle.commands, idle.hit_ratio), (1.0, None), "no reads are no misses");
    }

    #[test]
    fn a_restart_is_no_negative_rate() {
        let rates = Rates::over(&stats([1000, 500, 500]), &stats([20, 9, 1]), Duration::from_secs(2));
        assert_eq!((rates.commands, rates.hit_ratio), (10.0, Some(0.9)));
    }
}
