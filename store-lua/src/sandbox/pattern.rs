//! Lua's patterns, for texts on which Lua's own matcher could work for hours: this one looks at the clock.
//!
//! The language is that of the reference manual ("Patterns", 6.4.1 in Lua 5.4), and matching is by backtracking, which defines what a
//! pattern with captures matches. `tests/patterns.rs` holds it to the functions of the VM.

/// How many steps there are between two looks at the clock: some microseconds.
const LOOK_EVERY: usize = 4096;

/// As in Lua.
const MAX_CAPTURES: usize = 32;
const MAX_DEPTH: u32 = 200;

const ESCAPE: u8 = b'%';

/// Why there is no answer: the time is up, or the pattern is none.
#[derive(Debug)]
pub(super) enum Trouble {
    TimeIsUp,
    Malformed(String),
}

type Answer<T> = Result<T, Trouble>;

fn malformed<T>(message: impl Into<String>) -> Answer<T> {
    Err(Trouble::Malformed(message.into()))
}

#[derive(Clone, Copy, Debug)]
enum Extent {
    /// Not closed yet.
    Open,
    /// `()`
    Position,
    Length(usize),
}

#[derive(Clone, Copy, Debug)]
struct Group {
    start: usize,
    extent: Extent,
}

/// What a capture holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Capture<'a> {
    Text(&'a [u8]),
    /// Counted from 1.
    Position(usize),
}

/// A match: from `start` to before `end`, counted from 0.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Match<'a> {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) captures: Vec<Capture<'a>>,
}

/// A search in one text, which asks `is_up` from time to time.
pub(super) struct Matcher<'a, F> {
    subject: &'a [u8],
    pattern: &'a [u8],
    groups: Vec<Group>,
    depth: u32,
    steps: usize,
    is_up: F,
}

impl<'a, F: Fn() -> bool> Matcher<'a, F> {
    pub(super) fn new(subject: &'a [u8], pattern: &'a [u8], is_up: F) -> Self {
        Matcher { subject, pattern, groups: Vec::new(), depth: 0, steps: 0, is_up }
    }

    /// The first match that begins at `from` or later (only there, if `anchored`), other than those that end at `avoid`.
    pub(super) fn seek(&mut self, from: usize, anchored: bool, avoid: Option<usize>) -> Answer<Option<Match<'a>>> {
        for start in from..=self.subject.len() {
            self.groups.clear();
            if let Some(end) = self.matches(start, 0)?
                && avoid != Some(end)
            {
                let captures = self.groups.iter().map(|group| self.capture(group)).collect::<Answer<_>>()?;
                return Ok(Some(Match { start, end, captures }));
            }
            if anchored {
                break;
            }
        }
        Ok(None)
    }

    /// Where the pattern stands as it is.
    pub(super) fn seek_plain(&mut self, from: usize) -> Answer<Option<usize>> {
        let cost = self.pattern.len() / 16;
        for start in from..=self.subject.len() {
            let rest = self.subject.get(start..).unwrap_or_default();
            self.step(1)?;
            if rest.len() < self.pattern.len() {
                return Ok(None);
            }
            if rest.first() == self.pattern.first() || self.pattern.is_empty() {
                self.step(cost)?;
                if rest.starts_with(self.pattern) {
                    return Ok(Some(start));
                }
            }
        }
        Ok(None)
    }

    fn capture(&self, group: &Group) -> Answer<Capture<'a>> {
        match group.extent {
            Extent::Open => malformed("unfinished capture"),
            Extent::Position => Ok(Capture::Position(group.start + 1)),
            Extent::Length(length) => {
                Ok(Capture::Text(self.subject.get(group.start..group.start + length).unwrap_or_default()))
            }
        }
    }

    /// Counts what has been done, so that the clock is looked at in time.
    fn step(&mut self, cost: usize) -> Answer<()> {
        self.steps = self.steps.saturating_add(cost);
        if self.steps >= LOOK_EVERY {
            self.steps = 0;
            if (self.is_up)() {
                return Err(Trouble::TimeIsUp);
            }
        }
        Ok(())
    }

    fn at(&self, p: usize) -> Option<u8> {
        self.pattern.get(p).copied()
    }

    /// Where a match of the pattern from `p` on ends that begins at `s`.
    fn matches(&mut self, s: usize, p: usize) -> Answer<Option<usize>> {
        if self.depth == MAX_DEPTH {
            return malformed("pattern too complex");
        }
        self.depth += 1;
        let end = self.matches_inside(s, p);
        self.depth -= 1;
        end
    }

    fn matches_inside(&mut self, mut s: usize, mut p: usize) -> Answer<Option<usize>> {
        loop {
            self.step(1)?;
            match (self.at(p), self.at(p + 1)) {
                (None, _) => return Ok(Some(s)),
                (Some(b'('), Some(b')')) => return self.open(s, p + 2, Extent::Position),
                (Some(b'('), _) => return self.open(s, p + 1, Extent::Open),
                (Some(b')'), _) => return self.close(s, p + 1),
                (Some(b'$'), None) => return Ok((s == self.subject.len()).then_some(s)),
                (Some(ESCAPE), Some(b'b')) => match self.balanced(s, p + 2)? {
                    Some(end) => (s, p) = (end, p + 4),
                    None => return Ok(None),
                },
                (Some(ESCAPE), Some(b'f')) => {
                    p += 2;
                    if self.at(p) != Some(b'[') {
                        return malformed("missing '[' after '%f' in pattern");
                    }
                    let end = self.class_end(p)?;
                    let before = s.checked_sub(1).map_or(0, |at| self.subject[at]);
                    let after = self.subject.get(s).copied().unwrap_or(0);
                    self.step(end - p)?;
                    if self.in_set(before, p, end) || !self.in_set(after, p, end) {
                        return Ok(None);
                    }
                    p = end;
                }
                (Some(ESCAPE), Some(digit)) if digit.is_ascii_digit() => match self.repeated(s, digit)? {
                    Some(end) => (s, p) = (end, p + 2),
                    None => return Ok(None),
                },
                _ => {
                    let end = self.class_end(p)?;
                    match self.at(end) {
                        Some(b'?') => {
                            if self.is_one(s, p, end)?
                                && let Some(whole) = self.matches(s + 1, end + 1)?
                            {
                                return Ok(Some(whole));
                            }
                            p = end + 1;
                        }
                        Some(b'*') => return self.most(s, p, end),
                        Some(b'+') => {
                            return if self.is_one(s, p, end)? { self.most(s + 1, p, end) } else { Ok(None) };
                        }
                        Some(b'-') => return self.fewest(s, p, end),
                        _ => {
                            if !self.is_one(s, p, end)? {
                                return Ok(None);
                            }
                            (s, p) = (s + 1, end);
                        }
                    }
                }
            }
        }
    }

    /// As many as there are from `least` on, and then fewer: `class*`.
    fn most(&mut self, least: usize, p: usize, end: usize) -> Answer<Option<usize>> {
        let mut at = least;
        while self.is_one(at, p, end)? {
            at += 1;
        }
        loop {
            if let Some(whole) = self.matches(at, end + 1)? {
                return Ok(Some(whole));
            }
            if at == least {
                return Ok(None);
            }
            at -= 1;
        }
    }

    /// As few as will do: `class-`.
    fn fewest(&mut self, mut s: usize, p: usize, end: usize) -> Answer<Option<usize>> {
        loop {
            if let Some(whole) = self.matches(s, end + 1)? {
                return Ok(Some(whole));
            }
            if !self.is_one(s, p, end)? {
                return Ok(None);
            }
            s += 1;
        }
    }

    fn open(&mut self, s: usize, p: usize, extent: Extent) -> Answer<Option<usize>> {
        if self.groups.len() == MAX_CAPTURES {
            return malformed("too many captures");
        }
        let level = self.groups.len();
        self.groups.push(Group { start: s, extent });
        let end = self.matches(s, p)?;
        if end.is_none() {
            self.groups.truncate(level);
        }
        Ok(end)
    }

    fn close(&mut self, s: usize, p: usize) -> Answer<Option<usize>> {
        let Some(open) = self.groups.iter().rposition(|group| matches!(group.extent, Extent::Open)) else {
            return malformed("invalid pattern capture");
        };
        self.groups[open].extent = Extent::Length(s - self.groups[open].start);
        let end = self.matches(s, p)?;
        if end.is_none() {
            self.groups[open].extent = Extent::Open;
        }
        Ok(end)
    }

    /// `%bxy`, with `x` at `p`.
    fn balanced(&mut self, s: usize, p: usize) -> Answer<Option<usize>> {
        let (Some(opening), Some(closing)) = (self.at(p), self.at(p + 1)) else {
            return malformed("malformed pattern (missing arguments to '%b')");
        };
        if self.subject.get(s) != Some(&opening) {
            return Ok(None);
        }
        let mut open = 1_usize;
        for at in s + 1..self.subject.len() {
            self.step(1)?;
            let byte = self.subject[at];
            if byte == closing {
                open -= 1;
                if open == 0 {
                    return Ok(Some(at + 1));
                }
            } else if byte == opening {
                open += 1;
            }
        }
        Ok(None)
    }

    /// `%1`: what that capture holds, once more.
    fn repeated(&mut self, s: usize, digit: u8) -> Answer<Option<usize>> {
        let group = usize::from(digit - b'0').checked_sub(1).and_then(|index| self.groups.get(index));
        let text = match group.map(|group| (group.extent, self.capture(group))) {
            Some((Extent::Length(_), Ok(Capture::Text(text)))) => text,
            // A position is never a text again.
            Some((Extent::Position, _)) => return Ok(None),
            _ => return malformed(format!("invalid capture index %{}", char::from(digit))),
        };
        self.step(text.len() / 16)?;
        Ok(self.subject.get(s..).unwrap_or_default().starts_with(text).then_some(s + text.len()))
    }

    /// Where the class that begins at `p` ends: a byte, `%x`, or a set.
    fn class_end(&mut self, p: usize) -> Answer<usize> {
        match self.at(p) {
            Some(ESCAPE) if self.at(p + 1).is_none() => malformed("malformed pattern (ends with '%')"),
            Some(ESCAPE) => Ok(p + 2),
            Some(b'[') => {
                let mut at = p + 1;
                if self.at(at) == Some(b'^') {
                    at += 1;
                }
                // The first `]` is one of the set.
                loop {
                    let Some(byte) = self.at(at) else { return malformed("malformed pattern (missing ']')") };
                    at += if byte == ESCAPE { 2 } else { 1 };
                    if self.at(at) == Some(b']') {
                        self.step(at - p)?;
                        return Ok(at + 1);
                    }
                }
            }
            _ => Ok(p + 1),
        }
    }

    /// Whether the byte at `s` is one of the class from `p` to `end`.
    fn is_one(&mut self, s: usize, p: usize, end: usize) -> Answer<bool> {
        self.step(end - p)?;
        let Some(&byte) = self.subject.get(s) else { return Ok(false) };
        Ok(match (self.pattern[p], self.at(p + 1)) {
            (b'.', _) => true,
            (ESCAPE, Some(class)) => is_in(byte, class),
            (b'[', _) => self.in_set(byte, p, end),
            (own, _) => own == byte,
        })
    }

    /// The set from its `[` at `p` to behind its `]`.
    fn in_set(&self, byte: u8, p: usize, end: usize) -> bool {
        let set = &self.pattern[p + 1..end - 1];
        let (negated, mut set) = match set {
            [b'^', rest @ ..] => (true, rest),
            _ => (false, set),
        };
        loop {
            let (found, rest) = match set {
                [] => return negated,
                [ESCAPE, class, rest @ ..] => (is_in(byte, *class), rest),
                [low, b'-', high, rest @ ..] => ((*low..=*high).contains(&byte), rest),
                [own, rest @ ..] => (*own == byte, rest),
            };
            if found {
                return !negated;
            }
            set = rest;
        }
    }
}

/// `%a` and the like; anything that is no letter stands for itself.
fn is_in(byte: u8, class: u8) -> bool {
    let found = match class.to_ascii_lowercase() {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'g' => byte.is_ascii_graphic(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        b's' => byte.is_ascii_whitespace() || byte == 0x0b,
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        b'z' => byte == 0,
        _ => return class == byte,
    };
    found != class.is_ascii_uppercase()
}
