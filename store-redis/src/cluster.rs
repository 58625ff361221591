//! Redis Cluster: which primary holds which slot, and what to do when that changes.
//!
//! redis-rs' own cluster client sends a request again whatever it was, so that a lost answer may count twice. Here each primary has a
//! supervised connection like any other, and a request is only ever repeated after the server has said that it did **not** execute it: `MOVED`,
//! `ASK`, `TRYAGAIN`, `CLUSTERDOWN`.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use redis::{Cmd, Pipeline, Value};
use store_core::{Error, Result};
use tokio::sync::Mutex;

use crate::connect::Manner;
use crate::deadlines::{Deadlines, Moment};
use crate::error::{self, bad_reply};
use crate::executor::Executor;
use crate::link::Failure;
use crate::server::Server;
use crate::supervisor::Supervised;
use crate::target::{Place, Target};

const SLOTS: usize = 16_384;
/// How long one node may take to say what it knows.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long to wait before asking again.
const PAUSE: Duration = Duration::from_millis(25);

/// A cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    seeds: Vec<Arc<Node>>,
    base: Box<[u8]>,
    manner: Manner,
    connect_timeout: Duration,
    deadlines: Arc<Deadlines>,
    executor: Arc<Executor>,
    map: ArcSwap<Map>,
    refreshing: Mutex<()>,
}

/// A node and the connection to it.
#[derive(Debug)]
pub(crate) struct Node {
    target: Target,
    pub(crate) connection: Supervised,
}

/// Who holds what, as far as is known.
#[derive(Debug)]
pub(crate) struct Map {
    pub(crate) generation: u64,
    pub(crate) primaries: Vec<Arc<Node>>,
    slots: Vec<Option<u16>>,
}

/// What is sent.
#[derive(Clone, Copy)]
pub(crate) enum Request<'a> {
    One(&'a Cmd),
    Transaction(&'a Pipeline),
}

impl Cluster {
    pub(crate) fn new(
        seeds: Vec<Target>,
        base: &[u8],
        manner: Manner,
        connect_timeout: Duration,
        deadlines: Arc<Deadlines>,
        executor: Arc<Executor>,
    ) -> Cluster {
        let map = Map { generation: 0, primaries: Vec::new(), slots: vec![None; SLOTS] };
        let mut cluster = Cluster {
            seeds: Vec::new(),
            base: base.into(),
            manner,
            connect_timeout,
            deadlines,
            executor,
            map: ArcSwap::from_pointee(map),
            refreshing: Mutex::new(()),
        };
        cluster.seeds = seeds.into_iter().map(|target| cluster.node(target)).collect();
        cluster
    }

    fn node(&self, target: Target) -> Arc<Node> {
        let server = Server::Fixed(target.clone());
        let (deadlines, executor) = (Arc::clone(&self.deadlines), Arc::clone(&self.executor));
        let connection = Supervised::new(server, self.manner.clone(), self.connect_timeout, deadlines, executor);
        Arc::new(Node { target, connection })
    }

    /// The slot of a key of this store.
    pub(crate) fn slot(&self, key: &[u8]) -> usize {
        slot(&self.base, key)
    }

    /// The map; asks for it if there is none yet.
    pub(crate) async fn map(&self, until: Moment) -> Result<Arc<Map>> {
        let mut map = self.map.load_full();
        if map.primaries.is_empty() {
            self.refresh(0, None, until).await?;
            map = self.map.load_full();
        }
        Ok(map)
    }

    pub(crate) fn close(&self) {
        for node in self.seeds.iter().chain(&self.map.load_full().primaries) {
            node.connection.close();
        }
    }

    /// Sends a request to whoever holds the slot.
    pub(crate) async fn send(&self, slot: usize, request: Request<'_>, until: Moment) -> Result<Vec<Value>, Failure> {
        loop {
            let map = self.map(until).await?;
            let Some(node) = map.slots[slot].and_then(|node| map.primaries.get(usize::from(node))) else {
                let error =
                    Error::unavailable("no node of the Redis cluster holds the key's slot").with_reason("cluster");
                self.again(&map, None, until, error).await?;
                continue;
            };
            // A primary that is gone may have been replaced by now: do not spend the whole deadline on it.
            let short = self.deadlines.after(PATIENCE).min(until);
            let link = match node.connection.link(short).await {
                Ok(link) => link,
                Err(error) if error.is_retryable() => {
                    self.again(&map, None, until, error).await?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let answer = match request {
                Request::One(command) => link.call(command, &self.deadlines, until).await.map(|value| vec![value]),
                Request::Transaction(commands) => link.transaction(commands, &self.deadlines, until).await,
            };
            let Err(Failure::Refused(refusal)) = answer else { return answer };
            if !refusal.elsewhere {
                return Err(Failure::Refused(refusal));
            }
            match refusal.redirect {
                Some((true, place)) => match request {
                    Request::One(command) => match self.ask(node, &place, command, until).await {
                        Err(Failure::Refused(refusal)) if refusal.elsewhere => {
                            self.again(&map, None, until, refusal.error).await?;
                        }
                        answer => return answer,
                    },
                    // ASKING covers one command. The slot is on its way: its new owner will take the transaction soon.
                    Request::Transaction(_) => self.again(&map, None, until, refusal.error).await?,
                },
                Some((false, place)) => {
                    let target = self.target(node, &place);
                    self.again(&map, target, until, refusal.error).await?;
                }
                None => self.again(&map, None, until, refusal.error).await?,
            }
        }
    }

    /// Asks the node that is taking over the slot. Both commands go as one, so that no other caller comes between.
    async fn ask(&self, from: &Node, place: &str, command: &Cmd, until: Moment) -> Result<Vec<Value>, Failure> {
        let target = self.target(from, place).ok_or_else(bad_reply)?;
        let known = self.map.load_full().primaries.iter().find(|node| node.target == target).cloned();
        let node = known.unwrap_or_else(|| self.node(target));
        let link = node.connection.link(until).await?;
        let mut commands = redis::pipe();
        commands.cmd("ASKING").add_command(command.clone());
        let mut answers = link.batch(&commands, &self.deadlines, until).await?;
        match answers.pop() {
            Some(Value::ServerError(refusal)) => Err(Failure::Refused(error::reply(&refusal))),
            Some(value) => Ok(vec![value]),
            None => Err(bad_reply().into()),
        }
    }

    /// `host:port`, as a redirection or the map names it. No host means: the host that says so.
    fn target(&self, from: &Node, place: &str) -> Option<Target> {
        let (host, port) = place.rsplit_once(':')?;
        let Place::Tcp { host: own, tls, .. } = &from.target.place else { return None };
        let host = if host.is_empty() || host == "?" { own.clone() } else { host.to_owned() };
        Some(Target { place: Place::Tcp { host, port: port.parse().ok()?, tls: *tls }, ..from.target.clone() })
    }

    /// The map was wrong, or the cluster is not well: a pause, and a new map; the error once the deadline has passed.
    async fn again(&self, map: &Map, first: Option<Target>, until: Moment, error: Error) -> Result<(), Failure> {
        if first.is_none() {
            let pause = self.deadlines.after(PAUSE).min(until);
            let _ = self.deadlines.within(pause, pending::<()>()).await;
        }
        if self.deadlines.has_passed(until) {
            return Err(error.into());
        }
        // A failure to get a new map is no reason to give up: the old one may do.
        let _ = self.refresh(map.generation, first, until).await;
        Ok(())
    }

    /// Asks the nodes for the map, unless somebody else has got a newer one already.
    async fn refresh(&self, stale: u64, first: Option<Target>, until: Moment) -> Result<()> {
        let lock = self.deadlines.within(until, self.refreshing.lock()).await;
        let old = self.map.load_full();
        let Some(_lock) = lock else { return Err(Error::unavailable("the Redis cluster did not say who holds what")) };
        if old.generation != stale {
            return Ok(());
        }
        let mut last = Error::unavailable("the Redis cluster has no node");
        let first = first.map(|target| {
            old.primaries.iter().find(|node| node.target == target).cloned().unwrap_or_else(|| self.node(target))
        });
        for node in first.iter().chain(&old.primaries).chain(&self.seeds) {
            if self.deadlines.has_passed(until) {
                break;
            }
            match self.learn(node, &old, until).await {
                Ok(map) => {
                    self.map.store(Arc::new(map));
                    return Ok(());
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The map as a node knows it.
    async fn learn(&self, node: &Arc<Node>, old: &Map, until: Moment) -> Result<Map> {
        let until = self.deadlines.after(PATIENCE).min(until);
        let link = node.connection.link(until).await?;
        let answer = link.call(redis::cmd("CLUSTER").arg("SLOTS"), &self.deadlines, until).await;
        let ranges = match answer {
            Ok(Value::Array(ranges)) if !ranges.is_empty() => ranges,
            Ok(_) => return Err(Error::unavailable("no node of the Redis cluster holds a slot").with_reason("cluster")),
            Err(Failure::Refused(refusal)) => return Err(refusal.error),
            Err(Failure::Lost(error)) => return Err(error),
            Err(Failure::TimedOut) => return Err(error::timed_out(PATIENCE)),
        };
        let mut map = Map { generation: old.generation + 1, primaries: Vec::new(), slots: vec![None; SLOTS] };
        for range in &ranges {
            let Value::Array(range) = range else { return Err(bad_reply()) };
            let [Value::Int(from), Value::Int(to), Value::Array(primary), ..] = &range[..] else {
                return Err(bad_reply());
            };
            let [host, Value::Int(port), ..] = &primary[..] else { return Err(bad_reply()) };
            let host = match host {
                Value::BulkString(host) => String::from_utf8_lossy(host).into_owned(),
                Value::SimpleString(host) => host.clone(),
                _ => String::new(),
            };
            let target = self.target(node, &format!("{host}:{port}")).ok_or_else(bad_reply)?;
            let number = match map.primaries.iter().position(|known| known.target == target) {
                Some(number) => number,
                None => {
                    let mut known = old.primaries.iter().chain(&self.seeds).chain([node]);
                    let known = known.find(|known| known.target == target).cloned();
                    map.primaries.push(known.unwrap_or_else(|| self.node(target)));
                    map.primaries.len() - 1
                }
            };
            let number = u16::try_from(number).map_err(|_| bad_reply())?;
            let bounds = usize::try_from(*from).ok().zip(usize::try_from(*to).ok());
            let (from, to) = bounds.filter(|(from, to)| from <= to && *to < SLOTS).ok_or_else(bad_reply)?;
            map.slots[from..=to].fill(Some(number));
        }
        Ok(map)
    }
}

/// The slot of a Redis key in two parts: CRC16 (XMODEM) of the key, or of what stands between its first braces.
fn slot(base: &[u8], key: &[u8]) -> usize {
    let whole: Vec<u8> = [base, key].concat();
    let tagged = whole.iter().position(|&byte| byte == b'{').and_then(|open| {
        let rest = &whole[open + 1..];
        let close = rest.iter().position(|&byte| byte == b'}').filter(|&close| close > 0)?;
        Some(&rest[..close])
    });
    let mut crc = 0u16;
    for &byte in tagged.unwrap_or(&whole) {
        crc ^= u16::from(byte) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
        }
    }
    usize::from(crc) % SLOTS
}

#[cfg(test)]
mod tests {
    use super::slot;

    /// The values of `CLUSTER KEYSLOT`.
    #[test]
    fn slots_are_those_of_redis() {
        for (key, expected) in
            [("123456789", 12_739), ("foo", 12_182), ("{user1000}.following", 3_443), ("foo{}{bar}", 8_363), ("", 0)]
        {
            assert_eq!(slot(b"", key.as_bytes()), expected, "{key}");
            let (base, rest) = key.split_at(key.len() / 2);
            assert_eq!(slot(base.as_bytes(), rest.as_bytes()), expected, "{key}");
        }
        assert_eq!(slot(b"{user1000}/a/", b"x"), 3_443);
    }
}
