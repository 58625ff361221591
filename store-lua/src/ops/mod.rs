//! The methods of handles.

mod batch;
mod buffer;
mod list;
mod load;
mod read;
mod write;

pub(crate) use buffer::with_buffer;

use std::future::Future;
use std::sync::Arc;

use mlua::{FromLuaMulti, Function, IntoLua, Lua, Value};
use store_core::{Handle, Result as StoreResult};

use crate::handle::{Inner, Receiver, receive};
use crate::module::{Current, Module};
use crate::raw::guarded;
use crate::reply::{Reply, Site};
use crate::shim::{Results, Stop, results};
use crate::wait::{Operation, OwnedSite, Pending, Wait};

/// How a call ended: with a value, or with something to wait for.
pub(crate) enum Done {
    Value(Value),
    Wait(Wait),
}

pub(crate) type Ended = Result<Done, Stop>;

/// One call of a method.
pub(crate) struct Call<'a> {
    pub(crate) lua: &'a Lua,
    pub(crate) module: &'a Arc<Module>,
    pub(crate) handle: Current<'a>,
    pub(crate) operation: &'static str,
}

impl Call<'_> {
    /// The first check of every operation.
    fn check(&self) -> Result<(), Stop> {
        self.module.check_process()?;
        Ok(self.handle.check()?)
    }

    /// Ends a call with an answer.
    fn answer(&self, key: &[u8], reply: Reply) -> Ended {
        let site = Site { handle: Some(&self.handle), operation: self.operation, key };
        Ok(Done::Value(reply.into_value(self.lua, self.module, &site)?))
    }

    /// Ends a call with an answer that the store had at once, else with the operation to wait for.
    fn now_or<T, F>(
        &self,
        key: &[u8],
        now: Option<StoreResult<T>>,
        reply: fn(T) -> Reply,
        later: impl FnOnce(Handle, Vec<u8>) -> F,
    ) -> Ended
    where
        F: Future<Output = StoreResult<T>> + Send + 'static,
        T: 'static,
    {
        match now {
            Some(answer) => self.answer(key, reply(answer?)),
            None => {
                let operation = later(self.handle.clone(), key.to_vec());
                Ok(Done::Wait(self.wait(key, false, Box::pin(async move { Ok(reply(operation.await?)) }))))
            }
        }
    }

    /// Adds where an error in the arguments happened, as the handle does for its own (E7).
    #[cold]
    fn explain(&self, stop: Stop) -> Stop {
        match stop {
            Stop::Fail(error) => {
                let error = error.or_detail("operation", || self.operation.into());
                Stop::Fail(error.or_detail("store", || self.handle.id().into()))
            }
            other => other,
        }
    }

    fn wait(&self, key: &[u8], try_anyway: bool, operation: Operation) -> Wait {
        let site = OwnedSite { handle: Some(self.handle.clone()), operation: self.operation, key: key.to_vec() };
        Wait { module: Arc::clone(self.module), operation, site, try_anyway }
    }
}

/// The results of a call, for its Lua side.
pub(crate) fn conclude(lua: &Lua, ended: Ended) -> mlua::Result<Results> {
    match ended {
        Ok(Done::Value(value)) => Ok((value, Value::Nil, Value::Nil)),
        Ok(Done::Wait(wait)) => Ok((Pending::new(wait).into_lua(lua)?, Value::Nil, Value::Boolean(true))),
        Err(stop) => results(lua, Err(stop)),
    }
}

/// One method: its name, its parameters in Lua, its function.
type Method = (&'static str, &'static str, Function);

fn method<A: FromLuaMulti + 'static>(
    lua: &Lua,
    operation: &'static str,
    parameters: &'static str,
    run: fn(&Call<'_>, A) -> Ended,
) -> mlua::Result<Method> {
    let function = lua.create_function(move |lua, (receiver, arguments): (Receiver, A)| {
        let ended = receive(&receiver, operation).and_then(|Inner { handle, module, .. }| {
            let call = Call { lua, module, handle: Current::new(module, handle), operation };
            // What panics is code of the host's: an authorizer, an audit hook, a backend.
            let ended = guarded(|| run(&call, arguments)).unwrap_or_else(|panic| Err(panic.into()));
            ended.map_err(|stop| call.explain(stop))
        });
        conclude(lua, ended)
    })?;
    Ok((operation, parameters, function))
}

/// Every method of handles.
pub(crate) fn methods(lua: &Lua) -> mlua::Result<Vec<Method>> {
    Ok(vec![
        method(lua, "get", "self, key", read::get)?,
        method(lua, "has", "self, key", read::has)?,
        method(lua, "entry", "self, key", read::entry)?,
        method(lua, "ttl", "self, key", read::ttl)?,
        method(lua, "info", "self", read::info)?,
        method(lua, "release", "self", read::release)?,
        method(lua, "set", "self, key, value, ttl", write::set)?,
        method(lua, "put", "self, key, value, options", write::put)?,
        method(lua, "delete", "self, key, options", write::delete)?,
        method(lua, "touch", "self, key, ttl, options", write::touch)?,
        method(lua, "get_and_touch", "self, key, ttl", write::get_and_touch)?,
        method(lua, "take", "self, key", write::take)?,
        method(lua, "increment", "self, key, delta, options", write::increment)?,
        method(lua, "get_many", "self, keys", batch::get_many)?,
        method(lua, "set_many", "self, items, ttl", batch::set_many)?,
        method(lua, "delete_many", "self, keys", batch::delete_many)?,
        method(lua, "list", "self, options", list::list)?,
        method(lua, "clear", "self, options", list::clear)?,
        method(lua, "get_or_set", "self, key, loader, options", load::get_or_set)?,
    ])
}
