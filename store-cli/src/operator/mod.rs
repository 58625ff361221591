//! What operators do: look into stores, put things right, copy.
//!
//! Every command has one form for people and one for programs (`--json`), and the same exit codes: 0; 1 for what a store refused
//! and for "no" as an answer of get, has, ttl and touch; 2 for mistakes on the command line or in the configuration.

mod args;
mod confirm;
mod copy;
mod keys;
mod persist;
mod whole;

use std::future::Future;
use std::process::ExitCode;

use store::Registry;

pub(crate) use args::Command;
use args::Copy;

use crate::args::{Common, Source, values};
use crate::console::{End, Output, Trouble, answer};
use crate::stores::{At, Seen, mind_memory, refuse_memory, with};

/// Does what the command says. Stores are flushed and closed when this returns.
pub(crate) fn run(command: Command) -> ExitCode {
    answer(command.json(), |out| act(command, out))
}

fn act(command: Command, out: &mut Output) -> Result<u8, Trouble> {
    match command {
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
            let prefix = values::bytes(&clear.prefix, &clear.escaped)?;
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
    let prefix = values::bytes(&copy.prefix, &copy.escaped)?;
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
