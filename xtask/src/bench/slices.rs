//! What the tables and curves of the book are measured by, in slices: each can be repeated alone. They run in batches of two minutes at most, so
//! that a machine can be kept quiet for one.

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
    /// About how long it takes.
    pub(crate) seconds: u32,
    /// Whether something of it is held to a target that noise could reach or miss: then it is measured in each of several runs.
    pub(crate) repeated: bool,
}

impl Slice {
    pub(crate) fn path(&self) -> String {
        format!("{}/{}", self.section, self.name)
    }
}

const fn slice(
    section: &'static str,
    name: &'static str,
    program: Program,
    args: &'static [&'static str],
    full: &'static [&'static str],
    seconds: u32,
) -> Slice {
    Slice { section, name, program, args, full, seconds, repeated: true }
}

impl Slice {
    /// Measured in the first run only.
    const fn once(self) -> Slice {
        Slice { repeated: false, ..self }
    }
}

/// A round is so short that a machine which others use needs many.
const MORE: &[&str] = &["--rounds", "1001"];
/// In a million keys by Zipf's law, enough to be the same each time.
const FEWER: &[&str] = &["--operations", "400000"];
/// The curves are of these, and one more for its own sake.
const TEN_MILLION: &[&str] = &["--keys", "10000000", "--rounds", "3", "--operations", "400000"];

pub(crate) const SLICES: &[Slice] = &[
    slice("inproc", "get", Program::Peers, &["inproc", "get"], FEWER, 50),
    slice("inproc", "mixed", Program::Peers, &["inproc", "mixed"], FEWER, 50),
    slice("inproc", "half", Program::Peers, &["inproc", "half"], FEWER, 60),
    slice("inproc", "set", Program::Peers, &["inproc", "set"], FEWER, 65),
    slice("inproc", "latency", Program::Peers, &["inproc", "latency", "list"], FEWER, 25),
    slice("inproc", "scaling", Program::Peers, &["inproc", "scaling"], &["--operations", "200000"], 50),
    slice(
        "inproc",
        "big",
        Program::Peers,
        &["inproc", "big", "--only", "store-memory,dashmap,sharded"],
        TEN_MILLION,
        115,
    )
    .once(),
    slice("inproc", "big-caches", Program::Peers, &["inproc", "big", "--only", "quick_cache,moka"], TEN_MILLION, 90)
        .once(),
    slice("inproc", "memory", Program::Counted, &["inproc", "memory"], &[], 50).once(),
    slice("inproc", "expire", Program::Peers, &["inproc", "expire"], &[], 90),
    slice(
        "inproc",
        "expire-big",
        Program::Peers,
        &["inproc", "expire-big", "--only", "store-memory,sharded"],
        &["--keys", "10000000"],
        120,
    )
    .once(),
    slice("disk", "reads", Program::Peers, &["disk", "get", "scan", "open"], &[], 110),
    slice("disk", "set", Program::Peers, &["disk", "set"], &["--keys", "300000"], 90),
    slice("disk", "sync", Program::Peers, &["disk", "sync"], &[], 80),
    slice("redis", "get", Program::Peers, &["redis", "get"], &[], 50),
    slice("redis", "set", Program::Peers, &["redis", "set"], &[], 50),
    slice("redis", "delete", Program::Peers, &["redis", "delete"], &[], 50),
    slice("redis", "batch", Program::Peers, &["redis", "batch", "near"], &[], 50),
    slice("road", "overhead", Program::Bench("overhead"), &[], &[], 8),
    slice("road", "policy", Program::Bench("policy"), &[], &[], 8).once(),
    slice("lua", "lua54", Program::Lua("lua54"), &[], MORE, 10),
    slice("lua", "luajit", Program::Lua("luajit"), &[], MORE, 10),
    slice("lua", "lua54-send", Program::Lua("lua54,send"), &[], MORE, 10),
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
