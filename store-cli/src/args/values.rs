//! What arguments mean.

use std::ffi::OsStr;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as ReadError, StrDeserializer};
use store::Expiry;
use store::config::{HumanDuration, Size};

use super::common::Escaped;
use crate::console::Trouble;
use crate::text::escape;

/// The bytes of a key or prefix.
pub(crate) fn bytes(text: &OsStr, escaped: &Escaped) -> Result<Vec<u8>, Trouble> {
    escape::argument(text, escaped.escaped).map_err(Trouble::Usage)
}

/// A TTL, or the store's default where none is given.
pub(crate) fn expiry(ttl: Option<&str>) -> Result<Expiry, Trouble> {
    match ttl {
        None | Some("default") => Ok(Expiry::Default),
        Some("never") => Ok(Expiry::Never),
        Some(text) => duration(text).map(Expiry::After),
    }
}

/// A duration as configurations have them.
pub(crate) fn duration(text: &str) -> Result<Duration, Trouble> {
    let deserializer: StrDeserializer<'_, ReadError> = text.into_deserializer();
    match HumanDuration::deserialize(deserializer) {
        Ok(duration) => Ok(duration.0),
        Err(error) => Err(Trouble::Usage(error.to_string())),
    }
}

/// A size as configurations have them; a bare number is one of bytes.
pub(crate) fn size(text: &str) -> Result<Size, Trouble> {
    if let Ok(bytes) = text.trim().parse() {
        return Ok(Size(bytes));
    }
    let deserializer: StrDeserializer<'_, ReadError> = text.into_deserializer();
    Size::deserialize(deserializer).map_err(|error| Trouble::Usage(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t1_ttls_have_units_or_are_never() {
        assert_eq!(expiry(None).unwrap(), Expiry::Default);
        assert_eq!(expiry(Some("never")).unwrap(), Expiry::Never);
        assert_eq!(expiry(Some("1h30m")).unwrap(), Expiry::seconds(5400));
        for text in ["30", "0", "-1s", "", "inf", "1.5h"] {
            assert!(matches!(expiry(Some(text)), Err(Trouble::Usage(_))), "{text}");
        }
    }
}
