//! The thread that frees what has expired, and the pieces of large values that were replaced.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use store_core::Result;

use crate::error;

/// Between two looks at the hints.
const TICK: Duration = Duration::from_secs(1);
/// Between two steps while there is more to do: a third of a core at most.
const PAUSE: Duration = Duration::from_millis(10);
/// What one step may take, so that no writer waits long for it.
const STEP: Duration = Duration::from_millis(5);

/// What is swept.
pub(crate) trait Sweep: Send + Sync {
    /// Notices what does not come back.
    fn watch(&self);

    /// One step, which takes about so long at most: whether there is more to do.
    fn sweep(&self, limit: Duration) -> Result<bool>;
}

#[derive(Debug)]
pub(crate) struct Sweeper {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    spaces: Vec<Weak<dyn Sweep>>,
    nudged: bool,
    stop: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sweeper {
    pub(crate) fn start() -> Result<Sweeper> {
        let shared = Arc::new(Shared::default());
        let thread = std::thread::Builder::new()
            .name("store-sweep".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || run(&shared)
            })
            .map_err(|cause| error::file("starting the sweeper thread", cause))?;
        Ok(Sweeper { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Sweeps this store too, until it is gone.
    pub(crate) fn add(&self, space: Weak<dyn Sweep>) {
        self.shared.state().spaces.push(space);
        self.nudge();
    }

    /// Has a look at once.
    pub(crate) fn nudge(&self) {
        self.shared.state().nudged = true;
        self.shared.changed.notify_all();
    }

    /// Ends the thread.
    pub(crate) fn stop(&self) {
        self.shared.state().stop = true;
        self.shared.changed.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The thread itself is what drops the database if it held the last store at that moment.
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != std::thread::current().id()) {
            let _ended = thread.join();
        }
    }
}

fn run(shared: &Shared) {
    let mut state = shared.state();
    while !state.stop {
        state.nudged = false;
        let spaces = state.spaces.clone();
        drop(state);
        let mut more = false;
        for space in &spaces {
            if let Some(space) = space.upgrade() {
                space.watch();
                // A failed sweep is a failed database, which its users hear of; it is tried again at the next tick.
                more |= space.sweep(STEP).unwrap_or(false);
            }
        }
        state = shared.state();
        state.spaces.retain(|space| space.strong_count() > 0);
        if state.stop {
            return;
        }
        if more {
            state = shared.changed.wait_timeout(state, PAUSE).unwrap_or_else(PoisonError::into_inner).0;
        } else if !state.nudged {
            state = shared.changed.wait_timeout(state, TICK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
