//! The whole command line.

use clap::{Parser, Subcommand};
use clap_complete::Shell;

use crate::args::Source;
use crate::lua::{Repl, Run};
use crate::{measure, moving, operator};

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
    Operator(operator::Command),
    /// Print a script for the completion of command lines.
    Completions {
        /// The shell
        shell: Shell,
    },
    #[command(flatten)]
    Moving(moving::Command),
    #[command(flatten)]
    Measure(measure::Command),
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use store::Context;

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
    fn no_scope_is_not_an_empty_scope() {
        assert!(run(&["s.lua"]).unwrap().context().is(&Context::none()));
        let context = run(&["--scope", "a", "--scope", "b", "s.lua"]).unwrap().context();
        assert_eq!(context.scope().map(<[_]>::len), Some(2));
    }
}
