//! `get_many`, `set_many`, `delete_many`.

use mlua::Value;
use store_core::{Expiry, Payload};

use super::write::encoded;
use super::{Call, Done, Ended};
use crate::args::{Bytes, Options, bytes, items, ttl as ttl_argument, wrong};
use crate::beside::take;
use crate::reply::Reply;
use crate::shim::{Stop, type_name};

fn keys(call: &Call<'_>, keys: &Value) -> Result<Vec<Bytes>, Stop> {
    let keys = items("keys", keys)?;
    keys.iter().enumerate().map(|(index, key)| key_of_item(call, index, key)).collect()
}

/// A key that is not a string is a programming mistake here as everywhere, and raised.
fn key_of_item(call: &Call<'_>, index: usize, key: &Value) -> Result<Bytes, Stop> {
    bytes(call.operation, 1, key).map_err(|_| {
        let got = if matches!(key, Value::Number(_) | Value::Integer(_)) { "float" } else { type_name(key) };
        Stop::Raise(format!(
            "bad argument #1 to '{}' (string expected as key of item {}, got {got})",
            call.operation,
            index + 1
        ))
    })
}

pub(super) fn get_many(call: &Call<'_>, list: Value) -> Ended {
    call.check()?;
    let keys = keys(call, &list)?;
    let owned = || keys.iter().map(|key| key.as_ref().to_vec()).collect::<Vec<_>>();
    match call.handle.try_get_many::<Payload>(&keys) {
        Some(found) => call.answer(&[], Reply::Values(owned(), found?)),
        None => {
            let (handle, keys) = (call.handle.clone(), owned());
            let operation = async move {
                let found = handle.get_many(&keys).await?;
                Ok(Reply::Values(keys, found))
            };
            Ok(Done::Wait(call.wait(&[], false, Box::pin(operation))))
        }
    }
}

pub(super) fn delete_many(call: &Call<'_>, list: Value) -> Ended {
    call.check()?;
    let keys = keys(call, &list)?;
    let now = call.handle.try_delete_many(&keys);
    let owned: Vec<Vec<u8>> = match now {
        Some(_) => Vec::new(),
        None => keys.iter().map(|key| key.as_ref().to_vec()).collect(),
    };
    call.now_or(&[], now, Reply::Bools, |handle, _| async move { handle.delete_many(&owned).await })
}

pub(super) fn set_many(call: &Call<'_>, (list, ttl): (Value, Value)) -> Ended {
    call.check()?;
    let default = ttl_argument(&ttl)?;
    let list = items("items", &list)?;
    let mut writes: Vec<(Vec<u8>, Payload, Expiry)> = Vec::with_capacity(list.len());
    // One string of the script's can be a thousand values.
    let mut taken = Vec::new();
    for (index, item) in list.iter().enumerate() {
        let write = write_of_item(call, index, item, default).map_err(|stop| at_index(stop, index))?;
        taken.extend(take(call.lua, write.0.len() + write.1.as_bytes().len())?);
        writes.push(write);
    }
    let count = writes.len();
    let now = call.handle.try_set_many(&writes);
    let trues = |count: usize| Reply::Bools(vec![true; count]);
    match now {
        Some(done) => {
            done?;
            call.answer(&[], trues(count))
        }
        None => {
            let handle = call.handle.clone();
            let operation = async move {
                handle.set_many(&writes).await?;
                drop(taken);
                Ok(trues(count))
            };
            Ok(Done::Wait(call.wait(&[], false, Box::pin(operation))))
        }
    }
}

fn write_of_item(
    call: &Call<'_>,
    index: usize,
    item: &Value,
    default: Expiry,
) -> Result<(Vec<u8>, Payload, Expiry), Stop> {
    let Value::Table(_) = item else {
        return Err(wrong("an item", "a table {key =, value =, ttl =}", item).into());
    };
    let item = Options::new(item, &["key", "value", "ttl"])?;
    let key = key_of_item(call, index, &item.get("key")?)?.as_ref().to_vec();
    let expiry = match item.get("ttl")? {
        Value::Nil => default,
        ttl => ttl_argument(&ttl)?,
    };
    let value = encoded(call, &item.get("value")?, |value| Ok(Payload::from(value)))?;
    Ok((key, value, expiry))
}

/// Says which item an error is about, counted from 0 as everywhere in Rust.
#[cold]
fn at_index(stop: Stop, index: usize) -> Stop {
    match stop {
        Stop::Fail(error) => Stop::Fail(error.or_detail("index", || index.into())),
        other => other,
    }
}
