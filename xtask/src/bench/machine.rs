//! Where and when something was measured.

use crate::run::{command, output};

/// For the head of what was measured: fields of a JSON object.
pub(crate) fn fields() -> String {
    let fields = [
        ("date", crate::deny::today_text()),
        ("machine", machine()),
        ("rustc", first_words(&said("rustc", &["--version"]), 2)),
        ("commit", said("git", &["rev-parse", "--short", "HEAD"])),
    ];
    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\":\"{}\"", plain(value))).collect();
    fields.join(",")
}

/// Nothing that JSON would have to escape.
fn plain(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control() && !matches!(letter, '"' | '\\')).collect()
}

/// What a program says of itself; nothing if it is not there.
fn said(program: &str, args: &[&str]) -> String {
    output(command(program, args)).map(|text| text.trim().to_owned()).unwrap_or_default()
}

fn first_words(text: &str, count: usize) -> String {
    text.split_whitespace().take(count).collect::<Vec<_>>().join(" ")
}

/// Processor, memory and kernel, as Linux tells them; elsewhere the name of the system.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let after = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let processor = after(&read("/proc/cpuinfo"), "model name");
    let kib: u64 =
        after(&read("/proc/meminfo"), "MemTotal").split(' ').next().and_then(|kib| kib.parse().ok()).unwrap_or(0);
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    if processor.is_empty() || kib == 0 {
        return format!("{} {}, {cores} cores", std::env::consts::OS, std::env::consts::ARCH);
    }
    let kernel = read("/proc/sys/kernel/osrelease");
    let kernel = kernel.trim().split(['-', '+']).next().unwrap_or_default();
    format!("{processor}, {cores} cores, {} GiB, Linux {kernel}", kib.div_ceil(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_says_where_and_when_it_was() {
        let line = fields();
        assert!(line.starts_with("\"date\":\"20") && line.ends_with('"'), "{line}");
        assert!(line.contains("core") && line.contains("\"rustc\":\"rustc 1."), "{line}");
        assert_eq!(plain("a \"b\"\\\n"), "a b");
        // No path, no name of a host or a user.
        assert!(!line.contains('/'), "{line}");
    }
}
