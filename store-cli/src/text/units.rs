//! Times, rates and shares for people: three digits, and the unit that suits them.

use super::readable::count;

/// Nanoseconds: `45 ns`, `1.20 µs`, `350 ms`.
pub(crate) fn time(nanos: u64) -> String {
    scaled(nanos, &[(1, "ns"), (1_000, "µs"), (1_000_000, "ms"), (1_000_000_000, "s")])
}

/// Bytes: `900 B`, `1.50 KiB`, `2.00 GiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    scaled(bytes, &[(1, "B"), (1 << 10, "KiB"), (1 << 20, "MiB"), (1 << 30, "GiB"), (1 << 40, "TiB")])
}

#[expect(clippy::cast_precision_loss, reason = "three digits")]
fn scaled(number: u64, units: &[(u64, &str)]) -> String {
    // 999.5 would be printed as 1000 of the unit below.
    let fits = |unit: &&(u64, &str)| number >= unit.0 || number as f64 >= unit.0 as f64 * 0.9995;
    let (size, name) = units.iter().rev().find(fits).copied().unwrap_or(units[0]);
    if size == 1 {
        return format!("{number} {name}");
    }
    let scaled = number as f64 / size as f64;
    let digits = match scaled {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{scaled:.digits$} {name}")
}

/// A part of a whole in percent: `98.2 %`, `<0.1 %`; nothing of nothing is `-`.
#[expect(clippy::cast_precision_loss, reason = "three digits")]
pub(crate) fn share(part: u64, whole: u64) -> String {
    let percent = part as f64 * 100.0 / whole as f64;
    match (part, whole) {
        (_, 0) => "-".to_owned(),
        (1.., _) if percent < 0.1 => "<0.1 %".to_owned(),
        _ if part < whole && percent >= 99.95 => ">99.9 %".to_owned(),
        _ => format!("{percent:.1} %"),
    }
}

/// A part of a whole that has been divided: `98.2 %`; `-` where there was no whole.
pub(crate) fn ratio(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{:.1} %", ratio * 100.0))
}

/// How often a second: `0.4`, `18 598`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is neither negative nor that high")]
pub(crate) fn per_second(rate: f64) -> String {
    if rate < 9.95 { format!("{rate:.1}") } else { count(rate.round() as u64) }
}

/// A bar of at most `width` characters, in eighths; what is there at all is seen.
pub(crate) fn bar(part: u64, whole: u64, width: u64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = u128::from(part) * u128::from(width) * 8 / u128::from(whole.max(1));
    let eighths = usize::try_from(eighths).unwrap_or(0).max(usize::from(part > 0));
    "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_and_the_unit_that_suits() {
        for (nanos, text) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.00 µs"),
            (1_204, "1.20 µs"),
            (12_345, "12.3 µs"),
            (99_960, "100 µs"),
            (999_999, "1.00 ms"),
            (350_000_000, "350 ms"),
            (2_500_000_000, "2.50 s"),
            (90_000_000_000, "90.0 s"),
        ] {
            assert_eq!(time(nanos), text);
        }
        assert_eq!((bytes(900), bytes(1536), bytes(2 << 30)), ("900 B".into(), "1.50 KiB".into(), "2.00 GiB".into()));
    }

    #[test]
    fn shares_never_say_all_or_nothing_of_a_part() {
        for (part, whole, text) in [
            (1, 2, "50.0 %"),
            (0, 5, "0.0 %"),
            (1, 5000, "<0.1 %"),
            (4999, 5000, ">99.9 %"),
            (5, 5, "100.0 %"),
            (0, 0, "-"),
        ] {
            assert_eq!(share(part, whole), text);
        }
    }

    #[test]
    fn bars_are_in_proportion() {
        assert_eq!(bar(10, 10, 4), "████");
        assert_eq!(bar(5, 10, 4), "██");
        assert_eq!(bar(9, 16, 2), "█▏");
        assert_eq!((bar(1, 1_000_000, 4).as_str(), bar(0, 5, 4).as_str(), bar(0, 0, 4).as_str()), ("▏", "", ""));
    }
}
