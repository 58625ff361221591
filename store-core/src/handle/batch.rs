//! Many keys at once. One item that is invalid or denied refuses the whole batch before anything is done.

use super::call::{Call, Question, answer, question};
use super::{Handle, MAX_BATCH};
use crate::codec::{Decode, Encode};
use crate::observe::Operation;
use crate::policy::Action;
use crate::{BatchWrite, Error, Expiry, Key, Payload, Result};

impl Handle {
    /// The values of many keys, in their order; `None` where absent. Keys may repeat; at most [`MAX_BATCH`].
    ///
    /// # Errors
    /// As [`get`](Handle::get), for any of the keys; the details name the item (`index`, from 0).
    pub async fn get_many<V: Decode>(&self, keys: &[impl AsRef<[u8]>]) -> Result<Vec<Option<V>>> {
        let mut checked = Vec::new();
        answer!(self.asking(
            Operation::GetMany,
            None,
            |call| call.get_many(keys, &mut checked),
            |found| decode_all(keys, found)
        ))
    }

    /// [`get_many`](Handle::get_many), at once or not at all.
    pub fn try_get_many<V: Decode>(&self, keys: &[impl AsRef<[u8]>]) -> Option<Result<Vec<Option<V>>>> {
        let mut checked = Vec::new();
        self.at_once(
            Operation::GetMany,
            None,
            |call| call.get_many(keys, &mut checked),
            |found| decode_all(keys, found),
        )
    }

    /// Stores many values, in their order; the last of equal keys stays. Not atomic across keys; at most [`MAX_BATCH`].
    ///
    /// # Errors
    /// As [`set`](Handle::set), for any of the items; the details name it (`index`, from 0). A failure on the way says which
    /// items were not applied (`not_applied`) and of which nobody knows (`unknown`).
    pub async fn set_many<V: Encode>(&self, items: &[(impl AsRef<[u8]>, V, Expiry)]) -> Result<()> {
        let (mut buffers, mut writes) = (Vec::new(), Vec::new());
        answer!(self.asking(Operation::SetMany, None, |call| call.set_many(items, &mut buffers, &mut writes), Ok))
    }

    /// [`set_many`](Handle::set_many), at once or not at all.
    pub fn try_set_many<V: Encode>(&self, items: &[(impl AsRef<[u8]>, V, Expiry)]) -> Option<Result<()>> {
        let (mut buffers, mut writes) = (Vec::new(), Vec::new());
        self.at_once(Operation::SetMany, None, |call| call.set_many(items, &mut buffers, &mut writes), Ok)
    }

    /// Deletes many keys: true for each that was live; of equal keys the first. At most [`MAX_BATCH`].
    ///
    /// # Errors
    /// As [`delete`](Handle::delete), for any of the keys; the details name the item (`index`, from 0).
    pub async fn delete_many(&self, keys: &[impl AsRef<[u8]>]) -> Result<Vec<bool>> {
        let mut checked = Vec::new();
        answer!(self.asking(Operation::DeleteMany, None, |call| call.delete_many(keys, &mut checked), Ok))
    }

    /// [`delete_many`](Handle::delete_many), at once or not at all.
    pub fn try_delete_many(&self, keys: &[impl AsRef<[u8]>]) -> Option<Result<Vec<bool>>> {
        let mut checked = Vec::new();
        self.at_once(Operation::DeleteMany, None, |call| call.delete_many(keys, &mut checked), Ok)
    }
}

/// The checks of each operation, and what it asks of the backend.
impl<'a> Call<'a> {
    /// The checked keys go to a vector, from which the question borrows.
    fn get_many<'k: 'a>(
        self,
        keys: &'k [impl AsRef<[u8]>],
        checked: &'a mut Vec<Key<'k>>,
    ) -> Result<impl Question<'a, Vec<Option<Payload>>>> {
        let (cx, keys) = (self.cx(), self.batch_keys(keys, Action::KeyGet, checked)?);
        Ok(question(move |store| store.try_get_many(cx, keys), move |store| store.get_many(cx, keys)))
    }

    /// The values' bytes go to the buffers, from which the writes borrow.
    fn set_many<'b: 'a, V: Encode>(
        self,
        items: &'b [(impl AsRef<[u8]>, V, Expiry)],
        buffers: &'b mut Vec<Vec<u8>>,
        writes: &'a mut Vec<BatchWrite<'b>>,
    ) -> Result<impl Question<'a, ()>> {
        check_len(items.len())?;
        let settings = self.settings();
        buffers.resize_with(items.len(), Vec::new);
        writes.reserve_exact(items.len());
        for (index, ((key, value, expiry), buffer)) in items.iter().zip(buffers).enumerate() {
            let key = key.as_ref();
            let wrong = |error| item(index, key, error);
            writes.push(BatchWrite {
                key: Key::new(key).map_err(wrong)?,
                value: value.encode(&settings.limits, buffer).map_err(wrong)?,
                lifetime: settings.ttl.resolve(*expiry).map_err(wrong)?,
            });
        }
        for write in &*writes {
            self.allow(Action::KeySet, write.key)?;
        }
        let (cx, writes) = (self.cx(), writes.as_slice());
        Ok(question(move |store| store.try_set_many(cx, writes), move |store| store.set_many(cx, writes)))
    }

    fn delete_many<'k: 'a>(
        self,
        keys: &'k [impl AsRef<[u8]>],
        checked: &'a mut Vec<Key<'k>>,
    ) -> Result<impl Question<'a, Vec<bool>>> {
        let (cx, keys) = (self.cx(), self.batch_keys(keys, Action::KeyDelete, checked)?);
        Ok(question(move |store| store.try_delete_many(cx, keys), move |store| store.delete_many(cx, keys)))
    }

    /// All arguments are checked before the policy is asked about any.
    fn batch_keys<'b, 'k>(
        self,
        keys: &'k [impl AsRef<[u8]>],
        action: Action,
        checked: &'b mut Vec<Key<'k>>,
    ) -> Result<&'b [Key<'k>]> {
        check_len(keys.len())?;
        checked.reserve_exact(keys.len());
        for (index, key) in keys.iter().enumerate() {
            checked.push(Key::new(key).map_err(|error| item(index, key.as_ref(), error))?);
        }
        for key in &*checked {
            self.allow(action, *key)?;
        }
        Ok(checked)
    }
}

fn decode_all<V: Decode>(keys: &[impl AsRef<[u8]>], found: Vec<Option<Payload>>) -> Result<Vec<Option<V>>> {
    let mut values = Vec::with_capacity(found.len());
    for (index, (payload, key)) in found.into_iter().zip(keys).enumerate() {
        let value = payload.map(V::decode).transpose();
        values.push(value.map_err(|error| item(index, key.as_ref(), error))?);
    }
    Ok(values)
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
