//! Listing, scanning and clearing, each in bounded steps.

use std::ops::Bound::{Excluded, Included, Unbounded};

use sled::IVec;
use store_core::{ClearStep, Item, List, ListPage, Result, Scan, ScanCursor, ScanPage, Want, prefix_end};

use crate::record::Head;
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
        let now = self.clock.coarse();
        let mut items: Vec<Item> = Vec::with_capacity(limit.min(1000));
        let mut examined = 0;
        let mut bytes = 0;
        let mut last: Option<IVec> = None;
        let mut rest = self.range(prefix, after);
        loop {
            let Some((key, record)) = self.db.read(|| rest.next().transpose())? else {
                return Ok(Pass { items, resume: None });
            };
            let head = Head::read(&record).map_err(|error| with_key(error, &key))?;
            let live = !head.deadline.has_passed(now);
            let full = items.len() >= limit || bytes >= PAGE_BYTES;
            if full && (live || !exact) {
                // The page ends behind the last key examined: what expired in between need not be seen again.
                return Ok(Pass { items, resume: last.map(|key| Box::from(&*key)) });
            }
            examined += 1;
            if live && !full {
                let entry = match want {
                    Want::Keys => None,
                    Want::Entries => match self.value(&Found { record, head })? {
                        Some(value) => self.describe(&head, value),
                        None => self.entry(&key)?,
                    },
                };
                bytes += entry.as_ref().map_or(0, |entry| entry.value.len());
                if entry.is_some() || want == Want::Keys {
                    items.push(Item { key: Box::from(&*key), entry });
                }
            }
            if examined >= EXAMINED {
                return Ok(Pass { items, resume: Some(Box::from(&*key)) });
            }
            last = Some(key);
        }
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
