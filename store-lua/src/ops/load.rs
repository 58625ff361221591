//! `get_or_set`: read through, with one loader for each key at a time.

use std::sync::Arc;
use std::time::Duration;

use mlua::{Lua, MultiValue, Value};
use store_core::{Error, Expiry, LoadOptions, Loaded, Payload};

use super::{Call, Done, Ended};
use crate::args::{Options, bytes, seconds, ttl as ttl_argument, wrong};
use crate::errors::from_value;
use crate::module::Module;
use crate::reply::Reply;
use crate::shim::{Stop, type_name};
use crate::value::{Fault, encode};

pub(super) fn get_or_set(call: &Call<'_>, (key, loader, options): (Value, Value, Value)) -> Ended {
    call.check()?;
    let key = bytes(call.operation, 1, &key)?;
    let Value::Function(loader) = loader else {
        return Err(wrong("loader", "a function", &loader).into());
    };
    let options = load_options(&options)?;
    // Most often it is there, and nobody has to wait.
    if let Some(found) = call.handle.try_hit::<Payload>(&key, &options) {
        return call.answer(key.as_ref(), Reply::Value(Some(found?)));
    }
    let pcall = call.module.shared.pcall.clone();
    let (module, handle, owned) = (Arc::clone(call.module), call.handle.clone(), key.as_ref().to_vec());
    // Not the VM itself, which would never end while a forgotten coroutine waits here.
    let lua = call.lua.weak();
    let operation = async move {
        let limits = handle.settings().limits;
        let load = || async {
            // Under pcall, so that an error object that the loader raises arrives as what it is.
            match pcall.call_async::<MultiValue>(&loader).await {
                Ok(results) => match lua.try_upgrade() {
                    Some(lua) => loaded(&lua, &module, &limits, results),
                    None => Err(Error::internal("the VM has ended")),
                },
                Err(error) => Err(Error::internal(format!("the loader could not be run: {error}"))),
            }
        };
        Ok(Reply::Value(handle.get_or_set(&owned, options, load).await?))
    };
    Ok(Done::Wait(call.wait(key.as_ref(), true, Box::pin(operation))))
}

fn load_options(options: &Value) -> Result<LoadOptions, Stop> {
    if matches!(options, Value::Nil | Value::Integer(_) | Value::Number(_)) {
        return Ok(LoadOptions::new(ttl_argument(options)?));
    }
    let given = Options::new(options, &["ttl", "negative_ttl", "stale_on_error"])?;
    let mut options = LoadOptions::new(given.ttl()?);
    if let Some(ttl) = window("negative_ttl", &given.get("negative_ttl")?)? {
        options = options.negative_ttl(ttl);
    }
    if let Some(window) = window("stale_on_error", &given.get("stale_on_error")?)? {
        options = options.stale_on_error(window);
    }
    Ok(options)
}

/// How long something is remembered: 0 is not at all, infinity as long as the process lives.
fn window(name: &'static str, value: &Value) -> Result<Option<Duration>, Error> {
    if matches!(value, Value::Integer(0)) || matches!(value, Value::Number(seconds) if *seconds == 0.0) {
        return Ok(None);
    }
    Ok(seconds(name, value)?.map(|expiry| match expiry {
        Expiry::After(window) => window,
        _ => store_core::MAX_TTL,
    }))
}

/// What a loader brought: `value[, ttl]`, or `nil, err`, or nothing.
fn loaded(
    lua: &Lua,
    module: &Module,
    limits: &store_core::codec::Limits,
    results: MultiValue,
) -> Result<Loaded<Payload>, Error> {
    let mut results = results.into_iter();
    let mut next = || results.next().unwrap_or(Value::Nil);
    let (ok, value, second) = (next(), next(), next());
    if !matches!(ok, Value::Boolean(true)) {
        return Err(failure("the loader raised", &value));
    }
    if value.is_nil() {
        return if second.is_nil() { Ok(Loaded::nothing()) } else { Err(failure("the loader failed", &second)) };
    }
    let expiry = match second {
        Value::Nil => None,
        ttl => Some(ttl_argument(&ttl)?),
    };
    let mut buffer = Vec::new();
    encode(lua, &value, &module.shared.mark, limits, &mut buffer).map_err(|fault| match fault {
        Fault::Value(error) => error,
        Fault::Vm(error) => Error::internal(format!("the loaded value could not be read: {error}")),
    })?;
    let loaded = Loaded::value(Payload::from(buffer));
    Ok(match expiry {
        Some(expiry) => loaded.expiry(expiry),
        None => loaded,
    })
}

/// The error of a loader: one of ours unchanged, anything else INTERNAL.
#[cold]
fn failure(what: &str, error: &Value) -> Error {
    if let Some(error) = from_value(error) {
        return error.into_core();
    }
    let message = match error {
        Value::String(text) => format!("{what}: {}", text.to_string_lossy()),
        other => format!("{what} a {}", type_name(other)),
    };
    Error::internal(message).with_reason("loader")
}
