//! What every operation of a handle goes through, once: released, arguments, policy, backend.
//!
//! An operation is written in two parts: its checks, which end in a [`Question`] to the backend, and what it makes of the
//! answer. [`Handle::at_once`] and [`Handle::asking`] join the two. Both begin with plain code, without a future, so that a
//! backend that answers at once costs what a function call does. What only some pay for (who is watched, who waits, who fails)
//! is out of the way of the others.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use super::Handle;
use crate::config::Settings;
use crate::observe::{Kept, Operation, Tally, Watch};
use crate::policy::Action;
use crate::slot::{Running, Slot, denied};
use crate::{BoxFuture, Context, Error, Key, Kind, Result, Store, TryStore, Value};

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

    #[inline]
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

/// An operation of a handle that is not released, on the store that its slot is now: looked up once, at the beginning.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    handle: &'a Handle,
    pub(super) slot: &'a Slot,
}

impl<'a> Call<'a> {
    /// The same operation goes on, after it waited: on the store that its slot is by now.
    pub(super) fn again(self) -> Call<'a> {
        Call { slot: self.handle.slot(), ..self }
    }

    pub(super) fn cx(self) -> &'a Context {
        &self.handle.cx
    }

    pub(super) fn settings(self) -> &'a Settings {
        &self.slot.settings
    }

    /// # Errors
    /// PERMISSION_DENIED.
    #[inline]
    pub(super) fn allow(self, action: Action, key: Key<'_>) -> Result<()> {
        self.allow_all(action, Some(key.as_bytes()))
    }

    /// As [`allow`](Call::allow), for what has no key, or a prefix.
    ///
    /// # Errors
    /// PERMISSION_DENIED.
    #[inline]
    pub(super) fn allow_all(self, action: Action, key: Option<&[u8]>) -> Result<()> {
        if self.handle.rights.is_unrestricted(&self.slot.security) { Ok(()) } else { self.judge(action, key) }
    }

    #[inline(never)]
    fn judge(self, action: Action, key: Option<&[u8]>) -> Result<()> {
        let (handle, slot) = (self.handle, self.slot);
        let rights = handle.rights.current(&slot.security, &handle.cx, &slot.id);
        let checked = slot.security.check(&rights.access, action, &slot.id, key, &handle.cx);
        checked.map_err(|_| denied(action, &slot.id))
    }

    /// Asks the backend on its synchronous path.
    #[inline]
    pub(super) fn ask_now<T>(self, question: &impl Question<'a, T>) -> Option<Result<T>> {
        if let Err(closed) = self.slot.check_open() {
            return Some(Err(closed));
        }
        question.now(self.slot.now.as_deref()?)
    }

    /// Asks the backend: on its synchronous path if it answers there, else by waiting.
    pub(super) async fn ask<T>(self, question: impl Question<'a, T>) -> Result<T> {
        match self.ask_now(&question) {
            Some(answer) => answer,
            None => self.slot.run(question.later(&*self.slot.store)).await,
        }
    }
}

/// An operation after its first step.
enum Begun<T, Q> {
    Done(Result<T>),
    /// The backend would have to wait.
    Waits(Q),
}

impl Handle {
    /// The first check of every operation.
    ///
    /// # Errors
    /// INVALID "store is released".
    #[inline]
    pub(super) fn call(&self) -> Result<Call<'_>> {
        self.call_on(self.slot())
    }

    #[inline]
    pub(super) fn call_on<'a>(&'a self, slot: &'a Slot) -> Result<Call<'a>> {
        self.check()?;
        Ok(Call { handle: self, slot })
    }

    // Always: the one place where the backend is asked must not cost a call of its own.
    #[inline(always)]
    fn begin<'a, T, Q: Question<'a, T>>(
        &'a self,
        slot: &'a Slot,
        asked: impl FnOnce(Call<'a>) -> Result<Q>,
    ) -> Begun<T, Q> {
        let asked = self.call_on(slot).and_then(|call| Ok((call, asked(call)?)));
        match asked {
            Ok((call, question)) => match call.ask_now(&question) {
                Some(answer) => Begun::Done(answer),
                None => Begun::Waits(question),
            },
            Err(error) => Begun::Done(Err(error)),
        }
    }

    /// An operation that may not wait: asks what its checks let through, and makes something of the answer. Watched, if anybody
    /// watches.
    #[inline(always)]
    pub(super) fn at_once<'a, T, U: Tally, Q: Question<'a, T>>(
        &'a self,
        operation: Operation,
        key: Option<&'a [u8]>,
        asked: impl FnOnce(Call<'a>) -> Result<Q>,
        read: impl FnOnce(T) -> Result<U>,
    ) -> Option<Result<U>> {
        let slot = self.slot();
        if slot.is_watched() {
            return self.at_once_watched(slot, operation, key, asked, read);
        }
        match self.begin(slot, asked) {
            Begun::Done(answer) => Some(answer.and_then(read).map_err(|error| explain(slot, operation, key, error))),
            Begun::Waits(_) => None,
        }
    }

    #[inline(never)]
    fn at_once_watched<'a, T, U: Tally, Q: Question<'a, T>>(
        &'a self,
        slot: &'a Slot,
        operation: Operation,
        key: Option<&'a [u8]>,
        asked: impl FnOnce(Call<'a>) -> Result<Q>,
        read: impl FnOnce(T) -> Result<U>,
    ) -> Option<Result<U>> {
        let mut watch = slot.watch(operation, key);
        match watch.run(|| self.begin(slot, asked)) {
            Begun::Done(answer) => {
                let answer = answer.and_then(read).map_err(|error| explain(slot, operation, key, error));
                watch.end(&answer);
                Some(answer)
            }
            // Nothing was started: nobody is told.
            Begun::Waits(_) => None,
        }
    }

    /// As [`at_once`](Handle::at_once), for an operation that may wait: see [`answer`].
    #[inline]
    pub(super) fn asking<'a, T, U: Tally, Q: Question<'a, T>, R: FnOnce(T) -> Result<U> + Unpin>(
        &'a self,
        operation: Operation,
        key: Option<&'a [u8]>,
        asked: impl FnOnce(Call<'a>) -> Result<Q>,
        read: R,
    ) -> Asked<'a, T, U, R> {
        let slot = self.slot();
        if slot.is_watched() {
            return self.asking_watched(slot, operation, key, asked, read);
        }
        match self.begin(slot, asked) {
            Begun::Done(answer) => {
                Asked::Answered(answer.and_then(read).map_err(|error| explain(slot, operation, key, error)))
            }
            Begun::Waits(question) => {
                let running = slot.run(question.later(&*slot.store));
                Asked::Waiting(Waiting { operation, key, running, read: Some(read), watch: None })
            }
        }
    }

    #[inline(never)]
    fn asking_watched<'a, T, U: Tally, Q: Question<'a, T>, R: FnOnce(T) -> Result<U> + Unpin>(
        &'a self,
        slot: &'a Slot,
        operation: Operation,
        key: Option<&'a [u8]>,
        asked: impl FnOnce(Call<'a>) -> Result<Q>,
        read: R,
    ) -> Asked<'a, T, U, R> {
        let mut watch = slot.watch(operation, key);
        match watch.run(|| self.begin(slot, asked)) {
            Begun::Done(answer) => {
                let answer = answer.and_then(read).map_err(|error| explain(slot, operation, key, error));
                watch.end(&answer);
                Asked::Answered(answer)
            }
            Begun::Waits(question) => {
                let (running, watch) = (slot.run(question.later(&*slot.store)), Kept::new(watch));
                Asked::Waiting(Waiting { operation, key, running, read: Some(read), watch: Some(Box::new(watch)) })
            }
        }
    }

    /// Runs an operation of several questions, that may wait: watched, if anybody watches.
    pub(super) async fn wait<T: Tally>(
        &self,
        operation: Operation,
        key: Option<&[u8]>,
        mut work: Pin<&mut impl Future<Output = Result<T>>>,
    ) -> Result<T> {
        let slot = self.slot();
        let mut watch = Kept::new(slot.watch(operation, key));
        let answer = poll_fn(|cx| watch.run(|| work.as_mut().poll(cx))).await;
        let answer = answer.map_err(|error| explain(slot, operation, key, error));
        watch.end(&answer);
        answer
    }
}

/// What [`Handle::asking`] has begun: most often it is done.
pub(super) enum Asked<'a, T, U, R> {
    Answered(Result<U>),
    Waiting(Waiting<'a, T, R>),
}

/// The answer to what was [asked](Asked), within an async function. An answer that is there does not travel through its future.
macro_rules! answer {
    ($asked:expr) => {
        'answer: {
            // Not in one match with what waits: the future would hold all of it twice.
            let waiting = match $asked {
                $crate::handle::call::Asked::Answered(answer) => break 'answer answer,
                $crate::handle::call::Asked::Waiting(waiting) => waiting,
            };
            waiting.await
        }
    };
}
pub(super) use answer;

/// An operation that waits for its backend.
pub(super) struct Waiting<'a, T, R> {
    operation: Operation,
    key: Option<&'a [u8]>,
    running: Running<'a, T>,
    read: Option<R>,
    /// In a box, so that the futures of those whom nobody watches are no larger for it.
    watch: Option<Box<Kept<'a>>>,
}

/// Nothing in it is pinned: the future of the backend has a box of its own.
impl<T, R> Unpin for Waiting<'_, T, R> {}

impl<T, U: Tally, R: FnOnce(T) -> Result<U>> Future for Waiting<'_, T, R> {
    type Output = Result<U>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<U>> {
        let this = &mut *self;
        let running = Pin::new(&mut this.running);
        let answer = match &mut this.watch {
            None => ready!(running.poll(cx)),
            Some(watch) => ready!(watch.run(|| running.poll(cx))),
        };
        // It is there until the answer is.
        let Some(read) = this.read.take() else { return Poll::Pending };
        let answer = answer.and_then(read);
        let answer = answer.map_err(|error| explain(this.running.slot(), this.operation, this.key, error));
        if let Some(mut watch) = this.watch.take() {
            watch.end(&answer);
        }
        Poll::Ready(answer)
    }
}

/// Ends an operation: its error learns where it happened, and who watched is told.
pub(super) fn told<T: Tally>(
    slot: &Slot,
    operation: Operation,
    key: Option<&[u8]>,
    mut watch: Watch<'_>,
    answer: Result<T>,
) -> Result<T> {
    let result = answer.map_err(|error| explain(slot, operation, key, error));
    watch.end(&result);
    result
}

/// Adds store, operation, backend and key to an error (E7). A denied key is left out.
#[cold]
pub(super) fn explain(slot: &Slot, operation: Operation, key: Option<&[u8]>, error: Error) -> Error {
    let error = error
        .or_detail("operation", || operation.as_str().into())
        .or_detail("store", || Value::from(&*slot.id))
        .or_detail("backend", || slot.store.info().backend.into());
    match key {
        Some(key) if error.kind() != Kind::PermissionDenied => error.or_detail("key", || key.into()),
        _ => error,
    }
}
