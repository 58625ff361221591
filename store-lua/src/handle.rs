//! What `store.get` hands out (rule H1).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mlua::userdata::UserDataRef;
use mlua::{Either, Lua, MetaMethod, Table, UserData, UserDataFields, UserDataMethods, UserDataRegistry, Value};
use store_core::Handle;

use crate::module::Module;
use crate::raw::Shared;
use crate::shim::{Stop, type_name};

/// A handle, and the module that it comes from.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) handle: Handle,
    pub(crate) module: Arc<Module>,
    /// See [`Module::pin`].
    #[cfg(feature = "luajit")]
    pinned: Option<Handle>,
}

#[cfg(feature = "luajit")]
impl Inner {
    /// The handle for who must not run code of the host's, as long as it may stand for this one.
    #[inline]
    pub(crate) fn of_ours(&self) -> Option<&Handle> {
        let module = &self.module;
        self.pinned.as_ref().filter(|_| !module.registry.was_reloaded() && !module.is_from_before_a_fork())
    }
}

/// A handle as Lua holds it: released when it is collected, at the latest.
#[derive(Debug)]
pub(crate) struct LuaHandle {
    /// `None` in the one that is made to make its type known.
    inner: Option<Shared<Inner>>,
    /// Where Lua has it.
    address: AtomicUsize,
}

impl LuaHandle {
    /// A handle on nothing.
    pub(crate) fn nothing() -> LuaHandle {
        LuaHandle { inner: None, address: AtomicUsize::new(0) }
    }

    fn release(&self) {
        if let Some(inner) = &self.inner {
            inner.handle.release();
        }
    }
}

impl Drop for LuaHandle {
    fn drop(&mut self) {
        if let Some(inner) = &self.inner {
            inner.module.shared.live.remove(self.address.load(Ordering::Relaxed), inner);
            if !inner.handle.is_released() {
                inner.module.held.collected();
            }
            inner.handle.release();
        }
    }
}

/// The methods of handles, one table for a VM.
pub(crate) struct Methods(pub(crate) Table);

impl UserData for LuaHandle {
    fn register(registry: &mut UserDataRegistry<Self>) {
        registry.add_meta_field(MetaMethod::Type, "store.Store");
        // A plain table, so that looking a method up never enters Rust.
        registry.add_meta_field_with(MetaMethod::Index, |lua| {
            let methods = lua.app_data_ref::<Methods>().map(|methods| methods.0.clone());
            Ok(methods.map_or(Value::Nil, Value::Table))
        });
        registry.add_meta_method(MetaMethod::ToString, |_, this, ()| {
            let is_out = this.inner.as_ref().is_some_and(|inner| !inner.handle.is_released());
            Ok(if !is_out { "store.Store{released}" } else { "store.Store{}" })
        });
        // By name, since some Lua versions do not know it.
        registry.add_meta_method("__close", |_, this, _: Value| {
            this.release();
            Ok(())
        });
    }
}

/// The first argument of a method: a handle, or what a mistaken caller passed.
pub(crate) type Receiver = Either<UserDataRef<LuaHandle>, Value>;

/// The handle, or the mistake to raise.
pub(crate) fn receive<'a>(receiver: &'a Receiver, method: &str) -> Result<&'a Inner, Stop> {
    let got = match receiver {
        Either::Left(handle) => match &handle.inner {
            Some(inner) => return Ok(inner),
            None => "userdata",
        },
        Either::Right(other) => type_name(other),
    };
    Err(Stop::Raise(format!("calling '{method}' on bad self (store.Store expected, got {got})")))
}

/// A new handle for a script.
pub(crate) fn give(lua: &Lua, module: &Arc<Module>, handle: Handle) -> mlua::Result<Value> {
    let inner = Shared::new(Inner {
        #[cfg(feature = "luajit")]
        pinned: module.pin(&handle),
        handle,
        module: Arc::clone(module),
    });
    let given = lua.create_userdata(LuaHandle { inner: Some(Shared::clone(&inner)), address: AtomicUsize::new(0) })?;
    let address = given.to_pointer() as usize;
    given.borrow::<LuaHandle>()?.address.store(address, Ordering::Relaxed);
    module.shared.live.add(address, inner);
    Ok(Value::UserData(given))
}
