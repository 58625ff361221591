//! From a dump to a store.

use std::future::{Future, poll_fn};
use std::io::Read;
use std::pin::Pin;
use std::task::Poll;

use super::format::{Record, pause};
use super::reader::Reader;
use crate::codec::validate;
use crate::{Error, Expiry, Handle, Kind, Payload, PutOptions, Result, Ttl, Value};

/// How many entries are written at once.
const BATCH: usize = 500;
/// How many bytes of values are written at once, about.
const BATCH_BYTES: usize = 4 << 20;
/// How many conditional writes are on their way at once: each waits for the server or the device by itself.
const AT_ONCE: usize = 64;

/// How to import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// Leave entries that are live in the store as they are, instead of overwriting them.
    pub keep_existing: bool,
}

/// What an import has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// Entries written.
    pub written: u64,
    /// Entries left as they were in the store: only with [`keep_existing`](ImportOptions::keep_existing).
    pub kept: u64,
    /// Entries skipped because they had expired.
    pub expired: u64,
    /// Bytes of the dump that were read.
    pub bytes: u64,
}

/// Writes the entries of a dump to a store and says how many. Other keys of the store are not touched.
///
/// Memory is bounded by one batch, a few MiB, or one value. `progress` hears of the sums after each batch. Every entry is
/// an ordinary write of the caller: policy (`store.key.set`), limits, `max_ttl` and `ttl_jitter` of the store hold for it, and it
/// is as durable as the store's writes are. `input` is read between the batches, and may block.
///
/// # Errors
/// As [`Reader`] and [`Handle::set_many`]; INTERNAL with reason `foreign` for a value that is none. An import that fails has
/// written what came before: `written`, `kept` and `expired` in the details say how many entries, `unknown` (if it is there) of
/// how many nobody knows. Importing again is harmless.
pub async fn import(
    handle: &Handle,
    input: impl Read,
    options: &ImportOptions,
    mut progress: impl FnMut(&Imported),
) -> Result<Imported> {
    let mut done = Imported::default();
    match run(handle, input, options, &mut done, &mut progress).await {
        Ok(()) => Ok(done),
        Err(error) => Err(error
            .with_detail("operation", "import")
            .or_detail("store", || handle.id().into())
            .with_detail("written", done.written)
            .with_detail("kept", done.kept)
            .with_detail("expired", done.expired)),
    }
}

async fn run(
    handle: &Handle,
    input: impl Read,
    options: &ImportOptions,
    done: &mut Imported,
    progress: &mut impl FnMut(&Imported),
) -> Result<()> {
    handle.check()?;
    let limits = handle.settings().limits;
    let mut reader = Reader::new(input)?.limit(limits.max_value_size);
    loop {
        let (mut batch, mut bytes, mut failed) = (Vec::new(), 0, None);
        while batch.len() < BATCH && bytes < BATCH_BYTES {
            let record = reader.next().transpose();
            let valid = record.and_then(|record| match record {
                Some(record) => match validate(&record.value, &limits) {
                    Ok(()) => Ok(Some(record)),
                    Err(error) => Err(error.or_detail("key", || (&*record.key).into())),
                },
                None => Ok(None),
            });
            match valid {
                Ok(Some(record)) => {
                    bytes += record.value.len();
                    batch.push(record);
                }
                Ok(None) => break,
                Err(error) => {
                    failed = Some(error.or_detail("offset", || reader.offset().into()));
                    break;
                }
            }
        }
        let last = batch.len() < BATCH && bytes < BATCH_BYTES;
        // What came before damage was checked, and is written.
        write(handle, batch, options, done).await?;
        done.bytes = reader.offset();
        progress(done);
        match failed {
            Some(error) => return Err(error),
            None if last => return Ok(()),
            None => pause().await,
        }
    }
}

async fn write(handle: &Handle, batch: Vec<Record>, options: &ImportOptions, done: &mut Imported) -> Result<()> {
    let now = handle.slot().clock.now();
    let mut items: Vec<(Box<[u8]>, Payload, Expiry)> = Vec::with_capacity(batch.len());
    for record in batch {
        let expiry = match record.deadline.left(now) {
            None => {
                done.expired += 1;
                continue;
            }
            Some(Ttl::Never) => Expiry::Never,
            Some(Ttl::Left(left)) => Expiry::After(left),
        };
        items.push((record.key, record.value, expiry));
    }
    if items.is_empty() {
        return Ok(());
    }
    if options.keep_existing {
        return write_absent(handle, &items, done).await;
    }
    match handle.set_many(&items).await {
        Ok(()) => {
            done.written += items.len() as u64;
            Ok(())
        }
        Err(error) => {
            let (written, unknown) = applied(&error, items.len());
            done.written += written;
            Err(if unknown > 0 { error.with_detail("unknown", unknown) } else { error })
        }
    }
}

/// Of a batch that failed: how many items were written, and of how many nobody knows.
fn applied(error: &Error, items: usize) -> (u64, u64) {
    let count = |name| match error.detail(name) {
        Some(Value::Array(items)) => Some(items.len()),
        _ => None,
    };
    match (count("not_applied"), count("unknown")) {
        (None, None) if error.outcome() == crate::Outcome::Unknown => (0, items as u64),
        (None, None) => (0, 0),
        (not_applied, unknown) => {
            let unknown = unknown.unwrap_or(0);
            let written = items.saturating_sub(not_applied.unwrap_or(0)).saturating_sub(unknown);
            (written as u64, unknown as u64)
        }
    }
}

async fn write_absent(handle: &Handle, items: &[(Box<[u8]>, Payload, Expiry)], done: &mut Imported) -> Result<()> {
    for some in items.chunks(AT_ONCE) {
        let mut puts: Vec<Pin<Box<_>>> = Vec::with_capacity(some.len());
        for (key, value, expiry) in some {
            let options = PutOptions { expiry: *expiry, only_if_absent: true, ..PutOptions::default() };
            puts.push(Box::pin(async move { handle.put(key, value, &options).await }));
        }
        let (mut failed, mut unknown) = (None, 0_u64);
        for put in all(puts).await {
            match put {
                Ok(_) => done.written += 1,
                Err(error) if error.kind() == Kind::AlreadyExists => done.kept += 1,
                Err(error) => {
                    unknown += u64::from(error.outcome() == crate::Outcome::Unknown);
                    failed.get_or_insert(error);
                }
            }
        }
        if let Some(error) = failed {
            return Err(if unknown > 0 { error.with_detail("unknown", unknown) } else { error });
        }
    }
    Ok(())
}

/// The results of some futures that run together, in the order in which they end.
async fn all<T>(mut futures: Vec<Pin<Box<impl Future<Output = T>>>>) -> Vec<T> {
    let mut results = Vec::with_capacity(futures.len());
    poll_fn(|cx| {
        futures.retain_mut(|future| match future.as_mut().poll(cx) {
            Poll::Ready(result) => {
                results.push(result);
                false
            }
            Poll::Pending => true,
        });
        if futures.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    results
}
