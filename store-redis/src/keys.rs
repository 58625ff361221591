//! Where entries lie in Redis: `PREFIX/ID/KEY`.
//!
//! Prefix and id are escaped so that neither holds a slash; hence the first two slashes of a Redis key end the prefix and
//! the id, whatever the key holds, and no id and key can be confused with another id and key (rule K2). The user's key
//! follows byte for byte.

use std::io::Write as _;

use redis::{RedisWrite, ToRedisArgs};
use store_core::Key;

/// The part of Redis keys that one store owns.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    base: Box<[u8]>,
}

impl Keys {
    /// The keys of the store `id` below `prefix`.
    pub(crate) fn new(prefix: &str, id: &str) -> Keys {
        let mut base = String::new();
        // Braces stay in the prefix: they choose the slot of a Redis Cluster, and that is the operator's business.
        escape(prefix, "{}", &mut base);
        base.push('/');
        escape(id, "", &mut base);
        base.push('/');
        Keys { base: base.into_bytes().into() }
    }

    /// What every Redis key of this store begins with. By itself it is no entry's, since no key is empty: the ordered index
    /// lies under it.
    pub(crate) fn base(&self) -> &[u8] {
        &self.base
    }

    /// The Redis key of a key.
    pub(crate) fn of<'a>(&'a self, key: Key<'a>) -> FullKey<'a> {
        FullKey { base: &self.base, key: key.as_bytes() }
    }

    /// The key of a Redis key that this store owns.
    pub(crate) fn strip<'a>(&self, full: &'a [u8]) -> Option<&'a [u8]> {
        full.strip_prefix(&*self.base).filter(|key| !key.is_empty())
    }

    /// The glob pattern of `SCAN ... MATCH` for exactly the keys with this prefix.
    pub(crate) fn pattern(&self, prefix: &[u8]) -> Vec<u8> {
        let mut pattern = Vec::with_capacity(self.base.len() + prefix.len() + 8);
        for &byte in self.base.iter().chain(prefix) {
            if matches!(byte, b'*' | b'?' | b'[' | b']' | b'\\' | b'^' | b'-') {
                pattern.push(b'\\');
            }
            pattern.push(byte);
        }
        pattern.push(b'*');
        pattern
    }
}

/// Keeps what reads well and is special neither here, nor in glob patterns, nor in a cluster; `%XX` for the rest.
fn escape(text: &str, keep: &str, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-_.:~@+=,;!#$&()|<>".contains(&byte);
        if plain || keep.as_bytes().contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

/// A Redis key in two parts, joined while the command is written.
#[derive(Clone, Copy)]
pub(crate) struct FullKey<'a> {
    base: &'a [u8],
    key: &'a [u8],
}

impl FullKey<'_> {
    pub(crate) const fn len(&self) -> usize {
        self.base.len() + self.key.len()
    }
}

impl ToRedisArgs for FullKey<'_> {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        let mut writer = out.writer_for_next_arg();
        // Writing into a command's buffer cannot fail.
        let _ = writer.write_all(self.base);
        let _ = writer.write_all(self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(prefix: &str, id: &str, key: &str) -> Vec<u8> {
        Keys::new(prefix, id).of(Key::new(key).unwrap()).to_redis_args().concat()
    }

    #[test]
    fn k2_layout_is_readable_for_customary_ids() {
        assert_eq!(full("store", "app:cache", "user:1"), b"store/app:cache/user:1");
        assert_eq!(full("prod:", "app:cache", "a/b"), b"prod:/app:cache/a/b");
        assert_eq!(full("{tag}", "a/b*", "x"), b"{tag}/a%2Fb%2A/x");
        assert_eq!(full("", "\u{e9}{}%", "x"), b"/%C3%A9%7B%7D%25/x");
    }

    #[test]
    fn k2_no_id_and_key_is_another() {
        let parts = ["a", "b", "a/", "/a", "a/b", "a:b", "%2F", "%", "/", "//", ":", "a%2Fb", "{a}", "*"];
        let mut seen = std::collections::HashMap::new();
        for prefix in parts {
            for id in parts {
                for key in parts {
                    let clash = seen.insert(full(prefix, id, key), (prefix, id, key));
                    assert_eq!(clash, None, "{prefix} {id} {key}");
                }
            }
        }
    }

    #[test]
    fn k1_patterns_hold_no_live_glob_character() {
        let keys = Keys::new("p", "i");
        assert_eq!(keys.pattern(b"a*b?[c]\\^-"), br"p/i/a\*b\?\[c\]\\\^\-*");
        assert_eq!(keys.pattern(b"\0\xff"), b"p/i/\0\xff*");
        assert_eq!(keys.strip(b"p/i/k"), Some(&b"k"[..]));
        assert_eq!(keys.strip(b"p/i/"), None);
        assert_eq!(keys.strip(b"p/j/k"), None);
    }
}
