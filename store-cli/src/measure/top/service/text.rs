//! The text format of Prometheus, as far as numbers are concerned: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

/// One line: a number, and what it is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) name: String,
    labels: Vec<(String, String)>,
    pub(super) value: f64,
}

impl Line {
    /// A label's value.
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(given, _)| given == name).map(|(_, value)| &**value)
    }
}

/// The lines that are numbers. What is none of them (comments, what is not understood) is left out: a service tells of more than
/// its stores.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Line> {
    text.lines().filter(|line| !line.starts_with('#')).filter_map(line)
}

fn line(line: &str) -> Option<Line> {
    let line = line.trim();
    let end = line.find(|byte: char| byte == '{' || byte.is_whitespace())?;
    let (name, rest) = line.split_at(end);
    let (labels, rest) = match rest.strip_prefix('{') {
        None => (Vec::new(), rest),
        Some(rest) => labels(rest)?,
    };
    // A time may follow.
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Line { name: name.to_owned(), labels, value })
}

type Labels = Vec<(String, String)>;

/// `name="value",...}`, and what comes after it.
fn labels(mut rest: &str) -> Option<(Labels, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', ',']);
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, after) = rest.split_once('=')?;
        let (value, after) = quoted(after.trim_start().strip_prefix('"')?)?;
        labels.push((name.trim().to_owned(), value));
        rest = after;
    }
}

/// Up to the closing quote, with `\\`, `\"` and `\n` replaced.
fn quoted(text: &str) -> Option<(String, &str)> {
    let (mut value, mut chars) = (String::new(), text.chars());
    loop {
        match chars.next()? {
            '"' => return Some((value, chars.as_str())),
            '\\' => value.push(match chars.next()? {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, f64)> {
        lines(text).map(|line| (line.name, line.value)).collect()
    }

    #[test]
    fn numbers_are_read_and_the_rest_is_left_out() {
        let text = "# HELP a What it is.\n# TYPE a counter\na 1\nb{} 2.5\n c{x=\"y\"} +Inf 1700000000000\n\nnonsense\nd{x=\"} 1\ne{x} 1\nf x\n";
        let infinite = f64::INFINITY;
        assert_eq!(read(text), [("a".to_owned(), 1.0), ("b".to_owned(), 2.5), ("c".to_owned(), infinite)]);
    }

    #[test]
    fn labels_hold_any_text() {
        let text = r#"a{ store = "app:\"c\\a\nche}\"" , le="+Inf",} 3"#;
        let line = lines(text).next().unwrap();
        assert_eq!(line.label("store"), Some("app:\"c\\a\nche}\""));
        assert_eq!((line.label("le"), line.label("operation"), line.value), (Some("+Inf"), None, 3.0));
    }
}
