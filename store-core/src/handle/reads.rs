//! Reading one key.

use super::call::{Question, question};
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
        self.asking(Operation::Get, Some(key), || self.get_in(key), decode).await
    }

    /// [`get`](Handle::get), at once or not at all.
    pub fn try_get<V: Decode>(&self, key: impl AsRef<[u8]>) -> Option<Result<Option<V>>> {
        let key = key.as_ref();
        self.at_once(Operation::Get, Some(key), || self.get_in(key), decode)
    }

    #[inline]
    fn get_in<'a>(&'a self, key: &'a [u8]) -> Result<impl Question<'a, Option<Payload>>> {
        self.check()?;
        let key = Key::new(key)?;
        self.allow(Action::KeyGet, Some(key.as_bytes()))?;
        let cx = self.context();
        Ok(question(move |store| store.try_get(cx, key), move |store| store.get(cx, key)))
    }

    /// Whether a key is live.
    ///
    /// # Errors
    /// INVALID (key, released), PERMISSION_DENIED, UNAVAILABLE, TIMEOUT, INTERNAL.
    pub async fn has(&self, key: impl AsRef<[u8]>) -> Result<bool> {
        let key = key.as_ref();
        self.asking(Operation::Has, Some(key), || self.has_in(key), Ok).await
    }

    /// [`has`](Handle::has), at once or not at all.
    pub fn try_has(&self, key: impl AsRef<[u8]>) -> Option<Result<bool>> {
        let key = key.as_ref();
        self.at_once(Operation::Has, Some(key), || self.has_in(key), Ok)
    }

    #[inline]
    fn has_in<'a>(&'a self, key: &'a [u8]) -> Result<impl Question<'a, bool>> {
        self.check()?;
        let key = Key::new(key)?;
        self.allow(Action::KeyHas, Some(key.as_bytes()))?;
        let cx = self.context();
        Ok(question(move |store| store.try_has(cx, key), move |store| store.has(cx, key)))
    }

    /// Value, version and TTL of a key, of one moment; `None` if absent.
    ///
    /// # Errors
    /// As [`get`](Handle::get).
    pub async fn entry<V: Decode>(&self, key: impl AsRef<[u8]>) -> Result<Option<TypedEntry<V>>> {
        let key = key.as_ref();
        self.asking(Operation::Entry, Some(key), || self.entry_in(key), typed).await
    }

    /// [`entry`](Handle::entry), at once or not at all.
    pub fn try_entry<V: Decode>(&self, key: impl AsRef<[u8]>) -> Option<Result<Option<TypedEntry<V>>>> {
        let key = key.as_ref();
        self.at_once(Operation::Entry, Some(key), || self.entry_in(key), typed)
    }

    #[inline]
    fn entry_in<'a>(&'a self, key: &'a [u8]) -> Result<impl Question<'a, Option<Entry>>> {
        self.check()?;
        let key = Key::new(key)?;
        self.allow(Action::KeyGet, Some(key.as_bytes()))?;
        let cx = self.context();
        Ok(question(move |store| store.try_entry(cx, key), move |store| store.entry(cx, key)))
    }

    /// The time a key has left; `None` if absent.
    ///
    /// # Errors
    /// As [`has`](Handle::has).
    pub async fn ttl(&self, key: impl AsRef<[u8]>) -> Result<Option<Ttl>> {
        let key = key.as_ref();
        self.asking(Operation::Ttl, Some(key), || self.ttl_in(key), Ok).await
    }

    /// [`ttl`](Handle::ttl), at once or not at all.
    pub fn try_ttl(&self, key: impl AsRef<[u8]>) -> Option<Result<Option<Ttl>>> {
        let key = key.as_ref();
        self.at_once(Operation::Ttl, Some(key), || self.ttl_in(key), Ok)
    }

    #[inline]
    fn ttl_in<'a>(&'a self, key: &'a [u8]) -> Result<impl Question<'a, Option<Ttl>>> {
        self.check()?;
        let key = Key::new(key)?;
        self.allow(Action::KeyGet, Some(key.as_bytes()))?;
        let cx = self.context();
        Ok(question(move |store| store.try_ttl(cx, key), move |store| store.ttl(cx, key)))
    }

    /// What the store is and can do. Never waits.
    ///
    /// # Errors
    /// INVALID (released), PERMISSION_DENIED, UNAVAILABLE (closed).
    pub fn info(&self) -> Result<Info> {
        let watch = self.slot().watch(Operation::Info, None);
        let answer = || {
            self.check()?;
            self.allow(Action::Info, None)?;
            let slot = self.slot();
            slot.check_open()?;
            Ok(Info {
                id: slot.id.to_string(),
                backend: slot.store.info(),
                max_value_size: slot.settings.limits.max_value_size,
                max_depth: slot.settings.limits.max_depth,
            })
        };
        self.told(Operation::Info, None, watch, answer())
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
