//! The ordered index, where it is asked for: one sorted set per store, whose members are the keys, all with score 0 and hence
//! in byte order.
//!
//! It lies under the Redis key `PREFIX/ID/`, which is no entry's, since no key is empty. It is changed in the same script as
//! the entry, so that no other client sees one without the other. Entries that expire leave their member behind: listings
//! drop what they meet of these, and each write looks at two at random.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use redis::{Arg, Cmd, Value};
use store_core::{Error, Kind, List, ListPage, Result, prefix_end};

use crate::RedisStore;
use crate::error::bad_reply;
use crate::form::Format;
use crate::keys::FullKey;
use crate::link::Failure;
use crate::pool::Lane;
use crate::scripts::{self, Script};

/// How many members a page examines at most before it ends early.
const BUDGET: usize = 10_000;
/// How many members a server examines in one script, which nothing else runs beside.
const CHUNK: usize = 1000;

/// What a store with an index remembers of it.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Whether the server has been asked what it evicts.
    checked: AtomicBool,
}

/// A script, and those of the same meaning that keep the index, and that work on the raw form.
#[derive(Clone, Copy)]
pub(crate) struct Kinds {
    plain: &'static LazyLock<Script>,
    indexed: &'static LazyLock<Script>,
    raw: &'static LazyLock<Script>,
}

/// KEYS: the entry, the index. The member is there before the entry is written: what refuses the one refuses both.
/// A member without an entry is harmless, an entry without a member would be lost to listings.
fn keeping(creates: bool, work: &str) -> Script {
    let before = if creates { "redis.call('ZADD', index, 0, member)" } else { "redis.call('ZCARD', index)" };
    Script::new(format!(
        "local index = KEYS[2]\n\
         local member = string.sub(KEYS[1], #index + 1)\n\
         local function work()\n{work}end\n\
         {before}\n\
         local answer = work()\n\
         if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('ZREM', index, member) end\n\
         for _, other in ipairs(redis.call('ZRANDMEMBER', index, 2)) do\n\
         if redis.call('EXISTS', index .. other) == 0 then redis.call('ZREM', index, other) end\n\
         end\n\
         return answer\n"
    ))
}

/// ARGV: a command that may write the entry. Reply: the command's.
static WRITE: LazyLock<Script> = LazyLock::new(|| keeping(true, "return redis.call(unpack(ARGV))\n"));
/// ARGV: a command that deletes the entry. Reply: the command's.
static DELETE: LazyLock<Script> = LazyLock::new(|| keeping(false, "return redis.call(unpack(ARGV))\n"));

static INDEXED_PUT: LazyLock<Script> = LazyLock::new(|| keeping(true, &scripts::PUT.code));
static INDEXED_INCREMENT: LazyLock<Script> = LazyLock::new(|| keeping(true, &scripts::INCREMENT.code));
static INDEXED_DELETE_IF: LazyLock<Script> = LazyLock::new(|| keeping(false, &scripts::DELETE_IF.code));
static INDEXED_TAKE: LazyLock<Script> = LazyLock::new(|| keeping(false, &scripts::TAKE.code));

pub(crate) const PUT: Kinds = Kinds { plain: &scripts::PUT, indexed: &INDEXED_PUT, raw: &scripts::RAW_PUT };
pub(crate) const INCREMENT: Kinds =
    Kinds { plain: &scripts::INCREMENT, indexed: &INDEXED_INCREMENT, raw: &scripts::RAW_INCREMENT };
pub(crate) const DELETE_IF: Kinds =
    Kinds { plain: &scripts::DELETE_IF, indexed: &INDEXED_DELETE_IF, raw: &scripts::RAW_DELETE_IF };
pub(crate) const TAKE: Kinds = Kinds { plain: &scripts::TAKE, indexed: &INDEXED_TAKE, raw: &scripts::RAW_TAKE };
/// A touch changes no membership.
pub(crate) const TOUCH_IF: Kinds =
    Kinds { plain: &scripts::TOUCH_IF, indexed: &scripts::TOUCH_IF, raw: &scripts::RAW_TOUCH_IF };

/// KEYS: the index, entries. Reply: how many entries were deleted.
static CLEAR: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local index, count = KEYS[1], 0\n\
         redis.call('ZCARD', index)\n\
         for at = 2, #KEYS do\n\
         count = count + redis.call('UNLINK', KEYS[at])\n\
         redis.call('ZREM', index, string.sub(KEYS[at], #index + 1))\n\
         end\n\
         return count\n"
            .to_owned(),
    )
});

/// KEYS: the index. ARGV: least, greatest, how many members to take, how many live ones will do.
/// Reply: how many were examined, the last of them or '', then the live ones.
///
/// Members without an entry are dropped, if the server takes writes; nobody can write the entry meanwhile.
static PAGE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local index = KEYS[1]\n\
         local live = {0, ''}\n\
         for at, member in ipairs(redis.call('ZRANGEBYLEX', index, ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])) do\n\
         live[1], live[2] = at, member\n\
         if redis.call('EXISTS', index .. member) == 0 then redis.pcall('ZREM', index, member)\n\
         else live[#live + 1] = member end\n\
         if #live - 2 >= tonumber(ARGV[4]) then break end\n\
         end\n\
         return live\n"
            .to_owned(),
    )
});

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
        Ok(ListPage { items: self.fetch(&full, list.want, started).await?, resume: resume.map(Box::from) })
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
