//! Draws the curves of a file of JSON lines, as the benchmarks write them: an SVG for each row that has an `x`.
//!
//! `cargo run -p store-benches --bin plot -- LINES FOLDER`

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use store_benches::plot::{Curve, svg};

/// The text or number under a name, in a line as the report writes it: flat, in order, without spaces.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!("\"{name}\":"))?;
    match rest.strip_prefix('"') {
        Some(text) => text.split('"').next(),
        None => rest.split([',', '}']).next(),
    }
}

/// By contender: x (as bits, which sort like the numbers) to value.
type Contenders<'a> = BTreeMap<&'a str, BTreeMap<u64, f64>>;

fn draw(lines: &Path, folder: &Path) -> Result<usize, Box<dyn Error>> {
    let text = std::fs::read_to_string(lines)?;
    // By row and unit: the last value at an x counts.
    let mut rows: BTreeMap<(&str, &str), Contenders<'_>> = BTreeMap::new();
    for line in text.lines() {
        let (Some(row), Some(contender), Some(unit)) =
            (field(line, "row"), field(line, "contender"), field(line, "unit"))
        else {
            continue;
        };
        let (Some(x), Some(value)) = (field(line, "x"), field(line, "value")) else { continue };
        let (x, value): (f64, f64) = (x.parse()?, value.parse()?);
        if x >= 1.0 {
            rows.entry((row, unit)).or_default().entry(contender).or_default().insert(x.to_bits(), value);
        }
    }
    std::fs::create_dir_all(folder)?;
    for ((row, unit), contenders) in &rows {
        let curves: Vec<Curve> = contenders
            .iter()
            .map(|(name, points)| Curve {
                name: (*name).to_owned(),
                points: points.iter().map(|(x, value)| (f64::from_bits(*x), *value)).collect(),
            })
            .collect();
        let name: String = row.chars().map(|letter| if letter.is_alphanumeric() { letter } else { '-' }).collect();
        std::fs::write(folder.join(name + ".svg"), svg(row, "entries", unit, &curves))?;
    }
    Ok(rows.len())
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let (Some(lines), Some(folder)) = (words.next(), words.next()) else {
        eprintln!("usage: plot LINES FOLDER");
        return ExitCode::from(2);
    };
    match draw(Path::new(&lines), Path::new(&folder)) {
        Ok(count) => {
            println!("{count} plots in {folder}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{lines}: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_come_from_lines() {
        let folder = tempfile::tempdir().unwrap();
        let lines = folder.path().join("lines");
        std::fs::write(
            &lines,
            "{\"row\":\"get by size\",\"contender\":\"a\",\"x\":1000,\"value\":10,\"unit\":\"ns\"}\n\
             {\"row\":\"get by size\",\"contender\":\"a\",\"x\":1000000,\"value\":100,\"unit\":\"ns\"}\n\
             {\"row\":\"no curve\",\"contender\":\"a\",\"median_ns\":1}\n",
        )
        .unwrap();
        assert_eq!(draw(&lines, &folder.path().join("out")).unwrap(), 1);
        let svg = std::fs::read_to_string(folder.path().join("out/get-by-size.svg")).unwrap();
        assert!(svg.contains("polyline") && svg.contains(">get by size<"));
    }
}
