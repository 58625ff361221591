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

/// The longest key that [`KeyBuf`] keeps without an allocation.
const SHORT: usize = 30;

/// A key that a store hands out, owned. Keys of up to 30 bytes, which most are, take no allocation of their own: for a page
/// of a listing that is half of its cost.
#[derive(Clone)]
pub struct KeyBuf(Repr);

#[derive(Clone)]
enum Repr {
    Short(u8, [u8; SHORT]),
    Long(Box<[u8]>),
}

impl KeyBuf {
    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Short(length, bytes) => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Repr::Long(bytes) => bytes,
        }
    }
}

impl From<&[u8]> for KeyBuf {
    fn from(bytes: &[u8]) -> KeyBuf {
        match u8::try_from(bytes.len()) {
            Ok(length) if bytes.len() <= SHORT => {
                let mut short = [0; SHORT];
                short[..bytes.len()].copy_from_slice(bytes);
                KeyBuf(Repr::Short(length, short))
            }
            _ => KeyBuf(Repr::Long(bytes.into())),
        }
    }
}

impl From<Box<[u8]>> for KeyBuf {
    fn from(bytes: Box<[u8]>) -> KeyBuf {
        KeyBuf(Repr::Long(bytes))
    }
}

impl From<Vec<u8>> for KeyBuf {
    fn from(bytes: Vec<u8>) -> KeyBuf {
        KeyBuf::from(bytes.into_boxed_slice())
    }
}

impl From<KeyBuf> for Box<[u8]> {
    fn from(key: KeyBuf) -> Box<[u8]> {
        match key.0 {
            Repr::Long(bytes) => bytes,
            Repr::Short(..) => key.as_bytes().into(),
        }
    }
}

impl From<KeyBuf> for Vec<u8> {
    fn from(key: KeyBuf) -> Vec<u8> {
        Box::<[u8]>::from(key).into_vec()
    }
}

impl std::ops::Deref for KeyBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl AsRef<[u8]> for KeyBuf {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl std::borrow::Borrow<[u8]> for KeyBuf {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl PartialEq for KeyBuf {
    fn eq(&self, other: &KeyBuf) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for KeyBuf {}

impl PartialOrd for KeyBuf {
    fn partial_cmp(&self, other: &KeyBuf) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for KeyBuf {
    fn cmp(&self, other: &KeyBuf) -> std::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl std::hash::Hash for KeyBuf {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for KeyBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyBuf(\"{}\")", self.as_bytes().escape_ascii())
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
    fn owned_keys_are_their_bytes_whatever_their_length() {
        use std::collections::BTreeSet;
        let keys: Vec<Vec<u8>> = [1, 29, 30, 31, 255, 256, 286, MAX_KEY_LEN].map(|length| vec![b'k'; length]).into();
        let owned: BTreeSet<KeyBuf> = keys.iter().map(|key| KeyBuf::from(&key[..])).collect();
        assert!(owned.iter().map(|key| &**key).eq(keys.iter().map(|key| &key[..])), "byte order");
        for key in &keys {
            assert!(owned.contains(&key[..]), "hash and order are those of the bytes");
            assert_eq!(KeyBuf::from(key.clone()), KeyBuf::from(&key[..]));
            assert_eq!(Vec::from(KeyBuf::from(&key[..])), *key);
        }
        assert_eq!(format!("{:?}", KeyBuf::from(&b"a\0"[..])), r#"KeyBuf("a\x00")"#);
        assert!(size_of::<KeyBuf>() <= 32);
    }

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
