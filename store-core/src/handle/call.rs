//! What every operation of a handle goes through, once: released, arguments, policy, backend.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context as TaskContext, Poll, Waker};

use super::Handle;
use crate::observe::{Operation, Tally, Watch};
use crate::policy::Action;
use crate::registry::Slot;
use crate::{BoxFuture, Error, Kind, Result, Store, TryStore, Value};

/// Whether an operation may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Answer now, or not at all.
    Now,
    /// Wait if need be.
    Wait,
}

/// Why an operation ended without an answer.
#[derive(Debug)]
pub(super) enum Stop {
    /// It would have had to wait, and nothing was started.
    WouldWait,
    /// It failed.
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Failed(error)
    }
}

pub(super) type Answer<T> = Result<T, Stop>;

impl Handle {
    /// # Errors
    /// PERMISSION_DENIED.
    pub(super) fn allow(&self, action: Action, key: Option<&[u8]>) -> Result<()> {
        let (rights, slot) = (self.rights(), self.slot());
        let checked = slot.security.check(&rights.access, action, &slot.id, key, self.context());
        checked.map_err(|_| denied(action, &slot.id))
    }

    /// Asks the backend: on its synchronous path if it answers there, else by waiting if the mode allows.
    pub(super) async fn ask<'a, T>(
        &'a self,
        mode: Mode,
        now: impl FnOnce(&'a dyn TryStore) -> Option<Result<T>>,
        later: impl FnOnce(&'a dyn Store) -> BoxFuture<'a, Result<T>>,
    ) -> Answer<T> {
        let slot = self.slot();
        slot.check_open()?;
        if let Some(answer) = slot.store.immediate().and_then(now) {
            return Ok(answer?);
        }
        match mode {
            Mode::Now => Err(Stop::WouldWait),
            Mode::Wait => Ok(slot.run(later(&*slot.store)).await?),
        }
    }

    /// Runs an operation that may wait: watched, if anybody watches. Its error learns where it happened.
    pub(super) async fn wait<T: Tally>(
        &self,
        operation: Operation,
        key: Option<&[u8]>,
        mut work: Pin<&mut impl Future<Output = Answer<T>>>,
    ) -> Result<T> {
        let mut watch = self.slot().watch(operation, key);
        let answer = poll_fn(|cx| Watch::poll(&mut watch, || work.as_mut().poll(cx))).await;
        self.told(operation, key, watch, answer)
    }

    /// Runs an operation that may not wait.
    pub(super) fn answer_now<T: Tally>(
        &self,
        operation: Operation,
        key: Option<&[u8]>,
        work: impl Future<Output = Answer<T>>,
    ) -> Option<Result<T>> {
        let mut watch = self.slot().watch(operation, key);
        let mut cx = TaskContext::from_waker(Waker::noop());
        // In this mode nothing is awaited, so one poll ends it.
        match Watch::poll(&mut watch, || pin!(work).poll(&mut cx)) {
            Poll::Ready(Err(Stop::WouldWait)) | Poll::Pending => {
                if let Some(watch) = watch {
                    watch.discard();
                }
                None
            }
            Poll::Ready(answer) => Some(self.told(operation, key, watch, answer)),
        }
    }

    /// Ends an operation: its error learns where it happened, and who watched is told.
    #[inline]
    pub(super) fn told<T: Tally>(
        &self,
        operation: Operation,
        key: Option<&[u8]>,
        watch: Option<Watch<'_>>,
        answer: Answer<T>,
    ) -> Result<T> {
        let result = answer.map_err(|stop| match stop {
            Stop::Failed(error) => explain(self.slot(), operation, key, error),
            // Only a `Mode::Now` stops like this, and those end in `answer_now`.
            Stop::WouldWait => Error::internal("the operation stopped where it should have waited"),
        });
        if let Some(watch) = watch {
            watch.end(&result);
        }
        result
    }
}

/// Adds store, operation, backend and key to an error (E7). A denied key is left out.
#[cold]
fn explain(slot: &Slot, operation: Operation, key: Option<&[u8]>, error: Error) -> Error {
    let error = error
        .or_detail("operation", || operation.as_str().into())
        .or_detail("store", || Value::from(&*slot.id))
        .or_detail("backend", || slot.store.info().backend.into());
    match key {
        Some(key) if error.kind() != Kind::PermissionDenied => error.or_detail("key", || key.into()),
        _ => error,
    }
}

/// The denial of an action: the same words whether or not a key exists (S4).
#[cold]
pub(crate) fn denied(action: Action, store: &str) -> Error {
    Error::new(Kind::PermissionDenied, format!("{} is not allowed", action.as_str()))
        .with_detail("action", action.as_str())
        .with_detail("store", store)
}
