//! What the servers say of themselves, for those who watch: `INFO` and `DBSIZE`.

use std::collections::BTreeMap;
use std::time::Duration;

use redis::Value;
use store_core::Result;

use crate::error::bad_reply;
use crate::pool::Lane;
use crate::store::RedisStore;

/// What the servers of a store have done since they started, and what they hold: for **all** their clients and databases, since
/// Redis counts nothing by key prefix. Of a Redis Cluster, the sum over its primaries.
///
/// Counters only grow, but for a restart (or `CONFIG RESETSTAT`), after which they begin at zero: see [`uptime`](Self::uptime).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStats {
    /// How many servers were asked: 1, or the primaries of a cluster.
    pub servers: u64,
    /// The version, as the last one that was asked says: `redis 7.0.15`.
    pub version: String,
    /// How long the server that started last has been running.
    pub uptime: Duration,
    /// Connected clients.
    pub clients: u64,
    /// Memory in use, in bytes.
    pub used_memory: u64,
    /// The limit on memory, in bytes; 0 for none.
    pub max_memory: u64,
    /// Keys in the database of the store, of whoever uses it.
    pub keys: u64,
    /// Commands that were executed.
    pub commands: u64,
    /// Reads of keys that were there.
    pub hits: u64,
    /// Reads of keys that were not.
    pub misses: u64,
    /// Keys that expired.
    pub expired: u64,
    /// Keys that were dropped for want of memory.
    pub evicted: u64,
    /// By command, in lower case.
    pub calls: BTreeMap<String, CommandStats>,
}

/// What a server has done with one command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommandStats {
    /// How often it was executed.
    pub calls: u64,
    /// How long that took in all, in the server.
    pub time: Duration,
}

impl RedisStore {
    /// Asks the servers what they have done: two commands to each, `INFO ALL` and `DBSIZE`. Their cost does not depend on the
    /// number of keys.
    ///
    /// # Errors
    /// PERMISSION_DENIED if the user may not ask (`INFO` is of the category `@dangerous`), UNAVAILABLE, TIMEOUT, INTERNAL.
    pub async fn server_stats(&self) -> Result<ServerStats> {
        let mut stats = ServerStats::default();
        match self.pool.cluster() {
            None => stats.add(&self.pool.numbered_lane(0)).await?,
            Some(cluster) => {
                let map = cluster.map(self.pool.deadline()).await?;
                for node in &map.primaries {
                    stats.add(&self.pool.lane_over(&node.connection)).await?;
                }
            }
        }
        Ok(stats)
    }
}

impl ServerStats {
    async fn add(&mut self, lane: &Lane<'_>) -> Result<()> {
        let mut info = redis::cmd("INFO");
        info.arg("ALL");
        let text = match lane.read(&info).await? {
            Value::BulkString(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Value::VerbatimString { text, .. } => text,
            _ => return Err(bad_reply()),
        };
        let Value::Int(keys) = lane.read(&redis::cmd("DBSIZE")).await? else { return Err(bad_reply()) };
        self.keys += u64::try_from(keys).unwrap_or(0);
        self.servers += 1;
        self.read(&text);
        Ok(())
    }

    /// Lines of `name:value`. What is not there, as in servers of other makes, counts as zero.
    fn read(&mut self, text: &str) {
        let mut uptime = Duration::ZERO;
        for (name, value) in text.lines().filter_map(|line| line.split_once(':')) {
            let number = || value.trim().parse::<u64>().unwrap_or(0);
            match name {
                "redis_version" if !self.version.starts_with("valkey") => self.version = format!("redis {value}"),
                "valkey_version" => self.version = format!("valkey {value}"),
                "uptime_in_seconds" => uptime = Duration::from_secs(number()),
                "connected_clients" => self.clients += number(),
                "used_memory" => self.used_memory += number(),
                "maxmemory" => self.max_memory += number(),
                "total_commands_processed" => self.commands += number(),
                "keyspace_hits" => self.hits += number(),
                "keyspace_misses" => self.misses += number(),
                "expired_keys" => self.expired += number(),
                "evicted_keys" => self.evicted += number(),
                _ => {
                    let Some(command) = name.strip_prefix("cmdstat_") else { continue };
                    let field = |wanted: &str| {
                        let mut fields = value.split(',').filter_map(|field| field.trim().split_once('='));
                        fields.find(|(name, _)| *name == wanted).and_then(|(_, value)| value.parse::<u64>().ok())
                    };
                    let stats = self.calls.entry(command.to_lowercase()).or_default();
                    stats.calls += field("calls").unwrap_or(0);
                    stats.time += Duration::from_micros(field("usec").unwrap_or(0));
                }
            }
        }
        self.uptime = if self.servers <= 1 { uptime } else { self.uptime.min(uptime) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_added_up_and_what_they_do_not_say_is_zero() {
        let mut stats = ServerStats { servers: 1, ..ServerStats::default() };
        stats.read("# Server\r\nredis_version:7.2.4\r\nvalkey_version:8.0.1\r\nuptime_in_seconds:90\r\n\r\nkeyspace_hits:5\r\n");
        stats.servers = 2;
        stats.read(
            "uptime_in_seconds:30\nkeyspace_hits:7\nused_memory:nonsense\ncmdstat_GET:calls=10,usec=25,usec_per_call=2.50\n\
             cmdstat_client|list:calls=1,usec=3\nexpired_keys:2",
        );
        assert_eq!((stats.version.as_str(), stats.uptime, stats.hits), ("valkey 8.0.1", Duration::from_secs(30), 12));
        assert_eq!((stats.used_memory, stats.expired, stats.calls.len()), (0, 2, 2));
        assert_eq!(stats.calls["get"], CommandStats { calls: 10, time: Duration::from_micros(25) });
    }
}
