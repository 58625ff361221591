//! What operators do: look into stores, put things right, copy.
//!
//! Every command has one form for people and one for programs (`--json`), and the same exit codes: 0; 1 for what a store refused
//! and for "no" as an answer of get, has, ttl and touch; 2 for mistakes on the command line or in the configuration.

mod args;
pub(crate) mod arguments;
pub(crate) mod confirm;
mod copy;
pub(crate) mod escape;
pub(crate) mod json;
mod keys;
pub(crate) mod output;
pub(crate) mod progress;
pub(crate) mod readable;
mod whole;

use std::future::{Future, pending};
use std::io::IsTerminal;
use std::process::ExitCode;

use clap::CommandFactory;
use store::config::Config;
use store::{Kind, Registry};
use tokio::runtime::Runtime;

use args::Copy;
pub(crate) use args::{Command, Common, Escaped};
use output::{Output, Trouble};

use crate::args::{Cli, Source};
use crate::end::End;
use crate::measure::Seen;
use crate::process::{Signals, runtime};

/// The exit code of a "no".
const NO: u8 = 1;

/// Does what the command says. Stores are flushed and closed when this returns.
pub(crate) fn run(command: Command) -> ExitCode {
    answer(command.json(), |out| act(command, out))
}

/// Has a command say what it has to, and gives its exit code.
pub(crate) fn answer(json: bool, act: impl FnOnce(&mut Output) -> Result<u8, Trouble>) -> ExitCode {
    let mut out = Output::new(json);
    let ended = act(&mut out);
    let flushed = out.flush();
    let code = match (ended, flushed) {
        (Ok(code), Ok(())) => code,
        (Ok(_), Err(trouble)) | (Err(trouble), _) => trouble.report(json),
    };
    ExitCode::from(code)
}

fn act(command: Command, out: &mut Output) -> Result<u8, Trouble> {
    match command {
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "store", &mut script);
            out.bytes(&script)?;
            Ok(0)
        }
        Command::Get(get) => one(&get.of.id, &get.of.common, |at| keys::get(&get, at, out)),
        Command::Set(set) => {
            let set = keys::Setting::read(set)?;
            one(set.id(), set.common(), |at| keys::set(&set, at, out))
        }
        Command::Delete(delete) => one(&delete.id, &delete.common, |at| keys::delete(&delete, at, out)),
        Command::Has(of) => one(&of.id, &of.common, |at| keys::has(&of, at, out)),
        Command::Ttl(of) => one(&of.id, &of.common, |at| keys::ttl(&of, at, out)),
        Command::Touch(touch) => one(&touch.of.id, &touch.of.common, |at| keys::touch(&touch, at, out)),
        Command::Increment(increment) => {
            one(&increment.of.id, &increment.of.common, |at| keys::increment(&increment, at, out))
        }
        Command::List(list) => one(&list.id, &list.common, |at| whole::list(&list, at, out)),
        Command::Clear(clear) => {
            let prefix = arguments::bytes(&clear.prefix, &clear.escaped)?;
            let registry = registry(&clear.common.source)?;
            confirm::clear(&clear, &prefix)?;
            let at = At::new(&registry, &clear.common);
            mind_memory(&at, &clear.id, clear.common.json);
            with(&[registry], whole::clear(&clear, &prefix, at, out))
        }
        Command::Info(of) => one(&of.id, &of.common, |at| whole::info(&of, at, out)),
        Command::Health(health) => {
            let registry = registry(&health.common.source)?;
            let at = At::new(&registry, &health.common);
            with(&[registry], whole::health(&health, at, out))
        }
        Command::Copy(copy) => copy_between(&copy, out),
    }
}

/// A store in memory is a new and empty one in each process: to move its entries from here would look like a success.
pub(crate) fn refuse_memory(config: &Config, id: &str) -> Result<(), Trouble> {
    if config.stores.get(id).is_none_or(|store| store.backend != "memory") {
        return Ok(());
    }
    let of = config.environment.as_ref().map_or_else(String::new, |name| format!(" in the environment {name}"));
    Err(Trouble::Usage(format!("{id}{of} is in memory: no other process can reach its entries; is it another --env?")))
}

/// Where a command acts: the stores, and who asks.
#[derive(Clone, Debug)]
pub(crate) struct At {
    registry: Registry,
    cx: store::Context,
}

impl At {
    pub(crate) fn new(registry: &Registry, common: &Common) -> At {
        At { registry: registry.clone(), cx: common.caller.context() }
    }

    pub(crate) async fn open(&self, id: &str) -> store::Result<store::Handle> {
        open_as(&self.registry, id, &self.cx).await
    }

    /// The backend of a store, if it is configured.
    fn backend(&self, id: &str) -> Option<&'static str> {
        self.registry.stats().into_iter().find(|store| &*store.id == id).map(|store| store.backend)
    }
}

/// A handle for whoever asks. Nobody has no rights where all are given: that is said.
pub(crate) async fn open_as(registry: &Registry, id: &str, cx: &store::Context) -> store::Result<store::Handle> {
    registry.get_as(id, cx).await.map_err(|error| match error.kind() {
        Kind::PermissionDenied if cx.is(&store::Context::none()) => {
            error.with_detail("hint", "nobody was said to ask: --actor ID, --scope GROUP")
        }
        _ => error,
    })
}

/// Tells a person what a store in memory is. Programs, which know what they call, are not told.
fn mind_memory(at: &At, id: &str, json: bool) {
    if !json && at.backend(id) == Some("memory") && std::io::stderr().is_terminal() {
        eprintln!(
            "store: {id} is in memory: what another process has in it cannot be seen, and what is written is gone when this command \
             ends; is it another --env?"
        );
    }
}

fn registry(source: &Source) -> Result<Registry, Trouble> {
    Ok(Registry::new(source.resolve()?))
}

/// Runs a command on one store.
fn one<F: Future<Output = Result<u8, Trouble>>>(
    id: &str,
    common: &Common,
    work: impl FnOnce(At) -> F,
) -> Result<u8, Trouble> {
    let registry = registry(&common.source)?;
    let at = At::new(&registry, common);
    mind_memory(&at, id, common.json);
    with(&[registry], work(at))
}

fn copy_between(copy: &Copy, out: &mut Output) -> Result<u8, Trouble> {
    let prefix = arguments::bytes(&copy.prefix, &copy.escaped)?;
    let source = &copy.common.source;
    let document = source.document()?;
    let selected = source.environment()?;
    let environment = |own: &Option<String>| own.clone().or_else(|| selected.clone());
    // One table of backends: two environments may keep stores in one database, which opens only once.
    let (seen, known) = (Seen::default(), store::backends());
    let backends = seen.backends()?;
    let resolve = |environment: Option<String>| {
        let variables = |name: &str| std::env::var(name).ok();
        // Complaints name what this build really has.
        let checked = document.resolve(environment.as_deref(), &known, &variables);
        let resolved = checked.and_then(|_| document.resolve(environment.as_deref(), &backends, &variables));
        resolved.map_err(|error| End::configuration(&error))
    };
    let (from, to) = (resolve(environment(&copy.from_env))?, resolve(environment(&copy.to_env))?);
    if let (Some(a), Some(b)) = (from.stores.get(&*copy.from), to.stores.get(&*copy.to))
        && a.is_same(b)
    {
        return Err(Trouble::Usage("FROM and TO are the same store".to_owned()));
    }
    refuse_memory(&from, &copy.from)?;
    confirm::copy(copy, &prefix)?;
    let (from, to) = (Registry::new(from), Registry::new(to));
    let (source, target) = (At::new(&from, &copy.common), At::new(&to, &copy.common));
    mind_memory(&target, &copy.to, copy.common.json);
    with(&[from, to], copy::copy(copy, &prefix, source, target, &seen, out))
}

/// Does the work, and then closes the stores. A signal ends it early, but not without closing.
pub(crate) fn with(registries: &[Registry], work: impl Future<Output = Result<u8, Trouble>>) -> Result<u8, Trouble> {
    with_last(runtime()?, registries, work, async { Ok(()) })
}

/// As [`with`]; what comes last is done before the stores are closed, however the work ended.
pub(crate) fn with_last(
    runtime: Runtime,
    registries: &[Registry],
    work: impl Future<Output = Result<u8, Trouble>>,
    last: impl Future<Output = Result<(), Trouble>>,
) -> Result<u8, Trouble> {
    let mut signals = Signals::listen(&runtime);
    runtime.block_on(async {
        let interrupted = async {
            match &mut signals {
                Some(signals) => signals.next().await,
                None => pending().await,
            }
        };
        let mut ended = tokio::select! {
            ended = work => ended,
            code = interrupted => {
                eprintln!("store: interrupted");
                Ok(code)
            }
        };
        let tidied = last.await;
        if ended.is_ok()
            && let Err(trouble) = tidied
        {
            ended = Err(trouble);
        }
        for registry in registries {
            let closed = registry.close().await;
            if ended.is_ok() {
                ended = closed.map_err(Trouble::from).and(ended);
            }
        }
        ended
    })
}
