//! Mistakes: collected, placed in the file, and told all at once.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use toml::de::DeValue;

use crate::{Error, Value};

/// The text of a configuration and the name that mistakes are reported under.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) name: Arc<str>,
    line_starts: Arc<[usize]>,
}

impl Source {
    pub(crate) fn new(name: &str, text: &str) -> Source {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
        Source { name: name.into(), line_starts: starts.collect() }
    }

    /// The line, counted from 1, that a byte stands in.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|&start| start <= offset)
    }

    /// Offset of the first byte of the line in which a byte stands.
    pub(crate) fn line_start(&self, offset: usize) -> usize {
        self.line_starts[self.line(offset).saturating_sub(1)]
    }
}

/// Where a value stands: `stores."app:cache".options.path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path(String);

impl Path {
    pub(crate) fn root() -> Path {
        Path(String::new())
    }

    pub(crate) fn key(&self, key: &str) -> Path {
        let mut path = self.0.clone();
        if !path.is_empty() {
            path.push('.');
        }
        let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if !key.is_empty() && key.bytes().all(bare) {
            path.push_str(key);
        } else {
            path.push_str(&format!("{key:?}"));
        }
        Path(path)
    }

    pub(crate) fn index(&self, index: usize) -> Path {
        Path(format!("{}[{index}]", self.0))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Debug)]
struct Problem {
    offset: usize,
    line: Option<usize>,
    key: String,
    message: String,
}

/// All mistakes of one configuration.
#[derive(Debug)]
pub(crate) struct Problems {
    source: Source,
    list: Vec<Problem>,
}

impl Problems {
    pub(crate) fn new(source: &Source) -> Problems {
        Problems { source: source.clone(), list: Vec::new() }
    }

    /// A mistake at a place in the file.
    pub(crate) fn add(&mut self, span: &Range<usize>, path: &Path, message: impl Into<String>) {
        self.push(span.start, Some(self.source.line(span.start)), path.to_string(), message.into());
    }

    /// A mistake of the file as a whole.
    pub(crate) fn add_global(&mut self, message: impl Into<String>) {
        self.push(0, None, String::new(), message.into());
    }

    fn push(&mut self, offset: usize, line: Option<usize>, key: String, message: String) {
        let message = message.split(['\n', '\r']).map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>();
        self.list.push(Problem { offset, line, key, message: message.join(" ") });
    }

    /// One INVALID error for all mistakes, in the order of the file; nothing if there are none.
    pub(crate) fn into_error(mut self) -> Option<Error> {
        if self.list.is_empty() {
            return None;
        }
        self.list.sort_by(|a, b| (a.line, a.offset, &a.key, &a.message).cmp(&(b.line, b.offset, &b.key, &b.message)));
        self.list.dedup_by(|a, b| (a.line, &a.key, &a.message) == (b.line, &b.key, &b.message));
        let name = &*self.source.name;
        let lines = self.list.iter().map(|problem| problem.text(name)).collect::<Vec<_>>();
        let details = self.list.iter().map(|problem| problem.value(name)).collect::<Vec<_>>();
        Some(Error::invalid(lines.join("\n")).with_detail("problems", details))
    }
}

impl Problem {
    fn text(&self, file: &str) -> String {
        let line = self.line.map(|line| format!(":{line}")).unwrap_or_default();
        let key = if self.key.is_empty() { String::new() } else { format!(" {}:", self.key) };
        format!("{file}{line}:{key} {}", self.message)
    }

    fn value(&self, file: &str) -> Value {
        let mut entries = vec![(Value::from("file"), Value::from(file))];
        if let Some(line) = self.line {
            entries.push((Value::from("line"), Value::from(line)));
        }
        if !self.key.is_empty() {
            entries.push((Value::from("key"), Value::from(self.key.as_str())));
        }
        entries.push((Value::from("message"), Value::from(self.message.as_str())));
        Value::Map(entries)
    }
}

/// What was found where something else was expected.
pub(crate) fn found(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the string {text:?}"),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(bool) => bool.to_string(),
        DeValue::Datetime(_) => "a date or time".to_owned(),
        DeValue::Array(_) => "an array".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// `unknown key; did you mean path?`, or the known ones if none is close.
pub(crate) fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    match closest(name, known) {
        Some(close) => format!("unknown {what}; did you mean {close}?"),
        None if known.is_empty() => format!("unknown {what}; none exist here"),
        None => format!("unknown {what}; known: {}", known.join(", ")),
    }
}

/// The known name nearest to a misspelt one, if it is near enough.
pub(crate) fn closest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace('-', "_").chars().take(64).collect::<Vec<_>>();
    let name = plain(name);
    let ranked = known.iter().map(|candidate| (distance(&name, &plain(candidate)), *candidate));
    let (distance, candidate) = ranked.min_by_key(|(distance, _)| *distance)?;
    (distance <= candidate.chars().count().div_ceil(3)).then_some(candidate)
}

/// Edits between two words: insert, delete, replace, or swap of neighbours, each once per place
/// (optimal string alignment; Boytsov, "Indexing methods for approximate dictionary searching", 2011).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before = vec![0; b.len() + 1];
    let mut last = (0..=b.len()).collect::<Vec<_>>();
    for (i, &left) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &right) in b.iter().enumerate() {
            let mut cost = (last[j] + usize::from(left != right)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && left == b[j - 1] && a[i - 1] == right {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_from_one() {
        let source = Source::new("x", "a\nbb\n\nc");
        let lines = (0..9).map(|at| source.line(at)).collect::<Vec<_>>();
        assert_eq!(lines, [1, 1, 2, 2, 2, 3, 4, 4, 4]);
        assert_eq!(source.line_start(3), 2);
    }

    #[test]
    fn paths_quote_what_toml_would() {
        let path = Path::root().key("stores").key("app:cache").key("options").key("").index(2);
        assert_eq!(path.to_string(), r#"stores."app:cache".options.""[2]"#);
    }

    #[test]
    fn near_names_are_suggested_and_far_ones_are_not() {
        let known = ["max_entries", "path", "url"];
        assert_eq!(closest("max_entires", &known), Some("max_entries"));
        assert_eq!(closest("Max-Entries", &known), Some("max_entries"));
        assert_eq!(closest("pth", &known), Some("path"));
        assert_eq!(closest("ulr", &known), Some("url"));
        assert_eq!(closest("durability", &known), None);
        assert_eq!(closest("x", &[]), None);
    }
}
