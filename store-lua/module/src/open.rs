//! Which stores there are.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};

use mlua::{IntoLuaMulti, Lua, MultiValue, Result, Table, UserData, Value};
use store_lua::Options;
use store_lua::store_core::config::{Config, Document};
use store_lua::store_core::{self, Actor, Context, Error, Registry};

use crate::forks::forks;
use crate::runtime::block_on;

/// Ends a registry when the Lua state does, so that what is durable is written.
struct Closer {
    registry: Registry,
    process: u32,
}

impl UserData for Closer {}

impl Drop for Closer {
    fn drop(&mut self) {
        if self.process == std::process::id() {
            let _ = block_on(self.registry.close());
        } else {
            // The parent's stores are not this process's to close, nor to wait for.
            std::mem::forget(self.registry.clone());
        }
    }
}

/// The module: `get`, `with` and the rest over the configuration of the environment, and `open`.
pub(crate) fn module(lua: &Lua) -> Result<Table> {
    let prepare =
        lua.create_function(|lua, (file, options): (Value, Value)| match Asked::read(lua, &file, &options) {
            Ok(asked) => lua.create_function(move |lua, ()| told(lua, asked.open(lua)))?.into_lua_multi(lua),
            Err(failure) => told(lua, Err(failure)),
        })?;
    let process = lua.create_function(|_, ()| Ok(std::process::id()))?;
    // The parts that need no stores, from a module without any.
    let parts = store_lua::create(lua, Registry::new(Config::new([])), options(Context::none()))?;
    let global = |name: &str| lua.globals().raw_get::<Value>(name);
    if global("errors")?.is_nil() {
        lua.globals().raw_set("errors", parts.get::<Value>("errors")?)?;
    }
    lua.load(include_str!("module.lua")).set_name("=[store]").call::<Table>((
        prepare,
        process,
        parts,
        global("setmetatable")?,
        global("next")?,
        global("error")?,
    ))
}

/// As Lua functions return it: `nil, err` for what failed.
fn told(lua: &Lua, opened: std::result::Result<Table, Failure>) -> Result<MultiValue> {
    match opened {
        Ok(module) => module.into_lua_multi(lua),
        Err(Failure::Store(error)) => (Value::Nil, store_lua::error_to_lua(lua, error)?).into_lua_multi(lua),
        Err(Failure::Vm(error)) => Err(error),
    }
}

/// What every module of this library does: it blocks, since nobody drives coroutines, and knows of forks.
fn options(context: Context) -> Options {
    let blocking = |future: std::pin::Pin<&mut dyn Future<Output = ()>>| {
        block_on(future);
    };
    Options::new().context(context).blocking(blocking).blocking_nests(true).suspending(false).forks(forks())
}

enum Failure {
    Store(Error),
    Vm(mlua::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Store(error)
    }
}

impl From<mlua::Error> for Failure {
    fn from(error: mlua::Error) -> Failure {
        Failure::Vm(error)
    }
}

fn default_document() -> std::result::Result<Document, Error> {
    match std::env::var_os("STORE_CONFIG") {
        Some(path) if !path.is_empty() => Document::read(Path::new(&path)),
        _ if Path::new("store.toml").exists() => Document::read("store.toml"),
        _ => Ok(Document::default_memory()),
    }
}

/// What `store.open(file, options)` was asked for; nothing, for the stores of `require`.
struct Asked {
    file: Option<PathBuf>,
    environment: Option<String>,
    context: Context,
}

impl Asked {
    /// A module over these stores.
    fn open(&self, lua: &Lua) -> std::result::Result<Table, Failure> {
        let document = match &self.file {
            Some(path) => Document::read(path)?,
            None => default_document()?,
        };
        let environment = self.environment.clone().or_else(|| std::env::var("STORE_ENV").ok());
        let options = options(self.context.clone());
        let (module, registry) = store_lua::open_table(lua, document, environment.as_deref(), options)?;
        // Kept as long as the state lives: handles may outlive the module's table.
        let closer = lua.create_userdata(Closer { registry, process: std::process::id() })?;
        let closers: Table = match lua.named_registry_value("store closers")? {
            Value::Table(closers) => closers,
            _ => {
                let closers = lua.create_table()?;
                lua.set_named_registry_value("store closers", &closers)?;
                closers
            }
        };
        closers.raw_push(closer)?;
        Ok(module)
    }

    fn read(lua: &Lua, file: &Value, given: &Value) -> std::result::Result<Asked, Failure> {
        let file = match file {
            Value::String(path) => Some(PathBuf::from(path.to_string_lossy())),
            Value::Nil => None,
            other => return Err(wrong("the file", "a string", other)),
        };
        let table = match given {
            Value::Nil => return Ok(Asked { file, environment: None, context: Context::none() }),
            Value::Table(table) => table,
            other => return Err(wrong("options", "a table", other)),
        };
        let (mut environment, mut actor, mut scope) = (None, None::<Actor>, None::<Vec<String>>);
        let mut meta = None;
        for pair in table.pairs::<Value, Value>() {
            let (name, value) = pair?;
            let name = match &name {
                Value::String(name) => name.to_string_lossy(),
                other => other.type_name().to_owned(),
            };
            match name.as_str() {
                "env" => environment = Some(text("env", &value)?),
                "actor" => actor = Some(Actor::new(text("actor", &value)?)),
                "meta" => meta = Some(store_lua::value_from_lua(lua, &value)?),
                "scope" => {
                    let Value::Table(groups) = &value else { return Err(wrong("scope", "a list of groups", &value)) };
                    // What a hole or a name hides would be missing from the scope without a word.
                    if groups.pairs::<Value, Value>().count() != groups.raw_len() {
                        return Err(Error::invalid("scope must be a list of groups, {\"users\"}").into());
                    }
                    let groups = groups.sequence_values::<Value>().map(|group| text("scope", &group?));
                    scope = Some(groups.collect::<std::result::Result<_, Failure>>()?);
                }
                other => {
                    let message = format!("unknown option '{other}'; there is env, actor, meta, scope");
                    return Err(Error::invalid(message).into());
                }
            }
        }
        if let Some(meta) = meta {
            let Some(actor) = &mut actor else { return Err(Error::invalid("meta needs an actor").into()) };
            actor.meta = attributes(meta)?;
        }
        Ok(Asked { file, environment, context: Context::new(actor, scope) })
    }
}

/// The attributes of an actor: a table with names for keys.
fn attributes(meta: store_core::Value) -> std::result::Result<BTreeMap<String, store_core::Value>, Error> {
    let entries = match meta {
        store_core::Value::Map(entries) => entries,
        _ => return Err(Error::invalid("meta must be a table of names and values")),
    };
    entries
        .into_iter()
        .map(|(name, value)| match name.as_str() {
            Some(name) => Ok((name.to_owned(), value)),
            None => Err(Error::invalid("the names in meta must be strings")),
        })
        .collect()
}

fn text(name: &str, value: &Value) -> std::result::Result<String, Failure> {
    match value {
        Value::String(text) => Ok(text.to_string_lossy()),
        other => Err(wrong(name, "a string", other)),
    }
}

fn wrong(name: &str, expected: &str, got: &Value) -> Failure {
    let got = match got {
        Value::Integer(_) | Value::Number(_) => "number",
        other => other.type_name(),
    };
    Error::invalid(format!("{name} must be {expected}, got {got}")).into()
}
