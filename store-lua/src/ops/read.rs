//! `get`, `has`, `entry`, `ttl`, `info`, `release`.

use mlua::{IntoLua, Value};
use store_core::{MAX_BATCH, MAX_KEY_LEN, Payload};

use super::{Call, Done, Ended};
use crate::args::bytes;
use crate::reply::Reply;

pub(super) fn get(call: &Call<'_>, key: Value) -> Ended {
    call.check()?;
    let key = bytes(call.operation, 1, &key)?;
    let now = call.handle.try_get::<Payload>(&key);
    call.now_or(key.as_ref(), now, Reply::Value, |handle, key| async move { handle.get(&key).await })
}

pub(super) fn has(call: &Call<'_>, key: Value) -> Ended {
    call.check()?;
    let key = bytes(call.operation, 1, &key)?;
    let now = call.handle.try_has(&key);
    call.now_or(key.as_ref(), now, Reply::Bool, |handle, key| async move { handle.has(&key).await })
}

pub(super) fn entry(call: &Call<'_>, key: Value) -> Ended {
    call.check()?;
    let key = bytes(call.operation, 1, &key)?;
    let now = call.handle.try_entry::<Payload>(&key);
    call.now_or(key.as_ref(), now, Reply::Entry, |handle, key| async move { handle.entry(&key).await })
}

pub(super) fn ttl(call: &Call<'_>, key: Value) -> Ended {
    call.check()?;
    let key = bytes(call.operation, 1, &key)?;
    let now = call.handle.try_ttl(&key);
    call.now_or(key.as_ref(), now, Reply::Ttl, |handle, key| async move { handle.ttl(&key).await })
}

pub(super) fn release(call: &Call<'_>, (): ()) -> Ended {
    Ok(Done::Value(Value::Boolean(call.handle.release())))
}

pub(super) fn info(call: &Call<'_>, (): ()) -> Ended {
    call.module.check_process()?;
    let (lua, info) = (call.lua, call.handle.info()?);
    let backend = &info.backend;
    let capabilities = lua.create_table()?;
    for (name, able) in backend.capabilities.flags() {
        capabilities.raw_set(name, able)?;
    }
    let limits = lua.create_table()?;
    limits.raw_set("max_key_size", MAX_KEY_LEN)?;
    limits.raw_set("max_value_size", info.max_value_size)?;
    limits.raw_set("max_depth", info.max_depth)?;
    limits.raw_set("max_batch", MAX_BATCH)?;
    limits.raw_set("max_entries", backend.max_entries)?;
    let table = lua.create_table()?;
    table.raw_set("id", info.id.as_str())?;
    table.raw_set("backend", backend.backend)?;
    table.raw_set("consistency", backend.consistency.as_str())?;
    table.raw_set("durable", backend.durable)?;
    table.raw_set("entries", backend.entries)?;
    table.raw_set("capabilities", capabilities)?;
    table.raw_set("limits", limits)?;
    Ok(Done::Value(table.into_lua(lua)?))
}
