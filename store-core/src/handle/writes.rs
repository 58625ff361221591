//! Writing one key.

use super::call::{Call, Question, answer, question};
use super::reads::decode;
use super::{Handle, IncrementOptions, PutOptions};
use crate::codec::{Decode, Encode};
use crate::observe::Operation;
use crate::policy::Action;
use crate::{Expiry, Increment, Key, Payload, Put, Result, Version, Written};

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
        let (key, mut buffer) = (key.as_ref(), Vec::new());
        answer!(self.asking(
            Operation::Set,
            Some(key),
            |call| call.set(key, value, expiry.into(), &mut buffer),
            |_| Ok(())
        ))
    }

    /// [`set`](Handle::set), at once or not at all.
    pub fn try_set<V: Encode + ?Sized>(
        &self,
        key: impl AsRef<[u8]>,
        value: &V,
        expiry: impl Into<Expiry>,
    ) -> Option<Result<()>> {
        let (key, mut buffer) = (key.as_ref(), Vec::new());
        self.at_once(Operation::Set, Some(key), |call| call.set(key, value, expiry.into(), &mut buffer), |_| Ok(()))
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
        let (key, mut buffer) = (key.as_ref(), Vec::new());
        answer!(self.asking(Operation::Put, Some(key), |call| call.put(key, value, options, &mut buffer), Ok))
    }

    /// [`put`](Handle::put), at once or not at all.
    pub fn try_put<V: Encode + ?Sized>(
        &self,
        key: impl AsRef<[u8]>,
        value: &V,
        options: &PutOptions,
    ) -> Option<Result<Written>> {
        let (key, mut buffer) = (key.as_ref(), Vec::new());
        self.at_once(Operation::Put, Some(key), |call| call.put(key, value, options, &mut buffer), Ok)
    }

    /// Deletes a key: true iff it was live.
    ///
    /// # Errors
    /// INVALID (key, released), PERMISSION_DENIED, UNAVAILABLE, TIMEOUT, INTERNAL.
    pub async fn delete(&self, key: impl AsRef<[u8]>) -> Result<bool> {
        let key = key.as_ref();
        answer!(self.asking(Operation::Delete, Some(key), |call| call.delete(key, None), Ok))
    }

    /// [`delete`](Handle::delete), at once or not at all.
    pub fn try_delete(&self, key: impl AsRef<[u8]>) -> Option<Result<bool>> {
        let key = key.as_ref();
        self.at_once(Operation::Delete, Some(key), |call| call.delete(key, None), Ok)
    }

    /// Deletes a key if it has this version: false if it is absent.
    ///
    /// # Errors
    /// As [`delete`](Handle::delete); CONFLICT if it has another version.
    pub async fn delete_if(&self, key: impl AsRef<[u8]>, version: &Version) -> Result<bool> {
        let key = key.as_ref();
        answer!(self.asking(Operation::Delete, Some(key), |call| call.delete(key, Some(version)), Ok))
    }

    /// [`delete_if`](Handle::delete_if), at once or not at all.
    pub fn try_delete_if(&self, key: impl AsRef<[u8]>, version: &Version) -> Option<Result<bool>> {
        let key = key.as_ref();
        self.at_once(Operation::Delete, Some(key), |call| call.delete(key, Some(version)), Ok)
    }

    /// Gives a live key a new TTL: true iff it was live. [`Expiry::Never`] makes it persist.
    ///
    /// # Errors
    /// As [`set`](Handle::set), less those about the value.
    pub async fn touch(&self, key: impl AsRef<[u8]>, expiry: impl Into<Expiry>) -> Result<bool> {
        let key = key.as_ref();
        answer!(self.asking(Operation::Touch, Some(key), |call| call.touch(key, expiry.into(), None), Ok))
    }

    /// [`touch`](Handle::touch), at once or not at all.
    pub fn try_touch(&self, key: impl AsRef<[u8]>, expiry: impl Into<Expiry>) -> Option<Result<bool>> {
        let key = key.as_ref();
        self.at_once(Operation::Touch, Some(key), |call| call.touch(key, expiry.into(), None), Ok)
    }

    /// Gives a key a new TTL if it has this version: false if it is absent.
    ///
    /// # Errors
    /// As [`touch`](Handle::touch); CONFLICT if it has another version.
    pub async fn touch_if(&self, key: impl AsRef<[u8]>, expiry: impl Into<Expiry>, version: &Version) -> Result<bool> {
        let key = key.as_ref();
        answer!(self.asking(Operation::Touch, Some(key), |call| call.touch(key, expiry.into(), Some(version)), Ok))
    }

    /// [`touch_if`](Handle::touch_if), at once or not at all.
    pub fn try_touch_if(
        &self,
        key: impl AsRef<[u8]>,
        expiry: impl Into<Expiry>,
        version: &Version,
    ) -> Option<Result<bool>> {
        let key = key.as_ref();
        self.at_once(Operation::Touch, Some(key), |call| call.touch(key, expiry.into(), Some(version)), Ok)
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
        answer!(self.asking(Operation::GetAndTouch, Some(key), |call| call.get_and_touch(key, expiry.into()), decode))
    }

    /// [`get_and_touch`](Handle::get_and_touch), at once or not at all.
    pub fn try_get_and_touch<V: Decode>(
        &self,
        key: impl AsRef<[u8]>,
        expiry: impl Into<Expiry>,
    ) -> Option<Result<Option<V>>> {
        let key = key.as_ref();
        self.at_once(Operation::GetAndTouch, Some(key), |call| call.get_and_touch(key, expiry.into()), decode)
    }

    /// Reads a key and deletes it, in one step.
    ///
    /// # Errors
    /// As [`get`](Handle::get) and [`delete`](Handle::delete).
    pub async fn take<V: Decode>(&self, key: impl AsRef<[u8]>) -> Result<Option<V>> {
        let key = key.as_ref();
        answer!(self.asking(Operation::Take, Some(key), |call| call.take(key), decode))
    }

    /// [`take`](Handle::take), at once or not at all.
    pub fn try_take<V: Decode>(&self, key: impl AsRef<[u8]>) -> Option<Result<Option<V>>> {
        let key = key.as_ref();
        self.at_once(Operation::Take, Some(key), |call| call.take(key), decode)
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
        answer!(self.asking(Operation::Increment, Some(key), |call| call.increment(key, options), Ok))
    }

    /// [`increment_with`](Handle::increment_with), at once or not at all.
    pub fn try_increment_with(&self, key: impl AsRef<[u8]>, options: &IncrementOptions) -> Option<Result<i64>> {
        let key = key.as_ref();
        self.at_once(Operation::Increment, Some(key), |call| call.increment(key, options), Ok)
    }
}

/// The checks of each operation, and what it asks of the backend.
impl<'a> Call<'a> {
    /// The value's bytes go to the buffer, from which the question borrows.
    #[inline(always)]
    fn set<V: Encode + ?Sized>(
        self,
        key: &'a [u8],
        value: &'a V,
        expiry: Expiry,
        buffer: &'a mut Vec<u8>,
    ) -> Result<impl Question<'a, Written>> {
        let (key, value, put) = self.check_set(key, value, expiry, buffer)?;
        Ok(self.ask_put(key, value, put))
    }

    /// What [`set`](Call::set) checks, and what it is to write.
    #[inline(always)]
    pub(super) fn check_set<'b, V: Encode + ?Sized>(
        self,
        key: &'b [u8],
        value: &'b V,
        expiry: Expiry,
        buffer: &'b mut Vec<u8>,
    ) -> Result<(Key<'b>, &'b [u8], Put<'b>)> {
        let key = Key::new(key)?;
        let value = value.encode(&self.settings().limits, buffer)?;
        let put = Put::always(self.settings().ttl.resolve(expiry)?);
        self.allow(Action::KeySet, key)?;
        Ok((key, value, put))
    }

    /// As [`set`](Call::set).
    #[inline]
    fn put<V: Encode + ?Sized>(
        self,
        key: &'a [u8],
        value: &'a V,
        options: &'a PutOptions,
        buffer: &'a mut Vec<u8>,
    ) -> Result<impl Question<'a, Written>> {
        let key = Key::new(key)?;
        let value = value.encode(&self.settings().limits, buffer)?;
        let put = Put {
            lifetime: self.settings().ttl.resolve(options.expiry)?,
            keep_ttl: options.keep_ttl,
            condition: options.condition()?,
        };
        self.allow(Action::KeySet, key)?;
        Ok(self.ask_put(key, value, put))
    }

    #[inline(always)]
    pub(super) fn ask_put(self, key: Key<'a>, value: &'a [u8], put: Put<'a>) -> impl Question<'a, Written> {
        let cx = self.cx();
        question(move |store| store.try_put(cx, key, value, put), move |store| store.put(cx, key, value, put))
    }

    #[inline]
    fn delete(self, key: &'a [u8], if_version: Option<&'a Version>) -> Result<impl Question<'a, bool>> {
        let key = Key::new(key)?;
        self.allow(Action::KeyDelete, key)?;
        let cx = self.cx();
        Ok(question(move |store| store.try_delete(cx, key, if_version), move |store| store.delete(cx, key, if_version)))
    }

    #[inline]
    fn touch(self, key: &'a [u8], expiry: Expiry, if_version: Option<&'a Version>) -> Result<impl Question<'a, bool>> {
        let key = Key::new(key)?;
        let lifetime = self.settings().ttl.resolve(expiry)?;
        self.allow(Action::KeySet, key)?;
        let cx = self.cx();
        Ok(question(
            move |store| store.try_touch(cx, key, lifetime, if_version),
            move |store| store.touch(cx, key, lifetime, if_version),
        ))
    }

    #[inline]
    fn get_and_touch(self, key: &'a [u8], expiry: Expiry) -> Result<impl Question<'a, Option<Payload>>> {
        let key = Key::new(key)?;
        let lifetime = self.settings().ttl.resolve(expiry)?;
        self.allow(Action::KeyGet, key)?;
        self.allow(Action::KeySet, key)?;
        let cx = self.cx();
        Ok(question(
            move |store| store.try_get_and_touch(cx, key, lifetime),
            move |store| store.get_and_touch(cx, key, lifetime),
        ))
    }

    #[inline]
    fn take(self, key: &'a [u8]) -> Result<impl Question<'a, Option<Payload>>> {
        let key = Key::new(key)?;
        self.allow(Action::KeyGet, key)?;
        self.allow(Action::KeyDelete, key)?;
        let cx = self.cx();
        Ok(question(move |store| store.try_take(cx, key), move |store| store.take(cx, key)))
    }

    #[inline]
    fn increment(self, key: &'a [u8], options: &IncrementOptions) -> Result<impl Question<'a, i64> + use<'a>> {
        let key = Key::new(key)?;
        let by = Increment {
            delta: options.delta,
            initial: options.initial,
            lifetime: self.settings().ttl.resolve(options.expiry)?,
        };
        self.allow(Action::KeySet, key)?;
        let cx = self.cx();
        Ok(question(move |store| store.try_increment(cx, key, by), move |store| store.increment(cx, key, by)))
    }
}
