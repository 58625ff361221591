//! The store: single-key operations, each one round trip.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::{Cmd, Value};
use store_core::{
    BackendInfo, BackendStats, BatchWrite, Capabilities, ClearStep, Condition, Consistency, Context, Entry, Error,
    Increment, Key, Lifetime, List, ListPage, Outcome, Payload, Put, Result, Scan, ScanCursor, ScanPage, Store,
    TryStore, Ttl, Version, VersionCipher, Written, async_trait, random_u64,
};

use crate::cluster::Cluster;
use crate::config::RedisOptions;
use crate::connect::Manner;
use crate::deadlines::Deadlines;
use crate::envelope;
use crate::error::{self, bad_reply};
use crate::executor::{Executor, OwnRuntime};
use crate::form::{Format, Stored};
use crate::index::{self, Index};
use crate::keys::{FullKey, Keys};
use crate::link::Failure;
use crate::near::{Emptied, Near, Writing};
use crate::pool::{Lane, Pool};
use crate::scripts::{ABSENT, CONFLICT, FOREIGN};
use crate::server::Server;
use crate::supervisor::Supervised;
use crate::times::{lifetime_argument, ttl_from, ttl_of};

/// A store in Redis or Valkey. Cheap to open: the first call connects.
pub struct RedisStore {
    pub(crate) keys: Keys,
    pub(crate) pool: Pool,
    /// Where there is one.
    pub(crate) index: Option<Index>,
    pub(crate) format: Format,
    /// Where there is one.
    pub(crate) near: Option<Arc<Near>>,
    pub(crate) scan_timeout: Duration,
    place: String,
    consistency: Consistency,
    versions: VersionCipher,
    counter: AtomicU64,
}

impl RedisStore {
    /// Opens a store, with a deadline thread and, outside of tokio, a runtime of its own. Stores that are to share them come from
    /// [`RedisBackend::store`](crate::RedisBackend::store).
    ///
    /// # Errors
    /// INVALID for mistakes in the options.
    pub fn open(id: &str, options: &RedisOptions) -> Result<RedisStore> {
        RedisStore::build(id, options, Path::new("."), &Arc::default(), Arc::new(Deadlines::new()))
    }

    pub(crate) fn build(
        id: &str,
        options: &RedisOptions,
        base_dir: &Path,
        own: &Arc<OwnRuntime>,
        deadlines: Arc<Deadlines>,
    ) -> Result<RedisStore> {
        if id.is_empty() {
            return Err(Error::invalid("the store id is empty"));
        }
        let server = options.server()?;
        let place = server.to_string();
        let consistency = match &server {
            _ if options.near_cache.is_some() => Consistency::Bounded,
            Server::Fixed(_) => Consistency::Linearizable,
            Server::Sentinel(_) | Server::Cluster(_) => Consistency::Failover,
        };
        let keys = Keys::new(&options.prefix, id);
        let near = options.near_cache.as_ref();
        let near = near.map(|near| Arc::new(Near::new(keys.clone(), near.max_bytes.0, near.ttl.0)));
        let manner = Manner {
            timeout: options.timeout.0,
            encryption: options.encryption(&server, base_dir)?,
            primary_only: server.can_move(),
            near: near.clone(),
        };
        let (timeout, connect_timeout) = (options.timeout.0, options.connect_timeout.0);
        let executor = Arc::new(Executor::new(Arc::clone(own)));
        let connections = (0..options.connections)
            .map(|_| {
                let executor = Arc::clone(&executor);
                Supervised::new(server.clone(), manner.clone(), connect_timeout, Arc::clone(&deadlines), executor)
            })
            .collect();
        let pool = match server {
            Server::Cluster(seeds) => {
                let executor = Arc::clone(&executor);
                let cluster =
                    Cluster::new(seeds, keys.base(), manner, connect_timeout, Arc::clone(&deadlines), executor);
                Pool::clustered(cluster, deadlines, timeout)
            }
            Server::Fixed(_) | Server::Sentinel(_) => Pool::new(connections, deadlines, timeout),
        };
        Ok(RedisStore {
            keys,
            pool,
            index: options.ordered_index.then(Index::default),
            format: options.format,
            near,
            scan_timeout: options.scan_timeout.0,
            place,
            consistency,
            versions: VersionCipher::random(),
            counter: AtomicU64::new(random_u64()),
        })
    }

    /// A version that no write ever had: random for each store, a counter within it.
    pub(crate) fn new_version(&self) -> u64 {
        self.versions.version(self.counter.fetch_add(1, Ordering::Relaxed)).get()
    }

    /// `NAME key`, and room for what follows.
    pub(crate) fn command(name: &str, key: FullKey<'_>) -> Cmd {
        let mut command = Cmd::with_capacity(6, name.len() + key.len() + 40);
        command.arg(name).arg(key);
        command
    }

    pub(crate) fn set_command(key: FullKey<'_>, stored: &Stored<'_>, lifetime: Lifetime) -> Cmd {
        let mut command = Cmd::with_capacity(6, key.len() + stored.len() + 40);
        command.arg("SET").arg(key).arg(stored);
        if let Some(millis) = lifetime.as_millis() {
            command.arg("PX").arg(millis.get());
        }
        command
    }

    /// The version and TTL of a key right now; `None` if it is absent or not ours.
    async fn look(&self, lane: Lane<'_>, key: FullKey<'_>) -> Result<Option<(Version, Ttl)>> {
        let mut commands = redis::pipe();
        commands.atomic();
        commands.cmd("GETRANGE").arg(key).arg(0).arg(envelope::HEADER - 1);
        commands.cmd("PTTL").arg(key);
        match &lane.read_together(&commands).await?[..] {
            [Value::BulkString(header), Value::Int(pttl)] => Ok(envelope::version(header).ok().zip(ttl_of(*pttl))),
            _ => Err(bad_reply()),
        }
    }

    /// After a lost answer: whether the write with this version is there. If it is not, nobody knows whether it was
    /// executed and overwritten, or will be executed yet. A digest would not tell whose write it is of.
    pub(crate) async fn resolve(
        &self,
        lane: Lane<'_>,
        key: FullKey<'_>,
        version: Version,
        lost: Error,
    ) -> Result<Written> {
        if self.format == Format::Raw {
            return Err(lost.with_outcome(Outcome::Unknown));
        }
        match self.look(lane, key).await {
            Ok(Some((found, ttl))) if found == version => Ok(Written { version, ttl }),
            _ => Err(lost.with_outcome(Outcome::Unknown)),
        }
    }

    pub(crate) async fn put_plain(&self, key: Key<'_>, value: &[u8], put: Put<'_>) -> Result<Written> {
        let lane = self.pool.lane(key);
        let key = self.keys.of(key);
        let stored = self.format.stored(self.new_version(), value)?;
        let mut command = RedisStore::set_command(key, &stored, put.lifetime);
        let refused = match put.condition {
            Condition::IfAbsent => {
                command.arg("NX");
                Some(Error::already_exists as fn() -> Error)
            }
            Condition::IfPresent => {
                command.arg("XX");
                Some(Error::absent as fn() -> Error)
            }
            Condition::Always | Condition::IfVersion(_) => None,
        };
        match (self.send_write(lane, key, &command).await, refused) {
            (Ok(Value::Okay), _) => Ok(Written { version: stored.version(), ttl: ttl_from(put.lifetime) }),
            (Ok(Value::Nil), Some(refused)) => Err(refused()),
            (Ok(_), _) => Err(bad_reply()),
            (Err(Failure::Lost(error)), _) => Box::pin(self.resolve(lane, key, stored.version(), error)).await,
            (Err(failure), _) => Err(lane.of_write(failure)),
        }
    }

    async fn put_scripted(&self, key: Key<'_>, value: &[u8], put: Put<'_>) -> Result<Written> {
        let lane = self.pool.lane(key);
        let stored = self.format.stored(self.new_version(), value)?;
        self.put_stored(lane, self.keys.of(key), &stored, put).await
    }

    /// Puts by script: under a version, or keeping the TTL.
    pub(crate) async fn put_stored(
        &self,
        lane: Lane<'_>,
        key: FullKey<'_>,
        stored: &Stored<'_>,
        put: Put<'_>,
    ) -> Result<Written> {
        let (condition, expected) = match put.condition {
            Condition::Always | Condition::IfAbsent => ("always", None),
            Condition::IfPresent => ("present", None),
            Condition::IfVersion(version) => ("version", Some(version)),
        };
        let expected = expected.map(|version| self.format.expected(version));
        // A second sending recognises the work of the first by its version: a digest may be that of another write.
        let again = expected.is_some() && self.format == Format::Envelope;
        let mut lost = None;
        loop {
            let answer = self
                .run(lane, index::PUT, key, |command| {
                    command.arg(condition).arg(expected.as_ref().map_or(&[][..], |version| &version[..])).arg(stored);
                    lifetime_argument(command, put.lifetime);
                    command.arg(if put.keep_ttl { "1" } else { "" });
                })
                .await;
            let refused = |error: Error| match &lost {
                // The first sending may have been executed, and its entry replaced or deleted since.
                Some(_) => error.with_outcome(Outcome::Unknown),
                None => error,
            };
            return match answer {
                Ok(Value::Int(pttl)) => {
                    // A TTL that ran out within the script is still that of what was written.
                    let version = stored.version();
                    Ok(Written { version, ttl: ttl_of(pttl).unwrap_or(Ttl::Left(Duration::from_millis(1))) })
                }
                Ok(Value::Array(code)) => Err(match &code[..] {
                    [Value::Int(ABSENT)] => refused(Error::absent()),
                    [Value::Int(CONFLICT)] => refused(Error::version_conflict()),
                    [Value::Int(FOREIGN)] => refused(envelope::foreign()),
                    _ => bad_reply(),
                }),
                Ok(_) => Err(bad_reply()),
                // Conditional on a version, it can be sent again: at most one of the sendings has an effect.
                Err(Failure::Lost(error)) if again && !lane.is_over() => {
                    lost = Some(error);
                    continue;
                }
                Err(Failure::Lost(error)) => self.resolve(lane, key, stored.version(), error).await,
                Err(Failure::Refused(refusal)) if lost.is_some() => Err(refused(refusal.error)),
                Err(failure) => Err(lane.of_write(failure)),
            };
        }
    }

    /// Lets the near cache forget a key when the write that begins now has ended, whichever way.
    fn writing<'a>(&'a self, key: Key<'a>) -> Writing<'a> {
        Near::writing(self.near.as_ref(), key)
    }

    /// Reads a key for the near cache: value and time left in one trip.
    ///
    /// They need not be of one moment: what comes between invalidates the ticket.
    async fn get_near(&self, near: &Near, key: Key<'_>) -> Result<Option<Payload>> {
        if let Some(value) = near.get(key) {
            return Ok(Some(value));
        }
        let lane = self.pool.lane(key);
        let full = self.keys.of(key);
        let mut commands = redis::pipe();
        commands.cmd("GET").arg(full).cmd("PTTL").arg(full);
        loop {
            let ticket = near.ticket(key);
            let answers = match lane.batch(&commands).await {
                Ok(answers) => answers,
                Err(Failure::Lost(_)) if !lane.is_over() => continue,
                Err(failure) => return Err(lane.of_read(failure)),
            };
            let mut answers = answers.into_iter();
            let (Some(value), Some(pttl)) = (answers.next(), answers.next()) else { return Err(bad_reply()) };
            if let Value::ServerError(refusal) = &value {
                return Err(error::reply(refusal).error);
            }
            let Some(value) = self.format.value(value)? else { return Ok(None) };
            if let Value::Int(pttl) = pttl
                && let Some(ttl) = ttl_of(pttl)
            {
                near.fill(ticket, key, &value, ttl);
            }
            return Ok(Some(value));
        }
    }

    /// One entry.
    pub(crate) async fn one(&self, key: Key<'_>) -> Result<Option<Entry>> {
        let full = self.keys.of(key);
        let mut commands = redis::pipe();
        commands.atomic();
        commands.cmd("GET").arg(full).cmd("PTTL").arg(full);
        let mut values = self.pool.lane(key).read_together(&commands).await?.into_iter();
        match (values.next(), values.next()) {
            (Some(value), Some(pttl)) => self.format.entry(value, &pttl),
            _ => Err(bad_reply()),
        }
    }

    /// Deletes without a condition.
    pub(crate) async fn delete_one(&self, key: Key<'_>) -> Result<bool> {
        let lane = self.pool.lane(key);
        let key = self.keys.of(key);
        match self.send_delete(lane, key, &RedisStore::command("DEL", key)).await {
            Ok(value) => truth(&value),
            Err(failure) => Err(lane.of_write(failure)),
        }
    }

    /// Deletes or touches under a version, by script; sent again after a lost connection, since it is conditional.
    async fn change_if(
        &self,
        key: Key<'_>,
        version: &Version,
        script: index::Kinds,
        lifetime: Option<Lifetime>,
    ) -> Result<bool> {
        let lane = self.pool.lane(key);
        let key = self.keys.of(key);
        let expected = self.format.expected(version);
        let mut again = false;
        loop {
            let answer = self
                .run(lane, script, key, |command| {
                    command.arg(&expected[..]);
                    if let Some(lifetime) = lifetime {
                        lifetime_argument(command, lifetime);
                    }
                })
                .await;
            return match answer {
                Ok(Value::Int(1)) => Ok(true),
                // Of the first sending, whose answer was lost, nobody knows.
                Ok(Value::Int(ABSENT | CONFLICT)) if again => {
                    let error = Error::unavailable("the connection to Redis was lost before the answer came");
                    Err(error.with_outcome(Outcome::Unknown))
                }
                Ok(Value::Int(ABSENT)) => Ok(false),
                Ok(Value::Int(CONFLICT)) => Err(Error::version_conflict()),
                Ok(Value::Int(FOREIGN)) => Err(envelope::foreign()),
                Ok(_) => Err(bad_reply()),
                Err(Failure::Lost(_)) if !lane.is_over() => {
                    again = true;
                    continue;
                }
                Err(Failure::Refused(refusal)) if again => Err(refusal.error.with_outcome(Outcome::Unknown)),
                Err(failure) => Err(lane.of_write(failure)),
            };
        }
    }
}

fn truth(value: &Value) -> Result<bool> {
    match value {
        Value::Int(0) => Ok(false),
        Value::Int(1) => Ok(true),
        _ => Err(bad_reply()),
    }
}

#[async_trait]
impl Store for RedisStore {
    fn info(&self) -> BackendInfo {
        BackendInfo {
            backend: "redis",
            consistency: self.consistency,
            durable: true,
            capabilities: Capabilities {
                injected_clock: false,
                purge: false,
                exact_values: self.format == Format::Envelope,
                unique_versions: self.format == Format::Envelope,
                ..Capabilities::ALL
            },
            entries: None,
            max_entries: None,
        }
    }

    fn stats(&self) -> BackendStats {
        BackendStats { reconnects: self.pool.reconnects(), ..BackendStats::default() }
    }

    fn immediate(self: Arc<Self>) -> Option<Arc<dyn TryStore>> {
        self.near.clone().map(|near| near as Arc<dyn TryStore>)
    }

    async fn get(&self, _: &Context, key: Key<'_>) -> Result<Option<Payload>> {
        if let Some(near) = &self.near {
            return Box::pin(self.get_near(near, key)).await;
        }
        let value = self.pool.lane(key).read(&RedisStore::command("GET", self.keys.of(key))).await?;
        self.format.value(value)
    }

    async fn has(&self, _: &Context, key: Key<'_>) -> Result<bool> {
        if self.near.as_ref().is_some_and(|near| near.get(key).is_some()) {
            return Ok(true);
        }
        truth(&self.pool.lane(key).read(&RedisStore::command("EXISTS", self.keys.of(key))).await?)
    }

    async fn entry(&self, _: &Context, key: Key<'_>) -> Result<Option<Entry>> {
        self.one(key).await
    }

    async fn ttl(&self, _: &Context, key: Key<'_>) -> Result<Option<Ttl>> {
        match self.pool.lane(key).read(&RedisStore::command("PTTL", self.keys.of(key))).await? {
            Value::Int(pttl) => Ok(ttl_of(pttl)),
            _ => Err(bad_reply()),
        }
    }

    async fn put(&self, _: &Context, key: Key<'_>, value: &[u8], put: Put<'_>) -> Result<Written> {
        let _writing = self.writing(key);
        match put.condition {
            // Without a live entry there is no TTL to keep.
            Condition::IfAbsent => self.put_plain(key, value, put).await,
            Condition::Always | Condition::IfPresent if !put.keep_ttl => self.put_plain(key, value, put).await,
            _ => Box::pin(self.put_scripted(key, value, put)).await,
        }
    }

    async fn delete(&self, _: &Context, key: Key<'_>, if_version: Option<&Version>) -> Result<bool> {
        let _writing = self.writing(key);
        if let Some(version) = if_version {
            return Box::pin(self.change_if(key, version, index::DELETE_IF, None)).await;
        }
        self.delete_one(key).await
    }

    async fn touch(&self, _: &Context, key: Key<'_>, lifetime: Lifetime, if_version: Option<&Version>) -> Result<bool> {
        let _writing = self.writing(key);
        if let Some(version) = if_version {
            return Box::pin(self.change_if(key, version, index::TOUCH_IF, Some(lifetime))).await;
        }
        let lane = self.pool.lane(key);
        let full = self.keys.of(key);
        if let Some(millis) = lifetime.as_millis() {
            let mut command = RedisStore::command("PEXPIRE", full);
            command.arg(millis.get());
            return match lane.once(&command).await {
                Ok(value) => truth(&value),
                Err(failure) => Err(lane.of_write(failure)),
            };
        }
        // PERSIST says 0 both for an absent key and for one without a TTL.
        let mut commands = redis::pipe();
        commands.atomic();
        commands.cmd("PERSIST").arg(full).cmd("EXISTS").arg(full);
        match Box::pin(lane.together(&commands)).await {
            Ok(values) => truth(values.get(1).unwrap_or(&Value::Nil)),
            Err(failure) => Err(lane.of_write(failure)),
        }
    }

    async fn get_and_touch(&self, _: &Context, key: Key<'_>, lifetime: Lifetime) -> Result<Option<Payload>> {
        let _writing = self.writing(key);
        let lane = self.pool.lane(key);
        let mut command = RedisStore::command("GETEX", self.keys.of(key));
        match lifetime.as_millis() {
            Some(millis) => command.arg("PX").arg(millis.get()),
            None => command.arg("PERSIST"),
        };
        match lane.once(&command).await {
            Ok(value) => self.format.value(value),
            Err(failure) => Err(lane.of_write(failure)),
        }
    }

    async fn take(&self, _: &Context, key: Key<'_>) -> Result<Option<Payload>> {
        let _writing = self.writing(key);
        let lane = self.pool.lane(key);
        match self.run(lane, index::TAKE, self.keys.of(key), |_| {}).await {
            Ok(value) => self.format.value(value),
            Err(failure) => Err(lane.of_write(failure)),
        }
    }

    async fn increment(&self, _: &Context, key: Key<'_>, by: Increment) -> Result<i64> {
        let _writing = self.writing(key);
        self.count(key, by).await
    }

    async fn get_many(&self, _: &Context, keys: &[Key<'_>]) -> Result<Vec<Option<Payload>>> {
        let Some(near) = &self.near else { return self.read_batch(keys).await };
        let mut found: Vec<Option<Payload>> = keys.iter().map(|&key| near.get(key)).collect();
        let missing: Vec<usize> = (0..keys.len()).filter(|&item| found[item].is_none()).collect();
        let asked: Vec<Key<'_>> = missing.iter().map(|&item| keys[item]).collect();
        for (item, value) in missing.into_iter().zip(self.read_batch(&asked).await?) {
            found[item] = value;
        }
        Ok(found)
    }

    async fn set_many(&self, _: &Context, items: &[BatchWrite<'_>]) -> Result<()> {
        let _writing: Vec<_> = items.iter().map(|item| self.writing(item.key)).collect();
        self.write_batch(items).await
    }

    async fn delete_many(&self, _: &Context, keys: &[Key<'_>]) -> Result<Vec<bool>> {
        let _writing: Vec<_> = keys.iter().map(|&key| self.writing(key)).collect();
        self.delete_batch(keys).await
    }

    async fn list(&self, _: &Context, list: List<'_>) -> Result<ListPage> {
        if self.index.is_some() {
            return self.indexed_page(list).await;
        }
        self.page(list).await
    }

    async fn scan(&self, _: &Context, scan: Scan<'_>) -> Result<ScanPage> {
        self.step(scan).await
    }

    async fn clear(&self, _: &Context, prefix: &[u8], cursor: Option<&ScanCursor>) -> Result<ClearStep> {
        let _writing = self.near.clone().map(Emptied);
        self.clear_step(prefix, cursor).await
    }

    /// Redis does that by itself.
    async fn purge_expired(&self, _: usize) -> Result<usize> {
        Ok(0)
    }

    async fn ping(&self) -> Result<()> {
        if let Some(cluster) = self.pool.cluster() {
            for node in &cluster.map(self.pool.deadline()).await?.primaries {
                self.pool.lane_over(&node.connection).read(&redis::cmd("PING")).await?;
            }
            return Ok(());
        }
        self.pool.numbered_lane(0).read(&redis::cmd("PING")).await.map(drop)
    }

    /// How durable an acknowledged write is was decided by the server's `appendfsync`.
    async fn flush(&self) -> Result<()> {
        Ok(())
    }

    async fn close(&self) -> Result<()> {
        self.pool.close();
        if let Some(near) = &self.near {
            near.clear();
        }
        Ok(())
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("server", &self.place)
            .field("keys", &format_args!("\"{}*\"", self.keys.base().escape_ascii()))
            .finish_non_exhaustive()
    }
}
