//! Commands on whole stores: list, clear, info, health.

use serde_json::json;
use store::{Item, ListOptions, StoreHealth, Value, codec};

use super::args::{Clear, Health, List, OneStore};
use super::keys::ttl_json;
use crate::args::values::{bytes, duration};
use crate::console::{NO, Output, Paint, Trouble, error_object, explained};
use crate::stores::At;
use crate::text::escape::printed;
use crate::text::json::{from_bytes, from_value};
use crate::text::readable;

/// How wide a value may be in a listing on a terminal, and how wide a column of keys is at most.
const VALUE_WIDTH: usize = 60;
const KEY_WIDTH: usize = 40;

pub(crate) async fn list(list: &List, at: At, out: &mut Output) -> Result<u8, Trouble> {
    let prefix = bytes(&list.prefix, &list.escaped)?;
    let store = at.open(&list.id).await?;
    let default = ListOptions::DEFAULT_LIMIT as u64;
    let mut missing = if list.all { u64::MAX } else { list.limit.unwrap_or(default) };
    let mut after = list.after.clone();
    loop {
        let limit = usize::try_from(missing).unwrap_or(usize::MAX).min(ListOptions::MAX_LIMIT);
        let mut options = ListOptions::prefix(prefix.as_slice()).limit(limit);
        options.after = after;
        options.keys_only = !list.values;
        let page = store.list(&options).await?;
        missing = missing.saturating_sub(page.items.len() as u64);
        let width = page.items.iter().map(|item| printed(&item.key).chars().count()).max().unwrap_or(0).min(KEY_WIDTH);
        for item in &page.items {
            write_item(item, width, out)?;
        }
        after = page.cursor;
        if after.is_none() || missing == 0 {
            break;
        }
    }
    if let Some(cursor) = after {
        if out.is_json() {
            out.object(&json!({ "cursor": cursor }))?;
        } else {
            out.flush()?;
            eprintln!("store: there is more: --after {cursor}");
        }
    }
    Ok(0)
}

fn write_item(item: &Item, width: usize, out: &mut Output) -> Result<(), Trouble> {
    let key = printed(&item.key);
    let Some(entry) = &item.entry else {
        let line = out.paint(Paint::Key, &key);
        return out.answer(&line, &json!({ "key": from_bytes(&item.key) }));
    };
    let value = codec::decode::<Value>(&entry.value);
    if out.is_json() {
        let mut object = json!({
            "key": from_bytes(&item.key),
            "version": entry.version.to_string(),
            "ttl": ttl_json(entry.ttl),
        });
        match value {
            Ok(value) => object["value"] = from_value(&value),
            Err(error) => object["error"] = error_object(&error),
        }
        return out.object(&object);
    }
    let (value, ttl) = match value {
        Ok(value) => (readable::one_line(&value), readable::ttl(entry.ttl)),
        // One bad entry must not hide the others.
        Err(error) => (out.paint(Paint::Bad, &explained(&error)), readable::ttl(entry.ttl)),
    };
    if !out.is_terminal() {
        return out.line(&format!("{key}\t{ttl}\t{value}"));
    }
    let (key, ttl) = (out.paint(Paint::Key, &format!("{key:width$}")), out.paint(Paint::Dim, &format!("{ttl:>10}")));
    out.line(&format!("{key}  {ttl}  {}", readable::cut(&value, VALUE_WIDTH)))
}

pub(crate) async fn clear(clear: &Clear, prefix: &[u8], at: At, out: &mut Output) -> Result<u8, Trouble> {
    let deleted = at.open(&clear.id).await?.clear(prefix).await?;
    out.answer(&format!("deleted {}", readable::count(deleted)), &json!({ "deleted": deleted }))?;
    Ok(0)
}

pub(crate) async fn info(of: &OneStore, at: At, out: &mut Output) -> Result<u8, Trouble> {
    let store = at.open(&of.id).await?;
    let (info, settings) = (store.info()?, store.settings());
    let backend = &info.backend;
    if out.is_json() {
        let flags: serde_json::Map<_, _> =
            backend.capabilities.flags().into_iter().map(|(name, on)| (name.to_owned(), json!(on))).collect();
        out.object(&json!({
            "id": info.id,
            "backend": backend.backend,
            "consistency": backend.consistency.as_str(),
            "durable": backend.durable,
            "entries": backend.entries,
            "max_entries": backend.max_entries,
            "max_value_size": info.max_value_size,
            "max_depth": info.max_depth,
            "scan_timeout": settings.scan_timeout.as_secs_f64(),
            "capabilities": flags,
        }))?;
        return Ok(0);
    }
    let yes_no = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let missing = backend.capabilities.flags().into_iter().filter(|(_, on)| !on).map(|(name, _)| name);
    let missing: Vec<&str> = missing.collect();
    let number = |number: Option<u64>, none: &str| number.map_or(none.to_owned(), readable::count);
    for (name, text) in [
        ("id", info.id.clone()),
        ("backend", backend.backend.to_owned()),
        ("consistency", backend.consistency.to_string()),
        ("durable", yes_no(backend.durable)),
        ("entries", number(backend.entries, "not known without counting")),
        ("max entries", number(backend.max_entries, "no limit")),
        ("max value", store::config::Size(info.max_value_size as u64).to_string()),
        ("max depth", info.max_depth.to_string()),
        ("cannot", if missing.is_empty() { "-".to_owned() } else { missing.join(", ") }),
    ] {
        let name = out.paint(Paint::Dim, &format!("{name:13}"));
        out.line(&format!("{name}{text}"))?;
    }
    Ok(0)
}

pub(crate) async fn health(health: &Health, at: At, out: &mut Output) -> Result<u8, Trouble> {
    let patience = duration(&health.timeout)?;
    let ids: Vec<String> = match health.ids.as_slice() {
        [] => at.registry.ids().map(|id| id.to_string()).collect(),
        ids => ids.to_vec(),
    };
    let width = ids.iter().map(|id| id.chars().count()).max().unwrap_or(0);
    let health = at.registry.health_as(&ids, &at.cx, patience).await;
    for StoreHealth { id, backend, latency, error, .. } in &health.stores {
        let millis = latency.as_secs_f64() * 1000.0;
        if out.is_json() {
            let mut object = json!({ "store": &**id, "backend": backend, "healthy": error.is_none(), "latency": latency.as_secs_f64() });
            if let Some(error) = error {
                object["error"] = error_object(error);
            }
            out.object(&object)?;
            continue;
        }
        let (paint, word, said) = match error {
            None => (Paint::Good, "ok  ", format!("{}, {millis:.1} ms", backend.unwrap_or_default())),
            Some(error) => (Paint::Bad, "FAIL", explained(error)),
        };
        let (id, word) = (out.paint(Paint::Key, &format!("{id:width$}")), out.paint(paint, word));
        out.line(&format!("{id}  {word}  {said}"))?;
    }
    Ok(if health.is_healthy() { 0 } else { NO })
}
