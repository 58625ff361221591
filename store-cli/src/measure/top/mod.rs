//! `store top`: what can be seen of a store from outside, again and again; or what a service tells of its stores.

mod args;
mod picture;
mod screen;
#[cfg(feature = "redis")]
mod server;
mod service;
mod survey;

use std::time::{Duration, Instant};

use store::{Error, Handle, Registry};

pub(crate) use args::Top;
use picture::{Picture, object};
use screen::OtherScreen;
use survey::{Parts, Survey};

use crate::args::values::{self, duration};
use crate::console::{Output, Trouble};
use crate::stores::{At, Seen, with};

/// How long a single look reads the store, unless told.
const ONE_LOOK: Duration = Duration::from_secs(2);
/// How much of the time between two pictures is spent on reading the store, unless told: one part in so many.
const PART: u32 = 10;
/// How often the store is asked for an answer, of which the median is told.
const PINGS: usize = 5;

pub(super) fn top(top: &Top, out: &mut Output) -> Result<u8, Trouble> {
    let interval = duration(&top.interval)?;
    if interval < Duration::from_millis(100) || interval > Duration::from_secs(3600) {
        return Err(Trouble::Usage("the interval is at least 100ms and at most 1h".to_owned()));
    }
    if let Some(url) = &top.url {
        return service::top(top, url, interval, out);
    }
    let id = top.id.as_deref().unwrap_or_default();
    let separator = values::bytes(&top.separator, &top.escaped)?;
    if separator.is_empty() {
        return Err(Trouble::Usage("the separator is not empty".to_owned()));
    }
    let budget = top.budget.as_deref().map(duration).transpose()?;
    let parts = Parts { separator, depth: top.depth };
    let opened = Watched::new(id, top)?;
    let at = At::new(&opened.registry, &top.common);
    let once = top.once || opened.only_once() || !(out.is_terminal() || out.is_json());
    let look = Look { id, top, opened: &opened, interval, budget, once };
    with(std::slice::from_ref(&opened.registry), async {
        let store = at.open(id).await.map_err(if_locked)?;
        look.go_on(&store, parts, out).await
    })
}

/// The store, and what is behind it.
struct Watched {
    registry: Registry,
    backend: &'static str,
    #[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "only Redis has a server to ask"))]
    seen: Seen,
}

impl Watched {
    fn new(id: &str, top: &Top) -> Result<Watched, Trouble> {
        // Complaints name what this build really has.
        let source = &top.common.source;
        let backend = source.resolve()?.stores.get(id).map_or("", |store| store.backend);
        if backend == "memory" {
            return Err(Trouble::Usage(format!(
                "{id} is in memory: it lives inside the process that uses it; what that process tells of it is shown with --url"
            )));
        }
        let seen = Seen::default();
        let variables = |name: &str| std::env::var(name).ok();
        let config = source.document()?.resolve(source.environment()?.as_deref(), &seen.backends()?, &variables)?;
        Ok(Watched { registry: Registry::new(config), backend, seen })
    }

    /// A database that only one process can open is not kept from the others for longer than a look.
    fn only_once(&self) -> bool {
        self.backend == "sled"
    }
}

struct Look<'a> {
    id: &'a str,
    top: &'a Top,
    opened: &'a Watched,
    interval: Duration,
    budget: Option<Duration>,
    once: bool,
}

impl Look<'_> {
    async fn go_on(&self, store: &Handle, parts: Parts, out: &mut Output) -> Result<u8, Trouble> {
        let separator = parts.separator.clone();
        let mut survey = Survey::new(store, parts);
        let live = !self.once && !out.is_json();
        let _screen = live.then(OtherScreen::enter);
        let budget = self.budget.unwrap_or(if self.once { ONE_LOOK } else { self.interval / PART });
        #[cfg(feature = "redis")]
        let mut before = None;
        let mut first = true;
        loop {
            let began = Instant::now();
            let mut troubles = Vec::new();
            #[cfg(feature = "redis")]
            let now = keep(self.opened.seen.sample().await, &mut troubles).flatten();
            let ping = keep(answer(store).await, &mut troubles);
            // The first look of a single one is only there to compare the second with.
            if !(first && self.once && self.waits()) {
                keep(survey.go_on(budget).await, &mut troubles);
                let info = store.info().ok();
                #[cfg(feature = "redis")]
                let rates = before.as_ref().zip(now.as_ref()).map(|(before, now)| server::Rates::between(before, now));
                let picture = Picture {
                    id: self.id,
                    backend: self.opened.backend,
                    entries: info.and_then(|info| info.backend.entries),
                    ping,
                    survey: &survey,
                    prefixes: self.top.prefixes,
                    separator: &separator,
                    troubles: &troubles,
                    note: self
                        .opened
                        .only_once()
                        .then_some("No rates: while this command looks, no other process can have the database open."),
                    #[cfg(feature = "redis")]
                    sample: now.as_ref(),
                    #[cfg(feature = "redis")]
                    rates: rates.as_ref(),
                };
                if out.is_json() {
                    out.object(&object(&picture, self.interval))?;
                    out.flush()?;
                } else {
                    screen::draw(&picture, live, out)?;
                }
                if self.once {
                    return Ok(u8::from(!troubles.is_empty()));
                }
            }
            #[cfg(feature = "redis")]
            {
                before = now.or(before);
            }
            first = false;
            tokio::time::sleep(self.interval.saturating_sub(began.elapsed())).await;
        }
    }

    /// Whether there are rates, which take time to see.
    fn waits(&self) -> bool {
        self.opened.backend == "redis"
    }
}

/// sled lets no second process look inside.
fn if_locked(error: Error) -> Error {
    const WHY: &str =
        "what the process that has the database open does with it, only that process's own metrics can tell: see --url";
    if error.reason() != Some("locked") {
        return error;
    }
    error.with_detail("hint", WHY)
}

/// What was found out, if anything was.
fn keep<T>(found: store::Result<T>, troubles: &mut Vec<Error>) -> Option<T> {
    match found {
        Ok(found) => Some(found),
        Err(error) => {
            // One that is down says the same to every question.
            if !troubles.iter().any(|other| other.kind() == error.kind() && other.message() == error.message()) {
                troubles.push(error);
            }
            None
        }
    }
}

/// How long the store takes to answer: the median of a few.
async fn answer(store: &Handle) -> store::Result<Duration> {
    let mut took = Vec::with_capacity(PINGS);
    for _ in 0..PINGS {
        let start = Instant::now();
        store.ping().await?;
        took.push(start.elapsed());
    }
    took.sort();
    Ok(took[PINGS / 2])
}
