//! What the tables and curves of the book are measured by, in slices: each is a process of two minutes at most, so that a machine can be
//! kept quiet for it, and one that failed can be repeated alone.

/// What runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Program {
    /// The store beside its competitors (`benches/peers`).
    Peers,
    /// The same with an allocator that counts.
    Counted,
    /// `benches/lua`, with these features.
    Lua(&'static str),
    /// A benchmark of `store-benches`.
    Bench(&'static str),
}

/// A part of a section.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slice {
    pub(crate) section: &'static str,
    pub(crate) name: &'static str,
    pub(crate) program: Program,
    pub(crate) args: &'static [&'static str],
    /// What is added unless it shall be quick.
    pub(crate) full: &'static [&'static str],
}

const fn slice(
    section: &'static str,
    name: &'static str,
    program: Program,
    args: &'static [&'static str],
    full: &'static [&'static str],
) -> Slice {
    Slice { section, name, program, args, full }
}

/// The curves are of these, and one more for its own sake.
const TEN_MILLION: &[&str] = &["--keys", "10000000", "--rounds", "3"];

pub(crate) const SLICES: &[Slice] = &[
    slice("inproc", "get", Program::Peers, &["inproc", "get"], &[]),
    slice("inproc", "mixed", Program::Peers, &["inproc", "mixed"], &[]),
    slice("inproc", "half", Program::Peers, &["inproc", "half"], &[]),
    slice("inproc", "set", Program::Peers, &["inproc", "set"], &[]),
    slice("inproc", "latency", Program::Peers, &["inproc", "latency", "list"], &[]),
    slice("inproc", "scaling", Program::Peers, &["inproc", "scaling"], &["--operations", "500000"]),
    slice("inproc", "big", Program::Peers, &["inproc", "big"], TEN_MILLION),
    slice("inproc", "memory", Program::Counted, &["inproc", "memory"], &[]),
    slice("inproc", "expire", Program::Peers, &["inproc", "expire"], &[]),
    slice("disk", "reads", Program::Peers, &["disk", "get", "scan", "open"], &[]),
    slice("disk", "set", Program::Peers, &["disk", "set"], &["--keys", "300000"]),
    slice("disk", "sync", Program::Peers, &["disk", "sync"], &[]),
    slice("redis", "get", Program::Peers, &["redis", "get"], &[]),
    slice("redis", "set", Program::Peers, &["redis", "set"], &[]),
    slice("redis", "delete", Program::Peers, &["redis", "delete"], &[]),
    slice("redis", "batch", Program::Peers, &["redis", "batch", "near"], &[]),
    slice("road", "overhead", Program::Bench("overhead"), &[], &[]),
    slice("road", "policy", Program::Bench("policy"), &[], &[]),
    slice("lua", "lua54", Program::Lua("lua54"), &[], &[]),
    slice("lua", "luajit", Program::Lua("luajit"), &[], &[]),
    slice("lua", "lua54-send", Program::Lua("lua54,send"), &[], &[]),
];

/// The slices that some words ask for: `peers` is all, `SECTION` all of one, `SECTION/SLICE` one.
pub(crate) fn asked(words: &[&str]) -> Result<Vec<Slice>, String> {
    let named = |slice: &Slice, word: &str| {
        word == "peers" || word == slice.section || word.split_once('/') == Some((slice.section, slice.name))
    };
    if let Some(unknown) = words.iter().find(|word| !SLICES.iter().any(|slice| named(slice, word))) {
        let all: Vec<String> = SLICES.iter().map(|slice| format!("{}/{}", slice.section, slice.name)).collect();
        return Err(format!("there is no section or slice `{unknown}`; there are {}", all.join(", ")));
    }
    Ok(SLICES.iter().filter(|slice| words.iter().any(|word| named(slice, word))).copied().collect())
}

/// Whether a word names a section or a slice, and no benchmark.
pub(crate) fn is_named(word: &str) -> bool {
    word.contains('/') || word == "peers" || SLICES.iter().any(|slice| slice.section == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_choose_slices() {
        let names = |words: &[&str]| -> Vec<String> {
            asked(words).unwrap().iter().map(|slice| format!("{}/{}", slice.section, slice.name)).collect()
        };
        assert_eq!(names(&["peers"]).len(), SLICES.len());
        assert_eq!(names(&["inproc/expire", "road"]), ["inproc/expire", "road/overhead", "road/policy"]);
        assert!(asked(&["inproc/none"]).unwrap_err().contains("inproc/get"));
        assert!(is_named("lua") && is_named("inproc/x") && !is_named("ops"));
        // A slice is told from every other by its section and name: its lines are in a file of that name.
        let mut all = names(&["peers"]);
        all.sort();
        all.dedup();
        assert_eq!(all.len(), SLICES.len());
    }
}
