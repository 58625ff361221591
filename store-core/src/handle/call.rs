//! What every operation of a handle goes through, once: released, arguments, policy, backend.
//!
//! An operation is written in two parts: its checks, which end in a [`Question`] to the backend, and what it makes of the
//! answer. [`Handle::at_once`] and [`Handle::asking`] join the two. The first is plain code without a future, so that a backend
//! that answers at once costs what a function call does.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};

use super::Handle;
use crate::observe::{Operation, Tally, Watch};
use crate::policy::Action;
use crate::registry::Slot;
use crate::{BoxFuture, Error, Kind, Result, Store, TryStore, Value};

/// What is asked of the backend, on its synchronous path or by waiting.
pub(super) trait Question<'a, T> {
    /// `None`: that would wait, and nothing was started.
    fn now(&self, store: &'a dyn TryStore) -> Option<Result<T>>;

    fn later(self, store: &'a dyn Store) -> BoxFuture<'a, Result<T>>;
}

impl<'a, T, N, L> Question<'a, T> for (N, L)
where
    N: Fn(&'a dyn TryStore) -> Option<Result<T>>,
    L: FnOnce(&'a dyn Store) -> BoxFuture<'a, Result<T>>,
{
    #[inline]
    fn now(&self, store: &'a dyn TryStore) -> Option<Result<T>> {
        (self.0)(store)
    }

    fn later(self, store: &'a dyn Store) -> BoxFuture<'a, Result<T>> {
        (self.1)(store)
    }
}

/// A question from its two ways of being asked.
#[inline]
pub(super) fn question<'a, T>(
    now: impl Fn(&'a dyn TryStore) -> Option<Result<T>>,
    later: impl FnOnce(&'a dyn Store) -> BoxFuture<'a, Result<T>>,
) -> impl Question<'a, T> {
    (now, later)
}

impl Handle {
    /// # Errors
    /// PERMISSION_DENIED.
    #[inline]
    pub(super) fn allow(&self, action: Action, key: Option<&[u8]>) -> Result<()> {
        if self.rights.is_unrestricted(&self.slot().security) { Ok(()) } else { self.judge(action, key) }
    }

    fn judge(&self, action: Action, key: Option<&[u8]>) -> Result<()> {
        let (rights, slot) = (self.rights(), self.slot());
        let checked = slot.security.check(&rights.access, action, &slot.id, key, self.context());
        checked.map_err(|_| denied(action, &slot.id))
    }

    /// Asks the backend on its synchronous path.
    #[inline]
    pub(super) fn ask_now<'a, T>(&'a self, question: &impl Question<'a, T>) -> Option<Result<T>> {
        let slot = self.slot();
        if let Err(closed) = slot.check_open() {
            return Some(Err(closed));
        }
        question.now(slot.store.immediate()?)
    }

    /// Asks the backend: on its synchronous path if it answers there, else by waiting.
    pub(super) async fn ask<'a, T>(&'a self, question: impl Question<'a, T>) -> Result<T> {
        if let Some(answer) = self.ask_now(&question) {
            return answer;
        }
        let slot = self.slot();
        slot.run(question.later(&*slot.store)).await
    }

    /// An operation that may not wait: asks what its checks let through, and makes something of the answer. Watched, if anybody
    /// watches.
    #[inline]
    pub(super) fn at_once<'a, T, U: Tally, Q: Question<'a, T>>(
        &'a self,
        operation: Operation,
        key: Option<&[u8]>,
        asked: impl FnOnce() -> Result<Q>,
        read: impl FnOnce(T) -> Result<U>,
    ) -> Option<Result<U>> {
        let mut watch = self.slot().watch(operation, key);
        match Watch::run(&mut watch, || self.begin(asked)) {
            Begun::Done(answer) => Some(self.told(operation, key, watch, answer.and_then(read))),
            Begun::Waits(_) => {
                if let Some(watch) = watch {
                    watch.discard();
                }
                None
            }
        }
    }

    /// As [`at_once`](Handle::at_once), for an operation that may wait.
    pub(super) async fn asking<'a, T, U: Tally, Q: Question<'a, T>>(
        &'a self,
        operation: Operation,
        key: Option<&[u8]>,
        asked: impl FnOnce() -> Result<Q>,
        read: impl FnOnce(T) -> Result<U>,
    ) -> Result<U> {
        let mut watch = self.slot().watch(operation, key);
        let answer = match Watch::run(&mut watch, || self.begin(asked)) {
            Begun::Done(answer) => answer,
            Begun::Waits(question) => {
                let slot = self.slot();
                let mut waiting = pin!(slot.run(question.later(&*slot.store)));
                poll_fn(|cx| Watch::run(&mut watch, || waiting.as_mut().poll(cx))).await
            }
        };
        self.told(operation, key, watch, answer.and_then(read))
    }

    #[inline]
    fn begin<'a, T, Q: Question<'a, T>>(&'a self, asked: impl FnOnce() -> Result<Q>) -> Begun<T, Q> {
        match asked() {
            Ok(question) => match self.ask_now(&question) {
                Some(answer) => Begun::Done(answer),
                None => Begun::Waits(question),
            },
            Err(error) => Begun::Done(Err(error)),
        }
    }

    /// Runs an operation of several questions, that may wait: watched, if anybody watches.
    pub(super) async fn wait<T: Tally>(
        &self,
        operation: Operation,
        key: Option<&[u8]>,
        mut work: Pin<&mut impl Future<Output = Result<T>>>,
    ) -> Result<T> {
        let mut watch = self.slot().watch(operation, key);
        let answer = poll_fn(|cx| Watch::run(&mut watch, || work.as_mut().poll(cx))).await;
        self.told(operation, key, watch, answer)
    }

    /// Ends an operation: its error learns where it happened, and who watched is told.
    #[inline]
    pub(super) fn told<T: Tally>(
        &self,
        operation: Operation,
        key: Option<&[u8]>,
        watch: Option<Watch<'_>>,
        answer: Result<T>,
    ) -> Result<T> {
        let result = answer.map_err(|error| explain(self.slot(), operation, key, error));
        if let Some(watch) = watch {
            watch.end(&result);
        }
        result
    }
}

/// An operation after its first step.
enum Begun<T, Q> {
    Done(Result<T>),
    /// The backend would have to wait.
    Waits(Q),
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
