//! What must not be printed.

use std::fmt;

use serde::de::{Deserialize, Deserializer};

/// A string that cannot be printed: passwords and tokens in the options of backends.
///
/// `Debug` and `Display` show `***`; [`expose`](Secret::expose) is the only way out.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Hides a string.
    #[must_use]
    pub fn new(secret: impl Into<String>) -> Secret {
        Secret(secret.into())
    }

    /// The string, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
        String::deserialize(deserializer).map(Secret)
    }
}

/// Whether a name looks like that of a secret.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let name = name.to_lowercase().replace(['-', '_'], "");
    ["password", "passwd", "passphrase", "secret", "token", "credential", "apikey", "privatekey", "accesskey"]
        .iter()
        .any(|word| name.contains(word))
        || ["pass", "pwd", "pw"].contains(&name.as_str())
}

/// The parts of a text that must not be shown: users and passwords in URLs, secrets in their queries.
pub(crate) fn secret_parts(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let starts = text.match_indices("://").map(|(at, mark)| at + mark.len()).collect::<Vec<_>>();
    for (index, &start) in starts.iter().enumerate() {
        let end = starts.get(index + 1).map_or(text.len(), |next| next - "://".len());
        // Up to the last `@`, since passwords hold unescaped ones, and slashes, more often than hosts and paths do.
        let Some(at) = text[start..end].rfind('@').map(|at| start + at) else { continue };
        if at > start {
            parts.push(&text[start..at]);
        }
    }
    for (at, _) in text.match_indices(['?', '&', ';']) {
        let pair = text[at + 1..].split(['&', ';', '#', ',', ' ']).next().unwrap_or_default();
        if let Some((name, value)) = pair.split_once('=')
            && is_secret_name(name)
            && !value.is_empty()
        {
            parts.push(value);
        }
    }
    parts
}

/// A text fit for printing: its secret parts replaced by `***`.
pub(crate) fn redact(text: &str) -> String {
    let mut redacted = text.to_owned();
    let mut parts = secret_parts(text);
    parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
    for part in parts {
        redacted = redacted.replace(part, "***");
    }
    redacted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e7_secrets_do_not_print() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "*** *** Some(***)");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn e7_urls_lose_user_and_password() {
        for (text, printed) in [
            ("redis://localhost:6379/0", "redis://localhost:6379/0"),
            ("redis://user:pw@localhost", "redis://***@localhost"),
            ("redis://:p@ss/w@localhost/1", "redis://***@localhost/1"),
            ("redis://token@h", "redis://***@h"),
            ("redis://a:b@h,redis://c:d@i", "redis://***@h,redis://***@i"),
            ("redis://h?password=x1y2&db=3", "redis://h?password=***&db=3"),
            ("redis://${USER}:${PASSWORD}@h", "redis://***@h"),
            ("me@example.org", "me@example.org"),
            ("://@", "://@"),
        ] {
            assert_eq!(redact(text), printed);
        }
    }

    #[test]
    fn secret_names_are_recognised() {
        for name in ["password", "redis_password", "auth-token", "clientSecret", "api_key", "pw"] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["path", "url", "prefix", "max_entries", "key"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
