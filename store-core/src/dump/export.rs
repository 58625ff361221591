//! From a store to a dump.

use std::io::Write;

use super::format::Record;
use super::pass::Pass;
use super::writer::Writer;
use crate::{Deadline, Handle, Result, Time, Ttl};

/// What an export has written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exported {
    /// Entries.
    pub entries: u64,
    /// Bytes of the dump.
    pub bytes: u64,
}

/// Writes every live entry with a prefix (an empty one means all), in one pass over the store, and says how many.
///
/// Memory is bounded by one page of the backend. `progress` hears of the sums after each page. Policy: `store.key.list` on the
/// prefix, and only entries that `store.key.get` allows, as in a listing. `out` is written to between the pages, and may block.
///
/// # Errors
/// INTERNAL with reason `foreign` or `corrupt` at the first entry that cannot be read, naming it: nothing is left out in
/// silence. As [`Handle::list`] otherwise; UNAVAILABLE with reason `io` if `out` fails. After an error the dump is not whole.
pub async fn export(
    handle: &Handle,
    prefix: &[u8],
    out: impl Write,
    mut progress: impl FnMut(&Exported),
) -> Result<Exported> {
    let done = async {
        let clock = &handle.slot().clock;
        let mut writer = Writer::new(out, clock.now())?;
        let mut pass = Pass::new(handle, prefix);
        while let Some(sight) = pass.next().await? {
            if let Some((key, error)) = sight.faults.into_iter().next() {
                return Err(error.or_detail("key", || (&*key).into()));
            }
            // After the page: what is left counts from a moment before, so that no deadline comes early.
            let now = clock.now();
            for (key, entry) in sight.entries {
                let deadline = deadline(now, entry.ttl);
                writer.write(&Record { key, value: entry.value, version: entry.version, deadline })?;
            }
            progress(&Exported { entries: writer.entries(), bytes: writer.bytes() });
        }
        let entries = writer.entries();
        let end = 1 + 8 + 4;
        let bytes = writer.bytes() + end;
        writer.finish()?;
        Ok(Exported { entries, bytes })
    };
    done.await.map_err(|error| error.with_detail("operation", "export").or_detail("store", || handle.id().into()))
}

fn deadline(now: Time, ttl: Ttl) -> Deadline {
    match ttl {
        Ttl::Never => Deadline::NEVER,
        // Never 0, which would mean never.
        Ttl::Left(left) => Deadline::from_millis((now + left).millis_ceil().max(1)),
    }
}
