//! `set`, `put`, `delete`, `touch`, `get_and_touch`, `take`, `increment`.

use mlua::Value;
use store_core::codec::Raw;
use store_core::{IncrementOptions, Payload, PutOptions, TypedEntry, Written};

use super::{Call, Ended, with_buffer};
use crate::args::{Options, bytes, integer, ttl as ttl_argument};
use crate::reply::Reply;
use crate::shim::Stop;
use crate::value::encode;

/// Encodes a value and passes the bytes on.
pub(super) fn encoded<T>(
    call: &Call<'_>,
    value: &Value,
    pass_on: impl FnOnce(&[u8]) -> Result<T, Stop>,
) -> Result<T, Stop> {
    with_buffer(|buffer| {
        encode(call.lua, value, &call.module.shared.mark, &call.handle.settings().limits, buffer)?;
        pass_on(buffer)
    })
}

pub(super) fn set(call: &Call<'_>, (key, value, ttl): (Value, Value, Value)) -> Ended {
    call.check()?;
    let key = bytes(call.operation, 1, &key)?;
    let expiry = ttl_argument(&ttl)?;
    encoded(call, &value, |value| {
        let now = call.handle.try_set(&key, &Raw(value), expiry);
        call.now_or(
            key.as_ref(),
            now,
            |()| Reply::Bool(true),
            |handle, key| {
                let value = Payload::from(value);
                async move { handle.set(&key, &value, expiry).await }
            },
        )
    })
}

pub(super) fn put(call: &Call<'_>, (key, value, options): (Value, Value, Value)) -> Ended {
    const KNOWN: &[&str] = &["ttl", "keep_ttl", "only_if_absent", "only_if_present", "if_version"];
    call.check()?;
    let key = bytes(call.operation, 1, &key)?;
    let options = put_options(&options, KNOWN)?;
    encoded(call, &value, |value| {
        let entry = |value: Payload, written: Written| {
            Reply::Entry(Some(TypedEntry { value, version: written.version, ttl: written.ttl }))
        };
        match call.handle.try_put(&key, &Raw(value), &options) {
            Some(written) => call.answer(key.as_ref(), entry(Payload::from(value), written?)),
            None => {
                let (handle, value, owned) = (call.handle.clone(), Payload::from(value), key.as_ref().to_vec());
                let operation = async move {
                    let written = handle.put(&owned, &value, &options).await?;
                    Ok(entry(value, written))
                };
                Ok(super::Done::Wait(call.wait(key.as_ref(), false, Box::pin(operation))))
            }
        }
    })
}

fn put_options(options: &Value, known: &'static [&'static str]) -> Result<PutOptions, Stop> {
    let given = Options::new(options, known)?;
    let mut options = PutOptions::new().expiry(given.ttl()?);
    if given.flag("keep_ttl")? {
        options = options.keep_ttl();
    }
    if given.flag("only_if_absent")? {
        options = options.only_if_absent();
    }
    if given.flag("only_if_present")? {
        options = options.only_if_present();
    }
    if let Some(version) = given.version()? {
        options = options.if_version(version);
    }
    Ok(options)
}

pub(super) fn delete(call: &Call<'_>, (key, options): (Value, Value)) -> Ended {
    call.check()?;
    let key = bytes(call.operation, 1, &key)?;
    let version = Options::new(&options, &["if_version"]).and_then(|options| options.version())?;
    match version {
        None => {
            let now = call.handle.try_delete(&key);
            call.now_or(key.as_ref(), now, Reply::Bool, |handle, key| async move { handle.delete(&key).await })
        }
        Some(version) => {
            let now = call.handle.try_delete_if(&key, &version);
            call.now_or(
                key.as_ref(),
                now,
                Reply::Bool,
                |handle, key| async move { handle.delete_if(&key, &version).await },
            )
        }
    }
}

pub(super) fn touch(call: &Call<'_>, (key, ttl, options): (Value, Value, Value)) -> Ended {
    call.check()?;
    let key = bytes(call.operation, 1, &key)?;
    let expiry = ttl_argument(&ttl)?;
    let version = Options::new(&options, &["if_version"]).and_then(|options| options.version())?;
    match version {
        None => {
            let now = call.handle.try_touch(&key, expiry);
            call.now_or(key.as_ref(), now, Reply::Bool, |handle, key| async move { handle.touch(&key, expiry).await })
        }
        Some(version) => {
            let now = call.handle.try_touch_if(&key, expiry, &version);
            call.now_or(key.as_ref(), now, Reply::Bool, |handle, key| async move {
                handle.touch_if(&key, expiry, &version).await
            })
        }
    }
}

pub(super) fn get_and_touch(call: &Call<'_>, (key, ttl): (Value, Value)) -> Ended {
    call.check()?;
    let key = bytes(call.operation, 1, &key)?;
    let expiry = ttl_argument(&ttl)?;
    let now = call.handle.try_get_and_touch::<Payload>(&key, expiry);
    call.now_or(key.as_ref(), now, Reply::Value, |handle, key| async move { handle.get_and_touch(&key, expiry).await })
}

pub(super) fn take(call: &Call<'_>, key: Value) -> Ended {
    call.check()?;
    let key = bytes(call.operation, 1, &key)?;
    let now = call.handle.try_take::<Payload>(&key);
    call.now_or(key.as_ref(), now, Reply::Value, |handle, key| async move { handle.take(&key).await })
}

pub(super) fn increment(call: &Call<'_>, (key, delta, options): (Value, Value, Value)) -> Ended {
    call.check()?;
    let key = bytes(call.operation, 1, &key)?;
    let delta = integer("delta", &delta)?.unwrap_or(1);
    let options = Options::new(&options, &["initial", "ttl"]).and_then(|given| {
        let initial = integer("initial", &given.get("initial")?)?.unwrap_or(0);
        Ok(IncrementOptions::by(delta).initial(initial).expiry(given.ttl()?))
    })?;
    let now = call.handle.try_increment_with(&key, &options);
    call.now_or(
        key.as_ref(),
        now,
        Reply::Integer,
        |handle, key| async move { handle.increment_with(&key, &options).await },
    )
}
