//! Listing, scanning and clearing: what runs over many entries, in bounded steps.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};
use std::sync::atomic::Ordering::Relaxed;

use store_core::{
    ClearStep, Deadline, Entry, Error, Item, List, ListPage, Payload, Result, Scan, ScanCursor, ScanPage, Time, Ttl,
    Version, Want,
};

use crate::record::Record;
use crate::shard::Shard;
use crate::store::Inner;

/// Entries that one page examines at most, about: then it ends early.
const BUDGET: usize = 10_000;
/// Entries that are examined or removed under one lock.
const STRIDE: usize = 128;

/// An entry as it was when a shard was looked at.
struct Found {
    record: Record,
    deadline: Deadline,
}

/// What a look at a shard brought.
struct Look {
    live: VecDeque<Found>,
    /// The last entry examined, live or not.
    last: Option<Record>,
    examined: usize,
    /// The shard has no further keys with the prefix.
    end: bool,
}

impl Shard {
    /// Examines up to `stride` entries after a key (or from it on), until `want` live ones are found.
    fn look(&self, prefix: &[u8], from: &[u8], exclusive: bool, now: Time, want: usize, stride: usize) -> Look {
        let mut look = Look { live: VecDeque::with_capacity(want), last: None, examined: 0, end: false };
        let mut slots = self.slots(from, exclusive).peekable();
        let mut batch = Vec::with_capacity(want);
        let mut last = None;
        'looking: loop {
            if slots.peek().is_none() {
                look.end = true;
                break;
            }
            let missing = want.saturating_sub(look.live.len()).min(stride.saturating_sub(look.examined));
            if missing == 0 {
                break;
            }
            batch.clear();
            batch.extend(slots.by_ref().take(missing));
            self.bring(&batch);
            for &slot in &batch {
                let Some(record) = self.entry(slot) else { continue };
                if !record.key().starts_with(prefix) {
                    look.end = true;
                    break 'looking;
                }
                look.examined += 1;
                last = Some(record);
                let deadline = record.deadline();
                if !deadline.has_passed(now) {
                    look.live.push_back(Found { record: record.clone(), deadline });
                }
            }
        }
        look.last = last.cloned();
        look
    }
}

/// The next thing to do about a shard: take its next live entry, or look further behind a key.
struct Head {
    key: Record,
    shard: usize,
    found: Option<Deadline>,
}

impl Ord for Head {
    fn cmp(&self, other: &Head) -> Ordering {
        self.key.key().cmp(other.key.key())
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Head) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Head) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head {}

/// `now` is the precise time: an entry that was live to the coarse clock has a moment left at least.
fn item(record: Record, deadline: Deadline, now: Time, want: Want) -> Item {
    let key = record.key().into();
    let entry = (want == Want::Entries).then(|| Entry {
        version: Version::from_u64(record.version()),
        value: Payload::from(record),
        ttl: deadline.left(now).unwrap_or(Ttl::Left(std::time::Duration::from_nanos(1))),
    });
    Item { key, entry }
}

/// What is still to come of the shards looked at, and where each goes on.
#[derive(Default)]
struct Merge {
    heads: BinaryHeap<Reverse<Head>>,
    looks: Vec<Look>,
    examined: usize,
}

impl Merge {
    fn add(&mut self, shard: usize, look: Look) {
        self.examined += look.examined;
        match self.looks.get_mut(shard) {
            Some(old) => *old = look,
            None => self.looks.push(look),
        }
        self.next_of(shard);
    }

    /// Puts the shard's next head in line: a live entry; else, unless it is at its end, the point from which to look on.
    fn next_of(&mut self, shard: usize) {
        let look = &mut self.looks[shard];
        if let Some(Found { record, deadline }) = look.live.pop_front() {
            self.heads.push(Reverse(Head { key: record, shard, found: Some(deadline) }));
        } else if !look.end
            && let Some(key) = look.last.take()
        {
            self.heads.push(Reverse(Head { key, shard, found: None }));
        }
    }
}

impl Inner {
    /// Merges the shards' orders. Each shard is locked for a few entries at a time.
    pub(crate) fn list(&self, list: List<'_>) -> Result<ListPage> {
        self.check_open()?;
        let (from, exclusive) = match list.after {
            Some(after) if after >= list.prefix => (after, true),
            _ => (list.prefix, false),
        };
        let (now, precise) = (self.clock.coarse(), self.clock.now());
        let shards = self.shards.len();
        let limit = list.limit.max(1);
        // What a shard has of the page on average, and one more; those that have more still are looked at again.
        let want = limit / shards + 1;
        let stride = (BUDGET / shards).clamp(1, STRIDE);
        let mut merge = Merge { heads: BinaryHeap::with_capacity(shards), ..Merge::default() };
        for (number, shard) in self.shards.iter().enumerate() {
            merge.add(number, shard.read().look(list.prefix, from, exclusive, now, want, stride));
        }
        let mut page = ListPage { items: Vec::with_capacity(limit.min(1024)), resume: None };
        while let Some(Reverse(head)) = merge.heads.pop() {
            let key = head.key.key();
            match head.found {
                Some(_) if page.items.len() >= limit => {
                    // A further live entry: the page is full, and more follows.
                    page.resume = page.items.last().map(|item| Box::from(&*item.key));
                    break;
                }
                Some(deadline) => {
                    page.items.push(item(head.key, deadline, precise, list.want));
                    merge.next_of(head.shard);
                }
                None if merge.examined >= BUDGET => {
                    // Every shard has been examined up to this key, and all that was live up to it is on the page.
                    page.resume = Some(key.into());
                    break;
                }
                None => {
                    let look = self.shards[head.shard].read().look(list.prefix, key, true, now, want, stride);
                    merge.add(head.shard, look);
                }
            }
        }
        self.counters.examined.fetch_add(merge.examined as u64, Relaxed);
        Ok(page)
    }

    /// Shard after shard, each in the order of its keys: an entry that stays is found, whatever moves around it.
    pub(crate) fn scan(&self, scan: Scan<'_>) -> Result<ScanPage> {
        self.check_open()?;
        let (now, precise) = (self.clock.coarse(), self.clock.now());
        let mut place = Place::start(scan.cursor)?;
        let mut page = ScanPage::default();
        let mut examined = 0;
        while let Some(shard) = self.shards.get(place.shard) {
            if page.items.len() >= scan.limit.max(1) || examined >= BUDGET {
                page.next = Some(place.cursor());
                return Ok(page);
            }
            let (from, exclusive) = place.from(scan.prefix);
            let want = scan.limit.max(1) - page.items.len();
            let look = shard.read().look(scan.prefix, from, exclusive, now, want.min(STRIDE), STRIDE);
            examined += look.examined;
            let items = look.live.into_iter().map(|found| item(found.record, found.deadline, precise, scan.want));
            page.items.extend(items);
            place.advance(look.last.as_ref().map(Record::key).filter(|_| !look.end));
        }
        Ok(page)
    }

    /// As scan, deleting.
    pub(crate) fn clear(&self, prefix: &[u8], cursor: Option<&ScanCursor>) -> Result<ClearStep> {
        self.check_open()?;
        let mut place = Place::start(cursor)?;
        let mut step = ClearStep::default();
        let mut examined = 0;
        while let Some(shard) = self.shards.get(place.shard) {
            if examined >= BUDGET / 4 {
                step.next = Some(place.cursor());
                return Ok(step);
            }
            let mut shard = shard.write();
            let now = self.clock.coarse();
            let (from, exclusive) = place.from(prefix);
            let matches = |slot: &u32| shard.key(*slot).starts_with(prefix);
            let slots: Vec<u32> = shard.slots(from, exclusive).take(STRIDE).take_while(matches).collect();
            let entries = shard.iter(from, exclusive).take(slots.len());
            let live = entries.filter(|record| !record.deadline().has_passed(now)).count();
            let freed: Vec<Record> = slots.iter().filter_map(|&slot| shard.remove_slot(slot)).collect();
            shard.tidy(2 * STRIDE);
            drop(shard);
            step.deleted += live as u64;
            examined += freed.len();
            place.advance(freed.last().map(Record::key).filter(|_| slots.len() == STRIDE));
        }
        Ok(step)
    }
}

/// Where a scan stands: a shard, and the last key done there (none: its beginning).
struct Place {
    shard: usize,
    after: Vec<u8>,
}

impl Place {
    fn start(cursor: Option<&ScanCursor>) -> Result<Place> {
        let Some(cursor) = cursor else { return Ok(Place { shard: 0, after: Vec::new() }) };
        let Some((shard, after)) = cursor.0.split_first_chunk() else {
            return Err(Error::invalid("not a cursor of this store"));
        };
        let shard = usize::try_from(u32::from_be_bytes(*shard)).unwrap_or(usize::MAX);
        Ok(Place { shard, after: after.to_vec() })
    }

    fn cursor(&self) -> ScanCursor {
        let shard = u32::try_from(self.shard).unwrap_or(u32::MAX);
        ScanCursor([&shard.to_be_bytes(), &*self.after].concat().into())
    }

    fn from<'a>(&'a self, prefix: &'a [u8]) -> (&'a [u8], bool) {
        if self.after.is_empty() { (prefix, false) } else { (&self.after, true) }
    }

    /// On to behind a key; without one, to the next shard.
    fn advance(&mut self, key: Option<&[u8]>) {
        self.after.clear();
        match key {
            Some(key) => self.after.extend_from_slice(key),
            None => self.shard += 1,
        }
    }
}
