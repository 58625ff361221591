//! Listing and clearing: bounded pages, filtered by what the caller may see.

use std::fmt;
use std::pin::{Pin, pin};
use std::task::{Context as TaskContext, Poll, Waker, ready};
use std::time::Instant;

use futures_core::Stream;

use super::call::{question, told};
use super::cursor::{decode_cursor, encode_cursor};
use super::{Handle, ListOptions, Page};
use crate::observe::Operation;
use crate::policy::Action;
use crate::slot::deadline;
use crate::{BoxFuture, Entry, Error, Key, Kind, List, Outcome, Result, Scan, ScanCursor, Want};

/// How many entries one step of a filtered clear looks at.
const CLEAR_STEP: usize = 500;

/// After this many pages of the backend a filtered page may end early, with `has_more`.
const FILTER_ROUNDS: usize = 10;

/// Whether a listing may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Answer now, or not at all.
    Now,
    /// Wait if need be.
    Wait,
}

/// Why a listing ended without a page.
#[derive(Debug)]
enum Stop {
    /// It would have had to wait, and nothing was started.
    WouldWait,
    /// It failed.
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Failed(error)
    }
}

impl Handle {
    /// One page of the live entries, in byte order.
    ///
    /// Entries that the caller may not read are left out. A page may end early, with `has_more`, at the backend's budget of
    /// examined entries; otherwise `has_more` is exact.
    ///
    /// Complexity: O(log n + entries examined) on memory and sled; see the backend for others.
    ///
    /// # Errors
    /// INVALID (limit, cursor, released), PERMISSION_DENIED, TIMEOUT (`scan_timeout`), UNAVAILABLE, INTERNAL.
    pub async fn list(&self, options: &ListOptions) -> Result<Page> {
        let limit = self.settings().scan_timeout;
        let page = async {
            match deadline(&*self.slot().timer, limit, self.list_in(Mode::Wait, options)).await {
                None => Err(scan_timeout(limit)),
                Some(Err(Stop::Failed(error))) => Err(error),
                // Only `Mode::Now` stops like this.
                Some(Err(Stop::WouldWait)) => Err(Error::internal("the listing stopped where it should have waited")),
                Some(Ok(page)) => Ok(page),
            }
        };
        self.wait(Operation::List, None, pin!(page)).await
    }

    /// [`list`](Handle::list), at once or not at all.
    pub fn try_list(&self, options: &ListOptions) -> Option<Result<Page>> {
        let slot = self.slot();
        let mut watch = slot.watch(Operation::List, None);
        let mut cx = TaskContext::from_waker(Waker::noop());
        // Nothing is awaited in this mode, so one poll ends it.
        let done = watch.run(|| pin!(self.list_in(Mode::Now, options)).poll(&mut cx));
        let answer = match done {
            // Nothing was started: nobody is told.
            Poll::Ready(Err(Stop::WouldWait)) | Poll::Pending => return None,
            Poll::Ready(Err(Stop::Failed(error))) => Err(error),
            Poll::Ready(Ok(page)) => Ok(page),
        };
        Some(told(slot, Operation::List, None, watch, answer))
    }

    async fn list_in(&self, mode: Mode, options: &ListOptions) -> Result<Page, Stop> {
        let call = self.call()?;
        let after = self.check_list(options)?;
        call.allow_all(Action::KeyList, Some(&options.prefix))?;
        let visible = if options.keys_only { Action::KeyHas } else { Action::KeyGet };
        let want = if options.keys_only { Want::Keys } else { Want::Entries };
        let rights = self.rights();
        let see = |key: &[u8]| rights.access.allows(visible, Some(key));
        let filtered = rights.access.depends_on_key(visible);
        if !filtered && !see(&[]) {
            return Ok(Page::default());
        }

        let started = Instant::now();
        let mut page = Page::default();
        let mut position = after;
        let mut rounds = 0;
        // Without a filter this runs once. With one it goes on until the page is full of what the caller may see and it is
        // known whether more follows; a cursor must not carry a key that he may not see.
        loop {
            let missing = options.limit - page.items.len();
            let ask = if filtered { ListOptions::MAX_LIMIT } else { missing };
            let resume = {
                let list = List { prefix: &options.prefix, after: position.as_deref(), limit: ask, want };
                let cx = self.context();
                let asked = question(move |store| store.try_list(cx, list), move |store| store.list(cx, list));
                let found = match mode {
                    Mode::Now => call.again().ask_now(&asked).ok_or(Stop::WouldWait)??,
                    Mode::Wait => call.again().ask(asked).await?,
                };
                for item in found.items {
                    if !filtered || see(&item.key) {
                        if page.items.len() == options.limit {
                            page.has_more = true;
                            break;
                        }
                        page.items.push(item);
                    }
                }
                found.resume
            };
            if page.has_more {
                // One more was seen than fits: go on after the last that fits.
                page.cursor = page.items.last().map(|item| encode_cursor(self.id(), &item.key));
                return Ok(page);
            }
            let Some(resume) = resume else { return Ok(page) };
            rounds += 1;
            // Early, at the budget: but only at a key that the caller may see, and with room for what comes.
            if !filtered || (rounds >= FILTER_ROUNDS && page.items.len() < options.limit && see(&resume)) {
                page.has_more = true;
                page.cursor = Some(encode_cursor(self.id(), &resume));
                return Ok(page);
            }
            if started.elapsed() >= self.settings().scan_timeout {
                return Err(scan_timeout(self.settings().scan_timeout).into());
            }
            position = Some(resume.into_vec());
        }
    }

    /// # Errors
    /// INVALID for a limit outside 1 to 1000, a prefix longer than any key, a cursor that is not this store's.
    fn check_list(&self, options: &ListOptions) -> Result<Option<Vec<u8>>> {
        if !(1..=ListOptions::MAX_LIMIT).contains(&options.limit) {
            return Err(Error::invalid(format!(
                "limit must be 1 to {}, got {}",
                ListOptions::MAX_LIMIT,
                options.limit
            ))
            .with_detail("limit", ListOptions::MAX_LIMIT));
        }
        options.after.as_deref().map(|cursor| decode_cursor(self.id(), cursor)).transpose()
    }

    /// All live entries with a prefix, in byte order, page by page.
    ///
    /// The stream ends after its first error. Pages are fetched as it is polled.
    #[must_use]
    pub fn each(&self, prefix: impl Into<Vec<u8>>) -> Entries {
        Entries {
            handle: self.clone(),
            options: ListOptions::prefix(prefix).limit(ListOptions::MAX_LIMIT / 2),
            ready: Vec::new().into_iter(),
            next: Next::Start,
        }
    }

    /// Deletes all live entries of this store with a prefix (an empty one means all) and says how many.
    ///
    /// Works in bounded steps; entries written meanwhile may or may not be deleted. Keys that the caller may not delete are
    /// left, and not told.
    ///
    /// # Errors
    /// INVALID (released), PERMISSION_DENIED, UNAVAILABLE, INTERNAL, TIMEOUT (`scan_timeout`). Whatever cut it short, `deleted`
    /// in the details says how many were deleted before.
    pub async fn clear(&self, prefix: impl AsRef<[u8]>) -> Result<u64> {
        let (prefix, limit) = (prefix.as_ref(), self.settings().scan_timeout);
        let clear = async {
            let mut deleted = 0;
            let ended = deadline(&*self.slot().timer, limit, self.clear_in(prefix, &mut deleted)).await;
            let answer = ended.unwrap_or_else(|| Err(scan_timeout(limit).with_outcome(Outcome::Unknown)));
            answer.map(|()| deleted).map_err(|error| error.with_detail("deleted", deleted))
        };
        self.wait(Operation::Clear, None, pin!(clear)).await
    }

    async fn clear_in(&self, prefix: &[u8], deleted: &mut u64) -> Result<()> {
        let call = self.call()?;
        call.allow_all(Action::KeyList, Some(prefix))?;
        let rights = self.rights();
        let slot = call.slot;
        slot.check_open()?;
        let cx = self.context();
        let mut cursor: Option<ScanCursor> = None;
        if !rights.access.depends_on_key(Action::KeyDelete) {
            call.allow_all(Action::KeyDelete, None)?;
            loop {
                let step = slot.run(slot.store.clear(cx, prefix, cursor.as_ref())).await?;
                *deleted += step.deleted;
                cursor = match step.next {
                    Some(next) => Some(next),
                    None => return Ok(()),
                };
            }
        }
        loop {
            let scan = Scan { prefix, cursor: cursor.as_ref(), limit: CLEAR_STEP, want: Want::Keys };
            let page = slot.run(slot.store.scan(cx, scan)).await?;
            let keys = page.items.iter().filter(|item| rights.access.allows(Action::KeyDelete, Some(&item.key)));
            let keys = keys.map(|item| Key::new(&*item.key)).collect::<Result<Vec<_>>>()?;
            for keys in keys.chunks(super::MAX_BATCH) {
                let gone = slot.run(slot.store.delete_many(cx, keys)).await?;
                *deleted += gone.iter().filter(|gone| **gone).count() as u64;
            }
            cursor = match page.next {
                Some(next) => Some(next),
                None => return Ok(()),
            };
        }
    }
}

fn scan_timeout(limit: std::time::Duration) -> Error {
    Error::new(Kind::Timeout, format!("not done within scan_timeout ({limit:?})"))
}

/// The entries of [`Handle::each`].
pub struct Entries {
    handle: Handle,
    options: ListOptions,
    ready: std::vec::IntoIter<crate::Item>,
    next: Next,
}

enum Next {
    Start,
    Loading(BoxFuture<'static, Result<Page>>),
    Cursor(String),
    End,
}

impl Stream for Entries {
    type Item = Result<(Box<[u8]>, Entry)>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(item) = this.ready.next() {
                let Some(entry) = item.entry else { continue };
                return Poll::Ready(Some(Ok((item.key.into(), entry))));
            }
            let mut loading = match std::mem::replace(&mut this.next, Next::End) {
                Next::End => return Poll::Ready(None),
                Next::Loading(loading) => loading,
                Next::Start => this.load(None),
                Next::Cursor(cursor) => this.load(Some(cursor)),
            };
            let page = match loading.as_mut().poll(cx) {
                Poll::Ready(page) => page,
                Poll::Pending => {
                    this.next = Next::Loading(loading);
                    return Poll::Pending;
                }
            };
            match page {
                Err(error) => return Poll::Ready(Some(Err(error))),
                Ok(page) => {
                    this.ready = page.items.into_iter();
                    if let Some(cursor) = page.cursor {
                        this.next = Next::Cursor(cursor);
                    }
                }
            }
        }
    }
}

impl Entries {
    fn load(&self, after: Option<String>) -> BoxFuture<'static, Result<Page>> {
        let handle = self.handle.clone();
        let options = ListOptions { after, ..self.options.clone() };
        Box::pin(async move { handle.list(&options).await })
    }

    /// The next entry: for callers without a stream library.
    ///
    /// # Errors
    /// As [`Handle::list`].
    pub async fn next(&mut self) -> Option<Result<(Box<[u8]>, Entry)>> {
        std::future::poll_fn(|cx| Poll::Ready(ready!(Pin::new(&mut *self).poll_next(cx)))).await
    }
}

impl fmt::Debug for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entries").field("handle", &self.handle).finish_non_exhaustive()
    }
}
