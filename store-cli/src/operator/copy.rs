//! `store copy`: entries from a store to another, with their TTLs, compared afterwards.

use std::time::Instant;

use serde_json::json;
use store::codec::Raw;
use store::{Entry, Error, Expiry, Handle, Item, Kind, Payload, PutOptions, Result, Ttl};
use tokio::task::JoinSet;

use super::args::Copy;
use super::persist::{Tries, persist};
use crate::console::{NO, Output, Progress, Total, Trouble};
use crate::stores::{At, Seen};
use crate::text::readable;

/// How many conditional writes are under way at once.
const AT_ONCE: usize = 64;
/// How long it may take to learn how much there is.
const ESTIMATE: std::time::Duration = std::time::Duration::from_secs(1);
/// A batch of writes is sent at this many entries or bytes.
const BATCH: usize = 500;
const BATCH_BYTES: usize = 4 << 20;

/// What a copy did.
#[derive(Debug, Default, PartialEq)]
struct Counts {
    copied: u64,
    /// Entries that the target had, and keeps.
    kept: u64,
    /// Entries whose time ran out on the way.
    expired: u64,
    bytes: u64,
    /// Entries that both have, and alike.
    verified: u64,
    missing: u64,
    different: u64,
}

pub(crate) async fn copy(
    copy: &Copy,
    prefix: &[u8],
    from: At,
    to: At,
    seen: &Seen,
    out: &mut Output,
) -> Result<u8, Trouble> {
    let source = from.open(&copy.from).await?;
    let total = match source.info().ok().and_then(|info| info.backend.entries) {
        _ if !prefix.is_empty() || out.is_json() => None,
        Some(entries) => Some(Total::About(entries)),
        // Other stores may have keys in the same database.
        None => tokio::time::timeout(ESTIMATE, seen.keys()).await.ok().flatten().map(Total::AtMost),
    };
    let target = to.open(&copy.to).await?;
    let started = Instant::now();
    let mut going = Going { counts: Counts::default(), quiet: out.is_json() };
    let counts = &mut going.counts;
    let ended = async {
        let progress = Progress::new("copied", total, out.is_json());
        write_all(&source, &target, prefix, copy.keep_existing, counts, progress).await?;
        let progress = Progress::new("compared", Some(Total::About(counts.copied + counts.kept)), out.is_json());
        compare(&source, &target, prefix, counts, progress).await
    };
    if let Err(error) = ended.await {
        return Err(error.with_detail("copied", going.counts.copied).into());
    }
    report(&going.end(), started, copy.keep_existing, out)
}

/// A copy that is under way. Cut short, by a failure or by Ctrl-C, it says how to go on.
struct Going {
    counts: Counts,
    quiet: bool,
}

impl Going {
    fn end(mut self) -> Counts {
        self.quiet = true;
        std::mem::take(&mut self.counts)
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        if !self.quiet {
            let copied = readable::count(self.counts.copied);
            eprintln!("store: {copied} were copied before; go on with --keep-existing");
        }
    }
}

fn report(counts: &Counts, started: Instant, keep: bool, out: &mut Output) -> Result<u8, Trouble> {
    // Entries that the target had may differ: they were to stay as they are.
    let whole = counts.missing == 0 && (counts.different == 0 || keep);
    let object = json!({
        "copied": counts.copied,
        "kept": counts.kept,
        "expired": counts.expired,
        "bytes": counts.bytes,
        "verified": counts.verified,
        "missing": counts.missing,
        "different": counts.different,
        "seconds": started.elapsed().as_secs_f64(),
    });
    let mut line = format!("copied {}", readable::count(counts.copied));
    for (name, number, shown) in [
        ("kept", counts.kept, keep),
        ("expired on the way", counts.expired, counts.expired > 0),
        ("verified", counts.verified, true),
        ("missing", counts.missing, counts.missing > 0),
        ("different", counts.different, counts.different > 0),
    ] {
        if shown {
            line.push_str(&format!(", {name} {}", readable::count(number)));
        }
    }
    out.answer(&line, &object)?;
    if whole {
        return Ok(0);
    }
    if !out.is_json() {
        out.flush()?;
        eprintln!(
            "store: the target does not hold what the source does: one of them is being written to, or the target drops entries"
        );
    }
    Ok(NO)
}

/// Writes every entry of the source to the target.
async fn write_all(
    source: &Handle,
    target: &Handle,
    prefix: &[u8],
    keep: bool,
    counts: &mut Counts,
    mut progress: Progress,
) -> Result<()> {
    let mut scan = source.scan(prefix);
    while let Some(items) = persist(async || scan_next(&mut scan).await).await? {
        let read = Instant::now();
        let entries: Vec<(Box<[u8]>, Entry)> =
            items.into_iter().filter_map(|item| Some((item.key.into(), item.entry?))).collect();
        for entries in batches(&entries) {
            let mut items = Vec::with_capacity(entries.len());
            for (key, entry) in entries {
                match left(entry.ttl, read) {
                    Some(expiry) => items.push((&**key, &entry.value, expiry)),
                    None => counts.expired += 1,
                }
            }
            if keep {
                write_absent(target, items, counts).await?;
            } else {
                let bytes: usize = items.iter().map(|(key, value, _)| key.len() + value.len()).sum();
                let writes: Vec<(&[u8], Raw<'_>, Expiry)> =
                    items.iter().map(|(key, value, expiry)| (*key, Raw(value), *expiry)).collect();
                persist(async || target.set_many(&writes).await).await?;
                counts.copied += writes.len() as u64;
                counts.bytes += bytes as u64;
            }
            progress.at(counts.copied + counts.kept, counts.bytes);
        }
    }
    Ok(())
}

async fn scan_next(scan: &mut store::Scanning) -> Result<Option<Vec<Item>>> {
    scan.next().await
}

/// Writes entries that the target does not have, and only those, whoever else writes meanwhile.
async fn write_absent(target: &Handle, items: Vec<(&[u8], &Payload, Expiry)>, counts: &mut Counts) -> Result<()> {
    let mut writes: JoinSet<Result<Option<u64>>> = JoinSet::new();
    let mut items = items.into_iter();
    loop {
        while writes.len() < AT_ONCE
            && let Some((key, value, expiry)) = items.next()
        {
            writes.spawn(write_if_absent(target.clone(), key.into(), value.clone(), expiry));
        }
        let Some(written) = writes.join_next().await else { return Ok(()) };
        match written.unwrap_or_else(|error| Err(Error::internal("a write failed").with_source(error)))? {
            Some(bytes) => {
                counts.copied += 1;
                counts.bytes += bytes;
            }
            None => counts.kept += 1,
        }
    }
}

/// Gives the size of what was written; `None` if the target has the key.
async fn write_if_absent(target: Handle, key: Box<[u8]>, value: Payload, expiry: Expiry) -> Result<Option<u64>> {
    let options = PutOptions::new().expiry(expiry).only_if_absent();
    let mut tries = Tries::default();
    loop {
        match target.put(&key, &value, &options).await {
            Ok(_) => return Ok(Some((key.len() + value.len()) as u64)),
            Err(error) if error.kind() == Kind::AlreadyExists => return Ok(None),
            Err(error) => tries.again_after(error).await?,
        }
    }
}

/// Reads the source again and looks for every entry in the target.
async fn compare(
    source: &Handle,
    target: &Handle,
    prefix: &[u8],
    counts: &mut Counts,
    mut progress: Progress,
) -> Result<()> {
    let mut scan = source.scan(prefix);
    let mut bytes = 0;
    while let Some(items) = persist(async || scan_next(&mut scan).await).await? {
        let entries: Vec<(Box<[u8]>, Entry)> =
            items.into_iter().filter_map(|item| Some((item.key.into(), item.entry?))).collect();
        for entries in batches(&entries) {
            bytes += entries.iter().map(|(key, entry)| (key.len() + entry.value.len()) as u64).sum::<u64>();
            let keys: Vec<&[u8]> = entries.iter().map(|(key, _)| &**key).collect();
            let found: Vec<Option<Payload>> = persist(async || target.get_many(&keys).await).await?;
            for ((key, entry), found) in entries.iter().zip(found) {
                match found {
                    Some(found) if found == entry.value => counts.verified += 1,
                    Some(_) => counts.different += 1,
                    // It may have expired between the two looks.
                    None if entry.ttl != Ttl::Never && source.ttl(key).await?.is_none() => counts.expired += 1,
                    None => counts.missing += 1,
                }
            }
            progress.at(counts.verified + counts.different, bytes);
        }
    }
    Ok(())
}

/// What is left of a TTL that was read a while ago: the entry's time runs on while it is copied.
fn left(ttl: Ttl, read: Instant) -> Option<Expiry> {
    match ttl {
        Ttl::Never => Some(Expiry::Never),
        Ttl::Left(left) => left.checked_sub(read.elapsed()).filter(|left| !left.is_zero()).map(Expiry::After),
    }
}

/// Runs of entries that are neither too many nor too large for one round trip.
fn batches(entries: &[(Box<[u8]>, Entry)]) -> impl Iterator<Item = &[(Box<[u8]>, Entry)]> {
    let mut rest = entries;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |(key, entry): &&(Box<[u8]>, Entry)| {
            bytes += key.len() + entry.value.len();
            bytes <= BATCH_BYTES
        };
        let count = rest.iter().take(BATCH).take_while(fits).count().max(1).min(rest.len());
        let (batch, tail) = rest.split_at(count);
        rest = tail;
        (!batch.is_empty()).then_some(batch)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::Version;

    fn entry(size: usize) -> (Box<[u8]>, Entry) {
        let value = Payload::from(vec![0; size]);
        (Box::from(&b"k"[..]), Entry { value, version: Version::from_u64(1), ttl: Ttl::Never })
    }

    #[test]
    fn batches_are_bounded_by_count_and_bytes_and_lose_nothing() {
        let sizes = |entries: &[(Box<[u8]>, Entry)]| batches(entries).map(<[_]>::len).collect::<Vec<_>>();
        assert_eq!(sizes(&vec![entry(1); BATCH + 1]), [BATCH, 1]);
        assert_eq!(sizes(&vec![entry(BATCH_BYTES); 3]), [1, 1, 1], "one that is too large goes alone");
        assert_eq!(sizes(&[]), Vec::<usize>::new());
    }

    #[test]
    fn t6_time_runs_on_while_copying() {
        let read = Instant::now() - std::time::Duration::from_millis(50);
        assert_eq!(left(Ttl::Never, read), Some(Expiry::Never));
        assert_eq!(left(Ttl::Left(std::time::Duration::from_millis(20)), read), None);
        let Some(Expiry::After(rest)) = left(Ttl::Left(std::time::Duration::from_secs(1)), read) else { panic!() };
        assert!(rest <= std::time::Duration::from_millis(950));
    }
}
