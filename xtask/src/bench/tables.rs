//! The tables and curves of the book: slices are run, put together by section, compared with what was saved, drawn, and saved.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::kind::Kind;
use super::slices::{Program, Slice};
use super::tasks::{RUNS, Task, batches, seconds};
use super::{kept, nginx};
use crate::run::{Failed, cargo, command, root, step};

/// A command that each batch of slices is run by, such as `taskset -c 2,3` or `nice -n -5`.
const RUNNER: &str = "STORE_BENCH_RUNNER";

/// Where a kind of run keeps its lines.
struct Folders {
    /// A file for each slice and run, `SECTION-SLICE-RUN.jsonl`, and one for each section.
    lines: PathBuf,
    /// A file for each section, as it was saved. Those of full runs are a part of the repository: the book shows them.
    saved: PathBuf,
    plots: PathBuf,
}

fn folders(kind: Kind) -> Folders {
    let bench = root().join("target").join("bench").join(kind.name());
    let saved = match kind {
        Kind::Full => root().join("benches").join("results"),
        Kind::Quick | Kind::Try => bench.join("saved"),
    };
    Folders { saved, plots: bench.join("plots"), lines: bench }
}

/// Builds and measures slices, and then does with the results what is asked for. Whoever resumes keeps what an interrupted run has left.
pub(crate) fn run(tasks: &[Task], kind: Kind, save: bool, resume: bool) -> Result<(), Failed> {
    let folders = folders(kind);
    let mut left = tasks.to_vec();
    if resume {
        left.retain(|task| !kept::path(&folders.lines, task).exists());
    } else {
        // All runs there may have been before: fewer now are not mixed with those.
        for &Task { slice, .. } in tasks {
            (1..=RUNS).for_each(|run| drop(std::fs::remove_file(kept::path(&folders.lines, &Task { slice, run }))));
        }
    }
    println!("{} to measure, about {} seconds, and what it takes to build", left.len(), seconds(&left));
    let nginx = build(&left, kind)?;
    for batch in batches(&left) {
        let mut line = run_batch(&batch, kind)?;
        line.envs(nginx.iter().map(|folder| (nginx::UNPACKED, folder)));
        if let Err(why) = step("a batch", line) {
            // The others are worth having all the same.
            println!("    going on all the same: {why}");
        }
    }
    finish(tasks, kind, save)
}

/// What would be measured, in which order, and how long it takes; what is there already of an interrupted run is marked.
pub(crate) fn list(tasks: &[Task], kind: Kind) {
    let folders = folders(kind);
    for task in tasks {
        let there = if kept::path(&folders.lines, task).exists() { "measured" } else { "" };
        println!("run {}  {:<20} {:>4} s  {there}", task.run, task.slice.path(), task.slice.seconds);
    }
    println!("{} to measure, about {} seconds, and what it takes to build", tasks.len(), seconds(tasks));
}

/// Compares, draws and saves what was measured of the sections of some slices.
pub(crate) fn finish(tasks: &[Task], kind: Kind, save: bool) -> Result<(), Failed> {
    let folders = folders(kind);
    let mut failed: Vec<String> =
        tasks.iter().filter(|task| !kept::path(&folders.lines, task).exists()).map(Task::named).collect();
    let mut sections: Vec<&str> = Vec::new();
    for task in tasks {
        if !sections.contains(&task.slice.section) {
            sections.push(task.slice.section);
        }
    }
    let mut kept = 0;
    for section in sections {
        let before = folders.saved.join(format!("{section}.jsonl"));
        let (now, missing) = kept::assemble(&folders.lines, &before, section, tasks)?;
        if before.exists() {
            println!("\nbeside what was saved in {}:", shown(&before));
            results(kind, &["compare".as_ref(), &before, &now])?;
        } else {
            println!("\nnothing saved yet to compare `{section}` with: `--save` keeps this run in {}", shown(&before));
        }
        results(kind, &["draw".as_ref(), &now, &folders.plots])?;
        if save && std::fs::metadata(&now).is_ok_and(|now| now.len() > 0) {
            // What was saved before stands in for what was not measured now: nothing is lost by saving the rest.
            if !missing.is_empty() {
                failed.push(format!("{section} is saved without {}", missing.join(", ")));
            }
            std::fs::create_dir_all(&folders.saved).map_err(|error| at(&folders.saved, &error))?;
            std::fs::copy(&now, &before).map_err(|error| at(&before, &error))?;
            println!("saved in {}", shown(&before));
            kept += 1;
        }
    }
    if kept > 0 && kind == Kind::Full {
        crate::docs::write()?;
    }
    if failed.is_empty() { Ok(()) } else { Err(Failed::new(format!("failed: {}", failed.join("; ")))) }
}

/// This program, as it runs the slices of a batch: by the user's own command, if there is one.
fn run_batch(batch: &[Task], kind: Kind) -> Result<Command, Failed> {
    let own = std::env::current_exe().map_err(|error| Failed::new(format!("where this program is: {error}")))?;
    let runner = std::env::var(RUNNER).unwrap_or_default();
    let mut words = runner.split_whitespace().map(std::ffi::OsString::from).chain([own.into()]);
    let mut line = command(words.next().unwrap_or_default(), &[]);
    let run = batch.first().map_or(1, |task| task.run).to_string();
    line.args(words).args(["bench", "--batch", &run]);
    match kind {
        Kind::Full => {}
        Kind::Quick => drop(line.arg("--quick")),
        Kind::Try => drop(line.arg("--try")),
    }
    line.args(batch.iter().map(|task| task.slice.path()));
    Ok(line)
}

/// Measures slices that are built. A slice has a file when all of it was measured.
pub(crate) fn measure_all(tasks: &[Task], kind: Kind) -> Result<(), Failed> {
    let folders = folders(kind);
    std::fs::create_dir_all(&folders.lines).map_err(|error| at(&folders.lines, &error))?;
    let mut done = Ok(());
    for task in tasks {
        let path = kept::path(&folders.lines, task);
        let part = path.with_extension("part");
        let _ = std::fs::remove_file(&part);
        let begin = Instant::now();
        let measured = step(&task.named(), measure(&task.slice, kind, &part)).and_then(|()| {
            let lines = std::fs::read_to_string(&part).map_err(|error| at(&part, &error))?;
            // Whole, or not at all.
            std::fs::write(&part, kept::block(task, &lines)).map_err(|error| at(&part, &error))?;
            std::fs::rename(&part, &path).map_err(|error| at(&part, &error))
        });
        println!("    {}: {} seconds", task.named(), begin.elapsed().as_secs());
        done = done.and(measured);
    }
    done
}

fn at(path: &Path, error: &std::io::Error) -> Failed {
    Failed::new(format!("{}: {error}", path.display()))
}

pub(crate) fn shown(path: &Path) -> std::path::Display<'_> {
    path.strip_prefix(root()).unwrap_or(path).display()
}

fn results(kind: Kind, words: &[&Path]) -> Result<(), Failed> {
    let mut command = cargo(&[
        "run",
        "--quiet",
        "--locked",
        "-p",
        "store-benches",
        "--no-default-features",
        "--bin",
        "results",
        "--",
    ]);
    command.args(words);
    if kind == Kind::Try {
        // It prints what the others print.
        command.env("CARGO_TERM_QUIET", "true");
    }
    step("results", command)
}

/// Builds every program once, before anything is measured; and the folder of nginx, if it takes part.
pub(crate) fn build(tasks: &[Task], kind: Kind) -> Result<Option<PathBuf>, Failed> {
    let mut built: Vec<Program> = Vec::new();
    for Task { slice, .. } in tasks {
        // Both programs of benches/peers are built at once.
        let program = if slice.program == Program::Counted { Program::Peers } else { slice.program };
        if built.contains(&program) {
            continue;
        }
        built.push(program);
        let mut line = cargo(&[]);
        match program {
            Program::Peers | Program::Counted => {
                line.args(["build", "--locked", "--manifest-path", "benches/peers/Cargo.toml"]);
            }
            Program::Lua(features) => {
                line.args(["build", "--locked", "--manifest-path", "benches/lua/Cargo.toml", "--features", features]);
                line.arg("--target-dir").arg(lua_target(features));
            }
            Program::Bench(name) => {
                line.args(bench_line(name, kind)).arg("--no-run");
            }
        }
        if kind != Kind::Try && !matches!(program, Program::Bench(_)) {
            line.arg("--release");
        }
        step(&format!("build for {}", slice.section), line)?;
    }
    let has_lua = built.iter().any(|program| matches!(program, Program::Lua(_)));
    Ok(if has_lua { nginx::unpacked() } else { None })
}

/// Each Lua has a folder of its own: the program has the same name in all.
fn lua_target(features: &str) -> PathBuf {
    root().join("benches").join("lua").join("target").join(features.replace(',', "-"))
}

fn bench_line(name: &str, kind: Kind) -> Vec<&str> {
    let mut line = vec!["bench", "--quiet", "--locked"];
    if kind == Kind::Try {
        // As the tests build, so that what they built is used.
        line.extend(["--workspace", "--profile", "dev"]);
    } else {
        line.extend(["-p", "store-benches"]);
    }
    line.extend(["--bench", name]);
    line
}

/// The command that measures a slice.
fn measure(slice: &Slice, kind: Kind, lines: &Path) -> Command {
    let profile = if kind == Kind::Try { "debug" } else { "release" };
    let mut words: Vec<std::ffi::OsString> = Vec::new();
    let peers = |name: &str| root().join("benches").join("peers").join("target").join(profile).join(name);
    match slice.program {
        Program::Peers => words.push(peers("store-peers").into()),
        Program::Counted => words.push(peers("counted").into()),
        Program::Lua(features) => {
            words.push(lua_target(features).join(profile).join("store-lua-benches").into());
        }
        Program::Bench(name) => {
            words.push(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
            words.extend(bench_line(name, kind).into_iter().map(Into::into));
            words.push("--".into());
        }
    }
    words.extend(slice.args.iter().map(Into::into));
    words.extend(["--lines".into(), lines.into()]);
    if kind == Kind::Full {
        words.extend(slice.full.iter().map(Into::into));
    } else {
        words.push("--quick".into());
    }
    let program = words.remove(0);
    let mut command = command(program, &[]);
    command.args(words);
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::slices::SLICES;

    #[test]
    fn a_quick_run_says_so_and_a_full_one_says_how_much() {
        let slice = SLICES.iter().find(|slice| slice.name == "big").unwrap();
        let line = |kind| {
            let command = measure(slice, kind, Path::new("x"));
            command.get_args().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(
            line(Kind::Quick),
            ["inproc", "big", "--only", "store-memory,dashmap,sharded", "--lines", "x", "--quick"]
        );
        assert!(line(Kind::Full).contains(&"10000000".to_owned()));
    }
}
