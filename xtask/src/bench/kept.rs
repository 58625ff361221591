//! What was measured, slice by slice and run by run, and how it is put together: a block of lines each, headed by one that says of which slice
//! and run it is, where it was measured, when, and at which commit.

use std::path::{Path, PathBuf};

use super::machine;
use super::slices::{SLICES, Slice};
use super::tasks::{RUNS, Task};
use crate::run::Failed;

/// How the head of a block begins.
fn begin(slice: &Slice) -> String {
    format!("{{\"section\":\"{}\",\"slice\":\"{}\",", slice.section, slice.name)
}

/// The lines that a program has written, as a block.
pub(super) fn block(task: &Task, lines: &str) -> String {
    let mut block = format!("{}\"run\":{},{}}}\n", begin(&task.slice), task.run, machine::fields());
    for line in lines.lines() {
        let line = line.strip_suffix('}').unwrap_or(line);
        block.push_str(&format!("{line},\"run\":{}}}\n", task.run));
    }
    block
}

/// Where the block of a slice in a run is kept.
pub(super) fn path(folder: &Path, task: &Task) -> PathBuf {
    folder.join(format!("{}-{}-{}.jsonl", task.slice.section, task.slice.name, task.run))
}

/// The blocks of a slice in a saved text: of all its runs.
fn saved_blocks(saved: &str, slice: &Slice) -> String {
    let (begin, mut is_ours) = (begin(slice), false);
    let mut blocks = String::new();
    for line in saved.lines() {
        if line.contains("\"slice\":") {
            is_ours = line.starts_with(&begin);
        }
        if is_ours {
            blocks.push_str(line);
            blocks.push('\n');
        }
    }
    blocks
}

/// Puts a section together: of each slice that was asked for the runs in a folder, of each other what was saved of it before; where there is
/// no one, the other. And says which slices neither has.
pub(super) fn assemble(
    folder: &Path,
    saved: &Path,
    section: &str,
    asked: &[Task],
) -> Result<(PathBuf, Vec<&'static str>), Failed> {
    let saved = std::fs::read_to_string(saved).unwrap_or_default();
    let (mut text, mut missing) = (String::new(), Vec::new());
    for &slice in SLICES.iter().filter(|slice| slice.section == section) {
        let runs = (1..=RUNS).filter_map(|run| std::fs::read_to_string(path(folder, &Task { slice, run })).ok());
        let (measured, before) = (runs.collect::<String>(), saved_blocks(&saved, &slice));
        let is_asked = asked.iter().any(|task| task.slice.path() == slice.path());
        let prefer_measured = before.is_empty() || is_asked && !measured.is_empty();
        let blocks = if prefer_measured { measured } else { before };
        if blocks.is_empty() {
            missing.push(slice.name);
        }
        text.push_str(&blocks);
    }
    let path = folder.join(format!("{section}.jsonl"));
    std::fs::write(&path, text).map_err(|error| Failed::new(format!("{}: {error}", path.display())))?;
    Ok((path, missing))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::root;

    #[test]
    fn what_was_measured_of_a_section_is_put_together() {
        let folder = root().join("target").join(format!("bench-test-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let saved = folder.join("saved.jsonl");
        let of = |name: &str, run: u32| Task { slice: *SLICES.iter().find(|slice| slice.name == name).unwrap(), run };
        let write = |task: &Task, lines: &str| std::fs::write(path(&folder, task), block(task, lines)).unwrap();
        write(&of("policy", 1), "{\"value\":1}\n{\"value\":2}\n");
        let both = [of("overhead", 1), of("policy", 1)];
        let (path, missing) = assemble(&folder, &saved, "road", &both).unwrap();
        assert_eq!(missing, ["overhead"]);
        let text = std::fs::read_to_string(&path).unwrap();
        let head = "{\"section\":\"road\",\"slice\":\"policy\",\"run\":1,\"date\":\"20";
        assert!(text.starts_with(head), "{text}");
        assert!(text.ends_with("\"}\n{\"value\":1,\"run\":1}\n{\"value\":2,\"run\":1}\n"), "{text}");
        // What was saved stands in for what was not measured, and for nothing else.
        let old = [block(&of("overhead", 1), "{\"old\":1}\n"), block(&of("overhead", 2), "{\"old\":2}\n")].concat();
        std::fs::write(&saved, format!("{old}{}", block(&of("policy", 2), "{\"old\":3}\n"))).unwrap();
        assert_eq!(assemble(&folder, &saved, "road", &both).unwrap().1, [""; 0]);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{old}{text}"));
        // Runs come in their order, the slices in theirs.
        for run in [2, 1] {
            write(&of("overhead", run), &format!("{{\"new\":{run}}}\n"));
        }
        // What was not asked for stays as it was saved, whatever an earlier day has left.
        assemble(&folder, &saved, "road", &both[1..]).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{old}{text}"));
        assemble(&folder, &saved, "road", &both).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().filter(|line| !line.contains("slice")).collect();
        std::fs::remove_dir_all(&folder).unwrap();
        let runs =
            ["{\"new\":1,\"run\":1}", "{\"new\":2,\"run\":2}", "{\"value\":1,\"run\":1}", "{\"value\":2,\"run\":1}"];
        assert_eq!(lines, runs);
    }
}
