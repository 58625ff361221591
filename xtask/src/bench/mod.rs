//! `cargo xtask bench`.

mod kind;
mod machine;
mod nginx;
mod slices;
mod tables;

use kind::Kind;

use crate::run::{Failed, cargo, root, step};

/// Runs benchmarks, compares them with what `--save` has kept, and keeps them. `peers`, its sections and its slices are the tables of the
/// book; every other name is a benchmark of store-benches.
pub(crate) fn run(args: &[String]) -> Result<(), Failed> {
    let (mut kind, mut save, mut part, mut names) = (Kind::Full, false, None, Vec::new());
    for arg in args {
        match arg.as_str() {
            "--quick" => kind = Kind::Quick,
            "--try" => kind = Kind::Try,
            "--save" => save = true,
            // What this program calls itself by: the slices are built, and only measured. And what is left to do when that was
            // done by hand.
            "--batch" | "--kept" => part = Some(arg.as_str()),
            flag if flag.starts_with('-') => return Err(Failed::usage(format!("unknown option `{flag}`"))),
            name => names.push(name),
        }
    }
    if names.first().is_some_and(|name| slices::is_named(name)) {
        let slices = slices::asked(&names).map_err(Failed::usage)?;
        return match part {
            Some("--batch") => tables::measure_all(&slices, kind),
            Some(_) => tables::finish(&slices, kind, save),
            None => tables::run(&slices, kind, save),
        };
    }
    match names[..] {
        [] => criterion(None, kind, save),
        [name] => criterion(Some(name), kind, save),
        [_, extra, ..] => Err(Failed::usage(format!("one benchmark at a time, got also `{extra}`"))),
    }
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
        None => line.push("--benches"),
    }
    let saved = format!("saved-{}", kind.name());
    line.extend(["--", if save { "--save-baseline" } else { "--baseline-lenient" }, &saved]);
    if kind != Kind::Full {
        line.push("--quick");
    }
    step("benchmarks", cargo(&line))?;
    let folder = root().join("target").join("criterion");
    if save {
        println!("\nsaved as baseline `{saved}` in {}", tables::shown(&folder));
    } else {
        println!("\ncompared with baseline `{saved}`, where `--save` has left one in {}", tables::shown(&folder));
    }
    Ok(())
}
