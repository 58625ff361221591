//! `store bench`: a load on the configured store, for a few seconds.

mod load;
mod mix;
mod report;

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use clap::builder::RangedU64ValueParser;
use store::config::Size;
use store::{Expiry, Registry, Value, codec};

use crate::args::Common;
use crate::args::values::{duration, size};
use crate::console::{Output, Trouble, ask};
use crate::stores::{At, runtime_of, with_last};
use crate::text::readable;
use crate::text::units::bytes;
use load::Plan;
use mix::Mix;

/// The longest load: it is for a look, not for a soak.
const LONGEST: Duration = Duration::from_secs(600);
/// The most that all keys and values may hold together.
const MOST_BYTES: u64 = 1 << 30;
/// How long after the end what could not be removed expires.
const LINGERS: Duration = Duration::from_secs(600);

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// The store's id
    #[arg(value_name = "ID")]
    id: String,
    /// What is called, and how often each: get, set, has, touch, delete, increment, list
    #[arg(long, value_name = "OP=N,...", default_value = "get=80,set=20")]
    mix: Mix,
    /// How large each value is
    #[arg(long, value_name = "SIZE", default_value = "100 B")]
    value_size: String,
    /// How many call at the same time, each one call after the other
    #[arg(long, value_name = "N", default_value = "16", value_parser = RangedU64ValueParser::<usize>::new().range(1..=4096))]
    callers: usize,
    /// How many keys are read and written
    #[arg(long, value_name = "N", default_value = "10000", value_parser = RangedU64ValueParser::<u64>::new().range(1..=1_000_000))]
    keys: u64,
    /// How long, 10m at most
    #[arg(long, value_name = "DURATION", default_value = "3s")]
    duration: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    common: Common,
}

impl Bench {
    pub(super) fn json(&self) -> bool {
        self.common.json
    }

    fn plan(&self) -> Result<Plan, Trouble> {
        let lasts = duration(&self.duration)?;
        if lasts.is_zero() || lasts > LONGEST {
            return Err(Trouble::Usage("the duration is more than 0 and at most 10m".to_owned()));
        }
        let Size(value_size) = size(&self.value_size)?;
        if self.keys.saturating_mul(value_size) > MOST_BYTES {
            return Err(Trouble::Usage(format!(
                "{} values of {} are more than {}: take fewer --keys or a smaller --value-size",
                readable::count(self.keys),
                bytes(value_size),
                bytes(MOST_BYTES)
            )));
        }
        let value_size = usize::try_from(value_size).unwrap_or(usize::MAX);
        // Bytes that nobody can compress, so that a disk or a wire has all of them to carry.
        let mut random = fastrand::Rng::with_seed(0);
        let value = std::iter::repeat_with(|| random.u8(..)).take(value_size).collect();
        Ok(Plan {
            prefix: format!("store-bench:{:016x}:", fastrand::u64(..)),
            keys: self.keys,
            value: Arc::new(Value::String(value)),
            value_size,
            callers: self.callers,
            duration: lasts,
            mix: Arc::new(self.mix.clone()),
            expiry: Expiry::After(lasts + LINGERS),
        })
    }
}

pub(super) fn bench(bench: &Bench, out: &mut Output) -> Result<u8, Trouble> {
    let plan = bench.plan()?;
    let config = bench.common.source.resolve()?;
    let backend = config.stores.get(&*bench.id).map_or("", |store| store.backend);
    if let Some(store) = config.stores.get(&*bench.id) {
        codec::encode(&*plan.value, &store.settings.limits, &mut Vec::new())?;
        if backend != "memory" && !bench.yes {
            ask(&question(bench, backend, &plan), "--yes")?;
        }
    }
    let registry = Registry::new(config);
    let at = At::new(&registry, &bench.common);
    let written = AtomicBool::new(false);
    let work = async {
        let store = at.open(&bench.id).await?;
        plan.may_remove(&store).await?;
        written.store(true, Ordering::Relaxed);
        plan.fill(&store).await?;
        let done = Arc::new(AtomicU64::new(0));
        let progress = tokio::spawn(progress(Arc::clone(&done), plan.duration, bench.common.json));
        let seen = plan.run(&store, &done).await;
        progress.abort();
        // It takes its line away.
        let _aborted = progress.await;
        let seen = seen?;
        report::report(&bench.id, backend, &plan, &seen, out)?;
        out.flush()?;
        Ok(u8::from(!seen.errors.is_empty()))
    };
    let last = async {
        if !written.load(Ordering::Relaxed) {
            return Ok(());
        }
        let store = at.open(&bench.id).await?;
        match plan.remove(&store).await {
            Ok(_) => Ok(()),
            Err(error) => Err(Trouble::Store(error.with_detail("left_behind", plan.prefix.as_str()))),
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(plan.callers);
    with_last(runtime_of(workers)?, std::slice::from_ref(&registry), work, last)
}

fn question(bench: &Bench, backend: &str, plan: &Plan) -> String {
    format!(
        "write {} keys of {} under \"{}\" to {} ({backend}), call it for {} with {} callers, and remove them again",
        readable::count(plan.keys),
        bytes(plan.value_size as u64),
        plan.prefix,
        bench.id,
        bench.duration,
        plan.callers
    )
}

/// A line that says how far it is, where somebody sees it.
async fn progress(done: Arc<AtomicU64>, lasts: Duration, quiet: bool) {
    if quiet || !std::io::stderr().is_terminal() {
        return std::future::pending().await;
    }
    let _line = Line;
    let started = Instant::now();
    let mut before = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = done.load(Ordering::Relaxed);
        let (elapsed, rate) = (started.elapsed(), (now - before) * 5);
        before = now;
        let (is, of) = (elapsed.as_secs_f64(), lasts.as_secs_f64());
        eprint!("\r\x1b[K{is:.1} s of {of:.1} s, {} calls/s", readable::count(rate));
        let _ = std::io::stderr().flush();
    }
}

/// Takes the line away, however it ends.
struct Line;

impl Drop for Line {
    fn drop(&mut self) {
        eprint!("\r\x1b[K");
    }
}
