//! What tools do with a whole store: ask whether it is there, and read all of it in one pass.

use std::fmt;
use std::pin::pin;

use super::Handle;
use crate::observe::{Operation, Tally};
use crate::policy::Action;
use crate::slot::deadline;
use crate::{Error, Item, Kind, Result, Scan, ScanCursor, Want};

/// About how many entries one step brings.
const STEP: usize = 500;

impl Handle {
    /// Asks the backend whether it can serve: one round trip.
    ///
    /// # Errors
    /// INVALID (released), PERMISSION_DENIED (of `store.info`), UNAVAILABLE, TIMEOUT, INTERNAL.
    pub async fn ping(&self) -> Result<()> {
        let answer = async {
            let call = self.call()?;
            call.allow_all(Action::Info, None)?;
            call.slot.ping().await
        };
        self.wait(Operation::Ping, None, pin!(answer)).await
    }

    /// All live entries with a prefix, in any order, in one pass over the store: for copies and exports. An entry that is live
    /// throughout comes at least once. Entries that the caller may not read are left out.
    #[must_use]
    pub fn scan(&self, prefix: impl Into<Vec<u8>>) -> Scanning {
        Scanning { handle: self.clone(), prefix: prefix.into(), next: Next::Start }
    }
}

/// A pass over a store: [`Handle::scan`].
pub struct Scanning {
    handle: Handle,
    prefix: Vec<u8>,
    next: Next,
}

/// What one step brought; it looks for no key in particular.
struct Step(Vec<Item>);

impl Tally for Step {
    fn tally(&self) -> (u64, u64) {
        (0, 0)
    }
}

enum Next {
    Start,
    At(ScanCursor),
    End,
}

impl Scanning {
    /// The next entries, perhaps none; `None` at the end. After an error the same step can be asked for again.
    ///
    /// # Errors
    /// INVALID (released), PERMISSION_DENIED (of `store.key.list` on the prefix), UNAVAILABLE, INTERNAL, TIMEOUT (`scan_timeout`,
    /// for each step).
    pub async fn next(&mut self) -> Result<Option<Vec<Item>>> {
        self.bring(Want::Entries).await
    }

    /// As [`next`](Scanning::next), keys alone: also where a step holds something that cannot be read as an entry.
    pub(crate) async fn next_keys(&mut self) -> Result<Option<Vec<Item>>> {
        self.bring(Want::Keys).await
    }

    async fn bring(&mut self, want: Want) -> Result<Option<Vec<Item>>> {
        if matches!(self.next, Next::End) {
            return Ok(None);
        }
        let handle = self.handle.clone();
        let limit = handle.settings().scan_timeout;
        let step = async {
            let step = deadline(&*handle.slot().timer, limit, self.step(want)).await;
            let late = || Error::new(Kind::Timeout, format!("not done within scan_timeout ({limit:?})"));
            Ok(Step(step.unwrap_or_else(|| Err(late()))?))
        };
        let step = handle.wait(Operation::Scan, None, pin!(step)).await;
        step.map(|Step(items)| Some(items))
    }

    async fn step(&mut self, want: Want) -> Result<Vec<Item>> {
        let handle = &self.handle;
        let call = handle.call()?;
        call.allow_all(Action::KeyList, Some(&self.prefix))?;
        let slot = call.slot;
        slot.check_open()?;
        let cursor = match &self.next {
            Next::At(cursor) => Some(cursor),
            Next::Start | Next::End => None,
        };
        let scan = Scan { prefix: &self.prefix, cursor, limit: STEP, want };
        let page = slot.run(slot.store.scan(handle.context(), scan)).await?;
        let rights = handle.rights();
        let visible = |item: &Item| rights.access.allows(Action::KeyGet, Some(&item.key));
        let items = page.items.into_iter().filter(visible).collect();
        self.next = page.next.map_or(Next::End, Next::At);
        Ok(items)
    }
}

impl fmt::Debug for Scanning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scanning").field("handle", &self.handle).finish_non_exhaustive()
    }
}
