//! Who a script acts as: a context for each coroutine, not for each VM.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use store_core::Context;

thread_local! {
    /// The context of the future that is being polled on this thread; `None` outside of any.
    static CURRENT: RefCell<Option<Context>> = const { RefCell::new(None) };
}

/// Runs a future in a security context: whatever Lua code it polls is judged as this caller.
///
/// The context holds while the future is polled and not in between, so requests that take turns on one VM never borrow each
/// other's rights, however their awaits interleave. A coroutine that outlives its request is judged as whoever resumes it. Scopes
/// nest; the innermost counts.
///
/// ```
/// # use store_core::{Actor, Context};
/// # async fn handle_request(lua: &mlua::Lua) -> mlua::Result<()> {
/// let alice = Context::new(Some(Actor::new("alice")), Some(vec!["users".to_string()]));
/// let request = lua.load("local cache = require('store').get('app:cache') ...").exec_async();
/// store_lua::with_context(alice, request).await
/// # }
/// ```
pub fn with_context<F: Future>(context: Context, future: F) -> WithContext<F> {
    WithContext { context, future: Box::pin(future) }
}

/// Runs a function in a security context, for hosts that call Lua synchronously.
pub fn enter_context<T>(context: &Context, work: impl FnOnce() -> T) -> T {
    let _scope = Scope::enter(context.clone());
    work()
}

/// See [`with_context`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct WithContext<F> {
    context: Context,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for WithContext<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<F::Output> {
        let _scope = Scope::enter(self.context.clone());
        self.future.as_mut().poll(cx)
    }
}

/// Puts the outer context back, also when the inner panics.
struct Scope(Option<Context>);

impl Scope {
    fn enter(context: Context) -> Scope {
        Scope(CURRENT.with_borrow_mut(|current| current.replace(context)))
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        CURRENT.with_borrow_mut(|current| *current = self.0.take());
    }
}

/// Calls with the context in force: that of the innermost scope, else the VM's. Must not run Lua code, which may enter scopes.
pub(crate) fn with_current<T>(default: &Context, use_it: impl FnOnce(&Context) -> T) -> T {
    CURRENT.with_borrow(|current| use_it(current.as_ref().unwrap_or(default)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use store_core::Actor;

    fn actor() -> Option<String> {
        with_current(&Context::none(), |cx| cx.actor().map(|actor| actor.id.clone()))
    }

    #[test]
    fn scopes_nest_and_end() {
        let named = |name: &str| Context::new(Some(Actor::new(name)), None);
        assert_eq!(actor(), None);
        enter_context(&named("outer"), || {
            assert_eq!(actor().as_deref(), Some("outer"));
            enter_context(&Context::none(), || assert_eq!(actor(), None));
            let panicked = std::panic::catch_unwind(|| enter_context(&named("inner"), || panic!("x")));
            assert!(panicked.is_err());
            assert_eq!(actor().as_deref(), Some("outer"));
        });
        assert_eq!(actor(), None);
    }
}
