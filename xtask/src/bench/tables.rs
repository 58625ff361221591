//! The tables and curves of the book: slices are run, put together by section, compared with what was saved, drawn, and saved.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::kind::Kind;
use super::slices::{Program, SLICES, Slice, batches};
use super::{machine, nginx};
use crate::run::{Failed, cargo, command, root, step};

/// A command that each batch of slices is run by, such as `taskset -c 2,3` or `nice -n -5`.
const RUNNER: &str = "STORE_BENCH_RUNNER";

/// Where a kind of run keeps its lines.
struct Folders {
    /// A file for each slice, `SECTION-SLICE.jsonl`, and one for each section.
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

/// Builds and measures slices, and then does with the results what is asked for.
pub(crate) fn run(slices: &[Slice], kind: Kind, save: bool) -> Result<(), Failed> {
    let folders = folders(kind);
    build(slices, kind)?;
    for slice in slices {
        let _ = std::fs::remove_file(of_slice(&folders, slice));
    }
    let has_lua = slices.iter().any(|slice| matches!(slice.program, Program::Lua(_)));
    let nginx = if has_lua { nginx::unpacked() } else { None };
    for batch in batches(slices) {
        let mut line = run_batch(&batch, kind)?;
        line.envs(nginx.iter().map(|folder| (nginx::UNPACKED, folder)));
        if let Err(why) = step("a batch", line) {
            // The others are worth having all the same.
            println!("    going on all the same: {why}");
        }
    }
    finish(slices, kind, save)
}

/// Compares, draws and saves what was measured of the sections of some slices.
pub(crate) fn finish(slices: &[Slice], kind: Kind, save: bool) -> Result<(), Failed> {
    let folders = folders(kind);
    let mut failed: Vec<String> =
        slices.iter().filter(|slice| !of_slice(&folders, slice).exists()).map(Slice::path).collect();
    let mut sections: Vec<&str> = slices.iter().map(|slice| slice.section).collect();
    sections.dedup();
    let mut kept = 0;
    for section in sections {
        let (now, missing) = assemble(&folders, section)?;
        let before = folders.saved.join(format!("{section}.jsonl"));
        if before.exists() {
            println!("\nbeside what was saved in {}:", shown(&before));
            results(kind, &["compare".as_ref(), &before, &now])?;
        } else {
            println!("\nnothing saved yet to compare `{section}` with: `--save` keeps this run in {}", shown(&before));
        }
        results(kind, &["draw".as_ref(), &now, &folders.plots])?;
        if save && !missing.is_empty() {
            failed.push(format!("{section} is not saved, it lacks {}", missing.join(", ")));
        } else if save {
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
fn run_batch(batch: &[Slice], kind: Kind) -> Result<Command, Failed> {
    let own = std::env::current_exe().map_err(|error| Failed::new(format!("where this program is: {error}")))?;
    let runner = std::env::var(RUNNER).unwrap_or_default();
    let mut words = runner.split_whitespace().map(std::ffi::OsString::from).chain([own.into()]);
    let mut line = command(words.next().unwrap_or_default(), &[]);
    line.args(words).args(["bench", "--batch"]);
    match kind {
        Kind::Full => {}
        Kind::Quick => drop(line.arg("--quick")),
        Kind::Try => drop(line.arg("--try")),
    }
    line.args(batch.iter().map(Slice::path));
    Ok(line)
}

/// Measures slices that are built. A slice has a file when all of it was measured.
pub(crate) fn measure_all(slices: &[Slice], kind: Kind) -> Result<(), Failed> {
    let folders = folders(kind);
    std::fs::create_dir_all(&folders.lines).map_err(|error| at(&folders.lines, &error))?;
    let mut done = Ok(());
    for slice in slices {
        let lines = of_slice(&folders, slice);
        let part = lines.with_extension("part");
        let _ = std::fs::remove_file(&part);
        let measured = step(&slice.path(), measure(slice, kind, &part))
            .and_then(|()| std::fs::rename(&part, &lines).map_err(|error| at(&part, &error)));
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

fn of_slice(folders: &Folders, slice: &Slice) -> PathBuf {
    folders.lines.join(format!("{}-{}.jsonl", slice.section, slice.name))
}

/// Puts the slices of a section together, those of earlier runs too; and says which have never run.
fn assemble(folders: &Folders, section: &str) -> Result<(PathBuf, Vec<&'static str>), Failed> {
    let (mut text, mut missing) = (machine::line(section), Vec::new());
    for slice in SLICES.iter().filter(|slice| slice.section == section) {
        match std::fs::read_to_string(of_slice(folders, slice)) {
            Ok(lines) => text.push_str(&lines),
            Err(_) => missing.push(slice.name),
        }
    }
    let path = folders.lines.join(format!("{section}.jsonl"));
    std::fs::write(&path, text).map_err(|error| at(&path, &error))?;
    Ok((path, missing))
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

/// Builds every program once, before anything is measured.
fn build(slices: &[Slice], kind: Kind) -> Result<(), Failed> {
    let mut built: Vec<Program> = Vec::new();
    for slice in slices {
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
    Ok(())
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

    #[test]
    fn what_was_measured_of_a_section_is_put_together() {
        let folder = root().join("target").join(format!("bench-test-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let folders = Folders { lines: folder.clone(), saved: folder.join("saved"), plots: folder.join("plots") };
        std::fs::write(folder.join("road-policy.jsonl"), "{\"second\"}\n").unwrap();
        let (path, missing) = assemble(&folders, "road").unwrap();
        assert_eq!(missing, ["overhead"]);
        std::fs::write(folder.join("road-overhead.jsonl"), "{\"first\"}\n").unwrap();
        assert_eq!(assemble(&folders, "road").unwrap().1, [""; 0]);
        let text = std::fs::read_to_string(path).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(text.starts_with("{\"section\":\"road\",\"date\""), "{text}");
        assert!(text.ends_with("{\"first\"}\n{\"second\"}\n"), "{text}");
    }

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
