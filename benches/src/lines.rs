//! The lines of a [`Report`](crate::Report), read again: what is compared with a saved run, drawn, and shown by the book.

use std::collections::BTreeMap;

use crate::Ratio;

/// One figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Which run of its slice it is of: the first is 1, as is the only one.
    pub run: u32,
    /// What was measured: `inproc`, `road`, `disk`, `redis`, `lua`.
    pub section: String,
    /// The row of its table, or the curve.
    pub row: String,
    /// Whose figure it is.
    pub contender: String,
    /// The figure.
    pub value: f64,
    /// In what.
    pub unit: String,
    /// Where on a curve.
    pub x: Option<f64>,
    /// How many times as fast as this contender the first of the row is.
    pub ratio: Option<Ratio>,
    /// How many rounds there were; 0 if it was not compared.
    pub rounds: u32,
    /// Of operations timed one by one.
    pub percentiles: Option<Percentiles>,
}

/// Nanoseconds that a share of the operations needed at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Percentiles {
    /// Half of them.
    pub p50: f64,
    /// 99 of 100.
    pub p99: f64,
    /// 999 of 1000.
    pub p999: f64,
    /// All.
    pub worst: f64,
}

/// A value of a flat JSON object.
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    /// A string.
    Text(String),
    /// A number; NaN for null.
    Number(f64),
}

/// The fields of a line, which is a flat JSON object.
#[must_use]
pub fn fields(line: &str) -> Option<BTreeMap<String, Field>> {
    let mut rest = line.trim().strip_prefix('{')?.strip_suffix('}')?;
    let mut fields = BTreeMap::new();
    while !rest.is_empty() {
        let (name, after) = text(rest)?;
        let after = after.strip_prefix(':')?;
        let (value, after) = if after.starts_with('"') {
            let (value, after) = text(after)?;
            (Field::Text(value), after)
        } else {
            let (number, after) = after.split_at(after.find(',').unwrap_or(after.len()));
            (Field::Number(if number == "null" { f64::NAN } else { number.parse().ok()? }), after)
        };
        fields.insert(name, value);
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    Some(fields)
}

/// A JSON string at the beginning, and what follows it.
fn text(input: &str) -> Option<(String, &str)> {
    let mut letters = input.strip_prefix('"')?.char_indices();
    let mut text = String::new();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((text, &input[at + 2..])),
            '\\' => match letters.next()?.1 {
                'u' => {
                    let digits: String = letters.by_ref().take(4).map(|(_, digit)| digit).collect();
                    text.push(char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?);
                }
                escaped => text.push(escaped),
            },
            letter => text.push(letter),
        }
    }
    None
}

/// The figures of a text. Lines about the run itself, which have no `row`, are passed over.
///
/// # Errors
/// The first line that is not one of a report.
pub fn read(text: &str) -> Result<Vec<Line>, String> {
    let mut lines = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let fields = fields(line).ok_or_else(|| format!("not a line of a report: {line}"))?;
        if fields.contains_key("row") {
            lines.push(figure(&fields).ok_or_else(|| format!("a figure lacks something: {line}"))?);
        }
    }
    Ok(lines)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
fn figure(fields: &BTreeMap<String, Field>) -> Option<Line> {
    let text = |name: &str| match fields.get(name) {
        Some(Field::Text(text)) => Some(text.clone()),
        _ => None,
    };
    let number = |name: &str| match fields.get(name) {
        Some(Field::Number(number)) => Some(*number),
        _ => None,
    };
    let ratio = || {
        let (median, low, lower) = (number("ratio")?, number("low")?, number("lower")?);
        Some(Ratio { median, low, lower, upper: number("upper")?, high: number("high")? })
    };
    let percentiles = || {
        let (p50, p99, p999, worst) = (number("p50")?, number("p99")?, number("p999")?, number("worst")?);
        Some(Percentiles { p50, p99, p999, worst })
    };
    Some(Line {
        run: number("run").map_or(1, |run| run as u32),
        section: text("section")?,
        row: text("row")?,
        contender: text("contender")?,
        value: number("value")?,
        unit: text("unit")?,
        x: number("x"),
        ratio: ratio(),
        rounds: number("rounds").unwrap_or(0.0) as u32,
        percentiles: percentiles(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_line_is_refused() {
        for bad in ["{", "{}x", "{\"row\":1}", "{\"row\":\"a\"}", "{\"row\":\"a", "{\"row\":x}", "[]"] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert_eq!(read("{\"section\":\"s\",\"machine\":\"m, 2 \\\"cores\\\"\"}\n\n").unwrap(), []);
        assert_eq!(fields(r#"{"a":"x\"\\ y","b":-1.5,"c":null}"#).unwrap()["a"], Field::Text("x\"\\ y".into()));
    }
}
