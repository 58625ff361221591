//! What a store gives back: payloads, versions, entries.

use std::fmt;
use std::num::NonZeroU64;
use std::ops::{Deref, Range};
use std::sync::{Arc, LazyLock};

use crate::foreign::Foreign;
use crate::{Holder, KeyBuf, Record, Ttl};

/// The encoded bytes of one value (MessagePack), immutable.
///
/// A backend hands out either bytes it has just made or a range of an allocation that it shares; how is not part of the type.
///
/// The default is empty, and no allocation.
///
/// One word, never null: so an `Option<Payload>` is a pointer, and the answer of a read around it a tag and a pointer, which the
/// compiler returns in two registers. Anything else of the same 16 bytes, a second tag for instance, it returns in memory, written
/// by words and read at once, where each read waits for the write.
#[derive(Clone)]
pub struct Payload(Record);

/// Up to here a value is copied into a record: that is one allocation, where leading to it would be two.
const SMALL: usize = 400;

fn small(bytes: &[u8]) -> Option<Payload> {
    if bytes.len() > SMALL {
        return None;
    }
    Record::new(NonZeroU64::MIN, &[], bytes).map(Payload)
}

impl Payload {
    /// A range of a shared allocation, without copying more than a few hundred bytes. A range outside of it is cut to fit.
    #[must_use]
    pub fn shared(owner: Arc<[u8]>, range: Range<usize>) -> Payload {
        let end = range.end.min(owner.len());
        let start = range.start.min(end);
        small(&owner[start..end]).unwrap_or_else(|| Payload(Record::foreign(Foreign::Shared(owner, start..end))))
    }

    /// All bytes from `start` on, without copying more than a few hundred: for a backend that receives header and payload as one.
    #[must_use]
    pub fn tail(bytes: Vec<u8>, start: usize) -> Payload {
        let start = start.min(bytes.len());
        small(&bytes[start..]).unwrap_or_else(|| Payload(Record::foreign(Foreign::Owned(bytes, start))))
    }

    /// The bytes with this number of a holder, without copying more than a few hundred. They live as long as any payload of the
    /// holder's.
    #[must_use]
    pub fn held(holder: Arc<Box<dyn Holder>>, number: u32) -> Payload {
        small(holder.bytes(number)).unwrap_or_else(|| Payload(Record::foreign(Foreign::Held(holder, number))))
    }

    /// The bytes.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.value()
    }
}

impl Default for Payload {
    fn default() -> Payload {
        static EMPTY: LazyLock<Payload> = LazyLock::new(|| Payload(Record::foreign(Foreign::Owned(Vec::new(), 0))));
        EMPTY.clone()
    }
}

/// The value of a record, sharing it.
impl From<Record> for Payload {
    #[inline]
    fn from(record: Record) -> Payload {
        Payload(record)
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Payload {
        Payload::tail(bytes, 0)
    }
}

impl From<&[u8]> for Payload {
    fn from(bytes: &[u8]) -> Payload {
        small(bytes).unwrap_or_else(|| Payload::from(bytes.to_vec()))
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

    /// The version of a counter's value. None is 0: the counter that would have that takes what belongs to the last counter of all,
    /// which nobody reaches.
    #[must_use]
    pub const fn version(self, counter: u64) -> NonZeroU64 {
        match NonZeroU64::new(self.mixed(counter)) {
            Some(version) => version,
            None => match NonZeroU64::new(self.mixed(u64::MAX)) {
                Some(version) => version,
                None => NonZeroU64::MAX,
            },
        }
    }

    const fn mixed(self, counter: u64) -> u64 {
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
        for len in [0, SMALL, SMALL + 1, 100_000] {
            let owner: Arc<[u8]> = vec![7; len + 2].into();
            let payload = Payload::tail(owner.to_vec(), 2);
            assert_eq!(payload.as_bytes(), &owner[2..]);
            assert_eq!(
                (&payload, &payload),
                (&Payload::from(&owner[2..]), &Payload::shared(Arc::clone(&owner), 2..len + 2))
            );
        }
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
        let versions: Vec<NonZeroU64> = (0..10_000).map(|counter| cipher.version(counter)).collect();
        assert_eq!(versions.iter().collect::<HashSet<_>>().len(), versions.len());
        let rising = versions.windows(2).filter(|pair| pair[0] < pair[1]).count();
        assert!((4_500..5_500).contains(&rising), "{rising}");
    }

    #[test]
    fn c2_no_version_is_zero_and_none_repeats_for_it() {
        // The counter that is mixed to `after` before that is added: its version would be 0.
        let plain = VersionCipher::new([3, 0]);
        let cipher = VersionCipher::new([3, plain.mixed(77)]);
        assert_eq!((cipher.mixed(77), cipher.version(77).get()), (0, cipher.mixed(u64::MAX)));
        assert_eq!(cipher.version(78).get(), cipher.mixed(78));
        let last = VersionCipher::new([3, plain.mixed(u64::MAX)]);
        assert_eq!(last.version(u64::MAX), NonZeroU64::MAX);
    }
}
