//! VMs for scripts that are not trusted.

mod pattern;
mod search;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use mlua::{Error, Function, Lua, LuaOptions, StdLib, Table, Value, VmState};

/// How many instructions run between two looks at the time. Few, since one can be a comparison of texts of many megabytes.
#[cfg(not(feature = "luau"))]
const LOOK_EVERY: u32 = 1000;

/// How many steps Lua's own pattern matcher may need for one call, at worst: a fraction of a millisecond. What may need more, ours does.
const LIGHT: f64 = 1e5;

const TIME_IS_UP: &str = "the time limit has passed";

/// Limits for scripts that are not trusted: no files, no processes, no bytecode, bounded memory, bounded time.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use store_lua::{Configuration, Sandbox, enter_time_limit};
///
/// let lua = Sandbox::new().memory(16 << 20).lua()?;
/// let _registry = store_lua::open(&lua, Configuration::text("[stores.'app:cache']\nbackend = 'memory'"), None)?;
/// let script = lua.load("while true do pcall(error) end");
/// let ended = enter_time_limit(&lua, Duration::from_millis(50), || script.exec());
/// assert!(ended.unwrap_err().to_string().contains("the time limit has passed"));
/// # Ok(())
/// # }
/// ```
///
/// # What is there
/// `coroutine`, `math`, `string` (without `dump`), `table`, `utf8`, of `os` only `clock`, `date`, `difftime` and `time`; `load` for source
/// text; `require` for what the host registered; `print`. `xpcall` calls its handler when the error has been caught, so that there is no
/// traceback to see. Metatables with `__gc` are refused, since finalizers run where no time limit holds; so are tables with `__len` in
/// `table.insert`, `remove`, `sort` and `concat`.
///
/// `string.find`, `match`, `gmatch` and `gsub` mean what they do in this Lua, and end with the time limit, too.
///
/// # What is not limited
/// A single operation on a text or a table takes time in proportion to its size, which the memory limit bounds, and the clock is looked at
/// every thousand instructions: a script that works on nothing but texts of many megabytes can be late by some seconds. In Lua 5.2 and later,
/// collecting tables with weak keys (`__mode = "k"`) that refer to each other in a chain takes time beyond that proportion; a small memory limit
/// bounds it. What the module itself holds for a script (error objects, a batch that is written) is limited to as much again; memory that
/// functions of the host's take is not counted.
///
/// Under LuaJIT the compiler is off in a sandbox, since compiled code does not look at the time.
#[derive(Clone, Debug)]
pub struct Sandbox {
    memory: usize,
}

impl Default for Sandbox {
    fn default() -> Self {
        Sandbox { memory: 64 << 20 }
    }
}

impl Sandbox {
    /// 64 MiB of memory.
    #[must_use]
    pub fn new() -> Sandbox {
        Sandbox::default()
    }

    /// How many bytes the VM may take; what needs more fails in the script with "not enough memory".
    #[must_use]
    pub fn memory(mut self, bytes: usize) -> Sandbox {
        self.memory = bytes;
        self
    }

    /// A VM with these limits, and without a time limit yet: that belongs to a run, see [`with_time_limit`] and
    /// [`enter_time_limit`]. Put the module into it with [`install`](crate::install) or [`open`](crate::open).
    ///
    /// # Errors
    /// Of the VM: not enough memory for itself.
    pub fn lua(&self) -> mlua::Result<Lua> {
        let lua = Lua::new_with(libraries(), LuaOptions::default())?;
        forget_libraries(&lua)?;
        let clock = Clock::default();
        watch(&lua, &clock)?;
        bound(&lua, &clock, LIGHT)?;
        let wrap: Function = lua.load(include_str!("sandbox.lua")).set_name("=[sandbox]").call((
            lua.create_function({
                let clock = clock.clone();
                move |_, ()| Ok(clock.is_up())
            })?,
            TIME_IS_UP,
            lua.create_function(|_, table: Value| match table {
                Value::Table(table) => Ok(table
                    .metatable()
                    .is_none_or(|metatable| metatable.raw_get::<Value>("__len").is_ok_and(|own| own.is_nil()))),
                _ => Ok(true),
            })?,
            lua.create_function(|lua, name: Value| match lua.named_registry_value::<Value>(LOADED)? {
                Value::Table(loaded) => loaded.raw_get::<Value>(name),
                _ => Ok(Value::Nil),
            })?,
        ))?;
        lua.set_app_data(Boxed { clock, wrap });
        crate::beside::limit(&lua, self.memory);
        lua.set_memory_limit(self.memory)?;
        Ok(lua)
    }
}

/// Puts functions that end with the time limit in front of those of Lua's own that may not.
fn bound(lua: &Lua, clock: &Clock, light: f64) -> mlua::Result<()> {
    let expired = clock.clone();
    lua.load(include_str!("sandbox/strings.lua")).set_name("=[sandbox]").call((
        search::seek(lua, clock)?,
        lua.create_function(move |_, ()| Ok(expired.is_up()))?,
        TIME_IS_UP,
        light,
        // Whether the order that sorting compares in is partly random, or its depth bounded; older Lua takes the middle of three.
        !cfg!(any(feature = "lua51", feature = "lua52", feature = "luajit")),
        // Luau looks at the clock in its pattern matcher, too.
        cfg!(feature = "luau"),
    ))
}

/// Where registered modules are kept.
#[cfg(not(feature = "luau"))]
const LOADED: &str = "_LOADED";
#[cfg(feature = "luau")]
const LOADED: &str = "_REGISTERED_MODULES";

/// LuaJIT's library for C functions, loaded unless it was loaded and then hidden before; it must not be loaded twice.
#[cfg(feature = "luajit")]
pub(crate) fn load_ffi(lua: &Lua) -> mlua::Result<Option<Table>> {
    let Value::Table(loaded) = lua.named_registry_value(LOADED)? else { return Ok(None) };
    // The parser loads it for such a literal: so any script can.
    lua.load("return 1LL").into_function()?;
    let Value::Table(library) = loaded.raw_get("ffi")? else { return Ok(None) };
    // What works on values of its types is held by its functions only, and needed as long as there may be such values.
    lua.set_named_registry_value("store ffi", &library)?;
    Ok(Some(library))
}

/// Forgets where Lua keeps its libraries for `require`: there they are whole.
fn forget_libraries(lua: &Lua) -> mlua::Result<()> {
    #[cfg(feature = "luajit")]
    load_ffi(lua)?;
    match lua.named_registry_value::<Value>(LOADED)? {
        Value::Table(loaded) => loaded.clear(),
        _ => Ok(()),
    }
}

#[cfg(feature = "luajit")]
fn libraries() -> StdLib {
    StdLib::TABLE | StdLib::STRING | StdLib::MATH | StdLib::OS | StdLib::BIT | StdLib::JIT
}
#[cfg(feature = "lua51")]
fn libraries() -> StdLib {
    StdLib::TABLE | StdLib::STRING | StdLib::MATH | StdLib::OS
}
#[cfg(feature = "lua52")]
fn libraries() -> StdLib {
    StdLib::COROUTINE | StdLib::TABLE | StdLib::STRING | StdLib::MATH | StdLib::OS | StdLib::BIT
}
#[cfg(not(any(feature = "luajit", feature = "lua51", feature = "lua52")))]
fn libraries() -> StdLib {
    StdLib::COROUTINE | StdLib::TABLE | StdLib::STRING | StdLib::UTF8 | StdLib::MATH | StdLib::OS
}

/// Lets the VM look at the time as it runs, in every coroutine.
#[cfg(not(feature = "luau"))]
fn watch(lua: &Lua, clock: &Clock) -> mlua::Result<()> {
    let clock = clock.clone();
    let triggers = mlua::HookTriggers::new().every_nth_instruction(LOOK_EVERY);
    lua.set_global_hook(triggers, move |_, _| clock.look())
}

/// Luau looks by itself, at every loop and call.
#[cfg(feature = "luau")]
fn watch(lua: &Lua, clock: &Clock) -> mlua::Result<()> {
    let clock = clock.clone();
    lua.set_interrupt(move |_| clock.look());
    Ok(())
}

/// What a sandboxed VM has.
struct Boxed {
    clock: Clock,
    wrap: Function,
}

/// Whether a VM is a sandbox.
#[cfg(feature = "luajit")]
pub(crate) fn is_sandbox(lua: &Lua) -> bool {
    lua.app_data_ref::<Boxed>().is_some()
}

/// Puts what the sandbox needs in front of a method that catches errors.
pub(crate) fn protect(lua: &Lua, methods: &Table) -> mlua::Result<()> {
    let Some(wrap) = lua.app_data_ref::<Boxed>().map(|boxed| boxed.wrap.clone()) else { return Ok(()) };
    let wrapped: Function = wrap.call(methods.raw_get::<Value>("get_or_set")?)?;
    methods.raw_set("get_or_set", wrapped)
}

/// Until when the script that runs now may run: nanoseconds since the first look of the process; `NEVER` without a limit.
#[derive(Clone)]
struct Clock(Arc<AtomicU64>);

const NEVER: u64 = u64::MAX;

impl Default for Clock {
    fn default() -> Self {
        Clock(Arc::new(AtomicU64::new(NEVER)))
    }
}

impl Clock {
    fn is_up(&self) -> bool {
        let until = self.0.load(Ordering::Relaxed);
        until != NEVER && nanos(Duration::ZERO) >= until
    }

    fn look(&self) -> mlua::Result<VmState> {
        if self.is_up() { Err(Error::runtime(TIME_IS_UP)) } else { Ok(VmState::Continue) }
    }

    /// The VM's; one that no script sees, if it is no sandbox.
    fn of(lua: &Lua) -> Clock {
        lua.app_data_ref::<Boxed>().map(|boxed| boxed.clock.clone()).unwrap_or_default()
    }

    fn until<T>(&self, until: u64, run: impl FnOnce() -> T) -> T {
        struct Restore<'a>(&'a Clock, u64);
        impl Drop for Restore<'_> {
            fn drop(&mut self) {
                self.0.0.store(self.1, Ordering::Relaxed);
            }
        }
        let before = self.0.swap(until, Ordering::Relaxed);
        // A run inside of another has its time at most.
        self.0.fetch_min(before, Ordering::Relaxed);
        let _restore = Restore(self, before);
        run()
    }
}

/// The time in so long.
fn nanos(from_now: Duration) -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let time = START.get_or_init(Instant::now).elapsed().saturating_add(from_now);
    u64::try_from(time.as_nanos()).unwrap_or(NEVER).min(NEVER - 1)
}

/// Runs a script of a [`Sandbox`], synchronously, for at most this long. Then whatever it does fails, and goes on failing however the
/// script catches it, until the run ends. In a VM that is no sandbox nothing is limited.
pub fn enter_time_limit<T>(lua: &Lua, limit: Duration, run: impl FnOnce() -> T) -> T {
    Clock::of(lua).until(nanos(limit), run)
}

/// As [`enter_time_limit`], for a script that may wait: the time begins now and runs while it waits, too. An operation that waits when the time is
/// up ends as it would have, within the timeouts of its store.
pub fn with_time_limit<F: Future>(lua: &Lua, limit: Duration, script: F) -> WithTimeLimit<F> {
    WithTimeLimit { clock: Clock::of(lua), until: nanos(limit), script: Box::pin(script) }
}

/// The future of [`with_time_limit`].
pub struct WithTimeLimit<F> {
    clock: Clock,
    until: u64,
    script: Pin<Box<F>>,
}

impl<F: Future> Future for WithTimeLimit<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        this.clock.until(this.until, || this.script.as_mut().poll(cx))
    }
}

impl<F> fmt::Debug for WithTimeLimit<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithTimeLimit").finish_non_exhaustive()
    }
}
