//! What must hold of cursors for any text.

use store_core::{Kind, MAX_KEY_LEN, decode_cursor, encode_cursor};

/// The input is a store id, a line break, and what somebody claims to be a cursor.
///
/// # Panics
/// If a cursor is accepted that was not made for the store, or a good one is not.
pub(crate) fn cursor(bytes: &[u8]) {
    let split = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (store, rest) = bytes.split_at(split);
    let rest = rest.strip_prefix(b"\n").unwrap_or(rest);
    let store = String::from_utf8_lossy(store);

    let claimed = String::from_utf8_lossy(rest);
    match decode_cursor(&store, &claimed) {
        // There is one cursor for a position, so nothing but that text is accepted.
        Ok(position) => assert_eq!(encode_cursor(&store, &position), claimed),
        Err(error) => {
            assert_eq!(error.kind(), Kind::Invalid);
            // One answer to all, which quotes nothing.
            assert_eq!(Some(error.to_string()), decode_cursor(&store, "").err().map(|error| error.to_string()));
        }
    }

    // The same bytes as a position.
    let position = &rest[..rest.len().min(MAX_KEY_LEN)];
    let cursor = encode_cursor(&store, position);
    assert_eq!(decode_cursor(&store, &cursor).ok().as_deref(), Some(position));
    assert!(decode_cursor(&format!("{store}x"), &cursor).is_err());
    assert!(decode_cursor(&store, &cursor[1..]).is_err());
}
