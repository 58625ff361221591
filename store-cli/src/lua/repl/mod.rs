//! `store repl`: Lua line by line, with stores.

mod complete;

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mlua::{Function, Lua, LuaString, Value, VmState};
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};
use store::Registry;
use tokio::runtime::Runtime;

use self::complete::Assistant;
use super::args::Repl;
use super::vm::{self, plain};
use crate::console::{End, described};
use crate::stores::{Signals, runtime};

/// Runs one line and says what to show.
const LINE: &str = include_str!("line.lua");

const PROMPT: &str = "> ";
/// What more of an unfinished statement is asked for with.
const MORE: &str = ">> ";

/// So many lines of history are kept.
const HISTORY: usize = 1000;

/// Reads, runs and prints until the end of the input. The stores are closed when this returns.
pub(crate) fn run(repl: &Repl) -> Result<(), End> {
    let registry = Registry::new(repl.source.resolve()?);
    let runtime = runtime()?;
    let session = Session::new(repl, registry.clone(), runtime)?;
    let ended = if std::io::stdin().is_terminal() { session.at_terminal() } else { session.at_pipe() };
    let closed = session.runtime.block_on(registry.close());
    closed.map_err(|error| End::failed(described(&error)))?;
    ended
}

/// A VM that is being talked to.
struct Session {
    lua: Lua,
    registry: Registry,
    runtime: Runtime,
    /// Told to stop what is running.
    interrupted: Arc<AtomicBool>,
}

/// What became of a text.
enum Ran {
    /// It is the beginning of something.
    Unfinished,
    Well,
    Badly,
}

impl Session {
    fn new(repl: &Repl, registry: Registry, runtime: Runtime) -> Result<Session, End> {
        let interrupted = Arc::new(AtomicBool::new(false));
        let made = || -> mlua::Result<Lua> {
            let lua = vm::whole_lua();
            vm::install(&lua, &registry, repl.context(), runtime.handle())?;
            lua.load("store = require('store')").exec()?;
            vm::replace_exit(&lua, &registry, runtime.handle())?;
            let stop = Arc::clone(&interrupted);
            // A line that computes hears of it too.
            lua.set_global_hook(mlua::HookTriggers::new().every_nth_instruction(10_000), move |_, _| {
                if stop.load(Ordering::Relaxed) {
                    Err(mlua::Error::runtime("interrupted"))
                } else {
                    Ok(VmState::Continue)
                }
            })?;
            Ok(lua)
        };
        let lua = made().map_err(|error| End::failed(plain(&error)))?;
        Ok(Session { lua, registry, runtime, interrupted })
    }

    /// With history, completion, and lines that go on.
    fn at_terminal(&self) -> Result<(), End> {
        let failed = |error: ReadlineError| End::failed(format!("cannot read from the terminal: {error}"));
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .max_history_size(HISTORY)
            .and_then(|config| config.history_ignore_dups(true))
            .map_err(failed)?
            .build();
        let mut editor: Editor<Assistant, FileHistory> = Editor::with_config(config).map_err(failed)?;
        editor.set_helper(Some(Assistant::new(&self.lua, &self.registry)));
        let file = history_file();
        if let Some(file) = &file {
            // The first time there is none.
            let _ = editor.load_history(file);
        }
        println!("store {}: Lua with stores; `store` and `errors` are there. Ctrl-D ends.", env!("CARGO_PKG_VERSION"));
        let mut text = String::new();
        loop {
            match editor.readline(if text.is_empty() { PROMPT } else { MORE }) {
                Ok(line) if text.is_empty() && line.trim().is_empty() => {}
                Ok(line) => {
                    text.push_str(&line);
                    if let Ran::Unfinished = self.line(&text)? {
                        text.push('\n');
                        continue;
                    }
                    let _ = editor.add_history_entry(text.as_str());
                    text.clear();
                }
                Err(ReadlineError::Interrupted) => text.clear(),
                Err(ReadlineError::Eof) => break,
                Err(error) => return Err(failed(error)),
            }
        }
        if let Some(file) = &file {
            let folder = file.parent().map(std::fs::create_dir_all);
            if folder.is_some_and(|made| made.is_ok()) && editor.save_history(file).is_err() {
                eprintln!("store: the history could not be saved to {}", file.display());
            }
        }
        Ok(())
    }

    /// Lines of a pipe or a file: no prompts; a line that fails is told, and makes the exit code 1, but does not end it.
    fn at_pipe(&self) -> Result<(), End> {
        let mut text = String::new();
        let mut bad = 0usize;
        for line in std::io::stdin().lock().lines() {
            text.push_str(&line.map_err(|error| End::failed(format!("cannot read standard input: {error}")))?);
            match self.line(&text)? {
                Ran::Unfinished => {
                    text.push('\n');
                    continue;
                }
                Ran::Well => {}
                Ran::Badly => bad += 1,
            }
            text.clear();
        }
        if !text.trim().is_empty() {
            return Err(End::failed("the input ends in the middle of a statement"));
        }
        if bad == 0 { Ok(()) } else { Err(End::failed(format!("{bad} of the lines failed"))) }
    }

    /// Runs a text in a coroutine of its own and shows what it gives.
    fn line(&self, text: &str) -> Result<Ran, End> {
        let chunk = match self.compile(text) {
            Ok(Some(chunk)) => chunk,
            Ok(None) => return Ok(Ran::Unfinished),
            Err(error) => {
                eprintln!("{}", plain(&error));
                return Ok(Ran::Badly);
            }
        };
        self.interrupted.store(false, Ordering::Relaxed);
        let signals = Signals::listen(&self.runtime);
        let (stop, flag) = (Arc::new(tokio::sync::Notify::new()), Arc::clone(&self.interrupted));
        let told = Arc::clone(&stop);
        let listening = signals.map(|mut signals| {
            self.runtime.spawn(async move {
                signals.next().await;
                flag.store(true, Ordering::Relaxed);
                told.notify_one();
            })
        });
        let ended = self.runtime.block_on(async {
            tokio::select! {
                ended = chunk.call_async::<(bool, Option<LuaString>)>(()) => ended,
                () = stop.notified() => Err(mlua::Error::runtime("interrupted")),
            }
        });
        if let Some(listening) = listening {
            listening.abort();
        }
        self.interrupted.store(false, Ordering::Relaxed);
        match ended {
            Ok((true, shown)) => {
                if let Some(shown) = shown {
                    self.print(&shown)?;
                }
                Ok(Ran::Well)
            }
            Ok((false, said)) => {
                eprintln!("{}", said.map(|said| said.to_string_lossy()).unwrap_or_default());
                Ok(Ran::Badly)
            }
            Err(error) => {
                eprintln!("{}", plain(&error));
                Ok(Ran::Badly)
            }
        }
    }

    fn print(&self, text: &LuaString) -> Result<(), End> {
        let mut out = std::io::stdout().lock();
        let written = out.write_all(&text.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
        written.map_err(|error| End::failed(format!("cannot write: {error}")))
    }

    /// An expression, or else statements; `None` if it goes on.
    fn compile(&self, text: &str) -> mlua::Result<Option<Function>> {
        let statements = text.strip_prefix('=').map(|expression| format!("return {expression}"));
        let statements = statements.as_deref().unwrap_or(text);
        let load = |source: &str| self.lua.load(source).set_name("=line").into_function();
        let chunk = load(&format!("return {statements}")).or_else(|_| load(statements));
        match chunk {
            Ok(chunk) => self.lua.load(LINE).set_name("=[store repl]").call(Value::Function(chunk)).map(Some),
            Err(mlua::Error::SyntaxError { incomplete_input: true, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// `$STORE_HISTORY` (empty: none is kept), else a file in the user's folder for such things.
fn history_file() -> Option<PathBuf> {
    if let Some(file) = std::env::var_os("STORE_HISTORY") {
        return (!file.is_empty()).then(|| file.into());
    }
    let folder = |name: &str| std::env::var_os(name).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let state = folder("XDG_STATE_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/state")));
    state.map(|state| state.join("store/history"))
}
