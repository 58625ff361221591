//! The value codec under random values and random bytes, and against another implementation of MessagePack.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use store_core::codec::{self, Decoder, Limits};
use store_core::{Kind, Value};

#[path = "../../fuzz/bodies/codec.rs"]
mod bodies;

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        integer().prop_map(Value::Integer),
        (1_u64 << 63..=u64::MAX).prop_map(Value::Unsigned),
        any::<u64>().prop_map(|bits| Value::Float(f64::from_bits(bits))),
        any::<f64>().prop_map(Value::Float),
        Just(Value::Float(f64::NAN)),
        Just(Value::Float(-0.0)),
        (-100..100_i32).prop_map(|number| Value::Float(number.into())),
        vec(any::<u8>(), 0..40).prop_map(Value::String),
        any::<String>().prop_map(Value::from),
    ]
}

/// Integers of every length, not only of 64 bits.
fn integer() -> impl Strategy<Value = i64> {
    (any::<i64>(), 0..64_u32).prop_map(|(number, shift)| number >> shift)
}

fn key() -> impl Strategy<Value = Value> {
    leaf().prop_filter("no key", |key| match key {
        Value::Null => false,
        Value::Float(number) => !number.is_nan(),
        _ => true,
    })
}

fn value() -> impl Strategy<Value = Value> {
    let tree = leaf().prop_recursive(5, 64, 20, |inner| {
        prop_oneof![vec(inner.clone(), 0..20).prop_map(Value::Array), vec((key(), inner), 0..20).prop_map(Value::Map),]
    });
    tree.prop_filter("no value", |value| *value != Value::Null)
}

fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec::encode(value, &Limits::default(), &mut bytes).unwrap();
    bytes
}

#[derive(Serialize, Deserialize, Debug, PartialEq, Clone)]
struct Record {
    id: u64,
    delta: i32,
    ratio: f64,
    name: String,
    flag: Option<bool>,
    tags: Vec<String>,
    counts: BTreeMap<String, i64>,
    by_number: BTreeMap<i16, (u8, char)>,
    kind: Sort,
    small: f32,
}

#[derive(Serialize, Deserialize, Debug, PartialEq, Clone)]
enum Sort {
    Plain,
    Wrapped(i64),
    Pair(u8, String),
    Named { left: Option<u16>, right: Vec<u8> },
}

fn sort() -> impl Strategy<Value = Sort> {
    prop_oneof![
        Just(Sort::Plain),
        any::<i64>().prop_map(Sort::Wrapped),
        any::<(u8, String)>().prop_map(|(number, text)| Sort::Pair(number, text)),
        (any::<Option<u16>>(), vec(any::<u8>(), 0..20)).prop_map(|(left, right)| Sort::Named { left, right }),
    ]
}

fn record() -> impl Strategy<Value = Record> {
    let scalars = (any::<u64>(), any::<i32>(), any::<f64>(), any::<String>(), any::<Option<bool>>(), any::<f32>());
    let tags = vec(any::<String>(), 0..20);
    let counts = btree_map(any::<String>(), integer(), 0..20);
    let by_number = btree_map(any::<i16>(), any::<(u8, char)>(), 0..5);
    (scalars, tags, counts, by_number, sort()).prop_map(
        |((id, delta, ratio, name, flag, small), tags, counts, by_number, kind)| Record {
            id,
            delta,
            ratio,
            name,
            flag,
            tags,
            counts,
            by_number,
            kind,
            small,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn v2_what_comes_back_is_what_went_in(value in value()) {
        let bytes = encode(&value);
        let back: Value = codec::decode(&bytes).unwrap();
        prop_assert!(bodies::same(&value, &back), "{value:?} became {back:?}");
        prop_assert!(codec::validate(&bytes, &Limits::default()).is_ok());
        let mut decoder = Decoder::new(&bytes);
        prop_assert!(decoder.skip().is_ok());
        prop_assert!(decoder.finish().is_ok());
    }

    #[test]
    fn v2_structs_round_trip(record in record()) {
        prop_assert_eq!(codec::decode::<Record>(&encode(&record)).unwrap(), record.clone());
        // Through the untyped tree as well, which is what a script would hold.
        let tree: Value = codec::decode(&encode(&record)).unwrap();
        prop_assert_eq!(codec::decode::<Record>(&encode(&tree)).unwrap(), record);
    }

    #[test]
    fn v5_encoding_succeeds_exactly_within_the_limit(value in value(), other in 0..2000_usize) {
        let size = encode(&value).len();
        for limit in [0, size - 1, size, size + 1, other] {
            let mut bytes = b"before".to_vec();
            let limits = Limits { max_value_size: limit, ..Limits::default() };
            let encoded = codec::encode(&value, &limits, &mut bytes);
            prop_assert_eq!(encoded.is_ok(), size <= limit);
            prop_assert_eq!(bytes.len(), if size <= limit { size + 6 } else { 6 });
        }
    }

    #[test]
    fn v6_random_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        bodies::codec(&bytes);
    }

    #[test]
    fn v6_damaged_values_never_panic(value in value(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = encode(&value);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        bodies::codec(&bytes);
    }

    #[test]
    fn v6_a_part_of_a_value_is_foreign(value in value(), at in any::<prop::sample::Index>()) {
        let bytes = encode(&value);
        let part = &bytes[..at.index(bytes.len())];
        let error = codec::decode::<Value>(part).unwrap_err();
        prop_assert_eq!((error.kind(), error.reason()), (Kind::Internal, Some("foreign")));
        prop_assert!(codec::validate(part, &Limits::default()).is_err());
        prop_assert_eq!(codec::integer(part), None);
    }

    #[test]
    fn increment_and_get_agree_on_integers(number in integer()) {
        let bytes = codec::encode_integer(number);
        prop_assert_eq!(&*bytes, &*encode(&number));
        prop_assert_eq!(codec::integer(&bytes), Some(number));
        prop_assert_eq!(codec::decode::<i64>(&bytes).unwrap(), number);
    }

    #[test]
    fn another_implementation_agrees(
        integers in vec(integer(), 0..40),
        text in any::<String>(),
        floats in vec(any::<f64>(), 0..20),
        record in record(),
    ) {
        prop_assert_eq!(encode(&integers), rmp_serde::to_vec_named(&integers).unwrap());
        prop_assert_eq!(encode(&text), rmp_serde::to_vec_named(&text).unwrap());
        prop_assert_eq!(encode(&floats), rmp_serde::to_vec_named(&floats).unwrap());
        let others = rmp_serde::to_vec_named(&record).unwrap();
        prop_assert_eq!(codec::decode::<Record>(&others).unwrap(), record.clone());
        prop_assert_eq!(rmp_serde::from_slice::<Record>(&encode(&record)).unwrap(), record);
    }
}
