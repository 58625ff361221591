//! Many keys at once. One item that is invalid or denied refuses the whole batch before anything is done.

use std::pin::pin;

use super::call::{Answer, Mode};
use super::{Handle, MAX_BATCH};
use crate::codec::{Decode, Encode};
use crate::observe::Operation;
use crate::policy::Action;
use crate::{BatchWrite, Error, Expiry, Key, Result};

impl Handle {
    /// The values of many keys, in their order; `None` where absent. Keys may repeat; at most [`MAX_BATCH`].
    ///
    /// # Errors
    /// As [`get`](Handle::get), for any of the keys; the details name the item (`index`, from 0).
    pub async fn get_many<V: Decode>(&self, keys: &[impl AsRef<[u8]>]) -> Result<Vec<Option<V>>> {
        self.wait(Operation::GetMany, None, pin!(self.get_many_in(Mode::Wait, keys))).await
    }

    /// [`get_many`](Handle::get_many), at once or not at all.
    pub fn try_get_many<V: Decode>(&self, keys: &[impl AsRef<[u8]>]) -> Option<Result<Vec<Option<V>>>> {
        self.answer_now(Operation::GetMany, None, self.get_many_in(Mode::Now, keys))
    }

    async fn get_many_in<V: Decode>(&self, mode: Mode, keys: &[impl AsRef<[u8]>]) -> Answer<Vec<Option<V>>> {
        self.check()?;
        let keys = self.batch_keys(keys, Action::KeyGet)?;
        let (cx, keys) = (self.context(), keys.as_slice());
        let found = self.ask(mode, |store| store.try_get_many(cx, keys), |store| store.get_many(cx, keys)).await?;
        let mut values = Vec::with_capacity(found.len());
        for (index, payload) in found.into_iter().enumerate() {
            let value = payload.map(V::decode).transpose();
            values.push(value.map_err(|error| item(index, keys[index].as_bytes(), error))?);
        }
        Ok(values)
    }

    /// Stores many values, in their order; the last of equal keys stays. Not atomic across keys; at most [`MAX_BATCH`].
    ///
    /// # Errors
    /// As [`set`](Handle::set), for any of the items; the details name it (`index`, from 0). A failure on the way says which
    /// items were not applied (`not_applied`) and of which nobody knows (`unknown`).
    pub async fn set_many<V: Encode>(&self, items: &[(impl AsRef<[u8]>, V, Expiry)]) -> Result<()> {
        self.wait(Operation::SetMany, None, pin!(self.set_many_in(Mode::Wait, items))).await
    }

    /// [`set_many`](Handle::set_many), at once or not at all.
    pub fn try_set_many<V: Encode>(&self, items: &[(impl AsRef<[u8]>, V, Expiry)]) -> Option<Result<()>> {
        self.answer_now(Operation::SetMany, None, self.set_many_in(Mode::Now, items))
    }

    async fn set_many_in<V: Encode>(&self, mode: Mode, items: &[(impl AsRef<[u8]>, V, Expiry)]) -> Answer<()> {
        self.check()?;
        check_len(items.len())?;
        let settings = self.settings();
        let mut buffers: Vec<Vec<u8>> = Vec::new();
        buffers.resize_with(items.len(), Vec::new);
        let mut writes = Vec::with_capacity(items.len());
        for (index, ((key, value, expiry), buffer)) in items.iter().zip(&mut buffers).enumerate() {
            let key = key.as_ref();
            let wrong = |error| item(index, key, error);
            writes.push(BatchWrite {
                key: Key::new(key).map_err(wrong)?,
                value: value.encode(&settings.limits, buffer).map_err(wrong)?,
                lifetime: settings.ttl.resolve(*expiry).map_err(wrong)?,
            });
        }
        for write in &writes {
            self.allow(Action::KeySet, Some(write.key.as_bytes()))?;
        }
        let (cx, writes) = (self.context(), writes.as_slice());
        self.ask(mode, |store| store.try_set_many(cx, writes), |store| store.set_many(cx, writes)).await
    }

    /// Deletes many keys: true for each that was live; of equal keys the first. At most [`MAX_BATCH`].
    ///
    /// # Errors
    /// As [`delete`](Handle::delete), for any of the keys; the details name the item (`index`, from 0).
    pub async fn delete_many(&self, keys: &[impl AsRef<[u8]>]) -> Result<Vec<bool>> {
        self.wait(Operation::DeleteMany, None, pin!(self.delete_many_in(Mode::Wait, keys))).await
    }

    /// [`delete_many`](Handle::delete_many), at once or not at all.
    pub fn try_delete_many(&self, keys: &[impl AsRef<[u8]>]) -> Option<Result<Vec<bool>>> {
        self.answer_now(Operation::DeleteMany, None, self.delete_many_in(Mode::Now, keys))
    }

    async fn delete_many_in(&self, mode: Mode, keys: &[impl AsRef<[u8]>]) -> Answer<Vec<bool>> {
        self.check()?;
        let keys = self.batch_keys(keys, Action::KeyDelete)?;
        let (cx, keys) = (self.context(), keys.as_slice());
        self.ask(mode, |store| store.try_delete_many(cx, keys), |store| store.delete_many(cx, keys)).await
    }

    /// All arguments are checked before the policy is asked about any.
    fn batch_keys<'a>(&self, keys: &'a [impl AsRef<[u8]>], action: Action) -> Result<Vec<Key<'a>>> {
        check_len(keys.len())?;
        let mut checked = Vec::with_capacity(keys.len());
        for (index, key) in keys.iter().enumerate() {
            checked.push(Key::new(key).map_err(|error| item(index, key.as_ref(), error))?);
        }
        for key in &checked {
            self.allow(action, Some(key.as_bytes()))?;
        }
        Ok(checked)
    }
}

fn check_len(len: usize) -> Result<()> {
    if len <= MAX_BATCH {
        return Ok(());
    }
    Err(Error::invalid(format!("a batch of {len} items; at most {MAX_BATCH} are allowed"))
        .with_detail("limit", MAX_BATCH))
}

/// Says which item of a batch an error is about.
fn item(index: usize, key: &[u8], error: Error) -> Error {
    error.or_detail("index", || index.into()).or_detail("key", || key.into())
}
