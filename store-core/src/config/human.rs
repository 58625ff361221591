//! Durations and sizes as people write them.

use std::fmt;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Visitor};

/// A duration in a configuration: `"500ms"`, `"30s"`, `"5m"`, `"1h"`, `"7d"`, `"1h30m"`.
///
/// For the options of backends. A bare number is refused, since it does not say what it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HumanDuration(pub Duration);

/// A number of bytes in a configuration: `4096`, `"64 KiB"`, `"8 MiB"`, `"1 GiB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(pub u64);

const DURATIONS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
const SIZES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

const DURATION_HINT: &str = "a duration is a string such as \"500ms\", \"30s\", \"5m\", \"1h\", \"7d\" or \"1h30m\"";
const SIZE_HINT: &str = "a size is a number of bytes, or a string such as \"64 KiB\" or \"8 MiB\"";

impl HumanDuration {
    /// Reads numbers and units, the largest unit first, each at most once. On failure, says why; the text is not repeated.
    pub(crate) fn parse(text: &str) -> Result<HumanDuration, String> {
        let mut rest = text.trim();
        let mut units = DURATIONS.as_slice();
        let mut millis = 0u64;
        if rest.is_empty() {
            return Err(format!("is empty: {DURATION_HINT}"));
        }
        while !rest.is_empty() {
            let (number, unit, tail) = number_and_unit(rest);
            if number.is_empty() {
                return Err(format!("is not a duration: {DURATION_HINT}"));
            }
            if unit.is_empty() {
                return Err(format!("has no unit: {DURATION_HINT}"));
            }
            let Some(at) = units.iter().position(|(name, _)| *name == unit) else {
                let known = DURATIONS.iter().any(|(name, _)| *name == unit);
                let why = if known { "has its units out of order" } else { "has an unknown unit" };
                return Err(format!("{why}: {DURATION_HINT}"));
            };
            let part = number.parse::<u64>().ok().and_then(|number| number.checked_mul(units[at].1));
            let sum = part.and_then(|part| millis.checked_add(part));
            millis = sum.ok_or("is too long a duration")?;
            units = &units[at + 1..];
            rest = tail;
        }
        Ok(HumanDuration(Duration::from_millis(millis)))
    }

    /// What to say about a bare number.
    pub(crate) fn no_unit(number: impl fmt::Display) -> String {
        format!("a duration needs a unit: write \"{number}s\" for seconds, or \"{number}ms\"")
    }
}

impl Size {
    /// Reads a number and a unit. On failure, says why; the text is not repeated.
    pub(crate) fn parse(text: &str) -> Result<Size, String> {
        let (number, unit, tail) = number_and_unit(text.trim());
        if number.is_empty() || !tail.is_empty() {
            return Err(format!("is not a size: {SIZE_HINT}"));
        }
        if ["k", "kb", "m", "mb", "g", "gb"].contains(&unit.to_lowercase().as_str()) {
            return Err("has an ambiguous unit: write KiB, MiB or GiB (of 1024)".to_owned());
        }
        let factor = match SIZES.iter().find(|(name, _)| *name == unit) {
            Some((_, factor)) => *factor,
            None if unit.is_empty() => 1,
            None => return Err(format!("has an unknown unit: {SIZE_HINT}")),
        };
        let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
        bytes.map(Size).ok_or_else(|| "is too large a size".to_owned())
    }
}

/// Digits, the letters after them, and the rest.
fn number_and_unit(text: &str) -> (&str, &str, &str) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(digits);
    let rest = rest.trim_start();
    let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (unit, rest) = rest.split_at(letters);
    (number, unit, rest.trim_start())
}

impl From<HumanDuration> for Duration {
    fn from(duration: HumanDuration) -> Duration {
        duration.0
    }
}

impl From<Size> for u64 {
    fn from(size: Size) -> u64 {
        size.0
    }
}

/// As it is read: `1h30m`. What is shorter than a millisecond is dropped.
impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_millis();
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, millis) in DURATIONS {
            let count = rest / u128::from(millis);
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
            rest %= u128::from(millis);
        }
        Ok(())
    }
}

/// As it is read: `8 MiB`.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, factor): &&(&str, u64)| self.0 != 0 && self.0.is_multiple_of(*factor);
        let (unit, factor) = SIZES.iter().find(fits).unwrap_or(&("B", 1));
        write!(f, "{} {unit}", self.0 / factor)
    }
}

impl<'de> Deserialize<'de> for HumanDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<HumanDuration, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = HumanDuration;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as \"30s\"")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<HumanDuration, E> {
                HumanDuration::parse(text).map_err(|why| E::custom(format!("{text:?} {why}")))
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<HumanDuration, E> {
                Err(E::custom(HumanDuration::no_unit(number)))
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<HumanDuration, E> {
                Err(E::custom(HumanDuration::no_unit(number)))
            }
        }
        deserializer.deserialize_str(Reader)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Size, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Size;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size such as \"64 KiB\"")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Size, E> {
                Size::parse(text).map_err(|why| E::custom(format!("{text:?} {why}")))
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Size, E> {
                u64::try_from(number).map(Size).map_err(|_| E::custom(format!("{number} is not a size: {SIZE_HINT}")))
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Size, E> {
                Ok(Size(number))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t10_durations_have_units_largest_first() {
        for (text, millis) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("5m", 300_000),
            ("1h", 3_600_000),
            ("7d", 604_800_000),
            ("1h30m", 5_400_000),
            (" 1h 30m ", 5_400_000),
            ("1s500ms", 1500),
            ("0s", 0),
        ] {
            assert_eq!(HumanDuration::parse(text), Ok(HumanDuration(Duration::from_millis(millis))), "{text}");
        }
        for text in [
            "",
            " ",
            "30",
            "1.5h",
            "-1s",
            "s",
            "1y",
            "30m1h",
            "1s1s",
            "never",
            "1h-",
            "99999999999999999999s",
            "99999999999999999d",
            "1µs",
        ] {
            assert!(HumanDuration::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_bytes_or_powers_of_1024() {
        for (text, bytes) in
            [("0", 0), ("12", 12), ("12 B", 12), ("64 KiB", 65_536), ("8MiB", 8 << 20), ("1 GiB", 1 << 30)]
        {
            assert_eq!(Size::parse(text), Ok(Size(bytes)), "{text}");
        }
        for text in ["", "KiB", "8 MB", "8k", "1.5 MiB", "-1", "8 MiB 1", "99999999999 GiB", "8 mib"] {
            assert!(Size::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_printed_reads_back() {
        for text in ["500ms", "30s", "1h30m", "7d", "1d2h3m4s5ms", "0s"] {
            assert_eq!(HumanDuration::parse(text).unwrap().to_string(), text);
        }
        for text in ["0 B", "12 B", "64 KiB", "8 MiB", "3 GiB"] {
            assert_eq!(Size::parse(text).unwrap().to_string(), text);
        }
    }
}
