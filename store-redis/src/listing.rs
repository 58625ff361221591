//! Listings: `SCAN`, since Redis keeps no order.
//!
//! A page in byte order is one pass over the whole database that remembers the `limit + 1` smallest keys beyond the cursor.
//! `SCAN` returns every key that is there throughout the pass, so none is missed; it returns some twice, which the ordered set
//! of candidates absorbs.

use std::collections::BTreeSet;
use std::time::Instant;

use redis::Value;
use store_core::{
    ClearStep, Error, Item, Key, Kind, List, ListPage, Outcome, Result, Scan, ScanCursor, ScanPage, Want,
};

use crate::batch::join_all;
use crate::error::bad_reply;
use crate::link::Failure;
use crate::store::RedisStore;

/// How many keys a server looks at in one SCAN.
const COUNT: usize = 1000;
/// How many entries are fetched in one transaction.
const FETCH: usize = 128;
/// Bytes of values after which a page ends, so that a page of large values fits into memory.
const PAGE_BYTES: usize = 16 << 20;
/// How many SCANs one step of a scan or clear may take, so that it ends even where almost no key is ours.
const STEPS: usize = 64;
/// How many keys one step of a clear deletes at most, about.
const CLEAR: usize = 4000;

/// Where a scan stands: the cursor of Redis, good for one connection. Another connection may be to a server that was
/// restarted and has its keys in another order. In a cluster also: which of the primaries, of which state of the map.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Position {
    map: u64,
    node: u64,
    generation: u64,
    cursor: u64,
}

impl Position {
    fn read(cursor: &ScanCursor) -> Result<Position> {
        let bad = || Error::invalid("this is no cursor of a Redis store");
        let (numbers, []) = cursor.0.as_chunks::<8>() else { return Err(bad()) };
        let [map, node, generation, cursor] = numbers else { return Err(bad()) };
        let number = |bytes: &[u8; 8]| u64::from_be_bytes(*bytes);
        Ok(Position { map: number(map), node: number(node), generation: number(generation), cursor: number(cursor) })
    }

    fn write(self) -> ScanCursor {
        ScanCursor([self.map, self.node, self.generation, self.cursor].map(u64::to_be_bytes).concat().into())
    }
}

impl RedisStore {
    /// One SCAN. Begins anew when the connection is not the one that the position was of.
    async fn scan_once(&self, pattern: &[u8], from: Option<Position>, count: usize) -> Result<Found> {
        let map = match self.pool.cluster() {
            Some(cluster) => Some(cluster.map(self.pool.deadline()).await?),
            None => None,
        };
        // Where slots have moved between nodes since, keys may have moved past the scan: it begins anew.
        let current = map.as_ref().map_or(0, |map| map.generation);
        let from = from.filter(|from| from.map == current);
        let node = from.map_or(0, |from| from.node);
        let number = usize::try_from(node).unwrap_or(usize::MAX);
        let lane = match &map {
            Some(map) => match map.primaries.get(number) {
                Some(node) => self.pool.lane_over(&node.connection),
                None => return Err(bad_reply()),
            },
            None => self.pool.numbered_lane(0),
        };
        let nodes = map.as_ref().map_or(1, |map| map.primaries.len());
        loop {
            let (generation, answer) = lane
                .on_link(|generation| {
                    let cursor = from.filter(|from| from.generation == generation).map_or(0, |from| from.cursor);
                    let mut command = redis::cmd("SCAN");
                    command.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(count);
                    command
                })
                .await?;
            let value = match answer {
                Ok(value) => value,
                Err(Failure::Lost(_)) if !lane.is_over() => continue,
                Err(failure) => return Err(lane.of_read(failure)),
            };
            let Value::Array(parts) = value else { return Err(bad_reply()) };
            let mut parts = parts.into_iter();
            let (Some(Value::BulkString(cursor)), Some(Value::Array(keys))) = (parts.next(), parts.next()) else {
                return Err(bad_reply());
            };
            let cursor: u64 =
                std::str::from_utf8(&cursor).ok().and_then(|cursor| cursor.parse().ok()).ok_or_else(bad_reply)?;
            let keys = keys
                .into_iter()
                .map(|key| match key {
                    Value::BulkString(key) => Ok(key),
                    _ => Err(bad_reply()),
                })
                .collect::<Result<Vec<_>>>()?;
            let next = match cursor {
                0 if number + 1 < nodes => Some(Position { map: current, node: node + 1, generation: 0, cursor: 0 }),
                0 => None,
                cursor => Some(Position { map: current, node, generation, cursor }),
            };
            return Ok(Found { keys, next });
        }
    }

    /// The entries of Redis keys, each of one moment; those that are gone are left out.
    pub(crate) async fn fetch(&self, keys: &[Vec<u8>], want: Want, started: Instant) -> Result<Vec<Item>> {
        let mut items = Vec::with_capacity(keys.len());
        let short = |key: &[u8]| self.keys.strip(key).map(store_core::KeyBuf::from).ok_or_else(bad_reply);
        for keys in keys.chunks(FETCH) {
            if want == Want::Keys {
                for key in keys {
                    items.push(Item { key: short(key)?, entry: None });
                }
                continue;
            }
            self.check_time(started)?;
            if self.pool.cluster().is_some() {
                let shorts = keys.iter().map(|key| self.keys.strip(key).ok_or_else(bad_reply));
                let shorts = shorts.collect::<Result<Vec<_>>>()?;
                let entries = join_all(shorts.iter().map(|short| async { self.one(Key::new(short)?).await })).await;
                for (short, entry) in shorts.into_iter().zip(entries) {
                    if let Some(entry) = entry? {
                        items.push(Item { key: short.into(), entry: Some(entry) });
                    }
                }
                continue;
            }
            let mut commands = redis::pipe();
            commands.atomic();
            for key in keys {
                commands.cmd("GET").arg(key).cmd("PTTL").arg(key);
            }
            let mut values = self.pool.numbered_lane(0).read_together(&commands).await?.into_iter();
            for key in keys {
                let (Some(value), Some(pttl)) = (values.next(), values.next()) else { return Err(bad_reply()) };
                if let Some(entry) = self.format.entry(value, &pttl)? {
                    items.push(Item { key: short(key)?, entry: Some(entry) });
                }
            }
        }
        Ok(items)
    }

    /// The page of these Redis keys, after which the listing goes on behind `resume`. It ends early if the values become too many bytes.
    pub(crate) async fn fill(
        &self,
        keys: &[Vec<u8>],
        list: List<'_>,
        resume: Option<Box<[u8]>>,
        started: Instant,
    ) -> Result<ListPage> {
        let (mut items, mut bytes) = (Vec::with_capacity(keys.len()), 0);
        let mut chunks = keys.chunks(FETCH).peekable();
        while let Some(chunk) = chunks.next() {
            let fetched = self.fetch(chunk, list.want, started).await?;
            bytes +=
                fetched.iter().filter_map(|item| item.entry.as_ref()).map(|entry| entry.value.len()).sum::<usize>();
            items.extend(fetched);
            if bytes >= PAGE_BYTES && chunks.peek().is_some() {
                let resume = chunk.last().and_then(|key| self.keys.strip(key)).map(Box::from);
                return Ok(ListPage { items, resume });
            }
        }
        Ok(ListPage { items, resume })
    }

    pub(crate) fn check_time(&self, started: Instant) -> Result<()> {
        if started.elapsed() < self.scan_timeout {
            return Ok(());
        }
        let message = format!("the scan took longer than {} ms", self.scan_timeout.as_millis());
        Err(Error::new(Kind::Timeout, message))
    }

    pub(crate) async fn page(&self, list: List<'_>) -> Result<ListPage> {
        let started = Instant::now();
        let pattern = self.keys.pattern(list.prefix);
        let wanted = list.limit.saturating_add(1);
        let mut smallest: BTreeSet<Vec<u8>> = BTreeSet::new();
        let mut position = None;
        loop {
            let found = self.scan_once(&pattern, position, COUNT).await?;
            for key in found.keys {
                let Some(short) = self.keys.strip(&key) else { continue };
                if list.after.is_some_and(|after| short <= after) {
                    continue;
                }
                if smallest.len() < wanted {
                    smallest.insert(key);
                } else if smallest.last().is_some_and(|last| key < *last) && smallest.insert(key) {
                    smallest.pop_last();
                }
            }
            match found.next {
                Some(next) => position = Some(next),
                None => break,
            }
            self.check_time(started)?;
        }
        let mut keys: Vec<Vec<u8>> = smallest.into_iter().collect();
        let more = keys.len() > list.limit;
        keys.truncate(list.limit);
        let resume = if more { keys.last().and_then(|key| self.keys.strip(key)).map(Box::from) } else { None };
        self.fill(&keys, list, resume, started).await
    }

    pub(crate) async fn step(&self, scan: Scan<'_>) -> Result<ScanPage> {
        let started = Instant::now();
        let pattern = self.keys.pattern(scan.prefix);
        let mut position = scan.cursor.map(Position::read).transpose()?;
        let mut keys = Vec::new();
        for _ in 0..STEPS {
            let found = self.scan_once(&pattern, position, scan.limit.clamp(10, COUNT)).await?;
            keys.extend(found.keys.into_iter().filter(|key| self.keys.strip(key).is_some()));
            position = found.next;
            if position.is_none() || keys.len() >= scan.limit {
                break;
            }
            self.check_time(started)?;
        }
        keys.sort_unstable();
        keys.dedup();
        let items = self.fetch(&keys, scan.want, started).await?;
        Ok(ScanPage { items, next: position.map(Position::write) })
    }

    pub(crate) async fn clear_step(&self, prefix: &[u8], cursor: Option<&ScanCursor>) -> Result<ClearStep> {
        let started = Instant::now();
        let pattern = self.keys.pattern(prefix);
        let mut position = cursor.map(Position::read).transpose()?;
        let mut deleted = 0;
        for _ in 0..STEPS {
            let found = self.scan_once(&pattern, position, COUNT).await?;
            position = found.next;
            let keys: Vec<Vec<u8>> = found.keys.into_iter().filter(|key| self.keys.strip(key).is_some()).collect();
            if self.pool.cluster().is_some() {
                for short in keys.iter().filter_map(|key| self.keys.strip(key)) {
                    deleted += u64::from(self.delete_one(Key::new(short)?).await?);
                }
            } else if !keys.is_empty() {
                let lane = self.pool.numbered_lane(0);
                match self.unlink(lane, &keys).await {
                    Ok(Value::Int(count)) => deleted += u64::try_from(count).unwrap_or(0),
                    Ok(_) => return Err(bad_reply()),
                    Err(failure) => {
                        let error = lane.of_write(failure);
                        let unknown = deleted > 0 || error.outcome() == Outcome::Unknown;
                        let outcome = if unknown { Outcome::Unknown } else { Outcome::NotApplied };
                        return Err(error.with_outcome(outcome).with_detail("deleted", deleted));
                    }
                }
            }
            if position.is_none() || deleted >= CLEAR as u64 {
                break;
            }
            self.check_time(started).map_err(|error| error.with_detail("deleted", deleted))?;
        }
        Ok(ClearStep { deleted, next: position.map(Position::write) })
    }
}

/// What one SCAN found.
struct Found {
    keys: Vec<Vec<u8>>,
    /// Where to go on; `None` at the end.
    next: Option<Position>,
}
