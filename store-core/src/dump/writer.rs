//! Writing the format.

use std::fmt;
use std::io::{BufWriter, Write};

use super::format::{Checksum, END, ENTRY, FORMAT, HEAD, MAGIC, Record, failed};
use crate::{Error, Key, Result, Time};

/// Writes a dump, entry by entry. Without [`finish`](Writer::finish) it is not whole, and no [`Reader`](super::Reader) takes it
/// for whole.
pub struct Writer<W: Write> {
    out: BufWriter<W>,
    sum: Checksum,
    entries: u64,
    bytes: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a dump. `made` is the time of the export: for information only.
    ///
    /// # Errors
    /// UNAVAILABLE with reason `io`.
    pub fn new(out: W, made: Time) -> Result<Writer<W>> {
        let mut writer = Writer { out: BufWriter::new(out), sum: Checksum::default(), entries: 0, bytes: 0 };
        writer.put(&MAGIC)?;
        writer.put(&FORMAT.to_be_bytes())?;
        writer.put(&made.millis_floor().to_be_bytes())?;
        writer.put_sum()?;
        Ok(writer)
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// INVALID for a key that is none, or a value of 4 GiB or more: nothing is written then. UNAVAILABLE with reason `io`.
    pub fn write(&mut self, record: &Record) -> Result<()> {
        let Record { key, value, version, deadline } = record;
        Key::new(key)?;
        let version = version.to_string();
        let too_long = |what| Error::invalid(format!("{what} is too long for a dump"));
        let key_len = u16::try_from(key.len()).map_err(|_| too_long("the key"))?;
        let version_len = u16::try_from(version.len()).map_err(|_| too_long("the version"))?;
        let value_len = u32::try_from(value.len()).map_err(|_| too_long("the value"))?;
        let mut head = Vec::with_capacity(HEAD);
        head.push(ENTRY);
        head.extend(key_len.to_be_bytes());
        head.extend(version_len.to_be_bytes());
        head.extend(value_len.to_be_bytes());
        head.extend(deadline.as_millis().to_be_bytes());
        self.put(&head)?;
        self.put(key)?;
        self.put(version.as_bytes())?;
        self.put_sum()?;
        self.put(value)?;
        self.put_sum()?;
        self.entries += 1;
        Ok(())
    }

    /// Ends the dump and gives back what it was written to, flushed.
    ///
    /// # Errors
    /// UNAVAILABLE with reason `io`.
    pub fn finish(mut self) -> Result<W> {
        self.put(&[END])?;
        self.put(&self.entries.to_be_bytes())?;
        self.put_sum()?;
        let mut out = self.out.into_inner().map_err(|error| failed("writing the dump", error.into_error()))?;
        out.flush().map_err(|cause| failed("writing the dump", cause))?;
        Ok(out)
    }

    /// How many entries were added.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// How many bytes the dump has so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.sum.add(bytes);
        self.put_unsummed(bytes)
    }

    fn put_sum(&mut self) -> Result<()> {
        self.put_unsummed(&self.sum.now())
    }

    fn put_unsummed(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes += bytes.len() as u64;
        self.out.write_all(bytes).map_err(|cause| failed("writing the dump", cause))
    }
}

impl<W: Write> fmt::Debug for Writer<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("entries", &self.entries).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}
