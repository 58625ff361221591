//! Putting the module into a VM.

use std::sync::Arc;

use mlua::{Function, Lua, Table, Value};
use store_core::config::Document;
use store_core::{Error, Registry};

use crate::args::{bytes, wrong};
use crate::errors::ErrorObject;
use crate::held::{Held, collected_of, hand_out};
use crate::module::{Blocking, Module, Process};
use crate::ops::{Done, Ended, conclude};
use crate::options::{Configuration, Options};
use crate::raw::guarded;
use crate::reply::Reply;
use crate::shim::{self, Hot, bad_argument, results};
use crate::vm::Vm;
use crate::wait::{OwnedSite, Wait};

/// Makes `require("store")` give the stores of a configuration, each with the backend that it names, and defines the global
/// `errors`. The registry that comes back is for the host: to close it when the scripts are done, to count handles.
///
/// `environment` selects one of the configuration's `[env.NAME]` tables. Which backends there are, the Cargo features `memory`,
/// `sled` and `redis` decide.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use store_lua::Configuration;
/// let lua = mlua::Lua::new();
/// let registry = store_lua::open(&lua, Configuration::text("[stores.'app:cache']\nbackend = 'memory'"), None)?;
/// lua.load(r#"
///     local store = require("store")
///     local cache = store.get("app:cache")
///     cache:set("user:123", {name = "Alice"}, 3600)
///     assert(cache:get("user:123").name == "Alice")
/// "#).exec()?;
/// assert_eq!(registry.handles_out(None), 1);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// INVALID: all mistakes in the configuration at once, with file, line and key. INTERNAL: the VM is out of memory, or lacks a
/// standard library that is needed.
pub fn open(
    lua: &Lua,
    configuration: impl Into<Configuration>,
    environment: Option<&str>,
) -> store_core::Result<Registry> {
    open_with(lua, configuration, environment, Options::default())
}

/// [`open`] with options.
///
/// # Errors
/// As [`open`].
pub fn open_with(
    lua: &Lua,
    configuration: impl Into<Configuration>,
    environment: Option<&str>,
    options: Options,
) -> store_core::Result<Registry> {
    let registry = registry(configuration, environment)?;
    install_made(lua, registry.clone(), options, true).map_err(not_installed)?;
    Ok(registry)
}

/// [`open_with`] without making the module known to `require` or defining globals: as a table, see [`create`].
///
/// # Errors
/// As [`open`].
pub fn open_table(
    lua: &Lua,
    configuration: impl Into<Configuration>,
    environment: Option<&str>,
    options: Options,
) -> store_core::Result<(Table, Registry)> {
    let registry = registry(configuration, environment)?;
    let table = create_made(lua, registry.clone(), options, true).map_err(not_installed)?;
    Ok((table, registry))
}

#[cold]
fn not_installed(error: mlua::Error) -> Error {
    Error::internal(format!("the module cannot be installed in this VM: {error}"))
}

/// Makes `require("store")` give the stores of a registry, and defines the global `errors`.
///
/// # Errors
/// Of the VM: out of memory, or without a standard library that is needed (`coroutine`, `require`).
pub fn install(lua: &Lua, registry: Registry) -> mlua::Result<()> {
    install_with(lua, registry, Options::default())
}

/// [`install`] with options.
///
/// # Errors
/// As [`install`].
pub fn install_with(lua: &Lua, registry: Registry, options: Options) -> mlua::Result<()> {
    install_made(lua, registry, options, false)
}

fn install_made(lua: &Lua, registry: Registry, options: Options, is_ours: bool) -> mlua::Result<()> {
    let globals = options.globals;
    let store = create_made(lua, registry, options, is_ours)?;
    if globals {
        lua.globals().raw_set("errors", store.get::<Value>("errors")?)?;
    }
    register(lua, store, globals)
}

/// What `require("store")` finds.
#[cfg(not(feature = "luau"))]
fn register(lua: &Lua, store: Table, _: bool) -> mlua::Result<()> {
    lua.register_module("store", store)
}

/// Luau's modules have names that begin with `@`: so it is `require("@store")`, and `require("store")` by a `require` in front of Luau's,
/// from which relative paths no longer work; hosts that need them leave the globals alone.
#[cfg(feature = "luau")]
fn register(lua: &Lua, store: Table, globals: bool) -> mlua::Result<()> {
    lua.register_module("@store", &store)?;
    if !globals {
        return Ok(());
    }
    let require: Value = lua.globals().raw_get("require")?;
    let front: Function = lua
        .load("local require, store = ...\nreturn function(name) if name == 'store' then return store end return require(name) end")
        .set_name("=[store]")
        .call((require, store))?;
    lua.globals().raw_set("require", front)
}

/// The registry of a configuration, with the backends that this build has.
///
/// # Errors
/// INVALID: all mistakes in the configuration at once, with file, line and key.
pub fn registry(configuration: impl Into<Configuration>, environment: Option<&str>) -> store_core::Result<Registry> {
    let document = match configuration.into() {
        Configuration::File(path) => Document::read(path)?,
        Configuration::Text(toml) => Document::parse(&toml, "configuration")?,
        Configuration::Document(document) => document,
    };
    store::open_with(&document, environment, &store::backends())
}

/// The module as a table, without making it known to `require` or defining globals. A VM can have several, each with its own
/// registry and options; whether `coroutine` is replaced, the first decides.
///
/// # Errors
/// As [`install`].
pub fn create(lua: &Lua, registry: Registry, options: Options) -> mlua::Result<Table> {
    create_made(lua, registry, options, false)
}

fn create_made(lua: &Lua, registry: Registry, options: Options, is_ours: bool) -> mlua::Result<Table> {
    let vm = Vm::of(lua, options.for_coroutines())?;
    // Shared by functions of one VM, which stay on its thread unless the feature `send` says otherwise.
    #[allow(clippy::arc_with_non_send_sync, reason = "Send and Sync with the feature `send`")]
    let module = Arc::new(Module {
        registry,
        context: options.context,
        blocker: options.blocker.map(|block_on| Blocking { block_on, nests: options.blocking_nests }),
        process: options.forks.map(Process::this),
        held: Held::new(options.max_handles, collected_of(lua)),
        is_ours,
        shared: Arc::clone(&vm.shared),
    });
    let get = lua.create_function(move |lua, id: Value| {
        let ended = guarded(|| get(lua, &module, &id)).unwrap_or_else(|panic| Err(panic.into()));
        conclude(lua, ended)
    })?;
    let shared = Arc::clone(&vm.shared);
    let array = lua.create_function(move |lua, table: Value| {
        let marked = match &table {
            Value::Table(array) => shared.mark.put_on(array).map(|()| table.clone()).map_err(Into::into),
            other => Err(bad_argument(1, "array", "table", other)),
        };
        results(lua, marked)
    })?;
    let store = shim::functions(lua, &[("get", "id", get), ("array", "table", array)], &vm.wait, Hot::None)?;
    let with: Function = lua.load(include_str!("with.lua")).set_name("=[store]").call((
        store.raw_get::<Value>("get")?,
        lua.globals().raw_get::<Value>("pcall")?,
        lua.globals().raw_get::<Value>("error")?,
        lua.globals().raw_get::<Value>("type")?,
        lua.create_function(|lua, work: Value| {
            let error = wrong("work", "a function", &work).with_detail("operation", "store.with");
            ErrorObject::from(error).give(lua)
        })?,
    ))?;
    store.raw_set("with", with)?;
    store.raw_set("null", Value::NULL)?;
    store.raw_set("errors", vm.errors)?;
    shim::read_only(lua, "store", store)
}

/// `store.get(id)`
fn get(lua: &Lua, module: &Arc<Module>, id: &Value) -> Ended {
    let id = bytes("get", 1, id)?;
    module.check_process()?;
    let Ok(id) = std::str::from_utf8(id.as_ref()) else {
        return Err(Error::invalid("the store id is not UTF-8").with_detail("operation", "store.get").into());
    };
    let context = module.with_context(Clone::clone);
    if let Some(handle) = module.registry.try_get_as(id, &context) {
        return Ok(Done::Value(hand_out(lua, module, handle?)?));
    }
    let (registry, id) = (module.registry.clone(), id.to_owned());
    let operation = Box::pin(async move { Ok(Reply::Handle(registry.get_as(&id, &context).await?)) });
    let site = OwnedSite { handle: None, operation: "store.get", key: Vec::new() };
    // Opening is harmless to give up, and a store in memory opens at once.
    Ok(Done::Wait(Wait { module: Arc::clone(module), operation, site, try_anyway: true }))
}
