//! Moving entries between stores, whatever their backends: a dump is a stream of bytes with everything that is live.
//!
//! [`export`] writes one, [`import`] reads it into a store, [`verify`] makes the same pass only to look. [`Writer`] and
//! [`Reader`] are the format by itself.
//!
//! ```
//! # use std::time::Duration;
//! # use store_core::{Expiry, Handle, Result, dump};
//! # async fn example(from: &Handle, to: &Handle) -> Result<()> {
//! let mut bytes = Vec::new();
//! let exported = dump::export(from, b"", &mut bytes, |_| {}).await?;
//! let imported = dump::import(to, &*bytes, &dump::ImportOptions::default(), |_| {}).await?;
//! assert_eq!(imported.written + imported.expired, exported.entries);
//! # Ok(())
//! # }
//! ```
//!
//! # What is kept
//! Keys and values to the byte. Deadlines are absolute: an entry has as much time left as if it had stayed, and one that has
//! expired meanwhile is skipped and counted. Reading a page and writing a batch takes a moment, by which a deadline may
//! move later; it never moves earlier, unless the receiving store's `max_ttl` or `ttl_jitter` asks for it.
//!
//! Versions are in the dump, and are not restored: a version is new on every value write and never comes again for a key, also
//! in a store that had entries before. After an import every entry has a new one.
//!
//! A dump is no snapshot: each entry is as it was at one moment, entries written while the export runs may or may not be in
//! it. An entry that is rewritten meanwhile may be in it twice; the later one wins on import.
//!
//! # Format
//! Integers are unsigned and big-endian. Each checksum is the CRC-32 (IEEE) of everything from the beginning of the dump up
//! to it, other checksums left out: so it also shows what was cut out, moved or added in between.
//!
//! | part | bytes |
//! |---|---|
//! | header | `89 53 54 4F 52 45 0D 0A` (`.STORE..`); format, 4, now 1; time of the export in ms since the Unix epoch, 8; checksum, 4 |
//! | entry, any number | `01`; length of the key, 2, of the version, 2, of the value, 4; deadline in ms since the Unix epoch (0: never), 8; key; version; checksum, 4; value (MessagePack); checksum, 4 |
//! | end | `02`; number of entries, 8; checksum, 4; nothing follows |
//!
//! The header keeps its form in every later format. A dump without its end is not whole, and reading it says so.

mod export;
mod format;
mod import;
mod pass;
mod reader;
mod verify;
mod writer;

pub use export::{Exported, export};
pub use format::Record;
pub use import::{ImportOptions, Imported, import};
pub use reader::Reader;
pub use verify::{Fault, Verified, verify};
pub use writer::Writer;
