//! Deserialising so that every mistake is found, where serde stops at the first.
//!
//! The tree is deserialised; when that fails, the error's span tells which entry is at fault; the mistake is recorded, the
//! entry is taken out, and it is tried again, until it succeeds or nothing more can be taken out. What a backend checks
//! afterwards is treated alike.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeValue, Error};

use super::describe::show;
use super::problem::{Path, Problems, found, unknown};
use super::step::{Step, at, find, remove};
use super::variables::Interpolated;

/// More mistakes than these in one table are not looked for.
const MAX_ROUNDS: usize = 200;

/// What is being read, and how mistakes in it are called.
pub(crate) struct Collect<'a> {
    /// `option` or `key`.
    pub(crate) noun: &'static str,
    pub(crate) path: &'a Path,
    /// The text as written, for showing what may be shown.
    pub(crate) written: &'a Spanned<DeValue<'a>>,
    pub(crate) problems: &'a mut Problems,
}

impl Collect<'_> {
    /// Deserialises and checks; `None` if there were mistakes, or if what a variable will bring is needed to tell.
    pub(crate) fn run<T>(
        mut self,
        input: &Interpolated<'_>,
        parse: impl Fn(Spanned<DeValue<'_>>) -> Result<T, Error>,
        check: impl Fn(&T) -> crate::Result<()>,
    ) -> Option<T> {
        let mut tree = input.value.clone();
        let mut removed = Vec::new();
        for _ in 0..MAX_ROUNDS {
            let steps = match parse(tree.clone()) {
                Ok(_) if !input.unresolved.is_empty() => return None,
                Ok(parsed) => match check(&parsed) {
                    Ok(()) => return removed.is_empty().then_some(parsed),
                    // What was taken out for another mistake is complained of for no reason of its own.
                    Err(error) if mentions(error.message(), &removed) => return None,
                    Err(error) => self.refuse(&error, &tree, input),
                },
                Err(error) => {
                    let steps = error.span().and_then(|span| find(&tree, &span)).unwrap_or_default();
                    self.report(&error, &steps, &tree, input, &removed);
                    steps
                }
            };
            removed.push(remove(&mut tree, &steps)?);
        }
        self.problems.add(&input.value.span(), self.path, "there are too many mistakes here to list them all");
        None
    }

    fn report(
        &mut self,
        error: &Error,
        steps: &[Step],
        tree: &Spanned<DeValue<'_>>,
        input: &Interpolated<'_>,
        removed: &[Vec<Step>],
    ) {
        let message = error.message();
        let path = steps.iter().fold(self.path.clone(), |path, step| step.extend(&path));
        let span = match steps.split_last() {
            Some((last, parents)) => last.span(at(tree, parents)),
            None => input.value.span(),
        };
        if let Some(name) = quoted_after(message, "missing field `") {
            // What was taken out for another mistake is missing for no reason of its own.
            let mut own = steps.to_vec();
            own.push(Step::Key(name.to_owned()));
            if !removed.contains(&own) {
                self.problems.add(&span, &path.key(name), format!("missing {}", self.noun));
            }
            return;
        }
        if let Some(name) = quoted_after(message, "unknown field `") {
            let known = message.split('`').skip(3).step_by(2).collect::<Vec<_>>();
            let message = unknown(self.noun, name, &known);
            self.problems.add(&span, &path, message);
            return;
        }
        let Some(value) = at(tree, steps) else { return };
        if input.is_unresolved(&value.span()) {
            return;
        }
        let message = self.explain(message, value, steps, input);
        self.problems.add(&span, &path, message);
    }

    /// serde's message in plainer words, and without what must not be shown.
    fn explain(&self, message: &str, value: &Spanned<DeValue<'_>>, steps: &[Step], input: &Interpolated<'_>) -> String {
        let tail = message.rsplit_once(", expected ").map(|(_, tail)| plain(tail));
        let secret = input.mentions_sensitive(&format!("{message} {}", found(value.get_ref())));
        if secret {
            let written = at(self.written, steps).map(|written| show(written.get_ref(), steps.last()));
            let what = written.unwrap_or_else(|| "the value".to_owned());
            return match tail.filter(|tail| !input.mentions_sensitive(tail)) {
                Some(tail) => format!("expected {tail}, which {what} is not"),
                None => format!("{what} is not accepted (the reason would show its value)"),
            };
        }
        match tail {
            Some(tail) if message.starts_with("invalid type") || message.starts_with("invalid value") => {
                format!("expected {tail}, found {}", found(value.get_ref()))
            }
            _ => message.to_owned(),
        }
    }

    /// What a backend says of options whose types are right; `details.key` names the one at fault, to which the way is
    /// returned.
    fn refuse(&mut self, error: &crate::Error, tree: &Spanned<DeValue<'_>>, input: &Interpolated<'_>) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut path = self.path.clone();
        let key = error.detail("key").and_then(crate::Value::as_str).unwrap_or_default();
        for name in key.split('.').filter(|name| !name.is_empty()) {
            path = path.key(name);
            steps.push(Step::Key(name.to_owned()));
            if at(tree, &steps).is_none() {
                steps.pop();
                break;
            }
        }
        let span = match steps.split_last() {
            Some((last, parents)) => last.span(at(tree, parents)),
            None => input.value.span(),
        };
        let message = error.message();
        if !input.mentions_sensitive(message) {
            self.problems.add(&span, &path, message);
            return steps;
        }
        let written = at(self.written, &steps).filter(|_| !steps.is_empty());
        let what = written.map(|written| show(written.get_ref(), steps.last()));
        let what = what.unwrap_or_else(|| "the value".to_owned());
        self.problems.add(&span, &path, format!("{what} is not accepted (the reason would show its value)"));
        steps
    }
}

/// Whether a message names an entry that was taken out.
fn mentions(message: &str, removed: &[Vec<Step>]) -> bool {
    let word = |text: &str| !text.bytes().any(|byte| !byte.is_ascii_alphanumeric() && byte != b'_');
    let names = removed.iter().filter_map(|steps| match steps.last() {
        Some(Step::Key(name)) if word(name) => Some(name.as_str()),
        _ => None,
    });
    let words = || message.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
    names.into_iter().any(|name| words().any(|word| word == name))
}

fn quoted_after<'a>(message: &'a str, start: &str) -> Option<&'a str> {
    message.strip_prefix(start)?.split('`').next()
}

/// What serde expects, in words that are not Rust's.
fn plain(expected: &str) -> Cow<'_, str> {
    Cow::Borrowed(match expected {
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "an array",
        "a map" => "a table",
        "path string" => "a string",
        other if other.starts_with("a nonzero ") => "a whole number, 1 or more",
        other if other.starts_with("struct ") => "a table",
        other => return Cow::Owned(other.to_owned()),
    })
}
