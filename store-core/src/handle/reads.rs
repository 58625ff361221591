//! Reading one key.

use super::call::{Call, Question, answer, question, told};
use super::{Handle, TypedEntry};
use crate::codec::Decode;
use crate::observe::Operation;
use crate::policy::Action;
use crate::{BackendInfo, Entry, Key, Payload, Result, Ttl};

/// What a store says of itself.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Info {
    /// The store's id.
    pub id: String,
    /// What its backend says.
    pub backend: BackendInfo,
    /// The largest encoded value, in bytes.
    pub max_value_size: usize,
    /// The deepest nesting of a value.
    pub max_depth: usize,
}

impl Handle {
    /// The value of a key; `None` if absent.
    ///
    /// # Errors
    /// INVALID (key, released, or the value is not a `V`), PERMISSION_DENIED, UNAVAILABLE, TIMEOUT, INTERNAL.
    pub async fn get<V: Decode>(&self, key: impl AsRef<[u8]>) -> Result<Option<V>> {
        let key = key.as_ref();
        answer!(self.asking(Operation::Get, Some(key), |call| call.get(key), decode))
    }

    /// [`get`](Handle::get), at once or not at all.
    // Always: through a call of its own the answer would go through memory once more.
    #[inline(always)]
    pub fn try_get<V: Decode>(&self, key: impl AsRef<[u8]>) -> Option<Result<Option<V>>> {
        let key = key.as_ref();
        self.at_once(Operation::Get, Some(key), |call| call.get(key), decode)
    }

    /// Whether a key is live.
    ///
    /// # Errors
    /// INVALID (key, released), PERMISSION_DENIED, UNAVAILABLE, TIMEOUT, INTERNAL.
    pub async fn has(&self, key: impl AsRef<[u8]>) -> Result<bool> {
        let key = key.as_ref();
        answer!(self.asking(Operation::Has, Some(key), |call| call.has(key), Ok))
    }

    /// [`has`](Handle::has), at once or not at all.
    pub fn try_has(&self, key: impl AsRef<[u8]>) -> Option<Result<bool>> {
        let key = key.as_ref();
        self.at_once(Operation::Has, Some(key), |call| call.has(key), Ok)
    }

    /// Value, version and TTL of a key, of one moment; `None` if absent.
    ///
    /// # Errors
    /// As [`get`](Handle::get).
    pub async fn entry<V: Decode>(&self, key: impl AsRef<[u8]>) -> Result<Option<TypedEntry<V>>> {
        let key = key.as_ref();
        answer!(self.asking(Operation::Entry, Some(key), |call| call.entry(key), typed))
    }

    /// [`entry`](Handle::entry), at once or not at all.
    pub fn try_entry<V: Decode>(&self, key: impl AsRef<[u8]>) -> Option<Result<Option<TypedEntry<V>>>> {
        let key = key.as_ref();
        self.at_once(Operation::Entry, Some(key), |call| call.entry(key), typed)
    }

    /// The time a key has left; `None` if absent.
    ///
    /// # Errors
    /// As [`has`](Handle::has).
    pub async fn ttl(&self, key: impl AsRef<[u8]>) -> Result<Option<Ttl>> {
        let key = key.as_ref();
        answer!(self.asking(Operation::Ttl, Some(key), |call| call.ttl(key), Ok))
    }

    /// [`ttl`](Handle::ttl), at once or not at all.
    pub fn try_ttl(&self, key: impl AsRef<[u8]>) -> Option<Result<Option<Ttl>>> {
        let key = key.as_ref();
        self.at_once(Operation::Ttl, Some(key), |call| call.ttl(key), Ok)
    }

    /// What the store is and can do. Never waits.
    ///
    /// # Errors
    /// INVALID (released), PERMISSION_DENIED, UNAVAILABLE (closed).
    pub fn info(&self) -> Result<Info> {
        let slot = self.slot();
        let watch = slot.watch(Operation::Info, None);
        let answer = || {
            self.call()?.allow_all(Action::Info, None)?;
            slot.check_open()?;
            Ok(Info {
                id: slot.id.to_string(),
                backend: slot.store.info(),
                max_value_size: slot.settings.limits.max_value_size,
                max_depth: slot.settings.limits.max_depth,
            })
        };
        told(slot, Operation::Info, None, watch, answer())
    }
}

/// The checks of each operation, and what it asks of the backend.
impl<'a> Call<'a> {
    #[inline(always)]
    fn get(self, key: &'a [u8]) -> Result<impl Question<'a, Option<Payload>>> {
        let key = Key::new(key)?;
        self.allow(Action::KeyGet, key)?;
        let cx = self.cx();
        Ok(question(move |store| store.try_get(cx, key), move |store| store.get(cx, key)))
    }

    #[inline]
    fn has(self, key: &'a [u8]) -> Result<impl Question<'a, bool>> {
        let key = Key::new(key)?;
        self.allow(Action::KeyHas, key)?;
        let cx = self.cx();
        Ok(question(move |store| store.try_has(cx, key), move |store| store.has(cx, key)))
    }

    #[inline]
    fn entry(self, key: &'a [u8]) -> Result<impl Question<'a, Option<Entry>>> {
        let key = Key::new(key)?;
        self.allow(Action::KeyGet, key)?;
        let cx = self.cx();
        Ok(question(move |store| store.try_entry(cx, key), move |store| store.entry(cx, key)))
    }

    #[inline]
    fn ttl(self, key: &'a [u8]) -> Result<impl Question<'a, Option<Ttl>>> {
        let key = Key::new(key)?;
        self.allow(Action::KeyGet, key)?;
        let cx = self.cx();
        Ok(question(move |store| store.try_ttl(cx, key), move |store| store.ttl(cx, key)))
    }
}

/// The value that a backend found.
#[inline]
pub(super) fn decode<V: Decode>(found: Option<Payload>) -> Result<Option<V>> {
    found.map(V::decode).transpose()
}

fn typed<V: Decode>(found: Option<Entry>) -> Result<Option<TypedEntry<V>>> {
    let Some(entry) = found else { return Ok(None) };
    Ok(Some(TypedEntry { value: V::decode(entry.value)?, version: entry.version, ttl: entry.ttl }))
}
