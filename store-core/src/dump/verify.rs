//! Looking at every entry of a store.

use super::pass::Pass;
use crate::{Error, Handle, Result, Ttl};

/// How many faults are told in full.
const FAULTS: usize = 16;

/// What was found in a store.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Verified {
    /// Live entries that can be read.
    pub entries: u64,
    /// Those of them that expire.
    pub expiring: u64,
    /// Bytes of their values.
    pub bytes: u64,
    /// Keys of the store that hold something else than an entry.
    pub faulty: u64,
    /// The first of those, at most 16.
    pub faults: Vec<Fault>,
}

/// A key that does not hold an entry.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Fault {
    /// The key.
    pub key: Box<[u8]>,
    /// What reading it says.
    pub error: Error,
}

impl Verified {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.faulty == 0
    }
}

/// Asks the backend whether it serves, then reads and decodes every live entry, in one pass over the store.
///
/// Memory, progress and policy are those of [`export`](super::export()). Bytes that are no entry are not an error here but what is
/// looked for.
///
/// # Errors
/// As [`Handle::list`].
pub async fn verify(handle: &Handle, mut progress: impl FnMut(&Verified)) -> Result<Verified> {
    let done = async {
        handle.ping().await?;
        let mut found = Verified::default();
        let mut pass = Pass::new(handle, b"");
        while let Some(sight) = pass.next().await? {
            for (_, entry) in sight.entries {
                found.entries += 1;
                found.expiring += u64::from(entry.ttl != Ttl::Never);
                found.bytes += entry.value.len() as u64;
            }
            for (key, error) in sight.faults {
                found.faulty += 1;
                if found.faults.len() < FAULTS {
                    found.faults.push(Fault { key, error });
                }
            }
            progress(&found);
        }
        Ok(found)
    };
    done.await
        .map_err(|error: Error| error.with_detail("operation", "verify").or_detail("store", || handle.id().into()))
}
