//! What a store gives back: payloads, versions, entries.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use crate::{KeyBuf, Record, Ttl};

/// The encoded bytes of one value (MessagePack), immutable.
///
/// A backend hands out either bytes it has just made or a range of an allocation that it shares; how is not part of the type.
///
/// The default is empty, and no allocation.
#[derive(Clone, Default)]
pub struct Payload(Bytes);

/// No kind has more than one word beside the tag. So a payload, and the answer of a read around it, is a pair of scalars to the
/// compiler and travels in two registers. One kind with a second field, in as many bytes, makes it a piece of memory that is
/// written by words and copied by other ones: each copy waits until the writes, and all cache misses before them, are done.
#[derive(Clone, Default)]
enum Bytes {
    #[default]
    Empty,
    Record(Record),
    Other(Box<Other>),
}

#[derive(Clone)]
enum Other {
    Owned(Vec<u8>, usize),
    Shared(Arc<[u8]>, Range<usize>),
    Held(Arc<Box<dyn Holder>>, u32),
}

impl Other {
    /// Not inlined, so that [`Payload::as_bytes`] is small enough to be.
    fn as_bytes(&self) -> &[u8] {
        match self {
            Other::Held(holder, number) => holder.bytes(*number),
            Other::Owned(bytes, start) => &bytes[*start..],
            Other::Shared(owner, range) => &owner[range.clone()],
        }
    }
}

/// Holds the bytes of many payloads in whatever form a backend has them, so that a page of a listing need not copy its values.
pub trait Holder: Send + Sync {
    /// The bytes with this number, the same at each call; none for a number that was never handed out.
    fn bytes(&self, number: u32) -> &[u8];
}

impl Payload {
    /// A range of a shared allocation, without copying. A range outside of it is cut to fit.
    #[must_use]
    pub fn shared(owner: Arc<[u8]>, range: Range<usize>) -> Payload {
        let end = range.end.min(owner.len());
        let start = range.start.min(end);
        Payload(Bytes::Other(Box::new(Other::Shared(owner, start..end))))
    }

    /// All bytes from `start` on, without copying: for a backend that receives header and payload as one.
    #[must_use]
    pub fn tail(bytes: Vec<u8>, start: usize) -> Payload {
        let start = start.min(bytes.len());
        Payload(Bytes::Other(Box::new(Other::Owned(bytes, start))))
    }

    /// The bytes with this number of a holder, without copying. They live as long as any payload of the holder's.
    #[must_use]
    pub fn held(holder: Arc<Box<dyn Holder>>, number: u32) -> Payload {
        Payload(Bytes::Other(Box::new(Other::Held(holder, number))))
    }

    /// The bytes.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Bytes::Empty => &[],
            Bytes::Record(record) => record.value(),
            Bytes::Other(other) => other.as_bytes(),
        }
    }
}

/// The value of a record, sharing it.
impl From<Record> for Payload {
    #[inline]
    fn from(record: Record) -> Payload {
        Payload(Bytes::Record(record))
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Payload {
        Payload::tail(bytes, 0)
    }
}

impl From<&[u8]> for Payload {
    fn from(bytes: &[u8]) -> Payload {
        Payload::from(bytes.to_vec())
    }
}

impl Deref for Payload {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Payload) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Payload {}

/// Says how long it is and not what it holds: values do not belong in logs.
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.as_bytes().len())
    }
}

/// The version of an entry: an opaque string, new on every value write, unchanged by touch (rule C2).
///
/// Versions are only ever compared for equality. They never repeat for a key and tell nothing about order.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Version(Repr);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    Number(u64),
    Text(Box<str>),
}

impl Version {
    /// A version that the backend keeps as 64 bits. Its text is 16 hexadecimal digits.
    #[must_use]
    pub const fn from_u64(number: u64) -> Version {
        Version(Repr::Number(number))
    }

    /// The version with this text, as a caller hands it back. Text that no backend ever made simply matches nothing.
    #[must_use]
    pub fn parse(text: &str) -> Version {
        let canonical = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        match u64::from_str_radix(text, 16) {
            Ok(number) if canonical => Version(Repr::Number(number)),
            _ => Version(Repr::Text(text.into())),
        }
    }

    /// The 64 bits, if this is such a version.
    #[must_use]
    pub const fn as_u64(&self) -> Option<u64> {
        match self.0 {
            Repr::Number(number) => Some(number),
            Repr::Text(_) => None,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Number(number) => write!(f, "{number:016x}"),
            Repr::Text(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Version({self})")
    }
}

/// Turns a counter into versions: a keyed bijection of 64 bits, so that what never repeats as a number never repeats as a
/// version, while one version tells nothing of the next.
///
/// The mixing function is the finaliser of SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number
/// Generators", OOPSLA 2014), whitened with a key on both sides.
#[derive(Clone, Copy)]
pub struct VersionCipher {
    before: u64,
    after: u64,
}

impl VersionCipher {
    /// A cipher with this key. Who persists counters must persist the key with them.
    #[must_use]
    pub const fn new(key: [u64; 2]) -> VersionCipher {
        VersionCipher { before: key[0], after: key[1] }
    }

    /// A cipher with a key from the operating system's randomness (through the standard library's hash seeds).
    #[must_use]
    pub fn random() -> VersionCipher {
        VersionCipher::new([random_u64(), random_u64()])
    }

    /// The version of a counter's value.
    #[must_use]
    pub const fn version(self, counter: u64) -> u64 {
        let mut mixed = counter ^ self.before;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) ^ self.after
    }
}

impl fmt::Debug for VersionCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VersionCipher(..)")
    }
}

/// 64 bits from the operating system's randomness: each `RandomState` carries fresh keys derived from it.
#[must_use]
pub fn random_u64() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}

/// One live entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The encoded value.
    pub value: Payload,
    /// Its version.
    pub version: Version,
    /// How long it has left, at the moment of reading.
    pub ttl: Ttl,
}

/// What a conditional or unconditional put wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The new version.
    pub version: Version,
    /// How long the entry lives from now.
    pub ttl: Ttl,
}

/// One entry of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The key.
    pub key: KeyBuf,
    /// The entry, unless only keys were asked for.
    pub entry: Option<Entry>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn payload_ranges_share_and_are_cut_to_fit() {
        let owner: Arc<[u8]> = Arc::from(&b"headervalue"[..]);
        assert_eq!(&*Payload::shared(Arc::clone(&owner), 6..11), b"value");
        assert_eq!(&*Payload::shared(owner, 6..99), b"value");
        assert_eq!(&*Payload::tail(b"headervalue".to_vec(), 6), b"value");
        assert_eq!(&*Payload::tail(b"x".to_vec(), 6), b"");
        assert_eq!(format!("{:?}", Payload::from(&b"secret"[..])), "Payload(6 bytes)");
        assert_eq!(Payload::default().as_bytes(), b"");
    }

    #[test]
    fn held_payloads_share_their_holder() {
        struct Two;
        impl Holder for Two {
            fn bytes(&self, number: u32) -> &[u8] {
                [&b"one"[..], b"two"].get(number as usize).copied().unwrap_or_default()
            }
        }
        let holder: Arc<Box<dyn Holder>> = Arc::new(Box::new(Two));
        let payload = Payload::held(Arc::clone(&holder), 1);
        assert_eq!((&*payload, &*Payload::held(holder, 2)), (&b"two"[..], &b""[..]));
        assert_eq!(payload.clone(), Payload::from(&b"two"[..]));
        assert_eq!(size_of::<Option<Payload>>(), 16, "two registers");
    }

    #[test]
    fn c2_version_text_round_trips() {
        let version = Version::from_u64(0xab);
        assert_eq!(version.to_string(), "00000000000000ab");
        assert_eq!(Version::parse("00000000000000ab"), version);
        assert_ne!(Version::parse("00000000000000AB"), version);
        assert_eq!(Version::parse("+0000000000000ab").as_u64(), None);
        assert_eq!(Version::parse("etag").to_string(), "etag");
    }

    #[test]
    fn c2_cipher_is_a_bijection_without_visible_order() {
        let cipher = VersionCipher::random();
        let versions: Vec<u64> = (0..10_000).map(|counter| cipher.version(counter)).collect();
        assert_eq!(versions.iter().collect::<HashSet<_>>().len(), versions.len());
        let rising = versions.windows(2).filter(|pair| pair[0] < pair[1]).count();
        assert!((4_500..5_500).contains(&rising), "{rising}");
    }
}
