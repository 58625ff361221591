//! Reading the format: nothing is believed before its checksum was seen, and no length before its bytes are there.

use std::fmt;
use std::io::{BufReader, ErrorKind, Read};

use super::format::{Checksum, END, ENTRY, FORMAT, HEAD, MAGIC, Record, failed};
use crate::{Deadline, Error, Key, Payload, Result, Time, Version};

/// The entries of a dump, one by one. Ends after the first error.
///
/// # Errors
/// Each item may be one: INTERNAL with reason `corrupt` and `offset` in the details where the dump is damaged or not whole;
/// INVALID with `limit` for a value larger than allowed; UNAVAILABLE with reason `io`.
pub struct Reader<R> {
    input: BufReader<R>,
    sum: Checksum,
    offset: u64,
    entries: u64,
    made: Time,
    max_value_size: usize,
    ended: bool,
}

impl<R: Read> Reader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// INVALID: these bytes are no dump, or one in a newer format. INTERNAL with reason `corrupt`. UNAVAILABLE with reason `io`.
    pub fn new(input: R) -> Result<Reader<R>> {
        let mut reader = Reader {
            input: BufReader::new(input),
            sum: Checksum::default(),
            offset: 0,
            entries: 0,
            made: Time::default(),
            max_value_size: usize::MAX,
            ended: false,
        };
        let mut magic = [0; MAGIC.len()];
        let length = reader.read(&mut magic)?;
        if length == 0 || magic[..length] != MAGIC[..length] {
            return Err(Error::invalid("this is no dump of a store").with_reason("format"));
        }
        if length < MAGIC.len() {
            return Err(reader.not_whole());
        }
        reader.sum.add(&magic);
        let format = u32::from_be_bytes(reader.array()?);
        reader.made = Time::from_millis(u64::from_be_bytes(reader.array()?));
        reader.check(0)?;
        if format != FORMAT {
            let message = format!("the dump has format {format}, and this version reads format {FORMAT}");
            return Err(Error::invalid(message).with_reason("format"));
        }
        Ok(reader)
    }

    /// Refuses values of more bytes than this, before they are read. No limit if not given.
    #[must_use]
    pub fn limit(mut self, max_value_size: usize) -> Reader<R> {
        self.max_value_size = max_value_size;
        self
    }

    /// When the dump was made.
    #[must_use]
    pub fn made(&self) -> Time {
        self.made
    }

    /// How many bytes were read.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    fn record(&mut self) -> Result<Option<Record>> {
        let start = self.offset;
        match self.array()? {
            [ENTRY] => self.entry(start).map(Some),
            [END] => self.end(start).map(|()| None),
            _ => Err(damaged(start)),
        }
    }

    fn entry(&mut self, start: u64) -> Result<Record> {
        let head: [u8; HEAD - 1] = self.array()?;
        let (key_len, version_len) = (u16::from_be_bytes([head[0], head[1]]), u16::from_be_bytes([head[2], head[3]]));
        let value_len = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
        let mut deadline = [0; 8];
        deadline.copy_from_slice(&head[8..]);
        let key = self.bytes(key_len.into())?;
        let version = self.bytes(version_len.into())?;
        self.check(start)?;
        let (Ok(_), Ok(version)) = (Key::new(&key), String::from_utf8(version)) else { return Err(damaged(start)) };
        let too_large = || {
            let limit = self.max_value_size;
            let message = format!("the dump has a value of {value_len} bytes; at most {limit} are allowed");
            Error::invalid(message).with_detail("limit", limit).with_detail("key", &*key).with_detail("offset", start)
        };
        let value_len = usize::try_from(value_len).ok().filter(|&length| length <= self.max_value_size);
        let value = self.bytes(value_len.ok_or_else(too_large)?)?;
        self.check(start)?;
        self.entries += 1;
        let deadline = Deadline::from_millis(u64::from_be_bytes(deadline));
        Ok(Record { key: key.into(), value: Payload::from(value), version: Version::parse(&version), deadline })
    }

    fn end(&mut self, start: u64) -> Result<()> {
        let count = u64::from_be_bytes(self.array()?);
        self.check(start)?;
        let behind = self.offset;
        if count != self.entries {
            return Err(damaged(start));
        }
        match self.read(&mut [0])? {
            0 => Ok(()),
            _ => Err(corrupt(format!("there is something behind the end of the dump, at byte {behind}"), behind)),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        if self.read(&mut bytes)? < N {
            return Err(self.not_whole());
        }
        self.sum.add(&bytes);
        Ok(bytes)
    }

    /// Room is made as the bytes arrive, not as they are announced.
    fn bytes(&mut self, length: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(length.min(1 << 16));
        let read = self.input.by_ref().take(length as u64).read_to_end(&mut bytes);
        self.offset += bytes.len() as u64;
        read.map_err(|cause| failed("reading the dump", cause))?;
        if bytes.len() < length {
            return Err(self.not_whole());
        }
        self.sum.add(&bytes);
        Ok(bytes)
    }

    /// Reads a checksum; `start` is where that which it checks begins.
    fn check(&mut self, start: u64) -> Result<()> {
        let expected = self.sum.now();
        let mut found = [0; 4];
        if self.read(&mut found)? < found.len() {
            return Err(self.not_whole());
        }
        if found == expected { Ok(()) } else { Err(damaged(start)) }
    }

    /// Reads until the buffer is full or the input ends.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.input.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
                Err(cause) => return Err(failed("reading the dump", cause)),
            }
        }
        self.offset += filled as u64;
        Ok(filled)
    }

    #[cold]
    fn not_whole(&self) -> Error {
        let offset = self.offset;
        corrupt(format!("the dump is not whole: it breaks off at byte {offset}"), offset)
    }
}

#[cold]
fn damaged(start: u64) -> Error {
    corrupt(format!("the dump is damaged in what begins at byte {start}"), start)
}

#[cold]
fn corrupt(message: String, offset: u64) -> Error {
    Error::internal(message).with_reason("corrupt").with_detail("offset", offset)
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Result<Record>> {
        if self.ended {
            return None;
        }
        let record = self.record();
        self.ended = !matches!(record, Ok(Some(_)));
        record.transpose()
    }
}

impl<R> fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("offset", &self.offset).field("entries", &self.entries).finish_non_exhaustive()
    }
}
