//! The options of a store.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use store_core::config::{HumanDuration, Secret, Size};
use store_core::{Error, Result};

use crate::encryption::Encryption;
use crate::form::Format;
use crate::server::{Sentinels, Server};
use crate::target::{Place, Target};

/// The most connections of one store.
const MAX_CONNECTIONS: usize = 64;

/// The smallest near cache.
const LEAST_NEAR: u64 = 64 << 10;

/// Options of a Redis store. `Debug` shows no user name and no password.
///
/// ```
/// use store_redis::RedisOptions;
/// let mut options = RedisOptions::new("redis://127.0.0.1:6379/0");
/// options.prefix = "my-service".to_owned();
/// ```
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RedisOptions {
    /// One server: `redis://[user][:password@]host[:port][/database]`; `rediss://` for TLS, with the Cargo feature
    /// `redis-tls`; `valkey://`, `valkeys://` are the same; `redis+unix:///path/to/socket[?db=N]`. Default: one of this, `sentinel` and `cluster` is needed.
    #[serde(default)]
    pub url: Option<Secret>,
    /// The primary that Sentinels name. Default: none.
    #[serde(default)]
    pub sentinel: Option<Sentinel>,
    /// What the Redis keys begin with, before a slash and the store's id: at most 256 bytes. Default: `"store"`.
    #[serde(default = "default_prefix")]
    pub prefix: String,
    /// Some nodes of a Redis Cluster, as URLs like the one of `url` (database 0). Default: none.
    #[serde(default)]
    pub cluster: Option<Vec<Secret>>,
    /// The user name. Default: the one in the URL.
    #[serde(default)]
    pub username: Option<String>,
    /// The password. Default: the one in the URL.
    #[serde(default)]
    pub password: Option<Secret>,
    /// The number of the database. Default: the one in the URL, else 0.
    #[serde(default)]
    pub database: Option<i64>,
    /// With `rediss://`: a PEM file with the certificates to trust. Relative paths are relative to the folder of the configuration
    /// file. Default: the system's authorities.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// With `rediss://`: a PEM file with the client's certificate and those that it is signed by. Default: none.
    #[serde(default)]
    pub cert_file: Option<PathBuf>,
    /// With `rediss://`: a PEM file with the key of the client's certificate. Default: none.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
    /// How long a call waits for everything it needs: connection, queue, answer; at most 1 h. Default: `"1s"`.
    #[serde(default = "default_timeout")]
    pub timeout: HumanDuration,
    /// How long one attempt to connect may take; at most 1 h. Default: `"1s"`.
    #[serde(default = "default_timeout")]
    pub connect_timeout: HumanDuration,
    /// How long a page of a listing, or one step of a scan or clear, may take in all; at most 1 h.
    /// Default: `"30s"`.
    #[serde(default = "default_scan_timeout")]
    pub scan_timeout: HumanDuration,
    /// How many connections, 1 to 64; keys are spread over them by hash. One serves hundreds of thousands of calls per second;
    /// more help where large values would make small ones wait. Default: `1`.
    #[serde(default = "default_connections")]
    pub connections: usize,
    /// Whether opening the store connects, and fails if that fails; otherwise the first call connects. Default: `false`.
    #[serde(default)]
    pub eager: bool,
    /// Whether to keep the keys in a sorted set too, so that a page of a listing need not look at the whole database; each
    /// write costs a script then. All who write this store must have it on, from its first entry on: entries written without it are
    /// not listed. Not with `cluster`, and not where `maxmemory-policy` evicts. Default: `false`.
    #[serde(default)]
    pub ordered_index: bool,
    /// How values lie in Redis. Default: `"envelope"`.
    #[serde(default)]
    pub format: Format,
    /// Whether, and how, to keep hot keys in this process too; `info().consistency` is `bounded` then. Not with `cluster`. Default: none.
    #[serde(default)]
    pub near_cache: Option<NearCache>,
}

/// A copy of hot keys in this process: reads of them ask no server. See the crate's documentation for what such reads may miss, and for
/// how long.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct NearCache {
    /// How much memory it may take: 64 KiB or more. Values larger than a sixteenth of it may not be kept.
    pub max_bytes: Size,
    /// How old an answer may be at most, even if the server cannot be heard any more. Default: `"1s"`.
    #[serde(default = "default_timeout")]
    pub ttl: HumanDuration,
}

impl NearCache {
    /// A near cache of this many bytes, with the default bound of 1 s.
    #[must_use]
    pub const fn new(max_bytes: u64) -> NearCache {
        NearCache { max_bytes: Size(max_bytes), ttl: default_timeout() }
    }
}

/// Sentinels, and the primary to ask them for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sentinel {
    /// The name of the primary (`sentinel monitor NAME ...`).
    pub master: String,
    /// The Sentinels: `host:port`, or `redis://[user][:password@]host:port`; `rediss://` for TLS, then to the primary too.
    pub nodes: Vec<Secret>,
}

fn default_prefix() -> String {
    "store".to_owned()
}

const fn default_timeout() -> HumanDuration {
    HumanDuration(Duration::from_secs(1))
}

const fn default_scan_timeout() -> HumanDuration {
    HumanDuration(Duration::from_secs(30))
}

const fn default_connections() -> usize {
    1
}

impl RedisOptions {
    /// The defaults, with this URL.
    #[must_use]
    pub fn new(url: impl Into<String>) -> RedisOptions {
        RedisOptions { url: Some(Secret::new(url)), ..RedisOptions::defaults() }
    }

    /// The defaults, with the primary of this name, that these Sentinels know (`redis://[:password@]host:port`).
    #[must_use]
    pub fn sentinel<N: Into<String>>(master: impl Into<String>, nodes: impl IntoIterator<Item = N>) -> RedisOptions {
        let nodes = nodes.into_iter().map(Secret::new).collect();
        RedisOptions { sentinel: Some(Sentinel { master: master.into(), nodes }), ..RedisOptions::defaults() }
    }

    /// The defaults, with a Redis Cluster that these nodes belong to.
    #[must_use]
    pub fn cluster<N: Into<String>>(nodes: impl IntoIterator<Item = N>) -> RedisOptions {
        let nodes = nodes.into_iter().map(Secret::new).collect();
        RedisOptions { cluster: Some(nodes), ..RedisOptions::defaults() }
    }

    fn defaults() -> RedisOptions {
        RedisOptions {
            url: None,
            sentinel: None,
            cluster: None,
            prefix: default_prefix(),
            username: None,
            password: None,
            database: None,
            ca_file: None,
            cert_file: None,
            key_file: None,
            timeout: default_timeout(),
            connect_timeout: default_timeout(),
            scan_timeout: default_scan_timeout(),
            connections: default_connections(),
            eager: false,
            ordered_index: false,
            format: Format::default(),
            near_cache: None,
        }
    }

    /// Looks for mistakes, without touching the network.
    ///
    /// # Errors
    /// INVALID; `details.key` names the option.
    pub fn check(&self) -> Result<()> {
        self.server().map(drop)
    }

    /// The server, after checking everything.
    pub(crate) fn server(&self) -> Result<Server> {
        let wrong =
            |key: &'static str, why: String| Err(Error::invalid(format!("{key} {why}")).with_detail("key", key));
        let server = match (&self.url, &self.sentinel, &self.cluster) {
            (Some(url), None, None) => Server::Fixed(self.with_credentials(Target::parse(url.expose())?)),
            (None, Some(sentinel), None) => Server::Sentinel(self.sentinels(sentinel)?),
            (None, None, Some(nodes)) => {
                let seeds =
                    nodes.iter().map(|node| Target::parse(node.expose()).map(|node| self.with_credentials(node)));
                let seeds = seeds.collect::<Result<Vec<_>>>().map_err(|error| {
                    let why = error.message().strip_prefix("url ").unwrap_or_default().to_owned();
                    Error::invalid(format!("cluster has a node that {why}")).with_detail("key", "cluster")
                })?;
                if seeds.is_empty() {
                    return wrong("cluster", "needs at least one node".to_owned());
                }
                if seeds.iter().any(|seed| seed.database != 0 || matches!(seed.place, Place::Unix(_))) {
                    return wrong("cluster", "has database 0 alone, and nodes on TCP".to_owned());
                }
                Server::Cluster(seeds)
            }
            (None, None, None) => return wrong("url", "is missing".to_owned()),
            _ => return wrong("url", "and sentinel and cluster exclude each other".to_owned()),
        };
        if self.ordered_index && matches!(server, Server::Cluster(_)) {
            let why = "cannot be had with cluster: the index and all entries would have to lie in one slot";
            return wrong("ordered_index", why.to_owned());
        }
        if self.ordered_index && self.format == Format::Raw {
            let why = "cannot be had with format = \"raw\": what other clients write would be missing from the index";
            return wrong("ordered_index", why.to_owned());
        }
        if let Some(near) = &self.near_cache {
            if matches!(server, Server::Cluster(_)) {
                return wrong("near_cache", "cannot be had with cluster".to_owned());
            }
            if near.max_bytes.0 < LEAST_NEAR {
                return wrong("near_cache.max_bytes", "must be at least 64 KiB".to_owned());
            }
            if near.ttl.0.is_zero() || near.ttl.0 > Duration::from_secs(3600) {
                return wrong("near_cache.ttl", "must be more than 0 and at most 1h".to_owned());
            }
        }
        if self.database.is_some_and(|database| database < 0) {
            return wrong("database", "must not be negative".to_owned());
        }
        for (key, value) in
            [("timeout", self.timeout), ("connect_timeout", self.connect_timeout), ("scan_timeout", self.scan_timeout)]
        {
            if value.0.is_zero() || value.0 > Duration::from_secs(3600) {
                return wrong(key, "must be more than 0 and at most 1h".to_owned());
            }
        }
        if !(1..=MAX_CONNECTIONS).contains(&self.connections) {
            return wrong("connections", format!("must be 1 to {MAX_CONNECTIONS}"));
        }
        if self.prefix.len() > 256 {
            return wrong("prefix", "must be at most 256 bytes long".to_owned());
        }
        let files = [("ca_file", &self.ca_file), ("cert_file", &self.cert_file), ("key_file", &self.key_file)];
        if !server.uses_tls() {
            return match files.iter().find(|(_, file)| file.is_some()) {
                Some((key, _)) => wrong(key, "needs a url with TLS: rediss://".to_owned()),
                None => Ok(server),
            };
        }
        if cfg!(not(feature = "tls")) {
            return wrong("url", "needs TLS, and this build has none: enable the Cargo feature redis-tls".to_owned());
        }
        if self.cert_file.is_some() != self.key_file.is_some() {
            return wrong("cert_file", "and key_file go together".to_owned());
        }
        Ok(server)
    }

    fn with_credentials(&self, target: Target) -> Target {
        let password = self.password.as_ref().map(|password| password.expose().to_owned());
        Target {
            place: target.place,
            username: self.username.clone().or(target.username),
            password: password.or(target.password),
            database: self.database.unwrap_or(target.database),
        }
    }

    fn sentinels(&self, sentinel: &Sentinel) -> Result<Sentinels> {
        let wrong = |why: &str| Err(Error::invalid(format!("sentinel {why}")).with_detail("key", "sentinel"));
        if sentinel.master.is_empty() {
            return wrong("needs the name of a master");
        }
        let mut nodes = Vec::new();
        for node in &sentinel.nodes {
            let node = node.expose();
            let url = if node.contains("://") { node.to_owned() } else { format!("redis://{node}") };
            let node = Target::parse(&url).map_err(|error| {
                let why = error.message().strip_prefix("url ").unwrap_or_default().to_owned();
                Error::invalid(format!("sentinel has a node that {why}")).with_detail("key", "sentinel")
            })?;
            nodes.push(node);
        }
        let Some(first) = nodes.first() else { return wrong("needs at least one node") };
        // Whoever encrypts the way to the Sentinels encrypts the way to the primary.
        let nobody = Target { place: first.place.clone(), username: None, password: None, database: 0 };
        let primary = self.with_credentials(nobody);
        Ok(Sentinels { master: sentinel.master.clone(), nodes, primary })
    }

    /// What connections are encrypted with; reads the files.
    #[cfg(feature = "tls")]
    pub(crate) fn encryption(&self, server: &Server, base_dir: &Path) -> Result<Encryption> {
        if !server.uses_tls() {
            return Ok(Encryption::default());
        }
        let path = |file: &Option<PathBuf>| file.as_ref().map(|file| base_dir.join(file));
        Encryption::load(path(&self.ca_file), path(&self.cert_file), path(&self.key_file))
    }

    /// Nothing: this build has no TLS.
    #[cfg(not(feature = "tls"))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as with TLS")]
    pub(crate) fn encryption(&self, _: &Server, _: &Path) -> Result<Encryption> {
        Ok(Encryption)
    }
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.server().map_or_else(|_| "?".to_owned(), |server| server.to_string());
        f.debug_struct("RedisOptions")
            .field("server", &place)
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout.0)
            .field("connect_timeout", &self.connect_timeout.0)
            .field("scan_timeout", &self.scan_timeout.0)
            .field("connections", &self.connections)
            .field("eager", &self.eager)
            .field("ordered_index", &self.ordered_index)
            .field("format", &self.format)
            .field("near_cache", &self.near_cache)
            .finish_non_exhaustive()
    }
}
