//! What must hold of the codec for any bytes.

use store_core::codec::{self, Decoder, Limits, MAX_DEPTH};
use store_core::{Kind, Value};

/// Reads the bytes in every way there is, and checks that the ways agree.
///
/// # Panics
/// If they do not.
pub(crate) fn codec(bytes: &[u8]) {
    let limits = Limits { max_value_size: usize::MAX, max_depth: MAX_DEPTH };
    let valid = codec::validate(bytes, &limits);
    let tree = codec::decode::<Value>(bytes);
    let mut decoder = Decoder::new(bytes);
    let well_formed = decoder.skip().and_then(|()| decoder.finish());

    if let Err(error) = &tree {
        assert_eq!((error.kind(), error.reason()), (Kind::Internal, Some("foreign")), "{error}");
        assert!(valid.is_err());
    }
    if valid.is_ok() {
        assert!(well_formed.is_ok());
    }
    if let Ok(tree) = &tree {
        assert!(well_formed.is_ok());
        let mut again = Vec::new();
        match codec::encode(tree, &limits, &mut again) {
            Ok(()) => {
                assert!(valid.is_ok());
                // Never longer: the smallest forms are written, except that floats are of 64 bits.
                assert!(again.len() <= bytes.len() * 2);
                let back: Value = codec::decode(&again).unwrap_or(Value::Null);
                assert!(same(tree, &back));
            }
            // Foreign writers may use keys that a table cannot have.
            Err(error) => {
                assert_eq!(error.kind(), Kind::Invalid);
                assert_eq!(valid.err().map(|error| error.kind()), Some(Kind::Invalid));
            }
        }
    }
    match codec::integer(bytes) {
        Some(number) => {
            assert_eq!(tree.ok(), Some(Value::Integer(number)));
            assert_eq!(codec::decode::<i64>(bytes).ok(), Some(number));
        }
        None => assert!(codec::decode::<i64>(bytes).is_err()),
    }
    typed(bytes, well_formed.is_ok());
}

/// Types that are not there fail cleanly: `foreign` exactly if the bytes are malformed (or too deep).
fn typed(bytes: &[u8], well_formed: bool) {
    use std::collections::BTreeMap;
    let errors = [
        codec::decode::<Vec<Option<u32>>>(bytes).err(),
        codec::decode::<BTreeMap<String, f32>>(bytes).err(),
        codec::decode::<(u8, char, bool)>(bytes).err(),
        codec::decode::<Result<u8, String>>(bytes).err(),
        codec::decode::<std::time::Duration>(bytes).err(),
        codec::decode::<std::net::IpAddr>(bytes).err(),
        codec::decode::<String>(bytes).err(),
        codec::decode::<f64>(bytes).err(),
    ];
    for error in errors.into_iter().flatten() {
        if error.kind() != Kind::Invalid {
            assert_eq!(error.reason(), Some("foreign"));
        } else {
            assert!(well_formed, "{error}");
        }
    }
}

/// Equal bit by bit: NaN equals itself, `0.0` differs from `-0.0`.
#[must_use]
pub(crate) fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Float(left), Value::Float(right)) => left.to_bits() == right.to_bits(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Map(left), Value::Map(right)) => {
            left.len() == right.len()
                && left.iter().zip(right).all(|((key, left), (other, right))| same(key, other) && same(left, right))
        }
        _ => left == right,
    }
}
