//! Putting the module into a VM.

use std::fmt;
use std::future::{Future, poll_fn};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

use mlua::{Function, Lua, Table, Value};
use store_core::config::Document;
use store_core::{Context, Error, Registry};

use crate::args::{bytes, wrong};
use crate::coroutines::Coroutines;
use crate::errors::ErrorObject;
use crate::handle::{LuaHandle, Methods};
use crate::held::{Held, collected_of, hand_out};
use crate::module::{Blocker, Blocking, Module, Process, Shared};
use crate::ops::{Done, Ended, conclude, methods};
#[cfg(not(feature = "luau"))]
use crate::raw;
use crate::raw::{Live, guarded};
use crate::reply::Reply;
#[cfg(not(feature = "luau"))]
use crate::shim::Around;
use crate::shim::{self, Hot, bad_argument, results};
use crate::value::ArrayMark;
use crate::wait::{OwnedSite, Pending, Wait, waiter};

/// How the module behaves in a VM.
#[derive(Clone)]
pub struct Options {
    context: Context,
    blocker: Option<Blocker>,
    blocking_nests: bool,
    coroutines: bool,
    suspending: bool,
    forks: Option<&'static AtomicUsize>,
    globals: bool,
    max_handles: Option<usize>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            context: Context::none(),
            blocker: None,
            blocking_nests: false,
            coroutines: true,
            suspending: true,
            forks: None,
            globals: true,
            max_handles: None,
        }
    }
}

impl Options {
    /// No actor, no scope, no blocking.
    #[must_use]
    pub fn new() -> Options {
        Options::default()
    }

    /// Whom scripts act as, outside of [`with_context`](crate::with_context).
    #[must_use]
    pub fn context(mut self, context: Context) -> Options {
        self.context = context;
        self
    }

    /// Blocks the thread where an operation has to wait and the caller cannot yield, instead of giving UNAVAILABLE
    /// (`would_block`). `block_on` must drive the future to its end on the calling thread.
    ///
    /// The future may run a loader of `get_or_set`. What has to wait in there and cannot yield is UNAVAILABLE all the same, since most runtimes'
    /// `block_on` panics inside of itself; see [`blocking_nests`](Options::blocking_nests).
    #[must_use]
    pub fn blocking(mut self, block_on: impl Fn(Pin<&mut dyn Future<Output = ()>>) + Send + Sync + 'static) -> Options {
        self.blocker = Some(Arc::new(block_on));
        self
    }

    /// Whether the `block_on` of [`blocking`](Options::blocking) may be called inside of itself (no, unless told otherwise).
    #[must_use]
    pub fn blocking_nests(mut self, nests: bool) -> Options {
        self.blocking_nests = nests;
        self
    }

    /// Whether an operation that has to wait may suspend the coroutine that it is called from (yes, unless told otherwise). Not where nobody drives
    /// coroutines, as in an interpreter of its own: there everything blocks, and `coroutine` is left alone. For a VM the first module decides.
    #[must_use]
    pub fn suspending(mut self, suspend: bool) -> Options {
        self.suspending = suspend;
        self
    }

    /// Where the host counts forks: one more in each child. A handle that a child has from its parent is then INVALID to use (`forked`), instead of waiting
    /// for threads and sharing connections that are the parent's.
    #[must_use]
    pub fn forks(mut self, counter: &'static AtomicUsize) -> Options {
        self.forks = Some(counter);
        self
    }

    /// Whether `coroutine.resume` and `coroutine.wrap` (and in Lua 5.1 `pcall`) are replaced by ones that pass waiting on to the host (yes, unless told
    /// otherwise). Without that, an operation that waits inside of a coroutine made by a script shows up in its `resume`.
    #[must_use]
    pub fn coroutines(mut self, replace: bool) -> Options {
        self.coroutines = replace;
        self
    }

    /// How many handles scripts may hold at a time (any number, unless told otherwise). At the limit garbage is collected once, which releases
    /// those that nothing holds any more; then `store.get` is UNAVAILABLE (`max_handles`), and worth retrying.
    #[must_use]
    pub fn max_handles(mut self, most: usize) -> Options {
        self.max_handles = Some(most);
        self
    }

    /// Whether `errors` becomes a global (yes, unless told otherwise). It is `require("store").errors` in any case.
    #[must_use]
    pub fn globals(mut self, define: bool) -> Options {
        self.globals = define;
        self
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("context", &self.context)
            .field("blocking", &self.blocker.is_some())
            .field("blocking_nests", &self.blocking_nests)
            .field("coroutines", &self.coroutines)
            .field("suspending", &self.suspending)
            .field("forks", &self.forks)
            .field("globals", &self.globals)
            .field("max_handles", &self.max_handles)
            .finish()
    }
}

/// Where a configuration comes from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Configuration {
    /// A TOML file; relative paths in it are relative to its folder.
    File(PathBuf),
    /// TOML; relative paths in it are relative to the current folder.
    Text(String),
    /// One that is read already.
    Document(Document),
}

impl Configuration {
    /// A configuration that is in memory.
    #[must_use]
    pub fn text(toml: impl Into<String>) -> Configuration {
        Configuration::Text(toml.into())
    }
}

impl From<&str> for Configuration {
    fn from(path: &str) -> Configuration {
        Configuration::File(path.into())
    }
}

impl From<&Path> for Configuration {
    fn from(path: &Path) -> Configuration {
        Configuration::File(path.into())
    }
}

impl From<Document> for Configuration {
    fn from(document: Document) -> Configuration {
        Configuration::Document(document)
    }
}

impl From<PathBuf> for Configuration {
    fn from(path: PathBuf) -> Configuration {
        Configuration::File(path)
    }
}

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
    let coroutines = match options {
        Options { suspending: false, .. } => Coroutines::NeverSuspended,
        Options { coroutines: false, .. } => Coroutines::LeftAlone,
        _ => Coroutines::Replaced,
    };
    let vm = Vm::of(lua, coroutines)?;
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
struct Vm {
    shared: Arc<Shared>,
    wait: Value,
    errors: Table,
}

impl Vm {
    fn of(lua: &Lua, coroutines: Coroutines) -> mlua::Result<Vm> {
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
        let shared = Arc::new(Shared { mark, live, no_executor: idle_waker(lua)? });
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
