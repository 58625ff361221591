//! One pass over a store, in any order, which tells entries from bytes that are none.

use super::format::pause;
use crate::codec::{Limits, MAX_DEPTH, validate};
use crate::{Entry, Error, Handle, Kind, Payload, Result, Scanning};

/// What a value must be, whatever the store allows today.
const READABLE: Limits = Limits { max_value_size: usize::MAX, max_depth: MAX_DEPTH };

pub(super) struct Pass<'a> {
    handle: &'a Handle,
    scanning: Scanning,
}

/// What a page brought.
#[derive(Default)]
pub(super) struct Sight {
    pub(super) entries: Vec<(Box<[u8]>, Entry)>,
    pub(super) faults: Vec<(Box<[u8]>, Error)>,
}

impl<'a> Pass<'a> {
    pub(super) fn new(handle: &'a Handle, prefix: &[u8]) -> Pass<'a> {
        Pass { handle, scanning: handle.scan(prefix) }
    }

    /// The next page; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Sight>> {
        let found = match self.scanning.next().await {
            // One record that is not ours spoils a page: look key by key which it is.
            Err(error) if is_fault(&error) => self.scanning.next_keys().await.map_err(|_| error)?,
            found => found?,
        };
        let Some(items) = found else { return Ok(None) };
        let mut sight = Sight::default();
        for item in items {
            let entry = match item.entry {
                Some(entry) => Ok(Some(entry)),
                None => self.look(&item.key).await,
            };
            let entry = entry.and_then(|entry| match entry {
                Some(entry) => validate(&entry.value, &READABLE).map(|()| Some(entry)).map_err(foreign),
                None => Ok(None),
            });
            match entry {
                Ok(Some(entry)) => sight.entries.push((item.key.into(), entry)),
                Ok(None) => {}
                Err(error) if is_fault(&error) => sight.faults.push((item.key.into(), error)),
                Err(error) => return Err(error),
            }
        }
        pause().await;
        Ok(Some(sight))
    }

    async fn look(&self, key: &[u8]) -> Result<Option<Entry>> {
        let entry = self.handle.entry::<Payload>(key).await?;
        Ok(entry.map(|entry| Entry { value: entry.value, version: entry.version, ttl: entry.ttl }))
    }
}

/// Whether the error is about the bytes of one entry.
fn is_fault(error: &Error) -> bool {
    error.kind() == Kind::Internal && matches!(error.reason(), Some("foreign" | "corrupt"))
}

fn foreign(cause: Error) -> Error {
    if is_fault(&cause) { cause } else { Error::foreign("the key holds something that is no value").with_source(cause) }
}
