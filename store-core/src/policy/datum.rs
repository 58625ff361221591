//! What conditions compare: texts, numbers and booleans, and lists of them. Values of different kinds do not compare.

use std::cmp::Ordering;

use crate::Value;

/// A value as a condition sees it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Datum<'a> {
    Text(&'a [u8]),
    Integer(i128),
    Float(f64),
    Bool(bool),
    List(&'a [Value]),
    /// What compares with nothing.
    Other,
}

/// The kind of a single value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Nan,
    Bool,
}

impl<'a> Datum<'a> {
    pub(super) fn of(value: &'a Value) -> Datum<'a> {
        match value {
            Value::String(bytes) => Datum::Text(bytes),
            Value::Integer(number) => Datum::Integer(i128::from(*number)),
            Value::Unsigned(number) => Datum::Integer(i128::from(*number)),
            Value::Float(number) => Datum::Float(*number),
            Value::Bool(bool) => Datum::Bool(*bool),
            Value::Array(items) => Datum::List(items),
            Value::Null | Value::Map(_) => Datum::Other,
        }
    }

    /// `None` for what is no single value.
    pub(super) fn kind(self) -> Option<Kind> {
        match self {
            Datum::Text(_) => Some(Kind::Text),
            Datum::Float(number) if number.is_nan() => Some(Kind::Nan),
            Datum::Integer(_) | Datum::Float(_) => Some(Kind::Number),
            Datum::Bool(_) => Some(Kind::Bool),
            Datum::List(_) | Datum::Other => None,
        }
    }

    /// The order of two texts or two numbers.
    pub(super) fn compare(self, other: Datum<'_>) -> Option<Ordering> {
        match (self, other) {
            (Datum::Text(a), Datum::Text(b)) => Some(a.cmp(b)),
            (Datum::Integer(a), Datum::Integer(b)) => Some(a.cmp(&b)),
            (Datum::Float(a), Datum::Float(b)) => a.partial_cmp(&b),
            (Datum::Integer(a), Datum::Float(b)) => compare_exactly(a, b),
            (Datum::Float(a), Datum::Integer(b)) => compare_exactly(b, a).map(Ordering::reverse),
            _ => None,
        }
    }

    /// Whether two single values of one kind are equal.
    pub(super) fn equals(self, other: Datum<'_>) -> Option<bool> {
        match (self, other) {
            (Datum::Bool(a), Datum::Bool(b)) => Some(a == b),
            _ => self.compare(other).map(Ordering::is_eq),
        }
    }

    /// Whether an item of the list is equal to it. A single value is a list of one.
    pub(super) fn is_in(self, list: Datum<'_>) -> Option<bool> {
        let Datum::List(items) = list else { return self.equals(list) };
        let mut answer = Some(false);
        for item in items {
            match self.equals(Datum::of(item)) {
                Some(true) => return Some(true),
                Some(false) => {}
                None => answer = None,
            }
        }
        // An empty list says nothing of what it does not compare with either.
        if self.kind().is_none() { None } else { answer }
    }

    /// Whether a text has the other in it, or a list has it as an item.
    pub(super) fn contains(self, other: Datum<'_>) -> Option<bool> {
        match (self, other) {
            (Datum::List(_), _) => other.is_in(self),
            // Every text contains the empty one: an actor without a value would gain by it.
            (Datum::Text(_), Datum::Text(b"")) => None,
            (Datum::Text(text), Datum::Text(part)) => Some(text.windows(part.len()).any(|window| window == part)),
            _ => None,
        }
    }
}

/// The order of an integer and a float by what they are worth, without rounding.
fn compare_exactly(integer: i128, float: f64) -> Option<Ordering> {
    // Integers come from 64 bits: beyond this, their size does not matter.
    const BEYOND: f64 = 1e30;
    if float.is_nan() {
        return None;
    }
    if float.abs() >= BEYOND {
        return Some(if float > 0.0 { Ordering::Less } else { Ordering::Greater });
    }
    #[expect(clippy::cast_possible_truncation, reason = "a whole number below 2^100")]
    let whole = float.floor() as i128;
    Some(integer.cmp(&whole).then(if float > float.floor() { Ordering::Less } else { Ordering::Equal }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_numbers_compare_by_what_they_are_worth() {
        let (integer, float) = (Datum::Integer, Datum::Float);
        assert_eq!(integer(1).equals(float(1.0)), Some(true));
        assert_eq!(integer(0).equals(float(-0.0)), Some(true));
        assert_eq!(integer(1).compare(float(1.5)), Some(Ordering::Less));
        assert_eq!(integer(-1).compare(float(-1.5)), Some(Ordering::Greater));
        assert_eq!(float(2.5).compare(integer(2)), Some(Ordering::Greater));
        // As floats these are the same.
        assert_eq!(integer(9_007_199_254_740_993).equals(float(9_007_199_254_740_992.0)), Some(false));
        assert_eq!(integer(i128::from(u64::MAX)).compare(float(f64::INFINITY)), Some(Ordering::Less));
        assert_eq!(integer(i128::from(i64::MIN)).compare(float(f64::NEG_INFINITY)), Some(Ordering::Greater));
        assert_eq!(integer(1).compare(float(f64::NAN)), None);
        assert_eq!(float(f64::NAN).equals(float(f64::NAN)), None);
    }

    #[test]
    fn s3_different_kinds_do_not_compare() {
        let items = [Value::from("a"), Value::from(1i64)];
        let all = [Datum::Text(b"1"), Datum::Integer(1), Datum::Bool(true), Datum::List(&items), Datum::Other];
        for (at, a) in all.into_iter().enumerate() {
            for (other, b) in all.into_iter().enumerate() {
                let same = at == other && at < 3;
                assert_eq!(a.equals(b), same.then_some(true), "{a:?} {b:?}");
            }
        }
        assert_eq!(Datum::Bool(true).compare(Datum::Bool(false)), None);
    }

    #[test]
    fn s3_lists_have_what_is_equal_to_an_item() {
        let (mixed, texts) = ([Value::from("a"), Value::from(1i64)], [Value::from("a"), Value::from("b")]);
        assert_eq!(Datum::Integer(1).is_in(Datum::List(&mixed)), Some(true));
        assert_eq!(Datum::Integer(2).is_in(Datum::List(&mixed)), None, "is it the text?");
        assert_eq!(Datum::Text(b"c").is_in(Datum::List(&texts)), Some(false));
        assert_eq!(Datum::Text(b"c").is_in(Datum::List(&[])), Some(false));
        assert_eq!(Datum::Other.is_in(Datum::List(&[])), None);
        assert_eq!(Datum::Text(b"c").is_in(Datum::Text(b"c")), Some(true));
        assert_eq!(Datum::List(&texts).contains(Datum::Text(b"b")), Some(true));
        assert_eq!(Datum::Text(b"abc").contains(Datum::Text(b"bc")), Some(true));
        assert_eq!(Datum::Text(b"abc").contains(Datum::Text(b"cb")), Some(false));
        assert_eq!(Datum::Text(b"abc").contains(Datum::Text(b"")), None);
        assert_eq!(Datum::Text(b"").contains(Datum::Text(b"x")), Some(false));
        assert_eq!(Datum::Integer(12).contains(Datum::Integer(1)), None);
    }
}
