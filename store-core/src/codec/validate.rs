//! Checking bytes that somebody else encoded.

use super::decoder::{Decoder, NIL, Token};
use super::encoder::may_be_key;
use super::limits::{Limits, too_deep};
use crate::{Error, Result};

/// Checks that the bytes are one value which [`encode`](super::encode) could have written within the limits: for dumps and other
/// payloads from outside. O(n), no recursion.
///
/// # Errors
/// INTERNAL with reason `foreign`: not MessagePack. INVALID: too large or too deep (`limit` in the details), nil alone, or a map key
/// that is no string, number or boolean.
pub fn validate(bytes: &[u8], limits: &Limits) -> Result<()> {
    limits.check_size(bytes.len())?;
    let mut decoder = Decoder::new(bytes);
    // For each open container: how many pieces are to come, and whether it is a map (an even number is then before a key).
    let mut open: Vec<(usize, bool)> = Vec::new();
    loop {
        let at = decoder.position();
        let token = decoder.token()?;
        if let Some((left, map)) = open.last_mut() {
            if *map && *left % 2 == 0 && !may_be_key(decoder.between(at, decoder.position())) {
                return Err(Error::invalid(super::ser::BAD_KEY));
            }
            *left -= 1;
        }
        let inside = match token {
            Token::Array(count) => Some((count, false)),
            Token::Map(count) => Some((count * 2, true)),
            _ => None,
        };
        if let Some(container) = inside {
            if open.len() >= limits.depth() {
                return Err(too_deep(limits.depth()));
            }
            open.push(container);
        }
        while open.pop_if(|(left, _)| *left == 0).is_some() {}
        if open.is_empty() {
            break;
        }
    }
    decoder.finish()?;
    required(bytes)
}

/// Refuses what encodes no value: nothing, or nil alone (rule V1).
#[inline]
pub(super) fn required(encoded: &[u8]) -> Result<()> {
    match encoded {
        [] | [NIL] => Err(missing()),
        _ => Ok(()),
    }
}

#[cold]
fn missing() -> Error {
    Error::invalid("value is required; use delete")
}
