//! Where Redis is and who we are there.

use std::fmt;
use std::path::PathBuf;

use redis::{ConnectionAddr, IntoConnectionInfo};
use store_core::{Error, Result};

/// A server and the credentials for it. Its `Debug` and `Display` show the place alone.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) place: Place,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) database: i64,
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Tcp { host: String, port: u16, tls: bool },
    Unix(PathBuf),
}

impl Target {
    /// Reads `redis://[user][:password@]host[:port][/database]`, `rediss://` (TLS), the same with `valkey`, and
    /// `redis+unix:///path[?db=N]` or `unix:///path`.
    ///
    /// # Errors
    /// INVALID. The message repeats nothing of the URL.
    pub(crate) fn parse(url: &str) -> Result<Target> {
        let bad = |why: &str| Error::invalid(format!("url {why}")).with_detail("key", "url");
        let (scheme, rest) =
            url.split_once("://").ok_or_else(|| bad("has no scheme: write redis://HOST:PORT/DATABASE"))?;
        let (scheme, tls) = match scheme {
            "redis" | "valkey" => ("redis", false),
            "rediss" | "valkeys" => ("redis", true),
            "unix" | "redis+unix" | "valkey+unix" => ("unix", false),
            _ => {
                return Err(bad(
                    "has an unknown scheme: redis, rediss, redis+unix (or valkey, valkeys, valkey+unix) are known",
                ));
            }
        };
        if rest.contains('#') {
            return Err(bad("has a fragment (#...), which means nothing here; in a password write %23"));
        }
        // The parser's own errors may repeat the URL, so they are dropped.
        let info = format!("{scheme}://{rest}")
            .as_str()
            .into_connection_info()
            .map_err(|_| bad("cannot be read: write redis://USER:PASSWORD@HOST:PORT/DATABASE; special characters in a password as %XX"))?;
        let place = match info.addr() {
            ConnectionAddr::Tcp(host, port) if !host.is_empty() => Place::Tcp { host: host.clone(), port: *port, tls },
            ConnectionAddr::Unix(path) => Place::Unix(path.clone()),
            _ => return Err(bad("names no host")),
        };
        let settings = info.redis_settings();
        if settings.db() < 0 {
            return Err(bad("has a negative database number"));
        }
        Ok(Target {
            place,
            username: settings.username().map(str::to_owned).filter(|name| !name.is_empty()),
            password: settings.password().map(str::to_owned),
            database: settings.db(),
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Tcp { host, port, .. } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Place::Tcp { host, port, .. } => write!(f, "{host}:{port}"),
            Place::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_every_kind() {
        let target = Target::parse("redis://me:p%40ss@example.org:1234/5").unwrap();
        assert_eq!(target.to_string(), "example.org:1234");
        assert_eq!((target.username.as_deref(), target.password.as_deref()), (Some("me"), Some("p@ss")));
        assert_eq!(target.database, 5);
        assert_eq!(Target::parse("valkey://localhost").unwrap().to_string(), "localhost:6379");
        assert!(matches!(Target::parse("rediss://h:1").unwrap().place, Place::Tcp { tls: true, .. }));
        let target = Target::parse("redis+unix:///run/redis.sock?db=3").unwrap();
        assert_eq!((target.place, target.database), (Place::Unix("/run/redis.sock".into()), 3));
        assert_eq!(Target::parse("redis://[::1]:7/").unwrap().to_string(), "[::1]:7");
    }

    #[test]
    fn e7_bad_urls_say_why_and_do_not_repeat_themselves() {
        for url in [
            "",
            "sesame",
            "http://:sesame@h",
            "redis://:sesame@",
            "redis://:sesame@h:99999",
            "redis://:sesame@h/x",
            "redis://u:sesame#x@h",
        ] {
            let error = Target::parse(url).unwrap_err();
            assert!(error.message().starts_with("url "), "{url}: {error}");
            assert!(!format!("{error}{error:?}").contains("sesame"), "{url}: {error:?}");
        }
        assert!(!format!("{:?}", Target::parse("redis://u:sesame@h").unwrap()).contains("sesame"));
    }
}
