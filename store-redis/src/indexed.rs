//! How a store keeps its index, where it has one, and reads pages by it.

use std::sync::atomic::Ordering;
use std::time::Instant;

use redis::{Arg, Cmd, Value};
use store_core::{Error, Kind, List, ListPage, Result, prefix_end};

use crate::error::bad_reply;
use crate::form::Format;
use crate::index::{CLEAR, DELETE, Kinds, PAGE, WRITE};
use crate::keys::FullKey;
use crate::link::Failure;
use crate::pool::Lane;
use crate::scripts::Script;
use crate::store::RedisStore;

/// How many members a page examines at most before it ends early.
const BUDGET: usize = 10_000;
/// How many members a server examines in one script, which nothing else runs beside.
const CHUNK: usize = 1000;

impl RedisStore {
    /// The Redis key of the index, if this store keeps one, after asking once whether the server could evict it.
    async fn index_key(&self, lane: Lane<'_>) -> Result<Option<&[u8]>> {
        let Some(index) = &self.index else { return Ok(None) };
        if !index.checked.load(Ordering::Relaxed) {
            check_eviction(lane).await?;
            index.checked.store(true, Ordering::Relaxed);
        }
        Ok(Some(self.keys.base()))
    }

    /// Sends a command that writes an entry; `key` is its.
    pub(crate) async fn send_write(&self, lane: Lane<'_>, key: FullKey<'_>, command: &Cmd) -> Result<Value, Failure> {
        self.send_with(lane, key, command, &WRITE).await
    }

    /// Sends a command that deletes an entry; `key` is its.
    pub(crate) async fn send_delete(&self, lane: Lane<'_>, key: FullKey<'_>, command: &Cmd) -> Result<Value, Failure> {
        self.send_with(lane, key, command, &DELETE).await
    }

    async fn send_with(
        &self,
        lane: Lane<'_>,
        key: FullKey<'_>,
        command: &Cmd,
        script: &Script,
    ) -> Result<Value, Failure> {
        if self.index.is_none() {
            return lane.once(command).await;
        }
        let indexed = async {
            let index = self.index_key(lane).await?;
            lane.script(script, key, index, |wrapped| append(wrapped, command)).await
        };
        Box::pin(indexed).await
    }

    /// Runs a script on one key.
    pub(crate) async fn run(
        &self,
        lane: Lane<'_>,
        kinds: Kinds,
        key: FullKey<'_>,
        arguments: impl Fn(&mut Cmd),
    ) -> Result<Value, Failure> {
        let index = match &self.index {
            Some(_) => Box::pin(self.index_key(lane)).await?,
            None => None,
        };
        let script = match (index, self.format) {
            (Some(_), _) => kinds.indexed,
            (None, Format::Raw) => kinds.raw,
            (None, Format::Envelope) => kinds.plain,
        };
        lane.script(script, key, index, arguments).await
    }

    /// Makes sure of the index before a batch of writes or deletes.
    pub(crate) async fn before_batch(&self) -> Result<()> {
        match &self.index {
            Some(_) => self.index_key(self.pool.numbered_lane(0)).await.map(drop),
            None => Ok(()),
        }
    }

    /// What a batch sends to write an entry.
    pub(crate) fn batch_write(&self, key: FullKey<'_>, command: Cmd, first: bool) -> Cmd {
        self.batched(key, command, first, &WRITE)
    }

    /// What a batch sends to delete an entry.
    pub(crate) fn batch_delete(&self, key: FullKey<'_>, command: Cmd, first: bool) -> Cmd {
        self.batched(key, command, first, &DELETE)
    }

    /// The first of a batch on a connection brings the script, those behind it find it there.
    fn batched(&self, key: FullKey<'_>, command: Cmd, first: bool, script: &Script) -> Cmd {
        if self.index.is_none() {
            return command;
        }
        let mut wrapped = Cmd::new();
        if first {
            wrapped.arg("EVAL").arg(&*script.code);
        } else {
            wrapped.arg("EVALSHA").arg(&script.hash);
        }
        wrapped.arg(2).arg(key).arg(self.keys.base());
        append(&mut wrapped, &command);
        wrapped
    }

    /// Deletes entries by their Redis keys, and says how many there were.
    pub(crate) async fn unlink(&self, lane: Lane<'_>, keys: &[Vec<u8>]) -> Result<Value, Failure> {
        match self.index_key(lane).await? {
            Some(index) => {
                lane.script_on(&CLEAR, keys.len() + 1, |command| {
                    command.arg(index).arg(keys);
                })
                .await
            }
            None => lane.once(redis::cmd("UNLINK").arg(keys)).await,
        }
    }

    /// A page by the index.
    pub(crate) async fn indexed_page(&self, list: List<'_>) -> Result<ListPage> {
        let started = Instant::now();
        let bound = |mark: u8, key: &[u8]| [&[mark], key].concat();
        let mut least = match list.after {
            Some(after) if after >= list.prefix => bound(b'(', after),
            _ => bound(b'[', list.prefix),
        };
        let greatest = prefix_end(list.prefix).map_or_else(|| b"+".to_vec(), |end| bound(b'(', &end));
        let wanted = list.limit.saturating_add(1);
        let (mut keys, mut examined, mut early) = (Vec::new(), 0, None);
        // As many as are wanted; more at once where most turn out to be gone.
        let mut take = wanted.min(CHUNK);
        while keys.len() < wanted {
            let mut part = self.members(&least, &greatest, take, wanted - keys.len()).await?;
            let ended = part.examined < take && keys.len() + part.live.len() < wanted;
            keys.append(&mut part.live);
            examined += part.examined;
            if ended {
                break;
            }
            if examined >= BUDGET && keys.len() < wanted {
                early = Some(part.last);
                break;
            }
            least = bound(b'(', &part.last);
            take = (take * 2).min(CHUNK).min(BUDGET - examined);
            self.check_time(started)?;
        }
        let resume = if keys.len() > list.limit {
            keys.truncate(list.limit);
            keys.last().cloned()
        } else {
            early
        };
        let full: Vec<Vec<u8>> = keys.iter().map(|key| [self.keys.base(), key].concat()).collect();
        self.fill(&full, list, resume.map(Box::from), started).await
    }

    async fn members(&self, least: &[u8], greatest: &[u8], take: usize, enough: usize) -> Result<Members> {
        let lane = self.pool.numbered_lane(0);
        let index = self.index_key(lane).await?.unwrap_or_default();
        let reply = loop {
            let answer = lane.script_on(&PAGE, 1, |command| {
                command.arg(index).arg(least).arg(greatest).arg(take).arg(enough);
            });
            match answer.await {
                Err(Failure::Lost(_)) if !lane.is_over() => {}
                answer => break answer.map_err(|failure| lane.of_read(failure))?,
            }
        };
        let Value::Array(parts) = reply else { return Err(bad_reply()) };
        let mut parts = parts.into_iter();
        let (Some(Value::Int(examined)), Some(Value::BulkString(last))) = (parts.next(), parts.next()) else {
            return Err(bad_reply());
        };
        let live = parts.map(|part| match part {
            Value::BulkString(key) => Ok(key),
            _ => Err(bad_reply()),
        });
        let live = live.collect::<Result<_>>()?;
        Ok(Members { examined: usize::try_from(examined).map_err(|_| bad_reply())?, last, live })
    }
}

/// Members of the index in a row.
struct Members {
    examined: usize,
    last: Vec<u8>,
    live: Vec<Vec<u8>>,
}

/// Adds the words of a command.
fn append(wrapped: &mut Cmd, command: &Cmd) {
    for word in command.args_iter() {
        if let Arg::Simple(word) = word {
            wrapped.arg(word);
        }
    }
}

/// Refuses a server that could evict the index. One that does not tell is trusted.
async fn check_eviction(lane: Lane<'_>) -> Result<()> {
    let text = match lane.read(redis::cmd("INFO").arg("memory")).await {
        Ok(Value::BulkString(text)) => text,
        Ok(Value::VerbatimString { text, .. }) => text.into_bytes(),
        Ok(_) => return Ok(()),
        Err(error) if matches!(error.kind(), Kind::PermissionDenied | Kind::Invalid) => return Ok(()),
        Err(error) => return Err(error),
    };
    let text = String::from_utf8_lossy(&text);
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    match (field("maxmemory"), field("maxmemory_policy")) {
        (Some(limit), Some(policy)) if limit != "0" && policy != "noeviction" => {
            let why = "ordered_index needs a Redis server with maxmemory-policy noeviction: it could evict the index";
            Err(Error::invalid(why).with_detail("key", "ordered_index"))
        }
        _ => Ok(()),
    }
}
