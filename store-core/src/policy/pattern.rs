//! Patterns on bytes, and the templates that they are made from.

use std::borrow::Cow;

use crate::{Actor, Value};

/// One step of a pattern after its first wildcard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Byte(u8),
    One,
    Many,
}

impl Token {
    fn takes(self, byte: u8) -> bool {
        match self {
            Token::Byte(own) => own == byte,
            Token::One => true,
            Token::Many => false,
        }
    }
}

/// A pattern without variables, ready to match: the ordinary bytes up to the first wildcard, then the rest.
#[derive(Clone, Debug, Default)]
pub(super) struct Glob {
    head: Vec<u8>,
    tail: Vec<Token>,
}

impl Glob {
    fn push(&mut self, token: Token) {
        match token {
            Token::Byte(byte) if self.tail.is_empty() => self.head.push(byte),
            // Two stars in a row are one.
            Token::Many if self.tail.last() == Some(&Token::Many) => {}
            token => self.tail.push(token),
        }
    }

    /// Whether the whole text matches.
    ///
    /// The usual greedy matcher: on a mismatch it goes back to the last star only, which takes one byte more. Earlier stars
    /// need no second look, since whatever they could still reach, the last one can too. At most text times pattern steps.
    pub(super) fn matches(&self, text: &[u8]) -> bool {
        let Some(text) = text.strip_prefix(&*self.head) else { return false };
        let (mut at, mut token) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        loop {
            match (self.tail.get(token), text.get(at)) {
                (Some(Token::Many), _) => {
                    token += 1;
                    if token == self.tail.len() {
                        return true;
                    }
                    star = Some((at, token));
                    continue;
                }
                (Some(step), Some(&byte)) if step.takes(byte) => {
                    at += 1;
                    token += 1;
                    continue;
                }
                (None, None) => return true,
                (Some(_), None) => return false,
                _ => {}
            }
            let Some((taken, after)) = star else { return false };
            (at, token) = (taken + 1, after);
            star = Some((at, after));
        }
    }

    /// Whether some text that begins with `prefix` matches.
    pub(super) fn matches_some_after(&self, prefix: &[u8]) -> bool {
        let shared = self.head.len().min(prefix.len());
        if self.head[..shared] != prefix[..shared] {
            return false;
        }
        let mut tail = self.tail.iter();
        for &byte in &prefix[shared..] {
            match tail.next() {
                // A star takes the rest of the prefix; what follows it can be in the text after.
                Some(Token::Many) => return true,
                Some(step) if step.takes(byte) => {}
                _ => return false,
            }
        }
        true
    }
}

/// A pattern with variables.
#[derive(Clone, Debug)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Token(Token),
    Variable(Variable),
}

/// What `${...}` stands for, and conditions look at: something of the actor's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Variable {
    Id,
    Meta(Box<str>),
}

impl Template {
    pub(super) fn parse(text: &str) -> Result<Template, String> {
        let bytes = text.as_bytes();
        let mut parts = Vec::new();
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            at += 1;
            parts.push(match byte {
                b'*' => Part::Token(Token::Many),
                b'?' => Part::Token(Token::One),
                b'\\' => {
                    let Some(&escaped) = bytes.get(at) else {
                        return Err(format!("`{text}` ends with a backslash that escapes nothing"));
                    };
                    at += 1;
                    Part::Token(Token::Byte(escaped))
                }
                b'$' if bytes.get(at) == Some(&b'{') => {
                    // Both braces are ASCII, so that the slices end at characters.
                    let rest = &text[at + 1..];
                    let Some(end) = rest.find('}') else {
                        return Err(format!("`{text}` has a `${{` without `}}`"));
                    };
                    at += end + 2;
                    let name = &rest[..end];
                    let known = "there are `${actor.id}` and `${actor.meta.NAME}`";
                    Part::Variable(Variable::parse(name).ok_or_else(|| format!("`${{{name}}}` is not known; {known}"))?)
                }
                byte => Part::Token(Token::Byte(byte)),
            });
        }
        Ok(Template(parts))
    }

    pub(super) fn has_variables(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Variable(_)))
    }

    /// The least number of bytes that a match has.
    pub(super) fn min_len(&self) -> usize {
        self.0.iter().filter(|part| **part != Part::Token(Token::Many)).count()
    }

    /// Whether it has a star or a variable, so that a match may be longer than [`min_len`](Template::min_len).
    pub(super) fn is_open(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Token(Token::Many) | Part::Variable(_)))
    }

    /// The pattern for this actor; `None` if a variable has no value.
    pub(super) fn resolve(&self, actor: Option<&Actor>) -> Option<Glob> {
        let mut glob = Glob::default();
        for part in &self.0 {
            match part {
                Part::Token(token) => glob.push(*token),
                Part::Variable(variable) => {
                    let value = variable.value(actor?)?;
                    value.iter().for_each(|&byte| glob.push(Token::Byte(byte)));
                }
            }
        }
        Some(glob)
    }
}

impl Variable {
    /// `actor.id`, or `actor.meta.` and a name, in which dots may lead into nested maps.
    pub(super) fn parse(name: &str) -> Option<Variable> {
        match name.strip_prefix("actor.meta.") {
            Some(path) => path.split('.').all(|step| !step.is_empty()).then(|| Variable::Meta(path.into())),
            None => (name == "actor.id").then_some(Variable::Id),
        }
    }

    /// What the actor has here, whatever it is.
    pub(super) fn of(&self, actor: &Actor) -> Option<Value> {
        match self {
            Variable::Id => Some(Value::from(&*actor.id)),
            Variable::Meta(path) => lookup(actor, path).filter(|value| !matches!(value, Value::Null)).cloned(),
        }
    }

    /// Text that the actor has here; empty text counts as none.
    fn value<'a>(&self, actor: &'a Actor) -> Option<Cow<'a, [u8]>> {
        let value = match self {
            Variable::Id => Cow::Borrowed(actor.id.as_bytes()),
            Variable::Meta(path) => match lookup(actor, path)? {
                Value::String(bytes) => Cow::Borrowed(&**bytes),
                Value::Integer(number) => Cow::Owned(number.to_string().into_bytes()),
                Value::Unsigned(number) => Cow::Owned(number.to_string().into_bytes()),
                Value::Bool(true) => Cow::Borrowed(&b"true"[..]),
                Value::Bool(false) => Cow::Borrowed(&b"false"[..]),
                _ => return None,
            },
        };
        Some(value).filter(|value| !value.is_empty())
    }
}

/// The attribute of this name, or the one that its dots lead to.
fn lookup<'a>(actor: &'a Actor, path: &str) -> Option<&'a Value> {
    if let Some(value) = actor.meta.get(path) {
        return Some(value);
    }
    let mut steps = path.split('.');
    let first = actor.meta.get(steps.next()?)?;
    steps.try_fold(first, |value, step| value.get(step))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn glob(pattern: &str) -> Glob {
        Template::parse(pattern).unwrap().resolve(None).unwrap()
    }

    /// The definition, word for word; exponential.
    fn naive(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => (0..=text.len()).any(|taken| naive(rest, &text[taken..])),
            ([b'?', rest @ ..], [_, text @ ..]) => naive(rest, text),
            ([b'\\', byte, rest @ ..], [first, text @ ..]) => byte == first && naive(rest, text),
            ([b'\\', ..], _) => false,
            ([byte, rest @ ..], [first, text @ ..]) => byte == first && naive(rest, text),
            _ => false,
        }
    }

    #[test]
    fn s3_wildcards_match_the_whole_text() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("a", "A", false),
            ("*", "", true),
            ("a*", "a", true),
            ("a*", "ba", false),
            ("*.read", "a.b.read", true),
            ("?", "", false),
            ("a?c", "abc", true),
            ("?", "é", false),
            ("??", "é", true),
            ("a*b*c", "a1b2b3c", true),
            ("a*b*c", "a1b2b3cd", false),
            (r"\*", "*", true),
            (r"\*", "x", false),
            (r"\\", r"\", true),
            ("[a-z]{x}", "[a-z]{x}", true),
            ("$x$", "$x$", true),
            (r"\${actor.id}", "${actor.id}", true),
        ] {
            assert_eq!(glob(pattern).matches(text.as_bytes()), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn s3_many_stars_do_not_blow_up() {
        let pattern = glob(&"a*".repeat(500));
        let mut text = vec![b'a'; 10_000];
        text.push(b'b');
        assert!(pattern.matches(&text));
        assert!(!glob(&format!("{}b", "a*".repeat(500))).matches(&vec![b'a'; 10_000]));
    }

    #[test]
    fn s3_bad_escapes_and_unknown_variables_are_named() {
        for (pattern, word) in [
            (r"a\", "backslash"),
            ("${actor.id", "without `}`"),
            ("${actor.name}", "${actor.name}"),
            ("${}", "${}"),
            ("${actor.meta.}", "actor.meta."),
            ("${actor.meta.a..b}", "a..b"),
        ] {
            let message = Template::parse(pattern).unwrap_err();
            assert!(message.contains(word), "{message}");
        }
    }

    proptest! {
        #[test]
        fn s3_glob_agrees_with_its_definition(pattern in "[ab*?]{0,8}", text in "[ab]{0,10}") {
            prop_assert_eq!(glob(&pattern).matches(text.as_bytes()), naive(pattern.as_bytes(), text.as_bytes()));
        }

        #[test]
        fn s3_escapes_agree_with_their_definition(pattern in r"(a|\*|\?|\\\*|\\\?|\\\\|\\a){0,6}", text in r"[a*?\\]{0,6}") {
            prop_assert_eq!(glob(&pattern).matches(text.as_bytes()), naive(pattern.as_bytes(), text.as_bytes()));
        }

        #[test]
        fn s3_some_after_means_that_an_extension_matches(pattern in "[ab*?]{0,5}", prefix in "[ab]{0,4}") {
            let mut texts = vec![prefix.clone().into_bytes()];
            let mut longest = texts.clone();
            for _ in 0..5 {
                longest = longest.iter().flat_map(|text| [b'a', b'b'].map(|byte| [&**text, &[byte]].concat())).collect();
                texts.extend_from_slice(&longest);
            }
            let expected = texts.iter().any(|text| naive(pattern.as_bytes(), text));
            prop_assert_eq!(glob(&pattern).matches_some_after(prefix.as_bytes()), expected);
        }

        #[test]
        fn s3_what_a_variable_brings_is_ordinary_text(id in any::<String>().prop_filter("not empty", |id| !id.is_empty()), other in any::<String>()) {
            let glob = Template::parse("u:${actor.id}").unwrap().resolve(Some(&Actor::new(id.clone()))).unwrap();
            let matched = glob.matches(format!("u:{id}").as_bytes());
            prop_assert!(matched);
            prop_assert_eq!(glob.matches(format!("u:{other}").as_bytes()), id == other);
        }

        #[test]
        fn s3_no_pattern_panics(pattern in any::<String>(), text in any::<Vec<u8>>()) {
            if let Ok(template) = Template::parse(&pattern)
                && let Some(glob) = template.resolve(Some(&Actor::new("x")))
            {
                let _ = glob.matches(&text);
            }
        }
    }
}
