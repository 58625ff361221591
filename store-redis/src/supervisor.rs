//! Keeps one connection alive: connects when first needed, reconnects until closed.

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use event_listener::Event;
use parking_lot::Mutex;
use store_core::{Error, Result};
use tokio::sync::Notify;

use crate::connect::{Manner, Peer, connect};
use crate::deadlines::{Deadlines, Moment};
use crate::error;
use crate::executor::Executor;
use crate::link::Link;
use crate::server::Server;
use crate::target::Target;

/// The longest pause between two attempts to connect.
const MAX_PAUSE: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// How often Sentinels are asked whether the primary is still the same.
const WATCH: Duration = Duration::from_millis(500);
/// A connection that lasted this long was a good one: the next attempt is made at once.
const GOOD: Duration = Duration::from_secs(1);

/// A connection that comes back.
#[derive(Debug)]
pub(crate) struct Supervised(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    server: Server,
    manner: Manner,
    connect_timeout: Duration,
    deadlines: Arc<Deadlines>,
    executor: Arc<Executor>,
    link: ArcSwapOption<Link>,
    changed: Event,
    state: Mutex<State>,
    running: AtomicBool,
    /// Connections made so far.
    connected: AtomicU64,
    closed: AtomicBool,
    close: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Why there is no connection.
    error: Option<Error>,
    /// Since when.
    since: Option<Instant>,
    previous: Peer,
}

impl Supervised {
    pub(crate) fn new(
        server: Server,
        manner: Manner,
        connect_timeout: Duration,
        deadlines: Arc<Deadlines>,
        executor: Arc<Executor>,
    ) -> Supervised {
        Supervised(Arc::new(Inner {
            server,
            manner,
            connect_timeout,
            deadlines,
            executor,
            link: ArcSwapOption::empty(),
            changed: Event::new(),
            state: Mutex::new(State::default()),
            running: AtomicBool::new(false),
            connected: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            close: Notify::new(),
        }))
    }

    /// The connection; waits for it until the call's deadline.
    ///
    /// A call that finds it down hopes for its return as long as its deadline allows. Once the server has been away for
    /// longer than that, calls fail at once, until it is back; and so they do when the server refuses the password.
    ///
    /// # Errors
    /// Why there is none; nothing was sent.
    pub(crate) async fn link(&self, until: Moment) -> Result<Arc<Link>> {
        match self.0.link.load_full() {
            Some(link) if !link.has_ended() => Ok(link),
            _ => Box::pin(self.wait(until)).await,
        }
    }

    #[cold]
    async fn wait(&self, until: Moment) -> Result<Arc<Link>> {
        let inner = &self.0;
        loop {
            let changed = inner.changed.listen();
            if inner.closed.load(Ordering::SeqCst) {
                return Err(Error::closed());
            }
            if let Some(link) = inner.link.load_full().filter(|link| !link.has_ended()) {
                return Ok(link);
            }
            Inner::ensure_running(inner)?;
            if let Some(error) = inner.hopeless() {
                // A caller who tries again and again must not keep the runtime from connecting.
                yield_once().await;
                return Err(error);
            }
            if inner.deadlines.within(until, changed).await.is_none() {
                let error = inner.state.lock().error.clone();
                return Err(
                    error.unwrap_or_else(|| error::connect_timeout(&inner.server.to_string(), inner.manner.timeout))
                );
            }
        }
    }

    /// How often the connection was made anew.
    pub(crate) fn reconnects(&self) -> u64 {
        self.0.connected.load(Ordering::Relaxed).saturating_sub(1)
    }

    /// Ends the connection and the task that keeps it. Calls in flight learn that it was lost.
    pub(crate) fn close(&self) {
        self.0.closed.store(true, Ordering::SeqCst);
        self.0.close.notify_one();
        if let Some(link) = self.0.link.swap(None) {
            link.end();
        }
        self.0.changed.notify(usize::MAX);
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.close();
    }
}

impl Inner {
    fn ensure_running(inner: &Arc<Inner>) -> Result<()> {
        if inner.running.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        inner.state.lock().since.get_or_insert_with(Instant::now);
        let guard = Guard(Arc::clone(inner));
        inner.executor.spawn(async move { guard.0.run().await })
    }

    async fn run(&self) {
        let mut pause = Duration::ZERO;
        let mut generation = 0;
        while !self.closed.load(Ordering::SeqCst) {
            if !pause.is_zero() {
                // Between half and all of it: many processes that lost the same server do not come back as one.
                let pause = pause.mul_f64(0.5 + fastrand::f64() / 2.0);
                let _ = tokio::time::timeout(pause, self.close.notified()).await;
                if self.closed.load(Ordering::SeqCst) {
                    return;
                }
            }
            pause = (pause * 2).clamp(FIRST_PAUSE, MAX_PAUSE);
            let previous = self.state.lock().previous;
            let attempt = async {
                let target = self.server.locate(&self.manner).await?;
                let opened = connect(&target, &self.manner, previous).await?;
                // A server that was frozen accepts what was begun long ago, and may have been replaced meanwhile.
                if self.server.can_move() && self.server.locate(&self.manner).await? != target {
                    return Err(error::replaced(&target.to_string()));
                }
                Ok((target, opened))
            };
            let (target, opened) = match tokio::time::timeout(self.connect_timeout, attempt).await {
                Ok(Ok(found)) => found,
                Ok(Err(error)) => {
                    self.failed(error);
                    continue;
                }
                Err(_) => {
                    self.failed(error::connect_timeout(&self.server.to_string(), self.connect_timeout));
                    continue;
                }
            };
            let mut driver = tokio::spawn(opened.driver);
            generation += 1;
            let link = Arc::new(Link::new(opened.connection, driver.abort_handle(), opened.peer, generation));
            if self.closed.load(Ordering::SeqCst) {
                return;
            }
            {
                let mut state = self.state.lock();
                *state = State { previous: link.peer, ..State::default() };
            }
            self.connected.fetch_add(1, Ordering::Relaxed);
            self.link.store(Some(Arc::clone(&link)));
            self.changed.notify(usize::MAX);
            let start = Instant::now();
            let mut moved = pin!(self.moved(&target));
            loop {
                tokio::select! {
                    _ = &mut driver => break,
                    () = link.suspect.notified() => {
                        let until = self.deadlines.after(self.manner.timeout.min(GOOD));
                        link.probe(&self.deadlines, until).await;
                    }
                    // Pending for ever where the server cannot become another one.
                    () = &mut moved => break,
                    () = self.close.notified() => {
                        if self.closed.load(Ordering::SeqCst) {
                            link.end();
                            return;
                        }
                    }
                }
            }
            link.end();
            self.state.lock().since = Some(Instant::now());
            self.link.store(None);
            self.changed.notify(usize::MAX);
            if start.elapsed() >= GOOD {
                pause = Duration::ZERO;
            } else if link.has_answered() {
                // It worked, and one call ended it for all: a value that the server does not take. The others do not wait for that.
                pause = FIRST_PAUSE;
            }
        }
    }

    /// Waits until the Sentinels name another server. A primary that was replaced but does not know it yet would otherwise go on
    /// accepting writes that will be lost.
    async fn moved(&self, target: &Target) {
        if !self.server.can_move() {
            return pending().await;
        }
        loop {
            tokio::time::sleep(WATCH).await;
            let asked = tokio::time::timeout(self.connect_timeout, self.server.locate(&self.manner)).await;
            if matches!(asked, Ok(Ok(now)) if now != *target) {
                return;
            }
        }
    }

    /// Why waiting for the connection makes no sense.
    fn hopeless(&self) -> Option<Error> {
        let state = self.state.lock();
        let error = state.error.as_ref()?;
        let long_gone = state.since.is_some_and(|since| since.elapsed() > self.manner.timeout);
        (long_gone || error.retryable() == Some(false)).then(|| error.clone())
    }

    fn failed(&self, error: Error) {
        let mut state = self.state.lock();
        state.error = Some(error);
        drop(state);
        self.changed.notify(usize::MAX);
    }
}

/// Lets other tasks of this executor run first.
async fn yield_once() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Notices when the task ends: normally because of a close, else because its runtime was shut down or cannot do input and output.
struct Guard(Arc<Inner>);

impl Drop for Guard {
    fn drop(&mut self) {
        let inner = &self.0;
        if !inner.closed.load(Ordering::SeqCst) {
            inner.executor.give_up_current();
            inner.link.store(None);
        }
        inner.running.store(false, Ordering::SeqCst);
        inner.changed.notify(usize::MAX);
    }
}
