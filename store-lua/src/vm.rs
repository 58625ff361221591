//! What a VM has once, however many modules are made in it.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

use mlua::{Function, Lua, Table, Value};
use store_core::Error;

use crate::coroutines::Coroutines;
use crate::errors::ErrorObject;
use crate::handle::{LuaHandle, Methods};
use crate::module::Shared;
use crate::ops::methods;
#[cfg(not(feature = "luau"))]
use crate::raw;
use crate::raw::Live;
#[cfg(not(feature = "luau"))]
use crate::shim::Around;
#[cfg(not(feature = "luau"))]
use crate::shim::results;
use crate::shim::{self, Hot};
use crate::value::ArrayMark;
use crate::wait::{Pending, waiter};

/// What is made once in a VM, with or without a module: what values and errors need.
#[derive(Clone)]
pub(crate) struct Base {
    pub(crate) mark: ArrayMark,
    errors: Table,
}

impl Base {
    pub(crate) fn of(lua: &Lua) -> mlua::Result<Base> {
        if let Some(base) = lua.app_data_ref::<Base>().map(|base| base.clone()) {
            return Ok(base);
        }
        let mark = ArrayMark::new(lua)?;
        let errors = crate::errors::create(lua, &mark)?;
        let base = Base { mark, errors };
        lua.set_app_data(base.clone());
        Ok(base)
    }
}

/// What is made with the first module in a VM.
#[derive(Clone)]
pub(crate) struct Vm {
    pub(crate) shared: Arc<Shared>,
    pub(crate) wait: Value,
    pub(crate) errors: Table,
}

impl Vm {
    pub(crate) fn of(lua: &Lua, coroutines: Coroutines) -> mlua::Result<Vm> {
        if let Some(vm) = lua.app_data_ref::<Vm>().map(|vm| vm.clone()) {
            return Ok(vm);
        }
        let Base { mark, errors } = Base::of(lua)?;
        let wait = waiter(lua, &crate::coroutines::can_yield(lua, coroutines)?)?;
        #[allow(clippy::arc_with_non_send_sync, reason = "Send and Sync with the feature `send`")]
        let live = Arc::new(Live::default());
        let methods = all_methods(lua, &mark, &live, &wait)?;
        let each: Function = lua.load(include_str!("each.lua")).set_name("=[store]").call((
            methods.raw_get::<Value>("list")?,
            lua.globals().raw_get::<Value>("error")?,
            lua.globals().raw_get::<Value>("next")?,
            lua.globals().raw_get::<Value>("type")?,
        ))?;
        methods.raw_set("each", each)?;
        crate::sandbox::protect(lua, &methods)?;
        lua.set_app_data(Methods(methods));
        know_types(lua)?;
        #[allow(clippy::arc_with_non_send_sync, reason = "Send and Sync with the feature `send`")]
        let shared =
            Arc::new(Shared { mark, live, no_executor: idle_waker(lua)?, pcall: lua.globals().raw_get("pcall")? });
        let vm = Vm { shared, wait, errors };
        lua.set_app_data(vm.clone());
        Ok(vm)
    }
}

/// Makes one of everything that scripts may be given. mlua prepares a type when the first of it is made, and must not while the VM ends:
/// but a finaliser may call us even then.
fn know_types(lua: &Lua) -> mlua::Result<()> {
    lua.create_userdata(LuaHandle::nothing())?;
    lua.create_userdata(Pending::nothing())?;
    lua.create_userdata(ErrorObject::from(Error::invalid("")))?;
    Ok(())
}

/// The methods of handles, some with a short way: in front of them where Lua lets a C function do that, else inside.
#[cfg(not(feature = "luau"))]
fn all_methods(lua: &Lua, mark: &ArrayMark, live: &Arc<Live>, wait: &Value) -> mlua::Result<Table> {
    let errors = Arc::clone(live);
    let fetch = lua.create_function(move |lua, ticket: i64| results(lua, Err(errors.fetch(ticket).into())))?;
    if !raw::DIRECT {
        let functions = raw::functions(lua, mark, live, &lua.create_table()?, &fetch)?;
        let around = Hot::Around(Around { functions, fetch: fetch.clone() });
        let methods = shim::functions(lua, &methods(lua)?, wait, around)?;
        #[cfg(feature = "luajit")]
        raw::compile(lua, &methods, mark, live, &fetch)?;
        return Ok(methods);
    }
    let methods = shim::functions(lua, &methods(lua)?, wait, Hot::Behind(raw::names().collect()))?;
    let functions = raw::functions(lua, mark, live, &methods, &fetch)?;
    for name in raw::names() {
        methods.raw_set(name, functions.raw_get::<Value>(name)?)?;
    }
    Ok(methods)
}

/// On Luau all methods go through mlua.
#[cfg(feature = "luau")]
fn all_methods(lua: &Lua, _: &ArrayMark, _: &Arc<Live>, wait: &Value) -> mlua::Result<Table> {
    shim::functions(lua, &methods(lua)?, wait, Hot::None)
}

/// The waker with which mlua polls where nobody drives the script.
fn idle_waker(lua: &Lua) -> mlua::Result<Waker> {
    let seen: Arc<Mutex<Option<Waker>>> = Arc::default();
    let see = Arc::clone(&seen);
    let probe = lua.create_async_function(move |_, ()| {
        let see = Arc::clone(&see);
        poll_fn(move |cx| {
            *see.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
            Poll::Ready(Ok(()))
        })
    })?;
    probe.call::<()>(())?;
    let waker = seen.lock().unwrap_or_else(PoisonError::into_inner).take();
    Ok(waker.unwrap_or_else(|| Waker::noop().clone()))
}
