//! Operations that have to wait: the coroutine is suspended, or the host blocks, or the script is told.

use std::cell::Cell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as TaskContext, Poll};

use mlua::{AnyUserData, Function, Lua, UserData, Value};
use store_core::{Error, Handle, Outcome};

use crate::module::Module;
use crate::raw::guarded;
use crate::reply::{Reply, Site};
use crate::shim::{Results, Stop, results};

/// A future of an operation. With the feature `send` the VM may move to another thread, and its futures with it.
#[cfg(feature = "send")]
pub(crate) type Operation = Pin<Box<dyn Future<Output = Result<Reply, Error>> + Send>>;
/// A future of an operation.
#[cfg(not(feature = "send"))]
pub(crate) type Operation = Pin<Box<dyn Future<Output = Result<Reply, Error>>>>;

/// An operation that has not been started, on its way through Lua to where it can wait.
pub(crate) struct Pending(Mutex<Option<Wait>>);

/// What there is to wait for, and where its answer belongs.
pub(crate) struct Wait {
    pub(crate) module: Arc<Module>,
    pub(crate) operation: Operation,
    pub(crate) site: OwnedSite,
    /// Whether it may be tried even where nobody can wait, because it often ends at once.
    pub(crate) try_anyway: bool,
}

/// [`Site`] for later.
#[derive(Clone, Debug)]
pub(crate) struct OwnedSite {
    pub(crate) handle: Option<Handle>,
    pub(crate) operation: &'static str,
    pub(crate) key: Vec<u8>,
}

impl OwnedSite {
    fn borrow(&self) -> Site<'_> {
        Site { handle: self.handle.as_ref(), operation: self.operation, key: &self.key }
    }
}

impl UserData for Pending {}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pending")
    }
}

impl Pending {
    pub(crate) fn new(wait: Wait) -> Pending {
        Pending(Mutex::new(Some(wait)))
    }

    /// Nothing to wait for.
    pub(crate) fn nothing() -> Pending {
        Pending(Mutex::new(None))
    }
}

/// The Lua function that waits for an operation and gives its results.
///
/// `can_yield` is a Lua function: whether the running coroutine can be suspended, all the way up to the host.
pub(crate) fn waiter(lua: &Lua, can_yield: &Function) -> mlua::Result<Value> {
    let wait = lua.create_async_function(move |lua, (pending, yieldable): (AnyUserData, bool)| {
        // The future belongs to the VM: if it held the VM, one that is never polled again would keep the VM for ever.
        let lua = lua.weak();
        async move {
            let ended = finish(&pending, yieldable).await;
            let lua = lua.try_upgrade().ok_or_else(|| mlua::Error::runtime("the VM has ended"))?;
            let value = ended.and_then(|answer| answer.into_value(&lua));
            let (value, error, _): Results = results(&lua, value)?;
            Ok((value, error))
        }
    })?;
    lua.load("local wait, can_yield = ...\nreturn function(pending) return wait(pending, can_yield()) end")
        .set_name("=[store]")
        .call((wait, can_yield))
}

/// What an operation answered, and where that belongs.
struct Answer {
    module: Arc<Module>,
    reply: Reply,
    site: OwnedSite,
}

impl Answer {
    fn into_value(self, lua: &Lua) -> Result<Value, Stop> {
        self.reply.into_value(lua, &self.module, &self.site.borrow())
    }
}

async fn finish(pending: &AnyUserData, yieldable: bool) -> Result<Answer, Stop> {
    let taken = pending.take::<Pending>()?.0.into_inner().unwrap_or_else(PoisonError::into_inner);
    let Some(Wait { module, mut operation, site, try_anyway }) = taken else {
        return Err(Error::internal("the operation was awaited twice").into());
    };
    let mut operation =
        pin!(poll_fn(|cx| guarded(|| operation.as_mut().poll(cx)).unwrap_or_else(|panic| Poll::Ready(Err(panic)))));
    let answer = if yieldable && has_executor(&module).await {
        operation.await
    } else if let Some(blocking) = module.blocker.as_ref().filter(|blocking| blocking.nests || !BLOCKED.get()) {
        let mut answer = None;
        {
            let blocked = pin!(async { answer = Some(operation.as_mut().await) });
            let _inside = Inside(BLOCKED.replace(true));
            (blocking.block_on)(blocked);
        }
        answer.unwrap_or_else(|| Err(Error::internal("the host stopped blocking before the operation ended")))
    } else if try_anyway {
        poll_a_little(operation.as_mut()).await.unwrap_or_else(|| Err(would_block().with_outcome(Outcome::Unknown)))
    } else {
        Err(would_block())
    };
    let reply = answer.map_err(Stop::from)?;
    Ok(Answer { module, reply, site })
}

/// Whether whoever polls will poll again. mlua polls with a waker that does nothing where a script is run synchronously.
async fn has_executor(module: &Module) -> bool {
    poll_fn(|cx| Poll::Ready(!cx.waker().will_wake(&module.shared.no_executor))).await
}

thread_local! {
    /// Whether the host's `block_on` is running on this thread, and with it a loader perhaps.
    static BLOCKED: Cell<bool> = const { Cell::new(false) };
}

/// Puts back whether it was before, also when `block_on` panics.
struct Inside(bool);

impl Drop for Inside {
    fn drop(&mut self) {
        BLOCKED.set(self.0);
    }
}

/// How often an operation is polled where nobody can wait. A loader in Lua 5.2 yields to ask whether it can be suspended (see coroutines.lua), and is
/// answered by the next poll.
const POLLS: usize = if cfg!(feature = "lua52") { 64 } else { 1 };

async fn poll_a_little<T>(mut operation: Pin<&mut (impl Future<Output = T> + ?Sized)>) -> Option<T> {
    poll_fn(|cx: &mut TaskContext<'_>| {
        for _ in 0..POLLS {
            if let Poll::Ready(value) = operation.as_mut().poll(cx) {
                return Poll::Ready(Some(value));
            }
        }
        Poll::Ready(None)
    })
    .await
}

#[cold]
fn would_block() -> Error {
    Error::unavailable(
        "the operation has to wait, and its caller cannot yield: call it from a coroutine that the host drives",
    )
    .with_reason("would_block")
    .with_retryable(false)
}
