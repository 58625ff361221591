//! Counts for people.

use crate::operator::readable::count;

/// A number of things: `1 entry`, `12 345 entries`.
pub(super) fn entries(number: u64) -> String {
    if number == 1 { "1 entry".to_owned() } else { format!("{} entries", count(number)) }
}
