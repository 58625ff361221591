//! What to do with the lines that the benchmarks write.
//!
//! - `results compare BEFORE NOW` tells which figures differ by more than noise does.
//! - `results draw LINES FOLDER` draws an SVG for each row that is a curve.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use store_benches::lines::{Line, read};
use store_benches::plot::{Curve, svg};
use store_benches::runs::{differences, middle};

fn lines(path: &str) -> Result<Vec<Line>, Box<dyn Error>> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    Ok(read(&text).map_err(|error| format!("{path}: {error}"))?)
}

/// Draws the curves of some lines, of several runs the one in the middle, and says how many there are.
fn draw(lines: &[Line], folder: &Path) -> std::io::Result<usize> {
    let lines = middle(lines);
    let mut rows: BTreeMap<(&str, &str, &str), Vec<Curve>> = BTreeMap::new();
    for line in &lines {
        let Some(x) = line.x else { continue };
        let curves = rows.entry((&line.section, &line.row, &line.unit)).or_default();
        match curves.iter_mut().find(|curve| curve.name == line.contender) {
            Some(curve) => curve.points.push((x, line.value)),
            None => curves.push(Curve { name: line.contender.clone(), points: vec![(x, line.value)] }),
        }
    }
    std::fs::create_dir_all(folder)?;
    for ((section, row, unit), curves) in &rows {
        let name = format!("{section} {row}").replace(|letter: char| !letter.is_alphanumeric(), "-");
        std::fs::write(folder.join(name + ".svg"), svg(row, "entries", unit, curves))?;
    }
    Ok(rows.len())
}

fn run(words: &[String]) -> Result<(), Box<dyn Error>> {
    match words {
        [task, before, now] if task == "compare" => {
            let told = differences(&lines(before)?, &lines(now)?);
            told.iter().for_each(|line| println!("  {line}"));
            if told.is_empty() {
                println!("  nothing differs by more than 10 %");
            }
        }
        [task, from, folder] if task == "draw" => {
            println!("{} plots in {folder}", draw(&lines(from)?, Path::new(folder))?);
        }
        _ => return Err("usage: results compare BEFORE NOW | results draw LINES FOLDER".into()),
    }
    Ok(())
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
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
        let text = r#"{"section":"s","row":"get by size","contender":"a","x":1000,"value":10,"unit":"ns"}
            {"section":"s","row":"get by size","contender":"a","x":1000000,"value":100,"unit":"ns"}
            {"section":"s","row":"no curve","contender":"a","value":1,"unit":"ns"}"#;
        assert_eq!(draw(&read(text).unwrap(), folder.path()).unwrap(), 1);
        let svg = std::fs::read_to_string(folder.path().join("s-get-by-size.svg")).unwrap();
        assert!(svg.contains("polyline") && svg.contains(">get by size<"));
    }
}
