//! What a load has shown: a table and a histogram, or JSON.

use serde_json::{Map, Value as Json, json};

use super::load::{Plan, Seen, cost_of_looking};
use super::mix::Operation;
use crate::console::{Output, Paint, Trouble, error_object, explained};
use crate::measure::histogram::Histogram;
use crate::text::readable::count;
use crate::text::units::{bar, bytes, share, time};

/// The quantiles that are told: name, and how many of a million.
const QUANTILES: [(&str, u64); 4] = [("p50", 500_000), ("p90", 900_000), ("p99", 990_000), ("p99.9", 999_000)];
/// How wide the longest bar is.
const WIDTH: u64 = 40;
/// Below this, looking at the clock is a part of what is told that matters.
const FAST: u64 = 2_000;

pub(super) fn report(id: &str, backend: &str, plan: &Plan, seen: &Seen, out: &mut Output) -> Result<(), Trouble> {
    let mut all = Histogram::default();
    seen.calls.iter().for_each(|calls| all.merge(calls));
    if out.is_json() {
        return out.object(&object(id, backend, plan, seen, &all));
    }
    out.line(&format!(
        "{id} ({backend}): {} callers, {:.1} s, {} keys, values of {}",
        count(plan.callers as u64),
        seen.elapsed.as_secs_f64(),
        count(plan.keys),
        bytes(plan.value_size as u64)
    ))?;
    out.line("")?;
    table(seen, &all, out)?;
    let found = seen.hits + seen.misses;
    if found > 0 {
        out.line(&format!("\nfound {} of {}", share(seen.hits, found), count(found)))?;
    }
    if !seen.errors.is_empty() {
        let errors: Vec<String> =
            seen.errors.iter().map(|(kind, times)| format!("{kind} {} times", count(*times))).collect();
        let first = seen.error.as_ref().map_or_else(String::new, explained);
        out.line(&out.paint(Paint::Bad, &format!("\nfailed: {}; the first: {first}", errors.join(", "))))?;
    }
    if all.count() > 0 {
        histogram(&all, out)?;
    }
    if all.quantile(500_000) < FAST && all.count() > 0 {
        let looking = u64::try_from(cost_of_looking().as_nanos()).unwrap_or(0);
        let note = format!("\nOf each time, about {} is the clock's own.", time(looking));
        out.line(&out.paint(Paint::Dim, &note))?;
    }
    Ok(())
}

fn table(seen: &Seen, all: &Histogram, out: &mut Output) -> Result<(), Trouble> {
    let mut head = format!("{:10}{:>13}{:>12}{:>10}", "", "calls", "per second", "mean");
    QUANTILES.iter().for_each(|(name, _)| head.push_str(&format!("{name:>10}")));
    head.push_str(&format!("{:>10}", "max"));
    out.line(&out.paint(Paint::Dim, &head))?;
    let used: Vec<(&str, &Histogram)> = named(seen).collect();
    let several = used.len() > 1;
    for (name, calls) in used.into_iter().chain(several.then_some(("all", all))) {
        let mut line = out.paint(Paint::Key, &format!("{name:10}"));
        line.push_str(&format!(
            "{:>13}{:>12}{:>10}",
            count(calls.count()),
            count(rate(calls, seen)),
            time(calls.mean())
        ));
        QUANTILES.iter().for_each(|(_, part)| line.push_str(&format!("{:>10}", time(calls.quantile(*part)))));
        line.push_str(&format!("{:>10}", time(calls.max())));
        out.line(&line)?;
    }
    Ok(())
}

fn histogram(all: &Histogram, out: &mut Output) -> Result<(), Trouble> {
    out.line("")?;
    let rows = all.rows();
    let most = rows.iter().map(|(_, calls)| *calls).max().unwrap_or(0);
    for (below, calls) in rows {
        let label = out.paint(Paint::Dim, &format!("{:>10}", format!("< {}", round(below))));
        let bar = out.paint(Paint::Good, &bar(calls, most, WIDTH));
        let share = if calls == 0 { String::new() } else { format!(" {}", share(calls, all.count())) };
        out.line(&format!("{label}  {bar}{share}"))?;
    }
    Ok(())
}

/// A round number needs no digits after the point.
fn round(nanos: u64) -> String {
    match time(nanos).split_once(' ') {
        Some((number, unit)) => format!("{} {unit}", number.split('.').next().unwrap_or(number)),
        None => String::new(),
    }
}

fn named(seen: &Seen) -> impl Iterator<Item = (&'static str, &Histogram)> {
    Operation::ALL.iter().map(|operation| operation.name()).zip(&seen.calls).filter(|(_, calls)| calls.count() > 0)
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole calls per second"
)]
fn rate(calls: &Histogram, seen: &Seen) -> u64 {
    (calls.count() as f64 / seen.elapsed.as_secs_f64().max(1e-9)) as u64
}

/// Times in seconds, as everywhere in JSON.
#[expect(clippy::cast_precision_loss, reason = "seconds")]
fn seconds(nanos: u64) -> Json {
    Json::from(nanos as f64 / 1e9)
}

fn calls_object(calls: &Histogram, seen: &Seen) -> Json {
    let mut object = Map::new();
    object.insert("calls".to_owned(), Json::from(calls.count()));
    object.insert("per_second".to_owned(), Json::from(rate(calls, seen)));
    object.insert("mean".to_owned(), seconds(calls.mean()));
    for (name, part) in QUANTILES {
        object.insert(name.to_owned(), seconds(calls.quantile(part)));
    }
    object.insert("max".to_owned(), seconds(calls.max()));
    Json::Object(object)
}

fn object(id: &str, backend: &str, plan: &Plan, seen: &Seen, all: &Histogram) -> Json {
    let operations: Map<String, Json> =
        named(seen).map(|(name, calls)| (name.to_owned(), calls_object(calls, seen))).collect();
    let rows: Vec<Json> =
        all.rows().into_iter().map(|(below, calls)| json!({ "below": seconds(below), "calls": calls })).collect();
    json!({
        "store": id,
        "backend": backend,
        "callers": plan.callers,
        "seconds": seen.elapsed.as_secs_f64(),
        "keys": plan.keys,
        "value_size": plan.value_size,
        "prefix": plan.prefix,
        "operations": operations,
        "all": calls_object(all, seen),
        "hits": seen.hits,
        "misses": seen.misses,
        "errors": seen.errors,
        "first_error": seen.error.as_ref().map(error_object),
        "histogram": rows,
        "clock_cost": cost_of_looking().as_secs_f64(),
    })
}
