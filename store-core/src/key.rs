//! Keys: 1 to 1024 opaque bytes (rule K1).

use std::fmt;

use crate::{Error, Result};

/// The longest key, in bytes.
pub const MAX_KEY_LEN: usize = 1024;

/// A valid key, borrowed: holding one is the proof that its length was checked.
///
/// Keys are bytes. They are never folded, trimmed or normalised; NUL, invalid UTF-8 and glob characters are ordinary.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key<'a>(&'a [u8]);

impl<'a> Key<'a> {
    /// Checks the length.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) for the empty key and for one longer than [`MAX_KEY_LEN`].
    pub fn new<B: AsRef<[u8]> + ?Sized>(bytes: &'a B) -> Result<Key<'a>> {
        let bytes = bytes.as_ref();
        match bytes.len() {
            1..=MAX_KEY_LEN => Ok(Key(bytes)),
            0 => Err(Error::invalid("the key is empty")),
            len => Err(Error::invalid(format!("the key is {len} bytes long; at most {MAX_KEY_LEN} are allowed"))
                .with_detail("limit", MAX_KEY_LEN as i64)),
        }
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }
}

impl AsRef<[u8]> for Key<'_> {
    fn as_ref(&self) -> &[u8] {
        self.0
    }
}

impl fmt::Debug for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key(\"{}\")", self.0.escape_ascii())
    }
}

/// The smallest byte string greater than every string with this prefix; `None` when there is none (all bytes 255, or empty).
///
/// Ordered backends use it as the exclusive end of a prefix range.
#[must_use]
pub fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let keep = prefix.iter().rposition(|&byte| byte != u8::MAX)?;
    let mut end = prefix[..=keep].to_vec();
    end[keep] += 1;
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    #[test]
    fn k1_length_is_1_to_1024_bytes() {
        assert_eq!(Key::new("").unwrap_err().kind(), Kind::Invalid);
        assert!(Key::new(&[0u8; 1024]).is_ok());
        assert_eq!(Key::new(&[0u8; 1025]).unwrap_err().kind(), Kind::Invalid);
        assert_eq!(Key::new(b"\xff\0*").unwrap().as_bytes(), b"\xff\0*");
    }

    #[test]
    fn prefix_end_is_the_next_string_after_the_range() {
        assert_eq!(prefix_end(b"a"), Some(b"b".to_vec()));
        assert_eq!(prefix_end(b"a\xff"), Some(b"b".to_vec()));
        assert_eq!(prefix_end(b"\xff\xff"), None);
        assert_eq!(prefix_end(b""), None);
    }
}
