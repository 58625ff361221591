//! Environment variables in the strings of a store's entry: `${NAME}`, with `$${` for a literal `${`.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::problem::{Path, Problems};
use super::secret::{is_secret_name, secret_parts};

/// Looks up a variable.
pub(crate) type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A part of a string.
#[derive(Debug, PartialEq, Eq)]
enum Part<'a> {
    Text(&'a str),
    Variable(&'a str),
}

fn parts(text: &str) -> Result<Vec<Part<'_>>, &'static str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            parts.push(Part::Text(&rest[..at - 1]));
            parts.push(Part::Text("${"));
            rest = &rest[at + 2..];
            continue;
        }
        parts.push(Part::Text(&rest[..at]));
        let after = &rest[at + 2..];
        let end = after.find('}').ok_or("${ without }; write $${ for a literal ${")?;
        let name = &after[..end];
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !plain || name.is_empty() || name.as_bytes()[0].is_ascii_digit() {
            return Err("${...} takes the name of an environment variable; write $${ for a literal ${");
        }
        parts.push(Part::Variable(name));
        rest = &after[end + 1..];
    }
    parts.push(Part::Text(rest));
    Ok(parts)
}

/// Whether a string is one variable and nothing else: then its text gives nothing away.
pub(crate) fn is_only_variable(text: &str) -> bool {
    matches!(parts(text).as_deref(), Ok([Part::Text(""), Part::Variable(_), Part::Text("")]))
}

/// A tree whose variables were replaced.
#[derive(Debug)]
pub(crate) struct Interpolated<'t> {
    pub(crate) value: Spanned<DeValue<'t>>,
    /// Strings whose variables are not known: their text stands for itself, and proves nothing.
    pub(crate) unresolved: Vec<Range<usize>>,
    /// What must not appear in any message.
    pub(crate) sensitive: Vec<String>,
}

impl<'t> Interpolated<'t> {
    /// Replaces the variables in every string of `value`. Without `variables` they are left as they are. Reports
    /// malformed ones, and those that are missing.
    pub(crate) fn new(
        value: &Spanned<DeValue<'t>>,
        path: &Path,
        variables: Option<Variables<'_>>,
        problems: &mut Problems,
    ) -> Interpolated<'t> {
        let mut walk = Walk { variables, problems, unresolved: Vec::new(), sensitive: Vec::new() };
        let value = walk.value(value, path, false);
        Interpolated { value, unresolved: walk.unresolved, sensitive: walk.sensitive }
    }

    /// Whether the text under this span still has variables in it.
    pub(crate) fn is_unresolved(&self, span: &Range<usize>) -> bool {
        self.unresolved.contains(span)
    }

    /// Whether a message would give away what must not be shown.
    pub(crate) fn mentions_sensitive(&self, message: &str) -> bool {
        let hidden =
            |value: &String| message.contains(value.as_str()) || message.contains(&*value.escape_debug().to_string());
        self.sensitive.iter().any(hidden)
    }
}

struct Walk<'a> {
    variables: Option<Variables<'a>>,
    problems: &'a mut Problems,
    unresolved: Vec<Range<usize>>,
    sensitive: Vec<String>,
}

impl Walk<'_> {
    fn value<'t>(&mut self, value: &Spanned<DeValue<'t>>, path: &Path, secret: bool) -> Spanned<DeValue<'t>> {
        let span = value.span();
        let new = match value.get_ref() {
            DeValue::String(text) => DeValue::String(self.string(text, &span, path, secret).into()),
            DeValue::Array(items) => DeValue::Array(
                items.iter().enumerate().map(|(index, item)| self.value(item, &path.index(index), secret)).collect(),
            ),
            DeValue::Table(table) => {
                let entries = table.iter().map(|(key, item)| {
                    let name = key.get_ref();
                    (key.clone(), self.value(item, &path.key(name), secret || is_secret_name(name)))
                });
                DeValue::Table(entries.collect())
            }
            other => {
                if let (true, DeValue::Integer(number)) = (secret, other) {
                    self.sensitive.push(number.as_str().to_owned());
                }
                other.clone()
            }
        };
        Spanned::new(span, new)
    }

    fn string(&mut self, text: &str, span: &Range<usize>, path: &Path, secret: bool) -> String {
        let parts = match parts(text) {
            Ok(parts) => parts,
            Err(message) => {
                self.problems.add(span, path, message);
                self.unresolved.push(span.clone());
                return text.to_owned();
            }
        };
        let mut result = String::new();
        let mut known = true;
        for part in parts {
            let name = match part {
                Part::Text(text) => {
                    result.push_str(text);
                    continue;
                }
                Part::Variable(name) => name,
            };
            match self.variables.map(|variables| variables(name)) {
                Some(Some(value)) => {
                    result.push_str(&value);
                    self.sensitive.push(value);
                }
                Some(None) => {
                    self.problems.add(span, path, format!("the environment variable {name} is not set"));
                    known = false;
                }
                None => known = false,
            }
        }
        if !known {
            self.unresolved.push(span.clone());
            return text.to_owned();
        }
        if secret {
            self.sensitive.push(result.clone());
        }
        for part in secret_parts(&result) {
            self.sensitive.push(part.to_owned());
            self.sensitive.extend(part.split_once(':').map(|(_, password)| password.to_owned()));
        }
        self.sensitive.retain(|value| !value.is_empty());
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_and_the_escape() {
        assert_eq!(parts("a${B_1}c"), Ok(vec![Part::Text("a"), Part::Variable("B_1"), Part::Text("c")]));
        assert_eq!(parts("$${A}"), Ok(vec![Part::Text(""), Part::Text("${"), Part::Text("A}")]));
        assert_eq!(parts("$a $ {b} }"), Ok(vec![Part::Text("$a $ {b} }")]));
        for bad in ["${", "${A", "${}", "${a b}", "${1A}", "${A:-x}", "${actor.id}", "${ä}"] {
            assert!(parts(bad).is_err(), "{bad}");
        }
        assert!(is_only_variable("${A}"));
        assert!(!is_only_variable("${A}${B}"));
        assert!(!is_only_variable("x${A}"));
    }
}
