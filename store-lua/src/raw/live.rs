//! The handles of a VM, by the address that Lua has them at.

use std::collections::BTreeMap;
use std::fmt;

use store_core::Error;

use super::again::Luck;
use crate::handle::Inner;

pub(crate) use lock::Shared;

/// A VM is used by one thread at a time. Only with the feature `send` can it be another one each time.
#[cfg(feature = "send")]
mod lock {
    use std::sync::{Mutex, PoisonError};

    pub(crate) type Shared<T> = std::sync::Arc<T>;

    #[derive(Default)]
    pub(super) struct Lock<T>(Mutex<T>);

    impl<T> Lock<T> {
        pub(super) fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
            work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
        }
    }
}
#[cfg(not(feature = "send"))]
mod lock {
    use std::cell::RefCell;

    pub(crate) type Shared<T> = std::rc::Rc<T>;

    #[derive(Default)]
    pub(super) struct Lock<T>(RefCell<T>);

    impl<T> Lock<T> {
        pub(super) fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
            work(&mut self.0.borrow_mut())
        }
    }
}

/// Errors that wait to be fetched; there is one at most, unless a hook interrupts a call between its two halves.
const MAX_WAITING: usize = 64;

/// What the calls that go past mlua need to know of a VM.
#[derive(Default)]
pub(crate) struct Live {
    handles: lock::Lock<BTreeMap<usize, Shared<Inner>>>,
    errors: lock::Lock<Errors>,
    /// With the strings that `get` keeps.
    pub(super) luck: Luck,
}

#[derive(Default)]
struct Errors {
    last: i64,
    waiting: BTreeMap<i64, Error>,
}

impl Live {
    /// From now on the userdata at this address is this handle.
    pub(crate) fn add(&self, address: usize, handle: Shared<Inner>) {
        let before = self.handles.with(|handles| handles.insert(address, handle));
        drop(before);
    }

    /// The userdata is no more. Another one may be at its address already.
    pub(crate) fn remove(&self, address: usize, handle: &Shared<Inner>) {
        let removed = self.handles.with(|handles| match handles.get(&address) {
            Some(there) if Shared::ptr_eq(there, handle) => handles.remove(&address),
            _ => None,
        });
        drop(removed);
    }

    /// The handle at an address. A share of it, since hosts may do anything while an operation tells them of it.
    pub(super) fn find(&self, address: usize) -> Option<Shared<Inner>> {
        self.handles.with(|handles| handles.get(&address).map(Shared::clone))
    }

    /// Works with the handle at an address, without a share of it: for who neither enters Lua nor runs code of the host's.
    #[cfg(feature = "luajit")]
    #[inline]
    pub(super) fn with<R>(&self, address: usize, work: impl FnOnce(&Inner) -> R) -> Option<R> {
        self.handles.with(|handles| handles.get(&address).map(|inner| work(inner)))
    }

    /// Keeps an error until Lua fetches it.
    #[cold]
    pub(super) fn keep(&self, error: Error) -> i64 {
        self.errors.with(|errors| {
            errors.last += 1;
            errors.waiting.insert(errors.last, error);
            if errors.waiting.len() > MAX_WAITING {
                errors.waiting.pop_first();
            }
            errors.last
        })
    }

    /// The error that was kept.
    pub(crate) fn fetch(&self, ticket: i64) -> Error {
        self.errors
            .with(|errors| errors.waiting.remove(&ticket))
            .unwrap_or_else(|| Error::internal("the error of the operation was lost"))
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").finish_non_exhaustive()
    }
}
