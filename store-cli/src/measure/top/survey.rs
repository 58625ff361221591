//! Which prefixes hold how much: counted by reading the store, a little at a time.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use store::{Handle, Result, Scanning, Ttl};

/// So many prefixes are told apart; what comes after is counted together. Keys may have no structure at all.
const GROUPS: usize = 20_000;

/// Entries and bytes of keys and values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) entries: u64,
    pub(super) bytes: u64,
}

impl Group {
    fn add(&mut self, bytes: u64) {
        self.entries += 1;
        self.bytes += bytes;
    }
}

/// What a pass over a store has seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Counted {
    pub(super) all: Group,
    /// How many of them have a TTL.
    pub(super) expiring: u64,
    groups: HashMap<Vec<u8>, Group>,
    /// What was beyond [`GROUPS`].
    pub(super) rest: Group,
}

/// Where keys are parted.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    pub(super) separator: Vec<u8>,
    /// How many parts of a key make its prefix.
    pub(super) depth: usize,
}

impl Parts {
    /// The prefix of a key, with its separator; empty for a key that has none.
    fn prefix<'k>(&self, key: &'k [u8]) -> &'k [u8] {
        let size = self.separator.len();
        let mut end = 0;
        for _ in 0..self.depth {
            let next = key[end..].windows(size).position(|window| window == self.separator);
            match next {
                Some(at) => end += at + size,
                None => break,
            }
        }
        &key[..end]
    }
}

impl Counted {
    fn add(&mut self, parts: &Parts, key: &[u8], value: usize, ttl: Ttl) {
        let bytes = (key.len() + value) as u64;
        self.all.add(bytes);
        self.expiring += u64::from(ttl != Ttl::Never);
        let prefix = parts.prefix(key);
        if let Some(group) = self.groups.get_mut(prefix) {
            group.add(bytes);
        } else if self.groups.len() < GROUPS {
            self.groups.insert(prefix.to_vec(), Group { entries: 1, bytes });
        } else {
            self.rest.add(bytes);
        }
    }

    /// The largest prefixes, the one with the most bytes first.
    pub(super) fn largest(&self, count: usize) -> Vec<(&[u8], Group)> {
        let mut groups: Vec<(&[u8], Group)> = self.groups.iter().map(|(prefix, group)| (&prefix[..], *group)).collect();
        groups.sort_by(|a, b| b.1.bytes.cmp(&a.1.bytes).then(a.0.cmp(b.0)));
        groups.truncate(count);
        groups
    }
}

/// Pass after pass over a store.
#[derive(Debug)]
pub(super) struct Survey {
    store: Handle,
    parts: Parts,
    pass: Option<Scanning>,
    now: Counted,
    whole: Option<Counted>,
}

impl Survey {
    pub(super) fn new(store: &Handle, parts: Parts) -> Survey {
        Survey { store: store.clone(), parts, pass: None, now: Counted::default(), whole: None }
    }

    /// Goes on with the pass for about so long, or to its end. The next call begins another.
    pub(super) async fn go_on(&mut self, budget: Duration) -> Result<()> {
        let started = Instant::now();
        let pass = self.pass.get_or_insert_with(|| self.store.scan(Vec::new()));
        loop {
            let Some(items) = pass.next().await? else {
                self.whole = Some(std::mem::take(&mut self.now));
                self.pass = None;
                return Ok(());
            };
            for item in items {
                if let Some(entry) = item.entry {
                    self.now.add(&self.parts, &item.key, entry.value.len(), entry.ttl);
                }
            }
            if started.elapsed() >= budget {
                return Ok(());
            }
        }
    }

    /// The last whole pass, and true; before there is one, what has been seen so far, and false.
    pub(super) fn counted(&self) -> (&Counted, bool) {
        self.whole.as_ref().map_or((&self.now, false), |whole| (whole, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(depth: usize) -> Parts {
        Parts { separator: b":".to_vec(), depth }
    }

    #[test]
    fn prefixes_end_with_a_separator() {
        for (key, depth, prefix) in [
            ("user:1:name", 1, "user:"),
            ("user:1:name", 2, "user:1:"),
            ("user:1:name", 9, "user:1:"),
            ("plain", 1, ""),
            (":", 1, ":"),
            ("::", 2, "::"),
        ] {
            assert_eq!(parts(depth).prefix(key.as_bytes()), prefix.as_bytes(), "{key}");
        }
        let parts = Parts { separator: b"::".to_vec(), depth: 1 };
        assert_eq!(parts.prefix(b"a:b::c"), b"a:b::");
    }

    #[test]
    fn the_largest_come_first_and_nothing_is_lost() {
        let mut counted = Counted::default();
        for number in 0..GROUPS as u64 + 10 {
            counted.add(&parts(1), format!("{number}:").as_bytes(), 0, Ttl::Never);
        }
        counted.add(&parts(1), b"7:x", 100, Ttl::Left(Duration::from_secs(1)));
        assert_eq!(counted.largest(1), [(&b"7:"[..], Group { entries: 2, bytes: 105 })]);
        assert_eq!((counted.all.entries, counted.rest.entries, counted.expiring), (GROUPS as u64 + 11, 10, 1));
    }
}
