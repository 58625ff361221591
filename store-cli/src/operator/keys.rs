//! Commands on single keys.

use std::io::Read;
use std::path::Path;

use serde_json::{Value as Json, json};
use store::{Expiry, IncrementOptions, PutOptions, Ttl, Value, Version};

use super::args::{Delete, Get, Increment, OneKey, Set, Touch, Type};
use crate::args::Common;
use crate::args::values::{bytes, expiry};
use crate::console::{NO, Output, Paint, Trouble};
use crate::stores::At;
use crate::text::escape::printed;
use crate::text::json::{from_bytes, from_value, parse};
use crate::text::readable;

/// Seconds left, or `"never"`.
pub(crate) fn ttl_json(ttl: Ttl) -> Json {
    match ttl {
        Ttl::Never => Json::from("never"),
        Ttl::Left(left) => Json::from(left.as_secs_f64()),
    }
}

pub(crate) async fn get(get: &Get, at: At, out: &mut Output) -> Result<u8, Trouble> {
    let key = bytes(&get.of.key, &get.of.escaped)?;
    let store = at.open(&get.of.id).await?;
    let Some(entry) = store.entry::<Value>(&key).await? else {
        if out.is_json() {
            out.object(&json!({ "key": from_bytes(&key), "found": false }))?;
        } else {
            eprintln!("store: {} is absent", printed(&key));
        }
        return Ok(NO);
    };
    if out.is_json() {
        out.object(&json!({
            "key": from_bytes(&key),
            "found": true,
            "value": from_value(&entry.value),
            "version": entry.version.to_string(),
            "ttl": ttl_json(entry.ttl),
        }))?;
    } else if get.raw {
        let Some(bytes) = entry.value.as_bytes() else {
            return Err(Trouble::Failed("the value is not a string; --raw writes strings only".to_owned()));
        };
        out.bytes(bytes)?;
    } else if get.entry {
        for (name, text) in [("version", entry.version.to_string()), ("ttl", readable::ttl(entry.ttl))] {
            let name = out.paint(Paint::Dim, &format!("{name:8}"));
            out.line(&format!("{name}{text}"))?;
        }
        let name = out.paint(Paint::Dim, "value   ");
        out.line(&format!("{name}{}", readable::value(&entry.value)))?;
    } else {
        out.line(&readable::value(&entry.value))?;
    }
    Ok(0)
}

/// What `set` is to do, read and checked before anything is opened.
#[derive(Debug)]
pub(crate) struct Setting {
    of: OneKey,
    key: Vec<u8>,
    value: Value,
    options: PutOptions,
}

impl Setting {
    pub(crate) fn read(set: Set) -> Result<Setting, Trouble> {
        let key = bytes(&set.of.key, &set.of.escaped)?;
        let kind = if set.json_value { Type::Json } else { set.kind };
        let given = match (&set.value, &set.file) {
            (_, Some(file)) => contents(file)?,
            (Some(text), None) if kind == Type::String => bytes(text, &set.of.escaped)?,
            (Some(text), None) => text.as_encoded_bytes().to_vec(),
            (None, None) => return Err(Trouble::Usage("a value is required".to_owned())),
        };
        let value = typed(kind, given).map_err(|why| Trouble::Usage(format!("the value is {why}")))?;
        let mut options = PutOptions::new().expiry(expiry(set.ttl.as_deref())?);
        options.keep_ttl = set.keep_ttl;
        options.only_if_absent = set.if_absent;
        options.only_if_present = set.if_present;
        options.if_version = set.if_version.as_deref().map(Version::parse);
        Ok(Setting { of: set.of, key, value, options })
    }

    pub(crate) fn id(&self) -> &str {
        &self.of.id
    }

    pub(crate) fn common(&self) -> &Common {
        &self.of.common
    }
}

fn contents(file: &Path) -> Result<Vec<u8>, Trouble> {
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut bytes).map(drop)
    } else {
        std::fs::read(file).map(|read| bytes = read)
    };
    match read {
        Ok(()) => Ok(bytes),
        Err(error) => Err(Trouble::Usage(format!("cannot read {}: {error}", file.display()))),
    }
}

/// A value of the type, or what it is not.
fn typed(kind: Type, bytes: Vec<u8>) -> Result<Value, String> {
    let text = match kind {
        Type::String => return Ok(Value::String(bytes)),
        Type::Json => return parse(&bytes),
        Type::Int | Type::Float | Type::Bool => {
            std::str::from_utf8(&bytes).map(str::trim).map_err(|_| "not UTF-8".to_owned())?
        }
    };
    match kind {
        Type::Int => match (text.parse::<i64>(), text.parse::<u64>()) {
            (Ok(number), _) => Ok(Value::from(number)),
            (_, Ok(number)) => Ok(Value::from(number)),
            _ => Err("not an integer of 64 bits".to_owned()),
        },
        Type::Float => text.parse::<f64>().map(Value::from).map_err(|_| "not a float".to_owned()),
        _ => text.parse::<bool>().map(Value::from).map_err(|_| "neither true nor false".to_owned()),
    }
}

pub(crate) async fn set(set: &Setting, at: At, out: &mut Output) -> Result<u8, Trouble> {
    let store = at.open(&set.of.id).await?;
    let written = store.put(&set.key, &set.value, &set.options).await?;
    let line = format!("version {}, ttl {}", written.version, readable::ttl(written.ttl));
    let object = json!({
        "key": from_bytes(&set.key),
        "version": written.version.to_string(),
        "ttl": ttl_json(written.ttl),
    });
    out.answer(&line, &object)?;
    Ok(0)
}

pub(crate) async fn delete(delete: &Delete, at: At, out: &mut Output) -> Result<u8, Trouble> {
    let keys = delete.keys.iter().map(|key| bytes(key, &delete.escaped)).collect::<Result<Vec<_>, _>>()?;
    let gone = match (&delete.if_version, keys.as_slice()) {
        (Some(version), [key]) => {
            let version = Version::parse(version);
            vec![at.open(&delete.id).await?.delete_if(key, &version).await?]
        }
        (Some(_), _) => return Err(Trouble::Usage("--if-version goes with one key".to_owned())),
        (None, keys) => {
            let store = at.open(&delete.id).await?;
            let mut gone = Vec::new();
            for keys in keys.chunks(store::MAX_BATCH) {
                gone.extend(store.delete_many(keys).await?);
            }
            gone
        }
    };
    for (key, gone) in keys.iter().zip(gone) {
        let line = match keys.len() {
            1 => gone.to_string(),
            _ => format!("{gone}\t{}", out.paint(Paint::Key, &printed(key))),
        };
        out.answer(&line, &json!({ "key": from_bytes(key), "deleted": gone }))?;
    }
    Ok(0)
}

pub(crate) async fn has(of: &OneKey, at: At, out: &mut Output) -> Result<u8, Trouble> {
    let key = bytes(&of.key, &of.escaped)?;
    let found = at.open(&of.id).await?.has(&key).await?;
    yes_or_no(out, &key, "found", found)
}

pub(crate) async fn ttl(of: &OneKey, at: At, out: &mut Output) -> Result<u8, Trouble> {
    let key = bytes(&of.key, &of.escaped)?;
    match at.open(&of.id).await?.ttl(&key).await? {
        Some(ttl) => {
            let object = json!({ "key": from_bytes(&key), "found": true, "ttl": ttl_json(ttl) });
            out.answer(&readable::ttl(ttl), &object)?;
            Ok(0)
        }
        None if out.is_json() => yes_or_no(out, &key, "found", false),
        None => {
            eprintln!("store: {} is absent", printed(&key));
            Ok(NO)
        }
    }
}

pub(crate) async fn touch(touch: &Touch, at: At, out: &mut Output) -> Result<u8, Trouble> {
    let key = bytes(&touch.of.key, &touch.of.escaped)?;
    let expiry: Expiry = expiry(Some(&touch.ttl))?;
    let touched = at.open(&touch.of.id).await?.touch(&key, expiry).await?;
    yes_or_no(out, &key, "touched", touched)
}

fn yes_or_no(out: &mut Output, key: &[u8], name: &str, yes: bool) -> Result<u8, Trouble> {
    out.answer(&yes.to_string(), &json!({ "key": from_bytes(key), name: yes }))?;
    Ok(if yes { 0 } else { NO })
}

pub(crate) async fn increment(increment: &Increment, at: At, out: &mut Output) -> Result<u8, Trouble> {
    let key = bytes(&increment.of.key, &increment.of.escaped)?;
    let expiry = expiry(increment.ttl.as_deref())?;
    let options = IncrementOptions::by(increment.delta).initial(increment.initial).expiry(expiry);
    let sum = at.open(&increment.of.id).await?.increment_with(&key, &options).await?;
    out.answer(&sum.to_string(), &json!({ "key": from_bytes(&key), "value": sum }))?;
    Ok(0)
}
