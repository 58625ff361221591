//! Listing, scanning and clearing, each in bounded steps.

use std::ops::Bound::{Excluded, Included, Unbounded};
use std::sync::Arc;

use sled::IVec;
use store_core::{
    ClearStep, Holder, Item, KeyBuf, List, ListPage, Payload, Result, Scan, ScanCursor, ScanPage, Time, Want,
    prefix_end,
};

use crate::error::engine;
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

/// A page on its way. Values are not copied: each is left in the allocation that sled made for its record, and the page holds
/// them all.
struct Page {
    limit: usize,
    want: Want,
    items: Vec<Item>,
    records: Vec<Record>,
    /// Bytes of the records and of the large values.
    bytes: usize,
}

/// A record whose value is inside.
struct Record {
    bytes: IVec,
    /// Where the value begins.
    start: usize,
    /// Whose value it is.
    item: usize,
}

struct Records(Vec<Record>);

impl Holder for Records {
    fn bytes(&self, number: u32) -> &[u8] {
        self.0.get(number as usize).and_then(|record| record.bytes.get(record.start..)).unwrap_or_default()
    }
}

impl Page {
    fn new(limit: usize, want: Want) -> Page {
        let count = limit.min(1000);
        let records = Vec::with_capacity(if want == Want::Entries { count } else { 0 });
        Page { limit, want, items: Vec::with_capacity(count), records, bytes: 0 }
    }

    fn is_full(&self) -> bool {
        self.items.len() >= self.limit || self.bytes >= PAGE_BYTES
    }

    /// Adds a record that is live at `now`.
    fn push(&mut self, space: &Space, key: &[u8], found: Found, now: Time) -> Result<()> {
        let entry = match (self.want, found.head.large) {
            (Want::Keys, _) => None,
            (Want::Entries, None) => {
                let Found { record: bytes, head } = found;
                self.bytes += bytes.len();
                self.records.push(Record { bytes, start: head.start, item: self.items.len() });
                space.describe(&head, Payload::default(), now)
            }
            (Want::Entries, Some(_)) => {
                let whole = match space.value(&found)? {
                    Some(value) => space.describe(&found.head, value, now),
                    // Replaced in this moment.
                    None => space.entry(key)?,
                };
                let Some(entry) = whole else { return Ok(()) };
                self.bytes += entry.value.len();
                Some(entry)
            }
        };
        self.items.push(Item { key: KeyBuf::from(key), entry });
        Ok(())
    }

    fn finish(mut self) -> Vec<Item> {
        let places: Vec<usize> = self.records.iter().map(|record| record.item).collect();
        let records: Arc<Box<dyn Holder>> = Arc::new(Box::new(Records(self.records)));
        for (number, item) in (0..).zip(places) {
            if let Some(entry) = self.items.get_mut(item).and_then(|item| item.entry.as_mut()) {
                entry.value = Payload::held(Arc::clone(&records), number);
            }
        }
        self.items
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
                let live = !head.deadline.has_passed(now);
                let full = page.is_full();
                if examined >= EXAMINED || (full && (live || !exact)) {
                    // The page ends behind the last key examined: what expired in between need not be seen again.
                    let resume = last.map(|key| Box::from(&*key));
                    return Ok(Pass { items: page.finish(), resume });
                }
                if live && !full {
                    page.push(self, &key, Found { record, head }, now)?;
                }
                last = Some(key);
            }
            Ok(Pass { items: page.finish(), resume: None })
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
