//! Reading one key.

use std::pin::pin;

use super::call::{Answer, Mode};
use super::{Handle, TypedEntry};
use crate::codec::Decode;
use crate::observe::Operation;
use crate::policy::Action;
use crate::{BackendInfo, Key, Result, Ttl};

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
        self.wait(Operation::Get, Some(key), pin!(self.get_in(Mode::Wait, key))).await
    }

    /// [`get`](Handle::get), at once or not at all.
    pub fn try_get<V: Decode>(&self, key: impl AsRef<[u8]>) -> Option<Result<Option<V>>> {
        let key = key.as_ref();
        self.answer_now(Operation::Get, Some(key), self.get_in(Mode::Now, key))
    }

    async fn get_in<V: Decode>(&self, mode: Mode, key: &[u8]) -> Answer<Option<V>> {
        self.check()?;
        let key = Key::new(key)?;
        self.allow(Action::KeyGet, Some(key.as_bytes()))?;
        let cx = self.context();
        let found = self.ask(mode, |store| store.try_get(cx, key), |store| store.get(cx, key)).await?;
        Ok(found.map(V::decode).transpose()?)
    }

    /// Whether a key is live.
    ///
    /// # Errors
    /// INVALID (key, released), PERMISSION_DENIED, UNAVAILABLE, TIMEOUT, INTERNAL.
    pub async fn has(&self, key: impl AsRef<[u8]>) -> Result<bool> {
        let key = key.as_ref();
        self.wait(Operation::Has, Some(key), pin!(self.has_in(Mode::Wait, key))).await
    }

    /// [`has`](Handle::has), at once or not at all.
    pub fn try_has(&self, key: impl AsRef<[u8]>) -> Option<Result<bool>> {
        let key = key.as_ref();
        self.answer_now(Operation::Has, Some(key), self.has_in(Mode::Now, key))
    }

    async fn has_in(&self, mode: Mode, key: &[u8]) -> Answer<bool> {
        self.check()?;
        let key = Key::new(key)?;
        self.allow(Action::KeyHas, Some(key.as_bytes()))?;
        let cx = self.context();
        self.ask(mode, |store| store.try_has(cx, key), |store| store.has(cx, key)).await
    }

    /// Value, version and TTL of a key, of one moment; `None` if absent.
    ///
    /// # Errors
    /// As [`get`](Handle::get).
    pub async fn entry<V: Decode>(&self, key: impl AsRef<[u8]>) -> Result<Option<TypedEntry<V>>> {
        let key = key.as_ref();
        self.wait(Operation::Entry, Some(key), pin!(self.entry_in(Mode::Wait, key))).await
    }

    /// [`entry`](Handle::entry), at once or not at all.
    pub fn try_entry<V: Decode>(&self, key: impl AsRef<[u8]>) -> Option<Result<Option<TypedEntry<V>>>> {
        let key = key.as_ref();
        self.answer_now(Operation::Entry, Some(key), self.entry_in(Mode::Now, key))
    }

    async fn entry_in<V: Decode>(&self, mode: Mode, key: &[u8]) -> Answer<Option<TypedEntry<V>>> {
        self.check()?;
        let key = Key::new(key)?;
        self.allow(Action::KeyGet, Some(key.as_bytes()))?;
        let cx = self.context();
        let found = self.ask(mode, |store| store.try_entry(cx, key), |store| store.entry(cx, key)).await?;
        let Some(entry) = found else { return Ok(None) };
        Ok(Some(TypedEntry { value: V::decode(entry.value)?, version: entry.version, ttl: entry.ttl }))
    }

    /// The time a key has left; `None` if absent.
    ///
    /// # Errors
    /// As [`has`](Handle::has).
    pub async fn ttl(&self, key: impl AsRef<[u8]>) -> Result<Option<Ttl>> {
        let key = key.as_ref();
        self.wait(Operation::Ttl, Some(key), pin!(self.ttl_in(Mode::Wait, key))).await
    }

    /// [`ttl`](Handle::ttl), at once or not at all.
    pub fn try_ttl(&self, key: impl AsRef<[u8]>) -> Option<Result<Option<Ttl>>> {
        let key = key.as_ref();
        self.answer_now(Operation::Ttl, Some(key), self.ttl_in(Mode::Now, key))
    }

    async fn ttl_in(&self, mode: Mode, key: &[u8]) -> Answer<Option<Ttl>> {
        self.check()?;
        let key = Key::new(key)?;
        self.allow(Action::KeyGet, Some(key.as_bytes()))?;
        let cx = self.context();
        self.ask(mode, |store| store.try_ttl(cx, key), |store| store.ttl(cx, key)).await
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
            Answer::Ok(Info {
                id: slot.id.to_string(),
                backend: slot.store.info(),
                max_value_size: slot.settings.limits.max_value_size,
                max_depth: slot.settings.limits.max_depth,
            })
        };
        self.told(Operation::Info, None, watch, answer())
    }
}
