//! Which server to connect to: always the same one, or the one that Sentinels name.

use std::fmt;
use std::time::Duration;

use store_core::{Error, Result};
use tokio::io::AsyncWriteExt;

use crate::connect::{self, Manner};
use crate::error;
use crate::reply::{Reader, Reply};
use crate::target::{Place, Target};

/// How long one Sentinel may take before the next one is asked.
const PATIENCE: Duration = Duration::from_millis(300);

/// Where the server is found.
#[derive(Clone, Debug)]
pub(crate) enum Server {
    /// At one place.
    Fixed(Target),
    /// Where the Sentinels say.
    Sentinel(Sentinels),
    /// Wherever a cluster keeps the key; these are some of its nodes.
    Cluster(Vec<Target>),
}

/// Sentinels, and what they are asked for.
#[derive(Clone, Debug)]
pub(crate) struct Sentinels {
    pub(crate) master: String,
    pub(crate) nodes: Vec<Target>,
    /// Credentials and database of the primary; its place is not known yet.
    pub(crate) primary: Target,
}

impl Server {
    /// The server as it is known now.
    pub(crate) async fn locate(&self, manner: &Manner) -> Result<Target> {
        match self {
            Server::Fixed(target) => Ok(target.clone()),
            Server::Sentinel(sentinels) => sentinels.locate(manner).await,
            Server::Cluster(_) => Err(Error::unsupported("a Redis cluster is not at one place")),
        }
    }

    /// Whether connections are encrypted.
    pub(crate) fn uses_tls(&self) -> bool {
        let target = match self {
            Server::Fixed(target) => target,
            Server::Sentinel(sentinels) => &sentinels.primary,
            Server::Cluster(seeds) => {
                return seeds.iter().any(|seed| matches!(seed.place, Place::Tcp { tls: true, .. }));
            }
        };
        matches!(target.place, Place::Tcp { tls: true, .. })
    }

    /// Whether the server may become another one.
    pub(crate) const fn can_move(&self) -> bool {
        matches!(self, Server::Sentinel(_))
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Server::Fixed(target) => target.fmt(f),
            Server::Sentinel(sentinels) => write!(f, "{} (by Sentinel)", sentinels.master),
            Server::Cluster(seeds) => match seeds.first() {
                Some(seed) => write!(f, "{seed} (cluster)"),
                None => f.write_str("(cluster)"),
            },
        }
    }
}

impl Sentinels {
    /// Asks one after the other.
    async fn locate(&self, manner: &Manner) -> Result<Target> {
        let mut last = Error::unavailable("there is no Sentinel to ask");
        for node in &self.nodes {
            last = match tokio::time::timeout(PATIENCE, self.ask(node, manner)).await {
                Ok(Ok(Some(place))) => return Ok(Target { place, ..self.primary.clone() }),
                Ok(Ok(None)) => {
                    let message = format!("the Sentinel at {node} does not know the primary \"{}\"", self.master);
                    Error::unavailable(message)
                }
                Ok(Err(error)) => error,
                Err(_) => error::connect_timeout(&node.to_string(), PATIENCE),
            };
        }
        Err(last)
    }

    async fn ask(&self, node: &Target, manner: &Manner) -> Result<Option<Place>> {
        let failed = |failure: std::io::Error| error::connecting(&node.to_string(), &failure);
        let mut stream = connect::stream(node, manner).await?;
        let mut request = Vec::new();
        let authentication = connect::authentication(node);
        if let Some(command) = &authentication {
            command.write_packed_command(&mut request);
        }
        redis::cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(&self.master).write_packed_command(&mut request);
        stream.write_all(&request).await.map_err(failed)?;
        let mut replies = Reader::default();
        if authentication.is_some()
            && let Reply::Error(line) = replies.next(&mut stream).await.map_err(failed)?
        {
            return Err(connect::refusal(&line));
        }
        match replies.next(&mut stream).await.map_err(failed)? {
            Reply::Error(line) => Err(connect::refusal(&line)),
            Reply::List(address) => Ok(match &address[..] {
                [Reply::Text(Some(host)), Reply::Text(Some(port))] => port.parse().ok().map(|port| {
                    let tls = matches!(self.primary.place, Place::Tcp { tls: true, .. });
                    Place::Tcp { host: host.clone(), port, tls }
                }),
                _ => None,
            }),
            _ => Ok(None),
        }
    }
}
