//! The command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use store::{Actor, Context, Value};

use crate::operator::arguments;
use crate::operator::output::Trouble;

const EXAMPLES: &str = "\
Examples:
  store health --env production                          can every store serve, and if not, why?
  store get app:sessions session:abc --entry             a value, its version and its TTL
  store set app:cache greeting hello --ttl 5m
  store list app:cache --prefix user: --values
  store copy app:cache app:cache --from-env staging --to-env production
  store top app:cache --env production                   what it holds, by prefix
  store top --url http://127.0.0.1:8080/metrics          what a running service does with its stores

Exit codes: 0; 1 for \"no\" and for what a store refused or failed at; 2 for mistakes on the command line or in the
configuration. Where the configuration is strict, --actor and --scope say who asks. --json is for programs.";

/// A key-value store with TTL: in memory, on disk (sled) or on Redis, chosen by configuration.
#[derive(Debug, Parser)]
#[command(name = "store", version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a Lua script that may `require("store")`.
    ///
    /// The script has Lua's whole standard library, unless it runs in a sandbox, and `arg`. Exit code: 0; 1 if it raised, or returned `nil, err` from its
    /// main chunk; 2 for mistakes on the command line or in the configuration; or what it passed to os.exit. Whichever way it
    /// ends, stores are flushed and closed first.
    Run(Run),
    /// Talk to stores in Lua, line by line.
    ///
    /// `store` and `errors` are there; `return` and `=` may be left out. At a terminal there are history and completion (Tab), Ctrl-C interrupts a
    /// line, Ctrl-D ends; from a pipe, each line is run and shown, and the exit code is 1 if one failed. History is kept in
    /// $STORE_HISTORY, else in ~/.local/state/store/history.
    Repl(Repl),
    /// Check a configuration, and print what each store is in each environment.
    ///
    /// Everything is checked: all environments, all options, all policies. Environment variables must be set only for the
    /// environment that is selected. What is printed is TOML, with all defaults, and without secrets.
    Check(Source),
    #[command(flatten)]
    Operator(crate::operator::Command),
    #[command(flatten)]
    Moving(crate::moving::Command),
    #[command(flatten)]
    Measure(crate::measure::Command),
}

/// Which configuration, and which part of it.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// The configuration file [default: $STORE_CONFIG, else ./store.toml if it exists, else one memory store, app:cache]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The environment [default: $STORE_ENV, else none]
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
}

#[derive(Debug, Args)]
#[command(override_usage = "store run [OPTIONS] <SCRIPT> [ARGS]...")]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    caller: Caller,
    /// Run a script that is not trusted: no files, no processes, no bytecode, and these limits
    #[arg(long)]
    sandbox: bool,
    /// How much memory the sandbox has
    #[arg(long, value_name = "SIZE", default_value = "64 MiB", requires = "sandbox", value_parser = size)]
    memory_limit: usize,
    /// How long the script may run in the sandbox
    #[arg(long, value_name = "DURATION", default_value = "10s", requires = "sandbox", value_parser = duration)]
    time_limit: Duration,
    /// The Lua script (- reads it from standard input), and what it gets as `arg[1]`, `arg[2]`, ... and `...`; options that stand
    /// after the script are its own
    #[arg(value_name = "SCRIPT", required = true, trailing_var_arg = true)]
    line: Vec<OsString>,
}

impl Run {
    /// The script: a path, or `-`.
    pub(crate) fn script(&self) -> &Path {
        self.line.first().map_or(Path::new(""), Path::new)
    }

    /// The script's own arguments.
    pub(crate) fn args(&self) -> &[OsString] {
        self.line.get(1..).unwrap_or_default()
    }

    /// Who asks, for the policies.
    pub(crate) fn context(&self) -> Context {
        self.caller.context()
    }

    /// The limits of the sandbox, if the script is to run in one.
    pub(crate) fn sandbox(&self) -> Option<Limits> {
        self.sandbox.then_some(Limits { memory: self.memory_limit, time: self.time_limit })
    }
}

#[derive(Debug, Args)]
pub(crate) struct Repl {
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    caller: Caller,
}

impl Repl {
    /// Who asks, for the policies.
    pub(crate) fn context(&self) -> Context {
        self.caller.context()
    }
}

/// What a script in a sandbox may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// In bytes.
    pub(crate) memory: usize,
    pub(crate) time: Duration,
}

fn size(text: &str) -> Result<usize, String> {
    let size = arguments::size(text).map_err(said)?;
    usize::try_from(size.0).map_err(|_| "is more than there is".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    arguments::duration(text).map_err(said)
}

fn said(trouble: Trouble) -> String {
    match trouble {
        Trouble::Usage(message) => message,
        _ => "cannot be read".to_owned(),
    }
}

/// Who asks.
#[derive(Debug, Args)]
pub(crate) struct Caller {
    /// Whom to act as
    #[arg(long, value_name = "ID")]
    actor: Option<String>,
    /// An attribute of the actor: true, false and numbers are such; anything else, and what is in "quotes", is a string
    #[arg(long = "actor-meta", value_name = "K=V", value_parser = meta, requires = "actor")]
    actor_meta: Vec<(String, Meta)>,
    /// A group of policies to act under; several make one scope
    #[arg(long, value_name = "GROUP")]
    scope: Vec<String>,
}

impl Caller {
    /// Who asks, for the policies.
    pub(crate) fn context(&self) -> Context {
        let actor = self.actor.as_ref().map(|id| {
            let metas = self.actor_meta.iter().cloned();
            metas.fold(Actor::new(id), |actor, (name, meta)| actor.with_meta(name, meta.0))
        });
        Context::new(actor, (!self.scope.is_empty()).then(|| self.scope.clone()))
    }
}

/// The value of an actor's attribute.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Meta(pub(crate) Value);

fn meta(text: &str) -> Result<(String, Meta), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), Meta(value_of(value)))),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// Only what is written as the type itself would be is of that type: `007` stays a string.
fn value_of(text: &str) -> Value {
    if let Some(quoted) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        return Value::from(quoted);
    }
    if let Ok(bool) = text.parse::<bool>() {
        return Value::from(bool);
    }
    if let Ok(number) = text.parse::<i64>()
        && number.to_string() == text
    {
        return Value::from(number);
    }
    if let Ok(number) = text.parse::<f64>()
        && number.is_finite()
        && number.to_string() == text
    {
        return Value::from(number);
    }
    Value::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(args: &[&str]) -> Result<Run, clap::Error> {
        match Cli::try_parse_from(["store", "run"].iter().chain(args))?.command {
            Command::Run(run) => Ok(run),
            _ => unreachable!("asked for run"),
        }
    }

    #[test]
    fn definition_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn options_after_the_script_are_the_scripts() {
        let parsed = run(&["--env", "a", "script.lua", "--env", "b", "-x", "--", "y"]).unwrap();
        assert_eq!(parsed.source.env.as_deref(), Some("a"));
        assert_eq!(parsed.script(), Path::new("script.lua"));
        assert_eq!(parsed.args(), ["--env", "b", "-x", "--", "y"]);
        let parsed = run(&["-", "--config", "mine"]).unwrap();
        assert_eq!((parsed.script(), &parsed.source.config), (Path::new("-"), &None));
        assert_eq!(parsed.args(), ["--config", "mine"]);
    }

    #[test]
    fn misspelt_options_are_refused() {
        for args in [&["--confg", "x", "s.lua"][..], &["-x", "s.lua"], &[], &["--actor-meta", "k", "s.lua"]] {
            assert_eq!(run(args).unwrap_err().exit_code(), 2, "{args:?}");
        }
        assert!(run(&["--actor-meta", "k=v", "s.lua"]).is_err(), "attributes of nobody");
        assert!(run(&["--time-limit", "1s", "s.lua"]).is_err(), "a limit of no sandbox");
    }

    #[test]
    fn the_sandbox_has_limits() {
        assert!(run(&["s.lua"]).unwrap().sandbox().is_none());
        let limits = run(&["--sandbox", "s.lua"]).unwrap().sandbox().unwrap();
        assert_eq!((limits.memory, limits.time), (64 << 20, Duration::from_secs(10)));
        let given = ["--sandbox", "--memory-limit", "1 MiB", "--time-limit", "1m30s", "s.lua"];
        let limits = run(&given).unwrap().sandbox().unwrap();
        assert_eq!((limits.memory, limits.time), (1 << 20, Duration::from_secs(90)));
    }

    #[test]
    fn attributes_are_typed_only_where_nothing_is_lost() {
        for (text, value) in [
            ("3", Value::from(3i64)),
            ("-1", Value::from(-1i64)),
            ("2.5", Value::from(2.5)),
            ("true", Value::from(true)),
            ("007", Value::from("007")),
            ("1e3", Value::from("1e3")),
            ("\"3\"", Value::from("3")),
            ("a=b", Value::from("a=b")),
            ("", Value::from("")),
        ] {
            assert_eq!(value_of(text), value, "{text}");
        }
    }

    #[test]
    fn no_scope_is_not_an_empty_scope() {
        assert!(run(&["s.lua"]).unwrap().context().is(&Context::none()));
        let context = run(&["--scope", "a", "--scope", "b", "s.lua"]).unwrap().context();
        assert_eq!(context.scope().map(<[_]>::len), Some(2));
    }
}
