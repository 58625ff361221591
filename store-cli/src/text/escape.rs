//! Bytes as text that can be read, and pasted back.

use std::ffi::OsStr;
use std::fmt::Write;

/// Bytes in print: UTF-8 as it is; control characters, backslashes and what is not UTF-8 escaped.
pub(crate) fn printed(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            match char {
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                char if is_visible(char) => out.push(char),
                char => char.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| push_hex(&mut out, byte)),
            }
        }
        chunk.invalid().iter().for_each(|byte| push_hex(&mut out, *byte));
    }
    out
}

/// As [`printed`], in quotes.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    format!("\"{}\"", printed(bytes).replace('"', "\\\""))
}

fn push_hex(out: &mut String, byte: u8) {
    // Writing to a string does not fail.
    let _ = write!(out, "\\x{byte:02x}");
}

/// Neither a control character nor one that turns the direction of text, or hides: those could make a key look like another.
fn is_visible(char: char) -> bool {
    !char.is_control()
        && !matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The bytes that an argument of the command line means.
pub(crate) fn argument(text: &OsStr, escaped: bool) -> Result<Vec<u8>, String> {
    let bytes = text.as_encoded_bytes();
    if escaped { unescape(bytes) } else { Ok(bytes.to_vec()) }
}

fn unescape(text: &[u8]) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let (escaped, length) = match rest {
            [b'x', high, low, ..] => (hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low), 3),
            [b'n', ..] => (Some(b'\n'), 1),
            [b'r', ..] => (Some(b'\r'), 1),
            [b't', ..] => (Some(b'\t'), 1),
            [byte @ (b'\\' | b'"'), ..] => (Some(*byte), 1),
            _ => (None, 0),
        };
        let Some(escaped) = escaped else {
            return Err("with --escaped, a backslash begins \\xNN, \\\\, \\\", \\n, \\r or \\t".to_owned());
        };
        out.push(escaped);
        rest = &rest[length..];
    }
    Ok(out)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_reads_back() {
        for bytes in
            [&b"plain"[..], "h\u{e9}llo \u{1F600}".as_bytes(), b"\0\xff\\x41\n\r\t\"", "\u{202e}abc\u{85}".as_bytes()]
        {
            let text = printed(bytes);
            assert!(text.chars().all(is_visible), "{text}");
            assert_eq!(unescape(text.as_bytes()).unwrap(), bytes);
            let text = quoted(bytes);
            assert_eq!(unescape(&text.as_bytes()[1..text.len() - 1]).unwrap(), bytes);
        }
        assert_eq!(printed(b"a\xffb\0"), "a\\xffb\\x00");
    }

    #[test]
    fn unknown_escapes_are_refused() {
        for text in ["\\", "\\x", "\\x4", "\\xg0", "\\q", "a\\0"] {
            assert!(unescape(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(argument(OsStr::new("\\x41"), false).unwrap(), b"\\x41");
        assert_eq!(argument(OsStr::new("\\x41"), true).unwrap(), b"A");
    }
}
