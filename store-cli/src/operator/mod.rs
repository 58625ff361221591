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
use std::process::ExitCode;

use clap::CommandFactory;
use store::{Backends, Registry};
use tokio::runtime::Runtime;

use args::Copy;
pub(crate) use args::{Command, Common, Escaped};
use output::{Output, Trouble};

use crate::args::{Cli, Source};
use crate::end::End;
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
        Command::Get(get) => one(&get.of.common, |at| keys::get(&get, at, out)),
        Command::Set(set) => {
            let set = keys::Setting::read(set)?;
            one(set.common(), |at| keys::set(&set, at, out))
        }
        Command::Delete(delete) => one(&delete.common, |at| keys::delete(&delete, at, out)),
        Command::Has(of) => one(&of.common, |at| keys::has(&of, at, out)),
        Command::Ttl(of) => one(&of.common, |at| keys::ttl(&of, at, out)),
        Command::Touch(touch) => one(&touch.of.common, |at| keys::touch(&touch, at, out)),
        Command::Increment(increment) => one(&increment.of.common, |at| keys::increment(&increment, at, out)),
        Command::List(list) => one(&list.common, |at| whole::list(&list, at, out)),
        Command::Clear(clear) => {
            let prefix = arguments::bytes(&clear.prefix, &clear.escaped)?;
            let registry = registry(&clear.common.source)?;
            confirm::clear(&clear, &prefix)?;
            with(std::slice::from_ref(&registry), whole::clear(&clear, &prefix, At::new(&registry, &clear.common), out))
        }
        Command::Info(of) => one(&of.common, |at| whole::info(&of, at, out)),
        Command::Health(health) => one(&health.common, |at| whole::health(&health, at, out)),
        Command::Copy(copy) => copy_between(&copy, out),
    }
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
        self.registry.get_as(id, &self.cx).await
    }
}

fn registry(source: &Source) -> Result<Registry, Trouble> {
    Ok(Registry::new(source.resolve()?))
}

/// Runs a command on the stores of one environment.
fn one<F: Future<Output = Result<u8, Trouble>>>(common: &Common, work: impl FnOnce(At) -> F) -> Result<u8, Trouble> {
    let registry = registry(&common.source)?;
    let work = work(At::new(&registry, common));
    with(&[registry], work)
}

fn copy_between(copy: &Copy, out: &mut Output) -> Result<u8, Trouble> {
    let prefix = arguments::bytes(&copy.prefix, &copy.escaped)?;
    let source = &copy.common.source;
    let document = source.document()?;
    let selected = source.environment()?;
    let environment = |own: &Option<String>| own.clone().or_else(|| selected.clone());
    // One table of backends: two environments may keep stores in one database, which opens only once.
    let backends: Backends = store::backends();
    let resolve = |environment: Option<String>| {
        let variables = |name: &str| std::env::var(name).ok();
        document.resolve(environment.as_deref(), &backends, &variables).map_err(|error| End::configuration(&error))
    };
    let (from, to) = (resolve(environment(&copy.from_env))?, resolve(environment(&copy.to_env))?);
    if let (Some(a), Some(b)) = (from.stores.get(&*copy.from), to.stores.get(&*copy.to))
        && a.is_same(b)
    {
        return Err(Trouble::Usage("FROM and TO are the same store".to_owned()));
    }
    confirm::copy(copy, &prefix)?;
    let (from, to) = (Registry::new(from), Registry::new(to));
    let (source, target) = (At::new(&from, &copy.common), At::new(&to, &copy.common));
    with(&[from, to], copy::copy(copy, &prefix, source, target, out))
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
