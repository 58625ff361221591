//! Writing one key.

use std::pin::pin;

use super::call::{Answer, Mode};
use super::{Handle, IncrementOptions, PutOptions};
use crate::codec::{Decode, Encode};
use crate::observe::Operation;
use crate::policy::Action;
use crate::{Expiry, Increment, Key, Put, Result, Version, Written};

impl Handle {
    /// Stores a value.
    ///
    /// # Errors
    /// INVALID (key, TTL of zero, a value that cannot be stored or is too large, released), PERMISSION_DENIED, UNAVAILABLE
    /// (also `capacity`), TIMEOUT, INTERNAL.
    pub async fn set<V: Encode + ?Sized>(
        &self,
        key: impl AsRef<[u8]>,
        value: &V,
        expiry: impl Into<Expiry>,
    ) -> Result<()> {
        let (key, put) = (key.as_ref(), PutOptions::new().expiry(expiry));
        self.wait(Operation::Set, Some(key), pin!(self.put_in(Mode::Wait, key, value, &put))).await.map(drop)
    }

    /// [`set`](Handle::set), at once or not at all.
    pub fn try_set<V: Encode + ?Sized>(
        &self,
        key: impl AsRef<[u8]>,
        value: &V,
        expiry: impl Into<Expiry>,
    ) -> Option<Result<()>> {
        let (key, put) = (key.as_ref(), PutOptions::new().expiry(expiry));
        self.answer_now(Operation::Set, Some(key), async { self.put_in(Mode::Now, key, value, &put).await.map(drop) })
    }

    /// Stores a value under conditions and says its version and TTL.
    ///
    /// # Errors
    /// As [`set`](Handle::set); INVALID for options that exclude each other; ALREADY_EXISTS, NOT_FOUND, CONFLICT as
    /// [`PutOptions`] says.
    pub async fn put<V: Encode + ?Sized>(
        &self,
        key: impl AsRef<[u8]>,
        value: &V,
        options: &PutOptions,
    ) -> Result<Written> {
        let key = key.as_ref();
        self.wait(Operation::Put, Some(key), pin!(self.put_in(Mode::Wait, key, value, options))).await
    }

    /// [`put`](Handle::put), at once or not at all.
    pub fn try_put<V: Encode + ?Sized>(
        &self,
        key: impl AsRef<[u8]>,
        value: &V,
        options: &PutOptions,
    ) -> Option<Result<Written>> {
        let key = key.as_ref();
        self.answer_now(Operation::Put, Some(key), self.put_in(Mode::Now, key, value, options))
    }

    async fn put_in<V: Encode + ?Sized>(
        &self,
        mode: Mode,
        key: &[u8],
        value: &V,
        options: &PutOptions,
    ) -> Answer<Written> {
        self.check()?;
        let key = Key::new(key)?;
        let mut buffer = Vec::new();
        let value = value.encode(&self.settings().limits, &mut buffer)?;
        let put = Put {
            lifetime: self.settings().ttl.resolve(options.expiry)?,
            keep_ttl: options.keep_ttl,
            condition: options.condition()?,
        };
        self.allow(Action::KeySet, Some(key.as_bytes()))?;
        let cx = self.context();
        // The buffer lives in this future, so what waits may borrow from it.
        self.ask(mode, |store| store.try_put(cx, key, value, put), |store| store.put(cx, key, value, put)).await
    }

    /// Deletes a key: true iff it was live.
    ///
    /// # Errors
    /// INVALID (key, released), PERMISSION_DENIED, UNAVAILABLE, TIMEOUT, INTERNAL.
    pub async fn delete(&self, key: impl AsRef<[u8]>) -> Result<bool> {
        let key = key.as_ref();
        self.wait(Operation::Delete, Some(key), pin!(self.delete_in(Mode::Wait, key, None))).await
    }

    /// [`delete`](Handle::delete), at once or not at all.
    pub fn try_delete(&self, key: impl AsRef<[u8]>) -> Option<Result<bool>> {
        let key = key.as_ref();
        self.answer_now(Operation::Delete, Some(key), self.delete_in(Mode::Now, key, None))
    }

    /// Deletes a key if it has this version: false if it is absent.
    ///
    /// # Errors
    /// As [`delete`](Handle::delete); CONFLICT if it has another version.
    pub async fn delete_if(&self, key: impl AsRef<[u8]>, version: &Version) -> Result<bool> {
        let key = key.as_ref();
        self.wait(Operation::Delete, Some(key), pin!(self.delete_in(Mode::Wait, key, Some(version)))).await
    }

    /// [`delete_if`](Handle::delete_if), at once or not at all.
    pub fn try_delete_if(&self, key: impl AsRef<[u8]>, version: &Version) -> Option<Result<bool>> {
        let key = key.as_ref();
        self.answer_now(Operation::Delete, Some(key), self.delete_in(Mode::Now, key, Some(version)))
    }

    async fn delete_in(&self, mode: Mode, key: &[u8], if_version: Option<&Version>) -> Answer<bool> {
        self.check()?;
        let key = Key::new(key)?;
        self.allow(Action::KeyDelete, Some(key.as_bytes()))?;
        let cx = self.context();
        self.ask(mode, |store| store.try_delete(cx, key, if_version), |store| store.delete(cx, key, if_version)).await
    }

    /// Gives a live key a new TTL: true iff it was live. [`Expiry::Never`] makes it persist.
    ///
    /// # Errors
    /// As [`set`](Handle::set), less those about the value.
    pub async fn touch(&self, key: impl AsRef<[u8]>, expiry: impl Into<Expiry>) -> Result<bool> {
        let key = key.as_ref();
        self.wait(Operation::Touch, Some(key), pin!(self.touch_in(Mode::Wait, key, expiry.into(), None))).await
    }

    /// [`touch`](Handle::touch), at once or not at all.
    pub fn try_touch(&self, key: impl AsRef<[u8]>, expiry: impl Into<Expiry>) -> Option<Result<bool>> {
        let key = key.as_ref();
        self.answer_now(Operation::Touch, Some(key), self.touch_in(Mode::Now, key, expiry.into(), None))
    }

    /// Gives a key a new TTL if it has this version: false if it is absent.
    ///
    /// # Errors
    /// As [`touch`](Handle::touch); CONFLICT if it has another version.
    pub async fn touch_if(&self, key: impl AsRef<[u8]>, expiry: impl Into<Expiry>, version: &Version) -> Result<bool> {
        let key = key.as_ref();
        self.wait(Operation::Touch, Some(key), pin!(self.touch_in(Mode::Wait, key, expiry.into(), Some(version)))).await
    }

    /// [`touch_if`](Handle::touch_if), at once or not at all.
    pub fn try_touch_if(
        &self,
        key: impl AsRef<[u8]>,
        expiry: impl Into<Expiry>,
        version: &Version,
    ) -> Option<Result<bool>> {
        let key = key.as_ref();
        self.answer_now(Operation::Touch, Some(key), self.touch_in(Mode::Now, key, expiry.into(), Some(version)))
    }

    async fn touch_in(&self, mode: Mode, key: &[u8], expiry: Expiry, if_version: Option<&Version>) -> Answer<bool> {
        self.check()?;
        let key = Key::new(key)?;
        let lifetime = self.settings().ttl.resolve(expiry)?;
        self.allow(Action::KeySet, Some(key.as_bytes()))?;
        let cx = self.context();
        self.ask(
            mode,
            |store| store.try_touch(cx, key, lifetime, if_version),
            |store| store.touch(cx, key, lifetime, if_version),
        )
        .await
    }

    /// Reads a key and gives it a new TTL, in one step: a session with sliding expiry.
    ///
    /// # Errors
    /// As [`get`](Handle::get) and [`touch`](Handle::touch).
    pub async fn get_and_touch<V: Decode>(
        &self,
        key: impl AsRef<[u8]>,
        expiry: impl Into<Expiry>,
    ) -> Result<Option<V>> {
        let key = key.as_ref();
        self.wait(Operation::GetAndTouch, Some(key), pin!(self.get_and_touch_in(Mode::Wait, key, expiry.into()))).await
    }

    /// [`get_and_touch`](Handle::get_and_touch), at once or not at all.
    pub fn try_get_and_touch<V: Decode>(
        &self,
        key: impl AsRef<[u8]>,
        expiry: impl Into<Expiry>,
    ) -> Option<Result<Option<V>>> {
        let key = key.as_ref();
        self.answer_now(Operation::GetAndTouch, Some(key), self.get_and_touch_in(Mode::Now, key, expiry.into()))
    }

    async fn get_and_touch_in<V: Decode>(&self, mode: Mode, key: &[u8], expiry: Expiry) -> Answer<Option<V>> {
        self.check()?;
        let key = Key::new(key)?;
        let lifetime = self.settings().ttl.resolve(expiry)?;
        self.allow(Action::KeyGet, Some(key.as_bytes()))?;
        self.allow(Action::KeySet, Some(key.as_bytes()))?;
        let cx = self.context();
        let found = self.ask(
            mode,
            |store| store.try_get_and_touch(cx, key, lifetime),
            |store| store.get_and_touch(cx, key, lifetime),
        );
        Ok(found.await?.map(V::decode).transpose()?)
    }

    /// Reads a key and deletes it, in one step.
    ///
    /// # Errors
    /// As [`get`](Handle::get) and [`delete`](Handle::delete).
    pub async fn take<V: Decode>(&self, key: impl AsRef<[u8]>) -> Result<Option<V>> {
        let key = key.as_ref();
        self.wait(Operation::Take, Some(key), pin!(self.take_in(Mode::Wait, key))).await
    }

    /// [`take`](Handle::take), at once or not at all.
    pub fn try_take<V: Decode>(&self, key: impl AsRef<[u8]>) -> Option<Result<Option<V>>> {
        let key = key.as_ref();
        self.answer_now(Operation::Take, Some(key), self.take_in(Mode::Now, key))
    }

    async fn take_in<V: Decode>(&self, mode: Mode, key: &[u8]) -> Answer<Option<V>> {
        self.check()?;
        let key = Key::new(key)?;
        self.allow(Action::KeyGet, Some(key.as_bytes()))?;
        self.allow(Action::KeyDelete, Some(key.as_bytes()))?;
        let cx = self.context();
        let found = self.ask(mode, |store| store.try_take(cx, key), |store| store.take(cx, key)).await?;
        Ok(found.map(V::decode).transpose()?)
    }

    /// Adds to a counter and says the sum; an absent key counts from 0.
    ///
    /// # Errors
    /// INVALID (key, released, a value that is not an integer, a sum beyond 64 bits), PERMISSION_DENIED, UNAVAILABLE,
    /// TIMEOUT, INTERNAL.
    pub async fn increment(&self, key: impl AsRef<[u8]>, delta: i64) -> Result<i64> {
        self.increment_with(key, &IncrementOptions::by(delta)).await
    }

    /// Adds to a counter, with a start value and a TTL that count only if the key is absent.
    ///
    /// # Errors
    /// As [`increment`](Handle::increment).
    pub async fn increment_with(&self, key: impl AsRef<[u8]>, options: &IncrementOptions) -> Result<i64> {
        let key = key.as_ref();
        self.wait(Operation::Increment, Some(key), pin!(self.increment_in(Mode::Wait, key, options))).await
    }

    /// [`increment_with`](Handle::increment_with), at once or not at all.
    pub fn try_increment_with(&self, key: impl AsRef<[u8]>, options: &IncrementOptions) -> Option<Result<i64>> {
        let key = key.as_ref();
        self.answer_now(Operation::Increment, Some(key), self.increment_in(Mode::Now, key, options))
    }

    async fn increment_in(&self, mode: Mode, key: &[u8], options: &IncrementOptions) -> Answer<i64> {
        self.check()?;
        let key = Key::new(key)?;
        let by = Increment {
            delta: options.delta,
            initial: options.initial,
            lifetime: self.settings().ttl.resolve(options.expiry)?,
        };
        self.allow(Action::KeySet, Some(key.as_bytes()))?;
        let cx = self.context();
        self.ask(mode, |store| store.try_increment(cx, key, by), |store| store.increment(cx, key, by)).await
    }
}
