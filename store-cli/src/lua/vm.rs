//! The VM that scripts run in: all of Lua's library, the store, and an `os.exit` that loses nothing.

use std::path::Path;
use std::time::Duration;

use mlua::{Function, Lua, MultiValue, Table, Value};
use store::{Context, Registry};
use store_lua::{Sandbox, with_time_limit};
use tokio::runtime::Handle;

use super::args::Run;
use crate::console::{FAILED, described};

/// Runs the main chunk under a handler; gives nil, or how it failed.
const DRIVER: &str = include_str!("driver.lua");

/// How a script failed.
#[derive(Debug)]
pub(crate) struct Failure {
    text: String,
    kind: Option<String>,
    reason: Option<String>,
    trace: Option<String>,
}

impl Failure {
    fn new(text: impl Into<String>) -> Failure {
        Failure { text: text.into(), kind: None, reason: None, trace: None }
    }

    /// `NOT_FOUND: store.get on app:nope: ...`, the reason, and the traceback.
    pub(crate) fn message(&self) -> String {
        let mut message = String::new();
        if let Some(kind) = &self.kind {
            // The constants are what scripts compare with; kinds of the script's own stay as they are.
            message.push_str(store::Kind::parse(kind).map_or(kind.as_str(), |kind| kind.name()));
            message.push_str(": ");
        }
        message.push_str(&self.text);
        if let Some(reason) = &self.reason {
            message.push_str(&format!(" (reason: {reason})"));
        }
        if let Some(trace) = self.trace.as_deref().map(str::trim).filter(|trace| !trace.is_empty()) {
            message.push('\n');
            message.push_str(trace);
        }
        message
    }
}

/// A script, loaded and ready to run.
#[derive(Debug)]
pub(crate) struct Script {
    lua: Lua,
    main: Function,
    args: MultiValue,
    time_limit: Option<Duration>,
}

impl Script {
    /// Makes a VM and loads the script into it.
    pub(crate) fn load(source: &[u8], run: &Run, registry: &Registry, runtime: &Handle) -> Result<Script, Failure> {
        Script::try_load(source, run, registry, runtime).map_err(|error| Failure::new(plain(&error)))
    }

    fn try_load(source: &[u8], run: &Run, registry: &Registry, runtime: &Handle) -> mlua::Result<Script> {
        let limits = run.sandbox();
        let lua = match limits {
            Some(limits) => Sandbox::new().memory(limits.memory).lua()?,
            None => whole_lua(),
        };
        install(&lua, registry, run.context(), runtime)?;
        let (arg, args) = arguments(&lua, run)?;
        lua.globals().raw_set("arg", arg)?;
        let driver: Function = lua.load(DRIVER).set_name("=[store run]").into_function()?;
        let name = chunk_name(run.script());
        let main = lua.load(without_shebang(source)).set_name(name).into_function()?;
        let main: Function = driver.call(main)?;
        if limits.is_none() {
            replace_exit(&lua, registry, runtime)?;
        }
        Ok(Script { lua, main, args, time_limit: limits.map(|limits| limits.time) })
    }

    /// Runs it to its end. Operations that have to wait suspend it meanwhile.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let Script { lua, main, args, time_limit } = self;
        let running = main.call_async(args);
        let ended: mlua::Result<Option<Table>> = match time_limit {
            Some(limit) => with_time_limit(&lua, limit, running).await,
            None => running.await,
        };
        let failure = match ended {
            Ok(None) => Ok(()),
            Ok(Some(failed)) => Err(read(&failed)),
            Err(error) => Err(Failure::new(plain(&error))),
        };
        // What the script let go of is let go of before the stores close.
        drop(main);
        drop(lua);
        failure
    }
}

/// A VM as the `lua` command makes one: with `debug`, `io`, `os`, and modules in C.
#[expect(unsafe_code, reason = "a script that is run by name is trusted, as one that is run by the lua command")]
pub(crate) fn whole_lua() -> Lua {
    // SAFETY: what makes this unsafe is that scripts can load machine code and reach into the VM with `debug`. They are the
    // user's own programs, run with the user's rights; so is any shared library that they name.
    unsafe { Lua::unsafe_new() }
}

pub(crate) fn install(lua: &Lua, registry: &Registry, context: Context, runtime: &Handle) -> mlua::Result<()> {
    let runtime = runtime.clone();
    let options = store_lua::Options::new()
        .context(context)
        .blocking(move |future| tokio::task::block_in_place(|| runtime.block_on(future)))
        .blocking_nests(true);
    store_lua::install_with(lua, registry.clone(), options)
}

/// The table `arg`, and the same arguments for `...`.
fn arguments(lua: &Lua, run: &Run) -> mlua::Result<(Table, MultiValue)> {
    let arg = lua.create_table()?;
    arg.raw_set(0, lua.create_string(run.script().as_os_str().as_encoded_bytes())?)?;
    let mut all = MultiValue::new();
    for text in run.args() {
        let text = lua.create_string(text.as_encoded_bytes())?;
        arg.raw_push(&text)?;
        all.push_back(Value::String(text));
    }
    Ok((arg, all))
}

/// `os.exit` that closes the stores first, so that nothing acknowledged is lost, and then ends the process as Lua does.
pub(crate) fn replace_exit(lua: &Lua, registry: &Registry, runtime: &Handle) -> mlua::Result<()> {
    let (registry, runtime) = (registry.clone(), runtime.clone());
    let exit = lua.create_function(move |_, (code, _close): (Value, Value)| -> mlua::Result<()> {
        let code = match code {
            Value::Nil | Value::Boolean(true) => 0,
            Value::Boolean(false) => i32::from(FAILED),
            Value::Integer(code) => low_bits(code),
            #[expect(clippy::cast_possible_truncation, reason = "only where it is an integer in that range")]
            Value::Number(code) if code.fract() == 0.0 && code.abs() < 9e15 => low_bits(code as i64),
            other => {
                let got = other.type_name();
                let message = format!("bad argument #1 to 'exit' (integer or boolean expected, got {got})");
                return Err(mlua::Error::runtime(message));
            }
        };
        let closed = tokio::task::block_in_place(|| runtime.block_on(registry.close()));
        std::process::exit(match closed {
            Ok(()) => code,
            Err(error) => {
                eprintln!("store: {}", described(&error));
                if code == 0 { i32::from(FAILED) } else { code }
            }
        })
    })?;
    let os: Table = lua.globals().raw_get("os")?;
    os.raw_set("exit", exit)
}

/// What C makes of a long: the system keeps 8 bits of it anyway.
fn low_bits(code: i64) -> i32 {
    i32::from((code & 0xff).to_le_bytes()[0])
}

/// Lua's name for the chunk: messages then begin with `script.lua:LINE:`.
fn chunk_name(script: &Path) -> String {
    if script == Path::new("-") { "=stdin".to_owned() } else { format!("@{}", script.display()) }
}

/// Leaves out a first line that begins with `#`, as the lua command does, but for its end: line numbers stay right.
fn without_shebang(source: &[u8]) -> &[u8] {
    let source = source.strip_prefix(b"\xef\xbb\xbf").unwrap_or(source);
    if source.first() != Some(&b'#') {
        return source;
    }
    let end = source.iter().position(|&byte| byte == b'\n').unwrap_or(source.len());
    &source[end..]
}

fn read(failed: &Table) -> Failure {
    let field = |name: &str| match failed.raw_get::<Value>(name) {
        Ok(Value::String(text)) => Some(text.to_string_lossy()),
        _ => None,
    };
    Failure {
        text: field("text").unwrap_or_default(),
        kind: field("kind").filter(|kind| !kind.is_empty()),
        reason: field("reason"),
        trace: field("trace"),
    }
}

/// An error of the VM itself, without what mlua puts around the message.
pub(crate) fn plain(error: &mlua::Error) -> String {
    match error {
        mlua::Error::SyntaxError { message, .. } => message.clone(),
        mlua::Error::RuntimeError(message) => message.clone(),
        mlua::Error::CallbackError { traceback, cause } => format!("{}\n{traceback}", plain(cause)),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shebang_is_left_out_and_lines_keep_their_numbers() {
        assert_eq!(without_shebang(b"#!/usr/bin/env store run\nreturn 1"), b"\nreturn 1");
        assert_eq!(without_shebang(b"#only"), b"");
        assert_eq!(without_shebang(b"\xef\xbb\xbf#x\ny"), b"\ny");
        assert_eq!(without_shebang(b"return #arg"), b"return #arg");
    }

    #[test]
    fn exit_codes_are_as_the_system_keeps_them() {
        assert_eq!([low_bits(0), low_bits(3), low_bits(256), low_bits(-1)], [0, 3, 0, 255]);
    }
}
