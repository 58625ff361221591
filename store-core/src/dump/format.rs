//! What reading and writing share.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use crate::{Deadline, Error, Payload, Version};

/// Not valid UTF-8, and with a line end that transfers as text would spoil.
pub(super) const MAGIC: [u8; 8] = *b"\x89STORE\r\n";
pub(super) const FORMAT: u32 = 1;
pub(super) const ENTRY: u8 = 1;
pub(super) const END: u8 = 2;
/// The fixed part of an entry.
pub(super) const HEAD: usize = 1 + 2 + 2 + 4 + 8;

/// One entry of a dump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The key: 1 to 1024 bytes.
    pub key: Box<[u8]>,
    /// The encoded value.
    pub value: Payload,
    /// The version that the entry had where it was exported.
    pub version: Version,
    /// When it expires.
    pub deadline: Deadline,
}

/// The checksum of everything so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Checksum(crc32fast::Hasher);

impl Checksum {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(super) fn now(&self) -> [u8; 4] {
        self.0.clone().finalize().to_be_bytes()
    }
}

/// A failure of the file, the pipe or whatever it is.
#[cold]
pub(super) fn failed(doing: &'static str, cause: io::Error) -> Error {
    Error::unavailable(format!("{doing} failed")).with_reason("io").with_retryable(false).with_source(cause)
}

/// Lets other tasks run: between two pages nothing else may make the caller wait.
pub(super) async fn pause() {
    let mut paused = false;
    poll_fn(|cx| {
        if paused {
            return Poll::Ready(());
        }
        paused = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
