//! `cargo xtask bench`.

use std::collections::BTreeMap;
use std::path::Path;

use crate::run::{Failed, cargo, root, step};

/// Runs the benchmarks of store-benches: all, or the one named. `peers` is the store beside its competitors.
pub(crate) fn run(args: &[String]) -> Result<(), Failed> {
    let quick = args.iter().any(|arg| arg == "--quick");
    let save = args.iter().any(|arg| arg == "--save");
    let mut names = args.iter().filter(|arg| *arg != "--quick" && *arg != "--save");
    let name = names.next();
    if let Some(extra) = names.next() {
        return Err(Failed::usage(format!("one benchmark at a time, got also `{extra}`")));
    }
    if name.is_some_and(|name| name == "peers") {
        return peers(quick, save);
    }
    if save {
        return Err(Failed::usage("only the benchmark `peers` has a baseline of its own to save".to_owned()));
    }
    let mut line = vec!["bench", "--locked", "-p", "store-benches"];
    match name {
        Some(flag) if flag.starts_with('-') => return Err(Failed::usage(format!("unknown option `{flag}`"))),
        Some(name) => line.extend(["--bench", name]),
        None => line.push("--benches"),
    }
    if quick {
        line.extend(["--", "--quick"]);
    }
    step("benchmarks", cargo(&line))
}

/// Runs the rows, compares them with the baseline that `--save` has left, and draws the curves.
fn peers(quick: bool, save: bool) -> Result<(), Failed> {
    let folder = root().join("target").join("bench");
    let io = |error: std::io::Error| Failed::new(format!("{}: {error}", folder.display()));
    std::fs::create_dir_all(&folder).map_err(io)?;
    // Quick figures are of fewer keys: they are compared with their like.
    let kind = if quick { "peers-quick" } else { "peers" };
    let (lines, baseline) = (folder.join(format!("{kind}.jsonl")), folder.join(format!("{kind}-baseline.jsonl")));
    if lines.exists() {
        std::fs::remove_file(&lines).map_err(io)?;
    }
    let (lines_arg, plots) = (lines.to_string_lossy(), folder.join("plots"));
    let manifest = root().join("benches").join("peers").join("Cargo.toml");
    let mut line = vec!["run", "--release", "--locked", "--manifest-path"];
    let manifest = manifest.to_string_lossy();
    line.extend([&*manifest, "--", "--lines", &lines_arg]);
    if quick {
        line.push("--quick");
    }
    step("the store beside its competitors", cargo(&line))?;
    let draw = ["run", "--locked", "-p", "store-benches", "--bin", "plot", "--", &lines_arg, &plots.to_string_lossy()];
    step("plots", cargo(&draw))?;
    let now = std::fs::read_to_string(&lines).map_err(io)?;
    if baseline.exists() {
        let before = std::fs::read_to_string(&baseline).map_err(io)?;
        println!("\nbeside the baseline {}:", shown(&baseline));
        compare(&before, &now).iter().for_each(|line| println!("  {line}"));
    } else {
        println!("\nno baseline yet: `cargo xtask bench peers --save` keeps this run's in {}", shown(&baseline));
    }
    if save {
        std::fs::copy(&lines, &baseline).map_err(io)?;
        println!("saved as {}", shown(&baseline));
    }
    Ok(())
}

fn shown(path: &Path) -> std::path::Display<'_> {
    path.strip_prefix(root()).unwrap_or(path).display()
}

/// The text or number under a name, in a line as the report writes it: flat, without spaces.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!("\"{name}\":"))?;
    match rest.strip_prefix('"') {
        Some(text) => text.split('"').next(),
        None => rest.split([',', '}']).next(),
    }
}

/// What is compared: ratios where there are any, for they outlast a change of the machine; else values.
fn figures(lines: &str) -> BTreeMap<(String, String, String), f64> {
    let figure = |line: &str| {
        let text = |name: &str| field(line, name).unwrap_or_default().to_owned();
        let value = field(line, "speed_of_first").or_else(|| field(line, "value"))?.parse().ok()?;
        Some(((text("row"), text("contender"), text("x")), value))
    };
    lines.lines().filter_map(figure).collect()
}

/// One line for each figure that both have and that differs by more than a tenth, which is what noise does.
fn compare(before: &str, now: &str) -> Vec<String> {
    let before = figures(before);
    let mut lines: Vec<String> = figures(now)
        .into_iter()
        .filter_map(|(key, now)| {
            let before = *before.get(&key)?;
            let change = now / before - 1.0;
            let (row, contender, x) = key;
            (change.abs() > 0.1)
                .then(|| format!("{row} {x} {contender}: {before:.2} -> {now:.2} ({:+.0} %)", change * 100.0))
        })
        .collect();
    if lines.is_empty() {
        lines.push("nothing differs by more than 10 %".to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_by_more_than_a_tenth_is_told() {
        let line = |ratio: f64| {
            format!("{{\"row\":\"get\",\"contender\":\"moka\",\"median_ns\":9,\"speed_of_first\":{ratio}}}\n")
        };
        let point = |value: f64| {
            format!("{{\"row\":\"page\",\"contender\":\"us\",\"x\":1000,\"value\":{value},\"unit\":\"us\"}}\n")
        };
        let before = line(5.0) + &point(10.0);
        assert_eq!(compare(&before, &(line(4.6) + &point(10.5))), ["nothing differs by more than 10 %"]);
        let told = compare(&before, &(line(4.0) + &point(20.0)));
        assert_eq!(told, ["get  moka: 5.00 -> 4.00 (-20 %)", "page 1000 us: 10.00 -> 20.00 (+100 %)"]);
    }
}
