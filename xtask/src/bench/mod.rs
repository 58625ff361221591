//! `cargo xtask bench`.

mod kept;
mod kind;
pub(crate) mod machine;
mod nginx;
mod slices;
mod tables;
mod tasks;

use kind::Kind;
use tasks::{RUNS, Task};

use crate::run::{Failed, cargo, root, step};

/// Runs benchmarks, compares them with what `--save` has kept, and keeps them. `peers`, its sections and its slices are the tables of the
/// book; every other name is a benchmark of store-benches.
pub(crate) fn run(args: &[String]) -> Result<(), Failed> {
    let (mut kind, mut save, mut runs, mut names) = (Kind::Full, false, None, Vec::new());
    let mut part = None;
    let mut words = args.iter();
    while let Some(arg) = words.next() {
        match arg.as_str() {
            "--quick" => kind = Kind::Quick,
            "--try" => kind = Kind::Try,
            "--save" => save = true,
            "--runs" => runs = Some(number(words.next())?),
            "--build" | "--resume" | "--list" | "--kept" => part = Some(Part::Named(arg)),
            // What this program calls itself by: the slices are built, and only measured, in this run.
            "--batch" => part = Some(Part::Batch(number(words.next())?)),
            flag if flag.starts_with('-') => return Err(Failed::usage(format!("unknown option `{flag}`"))),
            name => names.push(name),
        }
    }
    if names.first().is_some_and(|name| slices::is_named(name)) {
        let slices = slices::asked(&names).map_err(Failed::usage)?;
        let tasks = tasks::tasks(&slices, runs.unwrap_or(1));
        return match part {
            None => tables::run(&tasks, kind, save, false),
            Some(Part::Named("--resume")) => tables::run(&tasks, kind, save, true),
            Some(Part::Named("--build")) => tables::build(&tasks, kind).map(drop),
            Some(Part::Named("--list")) => {
                tables::list(&tasks, kind);
                Ok(())
            }
            Some(Part::Named(_)) => tables::finish(&tasks, kind, save),
            Some(Part::Batch(run)) => {
                let tasks: Vec<Task> = slices.into_iter().map(|slice| Task { slice, run }).collect();
                tables::measure_all(&tasks, kind)
            }
        };
    }
    if runs.is_some() || part.is_some() {
        return Err(Failed::usage(
            "`--runs`, `--build`, `--resume`, `--list` and `--kept` are for the sections of `peers`",
        ));
    }
    match names[..] {
        [] => criterion(None, kind, save),
        [name] => criterion(Some(name), kind, save),
        [_, extra, ..] => Err(Failed::usage(format!("one benchmark at a time, got also `{extra}`"))),
    }
}

/// What is done instead of all.
enum Part<'a> {
    Named(&'a str),
    Batch(u32),
}

/// How many runs there shall be, or which of them.
fn number(word: Option<&String>) -> Result<u32, Failed> {
    let number = word.and_then(|word| word.parse().ok()).filter(|number| (1..=RUNS).contains(number));
    number.ok_or_else(|| Failed::usage(format!("a number of runs is 1 to {RUNS}")))
}

/// Benchmarks by criterion, which keeps and compares runs itself.
fn criterion(name: Option<&str>, kind: Kind, save: bool) -> Result<(), Failed> {
    let mut line = vec!["bench", "--locked"];
    if kind == Kind::Try {
        // As the tests build, so that what they built is used.
        line.extend(["--workspace", "--profile", "dev"]);
    } else {
        line.extend(["-p", "store-benches"]);
    }
    match name {
        Some(name) => line.extend(["--bench", name]),
        // By this pattern, since `--benches` would run the unit tests of every library too.
        None => line.extend(["--bench", "*"]),
    }
    let saved = format!("saved-{}", kind.name());
    line.push("--");
    match kind {
        Kind::Try => line.push("--test"),
        Kind::Quick => line.push("--quick"),
        Kind::Full => {}
    }
    if kind == Kind::Try {
        // Everything once, and nothing to compare.
        return step("benchmarks", cargo(&line));
    }
    line.extend([if save { "--save-baseline" } else { "--baseline-lenient" }, &saved]);
    step("benchmarks", cargo(&line))?;
    let folder = root().join("target").join("criterion");
    if save {
        println!("\nsaved as baseline `{saved}` in {}", tables::shown(&folder));
    } else {
        println!("\ncompared with baseline `{saved}`, where `--save` has left one in {}", tables::shown(&folder));
    }
    Ok(())
}
