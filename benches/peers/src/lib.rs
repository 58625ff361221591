//! The store beside its competitors, contenders interleaved in one process.
//!
//! `store-peers SECTION [ROW...] [--quick] [--rounds N] [--keys N] [--operations N] [--only PART,PART] [--lines FILE]`
//!
//! Each section is a module that runs the rows it is asked for, and writes lines of one form ([`store_benches::Report`]). What
//! `cargo xtask bench peers` runs, and in which slices, is said in `xtask/src/bench/slices.rs`.

mod disk;
mod inproc;
mod redis;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use store_benches::{Plan, Report};

/// What the command line asks for.
#[derive(Clone, Debug)]
pub struct Args {
    /// Few keys and rounds: to see that it works, not what it costs.
    pub quick: bool,
    /// Entries in each contender.
    pub keys: usize,
    /// Rounds of each comparison.
    pub rounds: usize,
    /// Operations of each thread in each round.
    pub operations: usize,
    /// How the names of contenders begin, by commas: others are left out.
    pub only: Option<String>,
    /// The rows; all if there are none.
    pub rows: Vec<String>,
    /// Where the lines go.
    pub lines: Option<PathBuf>,
    /// How many bytes are allocated, in the program that counts them.
    pub held: Option<fn() -> f64>,
}

impl Args {
    /// Whether a row is asked for.
    pub fn wants(&self, row: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|name| name == row)
    }

    /// Whether a contender is.
    pub fn measures(&self, contender: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only.split(',').any(|part| contender.starts_with(part)))
    }

    /// The same for work that lasts for a time instead of a number of operations.
    fn plan(&self) -> Plan {
        let turn = Duration::from_millis(if self.quick { 100 } else { 300 });
        Plan { keys: self.keys, rounds: self.rounds, turn, rows: self.rows.clone(), only: self.only.clone() }
    }
}

type Section = fn(&Args, &mut Report) -> io::Result<()>;

const SECTIONS: &[(&str, Section)] = &[("inproc", inproc::run), ("disk", disk::run), ("redis", redis::run)];

/// Runs a section as the command line says.
pub fn run(held: Option<fn() -> f64>) -> Result<(), Box<dyn std::error::Error>> {
    let mut args = Args {
        quick: false,
        keys: 1_000_000,
        rounds: 5,
        operations: 1_000_000,
        only: None,
        rows: Vec::new(),
        lines: None,
        held,
    };
    let mut words = std::env::args().skip(1);
    let named = words.next().unwrap_or_default();
    let Some((name, section)) = SECTIONS.iter().find(|(name, _)| *name == named) else {
        let names: Vec<&str> = SECTIONS.iter().map(|(name, _)| *name).collect();
        return Err(format!("the first argument is a section: {}", names.join(", ")).into());
    };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--quick" => {
                args.quick = true;
                (args.keys, args.rounds, args.operations) = (50_000, 3, 100_000);
            }
            "--keys" => args.keys = value()?.parse()?,
            "--rounds" => args.rounds = value()?.parse()?,
            "--operations" => args.operations = value()?.parse()?,
            "--only" => args.only = Some(value()?),
            "--lines" => args.lines = Some(value()?.into()),
            _ if word.starts_with('-') => return Err(format!("unknown option {word}").into()),
            _ => args.rows.push(word),
        }
    }
    let mut report = Report::new(*name, args.lines.as_deref())?;
    section(&args, &mut report)?;
    Ok(())
}
