//! `store top --url`: what a service does with its stores, as its own metrics tell it.

mod http;
mod sample;
mod text;

use std::time::{Duration, Instant};

use serde_json::{Map, Value as Json, json};
use store::Error;

use super::args::Top;
use super::screen::{OtherScreen, show};
use crate::console::{Output, Paint, Trouble, error_object, explained};
use crate::stores::with;
use crate::text::readable::{count, cut};
use crate::text::units::{bytes, per_second, ratio, time};
use http::Url;
use sample::{Change, Sample, Work};

/// How long the service has for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many operations are shown.
const OPERATIONS: usize = 15;
const NAME_WIDTH: usize = 24;

/// Gauges, and what JSON calls them.
const LEVELS: &[(&str, &str)] = &[
    ("entries", "store_entries"),
    ("bytes", "store_bytes"),
    ("handles", "store_handles"),
    ("in_flight", "store_operations_in_flight"),
];
/// Counters of which only a rate is told, and what it is called.
const COUNTS: &[(&str, &str)] = &[
    ("denials", "store_denials_total"),
    ("expirations", "store_expirations_total"),
    ("evictions", "store_evictions_total"),
    ("reconnects", "store_reconnects_total"),
];

/// What is shown: the sample, what happened since the one before, and what went wrong.
struct Picture<'a> {
    url: &'a Url,
    sample: Option<&'a Sample>,
    change: Option<&'a Change>,
    trouble: Option<&'a Error>,
}

pub(super) fn top(top: &Top, url: &str, interval: Duration, out: &mut Output) -> Result<u8, Trouble> {
    let url = Url::parse(url).map_err(|why| Trouble::Usage(format!("--url {url}: {why}")))?;
    let once = top.once || !(out.is_terminal() || out.is_json());
    with(&[], async {
        let live = !once && !out.is_json();
        let _screen = live.then(OtherScreen::enter);
        let (mut before, mut first): (Option<Sample>, bool) = (None, true);
        loop {
            let began = Instant::now();
            let (now, trouble) = match look(&url, top.id.as_deref()).await {
                Ok(sample) => (Some(sample), None),
                Err(error) => (None, Some(error)),
            };
            // The first look of a single one is only there to compare the second with.
            if !(first && once && trouble.is_none()) {
                let change = before.as_ref().zip(now.as_ref()).map(|(before, now)| Change::between(before, now));
                let picture =
                    Picture { url: &url, sample: now.as_ref(), change: change.as_ref(), trouble: trouble.as_ref() };
                if out.is_json() {
                    out.object(&picture.object())?;
                    out.flush()?;
                } else {
                    show(&picture.lines(out), live, out)?;
                }
                if once {
                    return Ok(u8::from(trouble.is_some()));
                }
            }
            // After a failure the next two that work are compared.
            before = now;
            first = false;
            tokio::time::sleep(interval.saturating_sub(began.elapsed())).await;
        }
    })
}

async fn look(url: &Url, only: Option<&str>) -> store::Result<Sample> {
    let text = http::get(url, PATIENCE).await?;
    let sample = Sample::read(&text, only);
    if !sample.is_empty() {
        return Ok(sample);
    }
    Err(match only {
        Some(id) if !Sample::read(&text, None).is_empty() => Error::unavailable(format!(
            "the service has no store \"{id}\"; it has {}",
            Sample::read(&text, None).stores().join(", ")
        )),
        _ => Error::unavailable("the answer has no metrics of stores: see the page on observability"),
    }
    .with_detail("url", url.text.as_str()))
}

impl Picture<'_> {
    fn lines(&self, out: &Output) -> Vec<String> {
        let mut lines = vec![out.paint(Paint::Key, &self.url.text)];
        lines.extend(self.trouble.map(|trouble| out.paint(Paint::Bad, &explained(trouble))));
        let Some(sample) = self.sample else { return lines };
        if let Some(change) = self.change {
            let seconds = time(u64::try_from(change.elapsed.as_nanos()).unwrap_or(u64::MAX));
            lines[0] += &out.paint(Paint::Dim, &format!("  in the last {seconds}"));
        }
        lines.push(String::new());
        let head = format!(
            "{:NAME_WIDTH$}{:>9}{:>9}{:>9}{:>9}{:>10}{:>10}",
            "store", "calls/s", "hits", "errors/s", "waiting", "entries", "bytes"
        );
        lines.push(out.paint(Paint::Dim, &head));
        for store in sample.stores() {
            let level = |metric| sample.level(metric, store).map(whole);
            let number = |metric| level(metric).map_or_else(|| "-".to_owned(), count);
            let held = level("store_bytes").map_or_else(|| "-".to_owned(), bytes);
            let done = self.done(self.change.map(|change| change.work(store, None)).as_ref(), out);
            let (waiting, entries) = (number("store_operations_in_flight"), number("store_entries"));
            lines.push(format!("{}{done}{waiting:>9}{entries:>10}{held:>10}", name(store, out)));
        }
        if let Some(change) = self.change {
            lines.extend(operations(sample, change, self, out));
        }
        lines.push(String::new());
        lines.extend(sample.stores().into_iter().map(|store| self.more(sample, store, out)));
        lines
    }

    /// Calls, hits and errors, in columns.
    fn done(&self, work: Option<&Work>, out: &Output) -> String {
        let (Some(work), Some(change)) = (work, self.change) else {
            return format!("{:>9}{:>9}{:>9}", "-", "-", "-");
        };
        let failed = format!("{:>9}", per_second(change.rate(work.failed())));
        let failed = if work.failed() > 0.0 { out.paint(Paint::Bad, &failed) } else { failed };
        format!("{:>9}{:>9}{failed}", per_second(change.rate(work.calls)), ratio(work.hit_ratio()))
    }

    /// What is worth a word only where there is something to say.
    fn more(&self, sample: &Sample, store: &str, out: &Output) -> String {
        let mut parts: Vec<String> = Vec::new();
        parts.extend(sample.backend(store).map(|backend| format!("on {backend}")));
        if sample.level("store_open", store) == Some(0.0) {
            parts.push("not opened yet".to_owned());
        }
        parts.extend(sample.level("store_handles", store).map(|handles| match whole(handles) {
            1 => "1 handle".to_owned(),
            handles => format!("{} handles", count(handles)),
        }));
        if let Some(change) = self.change {
            let rates = COUNTS.iter().map(|(name, metric)| (*name, change.counted(metric, store)));
            parts.extend(
                rates
                    .filter(|(_, grown)| *grown > 0.0)
                    .map(|(name, grown)| format!("{} {name}/s", per_second(change.rate(grown)))),
            );
            let errors = change.work(store, None).errors;
            parts.extend(
                errors.iter().map(|(kind, grown)| {
                    out.paint(Paint::Bad, &format!("{} {kind}/s", per_second(change.rate(*grown))))
                }),
            );
        }
        format!("{}{}", name(store, out), parts.join(", "))
    }

    fn object(&self) -> Json {
        let stores = self.sample.map_or_else(Vec::new, Sample::stores);
        let stores: Vec<Json> = self.sample.map_or_else(Vec::new, |sample| {
            stores.into_iter().map(|store| store_object(sample, self.change, store)).collect()
        });
        json!({
            "url": self.url.text,
            "seconds": self.change.map(|change| change.elapsed.as_secs_f64()),
            "stores": stores,
            "errors": self.trouble.iter().map(|trouble| error_object(trouble)).collect::<Vec<_>>(),
        })
    }
}

/// The operations with the most calls, of all stores.
fn operations(sample: &Sample, change: &Change, picture: &Picture<'_>, out: &Output) -> Vec<String> {
    let mut all: Vec<(String, Work)> = Vec::new();
    for store in sample.stores() {
        let called = change.operations(store).into_iter();
        all.extend(called.map(|name| (format!("{store} {name}"), change.work(store, Some(name)))));
    }
    all.sort_by(|a, b| b.1.calls.total_cmp(&a.1.calls));
    if all.is_empty() {
        return Vec::new();
    }
    let head = format!(
        "{:NAME_WIDTH$}{:>9}{:>9}{:>9}{:>10}{:>19}",
        "operation", "calls/s", "hits", "errors/s", "mean", "99 % take at most"
    );
    let mut lines = vec![String::new(), out.paint(Paint::Dim, &head)];
    let hidden = all.len().saturating_sub(OPERATIONS);
    lines.extend(all.iter().take(OPERATIONS).map(|(label, work)| {
        let took = |seconds: Option<f64>| seconds.map_or_else(|| "-".to_owned(), |seconds| time(whole(seconds * 1e9)));
        let (mean, most) = (took(work.mean()), took(work.within(0.99)));
        format!("{}{}{mean:>10}{most:>19}", name(label, out), picture.done(Some(work), out))
    }));
    if hidden > 0 {
        lines.push(out.paint(Paint::Dim, &format!("and {hidden} more, called less")));
    }
    lines
}

fn store_object(sample: &Sample, change: Option<&Change>, store: &str) -> Json {
    let mut object = Map::new();
    object.insert("store".to_owned(), json!(store));
    object.insert("backend".to_owned(), json!(sample.backend(store)));
    object.insert("open".to_owned(), json!(sample.level("store_open", store).map(|open| open > 0.0)));
    for (name, metric) in LEVELS {
        object.insert((*name).to_owned(), json!(sample.level(metric, store).map(whole)));
    }
    let Some(change) = change else { return Json::Object(object) };
    let work = change.work(store, None);
    let mut rates = work_object(change, &work);
    for (name, metric) in COUNTS {
        rates[*name] = json!(change.rate(change.counted(metric, store)));
    }
    object.insert("hit_ratio".to_owned(), json!(work.hit_ratio()));
    object.insert("per_second".to_owned(), rates);
    let operations = change.operations(store).into_iter().map(|name| {
        let work = change.work(store, Some(name));
        json!({
            "operation": name,
            "per_second": work_object(change, &work),
            "hit_ratio": work.hit_ratio(),
            "mean": work.mean(),
            "p50_at_most": work.within(0.5),
            "p99_at_most": work.within(0.99),
        })
    });
    object.insert("operations".to_owned(), operations.collect());
    Json::Object(object)
}

fn work_object(change: &Change, work: &Work) -> Json {
    let errors: Map<String, Json> =
        work.errors.iter().map(|(kind, grown)| (kind.clone(), json!(change.rate(*grown)))).collect();
    json!({
        "calls": change.rate(work.calls),
        "hits": change.rate(work.hits),
        "misses": change.rate(work.misses),
        "errors": errors,
    })
}

fn name(text: &str, out: &Output) -> String {
    out.paint(Paint::Key, &format!("{:NAME_WIDTH$}", cut(text, NAME_WIDTH - 1)))
}

/// A number that stands for a count.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
fn whole(number: f64) -> u64 {
    number.round() as u64
}
