//! Listing, scanning and clearing, each in bounded steps.

use std::ops::Bound::{Excluded, Included, Unbounded};
use std::sync::Arc;

use sled::IVec;
use store_core::{
    ClearStep, Item, List, ListPage, Payload, Result, Scan, ScanCursor, ScanPage, Time, Want, prefix_end,
};

use crate::error::engine;
use crate::record::{Head, payload};
use crate::space::{Found, Space, with_key};

/// Entries that one page examines at most: a run of expired ones ends the page and not the caller's patience.
pub(crate) const EXAMINED: usize = 4096;
/// Bytes of values after which a page ends, so that a page of large values fits into memory.
const PAGE_BYTES: usize = 16 << 20;
/// Keys that one step of a clear examines.
const CLEARED: usize = 128;

/// What a pass over keys in order brought.
struct Pass {
    items: Vec<Item>,
    /// The last key examined, if more may follow.
    resume: Option<Box<[u8]>>,
}

/// Entries on their way into a page. All values end in one allocation: one for each would cost more than sled does.
struct Page {
    limit: usize,
    want: Want,
    found: Vec<(IVec, Found, Option<Payload>)>,
    bytes: usize,
}

impl Page {
    fn new(limit: usize, want: Want) -> Page {
        Page { limit, want, found: Vec::with_capacity(limit.min(1000)), bytes: 0 }
    }

    fn is_full(&self) -> bool {
        self.found.len() >= self.limit || self.bytes >= PAGE_BYTES
    }

    fn push(&mut self, space: &Space, key: IVec, found: Found) -> Result<()> {
        if found.head.large.is_none() || self.want == Want::Keys {
            self.bytes += payload(&found.record).len();
            self.found.push((key, found, None));
            return Ok(());
        }
        let whole = match space.value(&found)? {
            Some(value) => Some((found, value)),
            // Replaced in this moment.
            None => space.read(&key)?,
        };
        if let Some((found, value)) = whole {
            self.bytes += value.len();
            self.found.push((key, found, Some(value)));
        }
        Ok(())
    }

    fn finish(self, space: &Space, now: Time) -> Vec<Item> {
        if self.want == Want::Keys {
            return self.found.into_iter().map(|(key, ..)| Item { key: Box::from(&*key), entry: None }).collect();
        }
        let mut values = Vec::with_capacity(self.found.iter().map(|(_, found, _)| payload(&found.record).len()).sum());
        for (_, found, _) in &self.found {
            values.extend_from_slice(payload(&found.record));
        }
        let values: Arc<[u8]> = Arc::from(values);
        let mut end = 0;
        let mut items = Vec::with_capacity(self.found.len());
        for (key, found, large) in self.found {
            let start = end;
            end += payload(&found.record).len();
            let value = large.unwrap_or_else(|| Payload::shared(Arc::clone(&values), start..end));
            let entry = space.describe(&found.head, value, now);
            if entry.is_some() {
                items.push(Item { key: Box::from(&*key), entry });
            }
        }
        items
    }
}

impl Space {
    /// One page, in byte order.
    pub(crate) fn list(&self, list: List<'_>) -> Result<ListPage> {
        let pass = self.pass(list.prefix, list.after, list.limit, list.want, true)?;
        Ok(ListPage { items: pass.items, resume: pass.resume })
    }

    /// One step over everything; here in byte order, too.
    pub(crate) fn scan(&self, scan: Scan<'_>) -> Result<ScanPage> {
        let after = scan.cursor.map(|cursor| &*cursor.0);
        let pass = self.pass(scan.prefix, after, scan.limit.max(1), scan.want, false)?;
        Ok(ScanPage { items: pass.items, next: pass.resume.map(ScanCursor) })
    }

    /// Live entries after a key. With `exact` a full page looks ahead for one more, so that a next page is never promised
    /// in vain.
    fn pass(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize, want: Want, exact: bool) -> Result<Pass> {
        self.db.guard(|| {
            // One moment for the whole page.
            let now = self.clock.coarse();
            let mut page = Page::new(limit, want);
            let mut last: Option<IVec> = None;
            for (examined, next) in self.range(prefix, after).enumerate() {
                let (key, record) = next.map_err(engine)?;
                let head = Head::read(&record).map_err(|error| with_key(error, &key))?;
                let live = !head.expiry.has_passed(now);
                let full = page.is_full();
                if examined >= EXAMINED || (full && (live || !exact)) {
                    // The page ends behind the last key examined: what expired in between need not be seen again.
                    let resume = last.map(|key| Box::from(&*key));
                    return Ok(Pass { items: page.finish(self, now), resume });
                }
                if live && !full {
                    page.push(self, key.clone(), Found { record, head })?;
                }
                last = Some(key);
            }
            Ok(Pass { items: page.finish(self, now), resume: None })
        })
    }

    fn range(&self, prefix: &[u8], after: Option<&[u8]>) -> sled::Iter {
        let end = prefix_end(prefix).map_or(Unbounded, |end| Excluded(IVec::from(end)));
        let start = match after {
            Some(after) if after >= prefix => Excluded(IVec::from(after)),
            _ => Included(IVec::from(prefix)),
        };
        self.data.range::<IVec, _>((start, end))
    }

    /// One step of deleting everything with a prefix.
    pub(crate) fn clear(&self, prefix: &[u8], cursor: Option<&ScanCursor>) -> Result<ClearStep> {
        let range = self.range(prefix, cursor.map(|cursor| &*cursor.0));
        let keys = self.db.read(|| range.take(CLEARED).keys_only())?;
        let mut deleted = 0;
        for key in &keys {
            deleted += u64::from(self.clear_key(key)?);
        }
        let next = keys.last().filter(|_| keys.len() == CLEARED);
        Ok(ClearStep { deleted, next: next.map(|key| ScanCursor(Box::from(&**key))) })
    }
}

trait KeysOnly {
    fn keys_only(self) -> sled::Result<Vec<IVec>>;
}

impl<I: Iterator<Item = sled::Result<(IVec, IVec)>>> KeysOnly for I {
    fn keys_only(self) -> sled::Result<Vec<IVec>> {
        self.map(|entry| entry.map(|(key, _)| key)).collect()
    }
}
