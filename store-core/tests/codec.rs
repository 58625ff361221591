//! The value codec, rule by rule.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Serialize, Serializer};
use store_core::codec::{self, Decode, Encode, Limits, MAX_DEPTH, Raw};
use store_core::{Error, Kind, Payload, Value};

fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec::encode(value, &Limits::default(), &mut bytes).unwrap();
    codec::validate(&bytes, &Limits::default()).unwrap();
    bytes
}

fn refused<T: Serialize + ?Sized>(value: &T) -> Error {
    let mut bytes = b"before".to_vec();
    let error = codec::encode(value, &Limits::default(), &mut bytes).unwrap_err();
    assert_eq!(bytes, b"before", "a failed encoding leaves nothing behind");
    assert_eq!(error.kind(), Kind::Invalid);
    error
}

fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> T {
    codec::decode(bytes).unwrap()
}

fn mistaken<T: serde::de::DeserializeOwned + std::fmt::Debug>(bytes: &[u8]) -> String {
    let error = codec::decode::<T>(bytes).unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid, "{error}");
    error.to_string()
}

fn foreign(bytes: &[u8]) {
    let decoded = [codec::decode::<Value>(bytes).unwrap_err(), codec::decode::<String>(bytes).unwrap_err()];
    for error in decoded {
        assert_eq!((error.kind(), error.reason()), (Kind::Internal, Some("foreign")), "{bytes:02x?}: {error}");
    }
    assert!(codec::validate(bytes, &Limits::default()).is_err());
    assert_eq!(codec::integer(bytes), None);
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(Value::Bool(true), |inner, _| Value::Array(vec![inner]))
}

#[test]
fn v1_nil_is_no_value() {
    for error in [refused(&None::<i32>), refused(&()), refused(&Value::Null), refused(&Some(None::<i32>))] {
        assert_eq!(error.message(), "value is required; use delete");
    }
    let limits = Limits::default();
    for nothing in [&b""[..], b"\xc0"] {
        assert_eq!(Raw(nothing).encode(&limits, &mut Vec::new()).unwrap_err().kind(), Kind::Invalid);
        assert_eq!(Payload::from(nothing).encode(&limits, &mut Vec::new()).unwrap_err().kind(), Kind::Invalid);
    }
    assert_eq!(codec::validate(b"\xc0", &limits).unwrap_err().kind(), Kind::Invalid);
    foreign(b"");
}

#[test]
fn v1_false_zero_empty_and_inner_null_are_values() {
    for (value, bytes) in [
        (Value::Bool(false), &b"\xc2"[..]),
        (Value::Integer(0), b"\x00"),
        (Value::from(""), b"\xa0"),
        (Value::Map(vec![]), b"\x80"),
        (Value::Array(vec![]), b"\x90"),
        (Value::Array(vec![Value::Null]), b"\x91\xc0"),
    ] {
        assert_eq!(encode(&value), bytes);
        assert_eq!(decode::<Value>(bytes), value);
    }
    assert_eq!(decode::<Vec<Option<u8>>>(&encode(&[Some(1), None])), [Some(1), None]);
    assert_eq!(decode::<Option<u8>>(b"\xc0"), None);
}

#[test]
fn v2_integers_take_their_smallest_form() {
    for (number, length) in [
        (0, 1),
        (127, 1),
        (128, 2),
        (255, 2),
        (256, 3),
        (65_535, 3),
        (65_536, 5),
        (i64::from(u32::MAX), 5),
        (i64::from(u32::MAX) + 1, 9),
        (i64::MAX, 9),
        (-1, 1),
        (-32, 1),
        (-33, 2),
        (-128, 2),
        (-129, 3),
        (-32_768, 3),
        (-32_769, 5),
        (i64::from(i32::MIN), 5),
        (i64::from(i32::MIN) - 1, 9),
        (i64::MIN, 9),
    ] {
        let bytes = encode(&number);
        assert_eq!(bytes.len(), length, "{number}");
        assert_eq!(&*codec::encode_integer(number), &*bytes);
        assert_eq!(codec::integer(&bytes), Some(number));
        assert_eq!(decode::<i64>(&bytes), number);
        assert_eq!(decode::<Value>(&bytes), Value::Integer(number));
    }
}

#[test]
fn v2_integers_and_floats_stay_apart() {
    assert_eq!(encode(&1), b"\x01");
    assert_eq!(encode(&1.0), b"\xcb\x3f\xf0\0\0\0\0\0\0");
    assert_eq!(decode::<Value>(&encode(&1.0)), Value::Float(1.0));
    mistaken::<i64>(&encode(&1.0));
    let strange = f64::from_bits(0x7ff8_dead_beef_0001);
    for float in [-0.0, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE / 2.0, strange] {
        assert_eq!(decode::<f64>(&encode(&float)).to_bits(), float.to_bits());
        let Value::Float(back) = decode::<Value>(&encode(&Value::Float(float))) else { panic!("a float") };
        assert_eq!(back.to_bits(), float.to_bits());
    }
    assert_eq!(encode(&1.5_f32), encode(&1.5_f64));
    assert_eq!(decode::<f32>(&encode(&0.1_f32)), 0.1_f32);
}

#[test]
fn v2_integers_decode_into_floats_only_where_exact() {
    assert_eq!(decode::<f64>(&encode(&0)), 0.0);
    assert_eq!(decode::<f64>(&encode(&-7)), -7.0);
    assert_eq!(decode::<f64>(&encode(&(1_i64 << 53))), 9_007_199_254_740_992.0);
    assert_eq!(decode::<f64>(&encode(&i64::MIN)), -9_223_372_036_854_775_808.0);
    mistaken::<f64>(&encode(&((1_i64 << 53) + 1)));
    mistaken::<f64>(&encode(&i64::MAX));
    mistaken::<f64>(&encode(&u64::MAX));
    assert_eq!(decode::<f32>(&encode(&(1 << 24))), 16_777_216.0);
    mistaken::<f32>(&encode(&((1 << 24) + 1)));
}

#[test]
fn v2_integers_of_64_bits_and_no_wider() {
    assert_eq!(decode::<u64>(&encode(&u64::MAX)), u64::MAX);
    assert_eq!(decode::<Value>(&encode(&u64::MAX)), Value::Unsigned(u64::MAX));
    assert_eq!(decode::<i128>(&encode(&i128::from(i64::MIN))), i128::from(i64::MIN));
    assert_eq!(decode::<u128>(&encode(&u128::from(u64::MAX))), u128::from(u64::MAX));
    refused(&(i128::from(i64::MIN) - 1));
    refused(&(u128::from(u64::MAX) + 1));
    mistaken::<u8>(&encode(&256));
    mistaken::<u64>(&encode(&-1));
    mistaken::<i64>(&encode(&u64::MAX));
}

#[test]
fn v2_strings_are_bytes() {
    let binary = Value::from(&b"\xff\0"[..]);
    assert_eq!(encode(&binary), b"\xc4\x02\xff\0");
    assert_eq!(decode::<Value>(&encode(&binary)), binary);
    assert_eq!(encode(&Value::from("\u{e4}\0")), b"\xa3\xc3\xa4\0");
    // bin and str are one: what another writer called bin is text if it is UTF-8, and the reverse.
    assert_eq!(decode::<String>(b"\xc4\x02ab"), "ab");
    assert_eq!(decode::<Value>(b"\xa1\xff"), Value::from(&b"\xff"[..]));
    assert!(mistaken::<String>(&encode(&binary)).contains("not UTF-8"));
    assert_eq!(decode::<char>(&encode(&'\u{1F980}')), '\u{1F980}');
    mistaken::<char>(&encode("ab"));
    for length in [31, 32, 255, 256, 65_535, 65_536] {
        let text = "x".repeat(length);
        assert_eq!(decode::<String>(&encode(&text)), text);
        let bytes = Value::String(vec![0xff; length]);
        assert_eq!(decode::<Value>(&encode(&bytes)), bytes);
    }
}

#[test]
fn v2_map_keys_keep_their_type() {
    let table = Value::Map(vec![
        (Value::from("1"), Value::Integer(1)),
        (Value::Integer(1), Value::Integer(2)),
        (Value::Float(1.5), Value::Integer(3)),
        (Value::Bool(true), Value::Integer(4)),
        (Value::Integer(-1), Value::Integer(5)),
        (Value::from(&b"\xff"[..]), Value::Integer(6)),
    ]);
    assert_eq!(decode::<Value>(&encode(&table)), table);
    let ids: HashMap<i64, String> = HashMap::from([(-5, "a".to_string()), (7, "b".to_string())]);
    assert_eq!(decode::<HashMap<i64, String>>(&encode(&ids)), ids);
    mistaken::<HashMap<String, String>>(&encode(&ids));
    for key in [Value::Null, Value::Array(vec![]), Value::Map(vec![]), Value::Float(f64::NAN)] {
        refused(&Value::Map(vec![(key, Value::Bool(true))]));
    }
    for bytes in [&b"\x81\xc0\x01"[..], b"\x81\x90\x01", b"\x81\xcb\x7f\xf8\0\0\0\0\0\0\x01"] {
        assert_eq!(codec::validate(bytes, &Limits::default()).unwrap_err().kind(), Kind::Invalid);
    }
}

#[test]
fn v2_an_empty_table_is_an_empty_sequence_or_an_empty_map() {
    #[derive(Deserialize, Debug, PartialEq)]
    #[serde(default)]
    struct Optional {
        a: u8,
    }
    impl Default for Optional {
        fn default() -> Optional {
            Optional { a: 9 }
        }
    }
    assert_eq!(decode::<Vec<u8>>(b"\x80"), [0_u8; 0]);
    assert_eq!(decode::<[u8; 0]>(b"\x80"), [0_u8; 0]);
    assert_eq!(decode::<BTreeMap<String, u8>>(b"\x90"), BTreeMap::new());
    assert_eq!(decode::<Optional>(b"\x90"), Optional { a: 9 });
    assert_eq!(decode::<(Vec<u8>, BTreeMap<u8, u8>)>(b"\x92\x80\x90"), (vec![], BTreeMap::new()));
    mistaken::<Vec<u8>>(b"\x81\x01\x02");
    mistaken::<Optional>(b"\x91\x01");
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
enum Shape {
    Unit,
    Newtype(u8),
    Tuple(u8, String),
    Struct { a: Option<u8>, b: Vec<Shape> },
}

#[test]
fn v2_enums_look_as_in_json() {
    assert_eq!(encode(&Shape::Unit), encode("Unit"));
    assert_eq!(encode(&Shape::Newtype(1)), b"\x81\xa7Newtype\x01");
    assert_eq!(encode(&Shape::Tuple(1, "x".into())), b"\x81\xa5Tuple\x92\x01\xa1x");
    let shape = Shape::Struct { a: None, b: vec![Shape::Unit, Shape::Newtype(200), Shape::Tuple(0, String::new())] };
    assert_eq!(decode::<Shape>(&encode(&shape)), shape);
    assert_eq!(decode::<Shape>(b"\x81\xa4Unit\xc0"), Shape::Unit);
    mistaken::<Shape>(b"\x81\xa4Unit\x01");
    mistaken::<Shape>(&encode("Newtype"));
    // The number of a variant is no name of one.
    mistaken::<Shape>(b"\x00");
    mistaken::<Shape>(b"\x81\x01\x01");
    assert!(mistaken::<Shape>(&encode("Circle")).contains("`Unit`, `Newtype`, `Tuple`, `Struct`"));
}

#[test]
fn v2_structs_are_maps_of_their_field_names() {
    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    struct Inner(u8);
    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    struct Outer {
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        gone: Option<u8>,
        inner: Inner,
        pair: (i8, f64),
        address: IpAddr,
        #[serde(flatten)]
        rest: BTreeMap<String, Value>,
    }
    let outer = Outer {
        name: "n".into(),
        gone: None,
        inner: Inner(3),
        pair: (-1, 2.0),
        address: "10.0.0.1".parse().unwrap(),
        rest: BTreeMap::from([("x".to_string(), Value::Array(vec![Value::Null]))]),
    };
    let bytes = encode(&outer);
    assert_eq!(decode::<Outer>(&bytes), outer);
    let tree: Value = decode(&bytes);
    assert_eq!(tree.get("address"), Some(&Value::from("10.0.0.1")));
    assert_eq!(tree.get("gone"), None);
    assert_eq!(tree.get("inner"), Some(&Value::Integer(3)));

    #[derive(Deserialize, Debug)]
    struct One {
        #[expect(dead_code, reason = "never reached")]
        a: u8,
    }
    // A key 0 is not the first field.
    mistaken::<One>(b"\x81\x00\x05");
}

/// A sequence that does not say how long it is.
struct Unsized(usize);

impl Serialize for Unsized {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(None)?;
        for item in 0..self.0 {
            seq.serialize_element(&(item % 100))?;
        }
        seq.end()
    }
}

/// Maps that do not either, one in the other.
struct UnsizedMap(usize);

impl Serialize for UnsizedMap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for key in 0..self.0 {
            map.serialize_entry(&key, &Unsized(key))?;
        }
        map.end()
    }
}

#[test]
fn v2_containers_of_unknown_length_are_written_as_if_known() {
    for count in [0, 1, 15, 16, 17, 65_535, 65_536] {
        assert_eq!(encode(&Unsized(count)), encode(&(0..count).map(|item| item % 100).collect::<Vec<_>>()));
    }
    let known: BTreeMap<usize, Vec<usize>> = (0..40).map(|key| (key, (0..key).collect())).collect();
    assert_eq!(encode(&UnsizedMap(40)), encode(&known));
}

struct Lying;

impl Serialize for Lying {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(20))?;
        seq.serialize_element(&1)?;
        seq.end()
    }
}

struct KeysOnly;

impl Serialize for KeysOnly {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_key("a")?;
        map.end()
    }
}

#[test]
fn v6_a_faulty_serialize_cannot_write_malformed_bytes() {
    assert_eq!(encode(&Lying), b"\x91\x01");
    refused(&KeysOnly);
}

#[test]
fn v3_depth_is_limited_both_ways() {
    let limits = Limits { max_depth: 3, ..Limits::default() };
    let mut bytes = Vec::new();
    codec::encode(&nested(3), &limits, &mut bytes).unwrap();
    codec::validate(&bytes, &limits).unwrap();
    let error = codec::encode(&nested(4), &limits, &mut Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "value[0][0][0]: nested deeper than 3 levels");
    assert_eq!(error.detail("limit"), Some(&Value::Integer(3)));
    let error = codec::validate(b"\x91\x91\x91\x90", &limits).unwrap_err();
    assert_eq!((error.kind(), error.detail("limit")), (Kind::Invalid, Some(&Value::Integer(3))));

    refused(&nested(101));
    encode(&nested(100));
    let limits = Limits { max_depth: usize::MAX, ..Limits::default() };
    assert!(codec::encode(&nested(MAX_DEPTH + 1), &limits, &mut Vec::new()).is_err());
}

#[test]
fn v3_the_deepest_value_needs_little_stack() {
    let limits = Limits { max_depth: MAX_DEPTH, ..Limits::default() };
    let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(move || {
        let deepest = nested(MAX_DEPTH);
        let mut bytes = Vec::new();
        codec::encode(&deepest, &limits, &mut bytes).unwrap();
        assert_eq!(decode::<Value>(&bytes), deepest);
    });
    thread.unwrap().join().unwrap();
}

#[test]
fn v3_messages_name_the_path() {
    #[derive(Serialize, Deserialize, Debug)]
    struct Row {
        #[serde(rename = "b")]
        cells: Vec<Shape>,
    }
    let wide = BTreeMap::from([("a", BTreeMap::from([("b", vec![0, 0, 0, u128::MAX])]))]);
    let error = refused(&wide);
    assert_eq!(error.to_string(), "value.a.b[3]: an integer outside of 64 bits");
    assert_eq!(error.detail("path"), Some(&Value::from("value.a.b[3]")));
    assert_eq!(refused(&BTreeMap::from([(7, u128::MAX)])).to_string(), "value[7]: an integer outside of 64 bits");

    let bytes = encode(&BTreeMap::from([("b", vec![Value::from("Unit"), Value::Integer(5)])]));
    assert_eq!(mistaken::<Row>(&bytes), "value.b[1]: expected enum Shape, found an integer");
    let bytes = encode(&Row { cells: vec![Shape::Unit] });
    assert_eq!(mistaken::<BTreeMap<String, Vec<u8>>>(&bytes), "value.b[0]: expected u8, found a string");
    assert_eq!(mistaken::<(u8, u8)>(b"\x93\x01\x02\x03"), "value: expected 2 items, found 3");
    assert_eq!(mistaken::<Row>(b"\x80"), "value: missing field `b`");
    assert_eq!(mistaken::<Shape>(b"\x81\xa5Tuple\x92\x01\x02"), "value.Tuple[1]: expected a string, found an integer");

    #[derive(Serialize)]
    enum Wide {
        Newtype(u128),
        Tuple(u8, u128),
        Struct { field: u128 },
    }
    assert!(refused(&Wide::Newtype(u128::MAX)).to_string().starts_with("value.Newtype: "));
    assert!(refused(&Wide::Tuple(1, u128::MAX)).to_string().starts_with("value.Tuple[1]: "));
    assert!(refused(&Wide::Struct { field: u128::MAX }).to_string().starts_with("value.Struct.field: "));

    let limits = Limits { max_depth: 90, ..Limits::default() };
    let error = codec::encode(&nested(MAX_DEPTH), &limits, &mut Vec::new()).unwrap_err();
    assert!(error.message().len() < 220 && error.message().contains("..."), "{error}");
}

#[test]
fn v4_payloads_and_raw_bytes_pass_through_uncopied() {
    let bytes = encode("hello");
    let payload = Payload::from(bytes.clone());
    let mut buf = Vec::new();
    let passed = payload.encode(&Limits::default(), &mut buf).unwrap();
    assert_eq!(passed.as_ptr(), payload.as_bytes().as_ptr());
    assert_eq!(Raw(&bytes).encode(&Limits::default(), &mut buf).unwrap().as_ptr(), bytes.as_ptr());
    assert!(buf.is_empty());
    assert_eq!(<Payload as Decode>::decode(payload.clone()).unwrap(), payload);
    assert_eq!(<String as Decode>::decode(payload).unwrap(), "hello");
    let mut buf = b"other".to_vec();
    assert_eq!("hello".encode(&Limits::default(), &mut buf).unwrap(), bytes);
}

#[test]
fn v5_size_is_enforced_while_encoding() {
    let limits = Limits { max_value_size: 10, ..Limits::default() };
    let mut bytes = b"earlier bytes do not count".to_vec();
    codec::encode("123456789", &limits, &mut bytes).unwrap();
    for error in [
        codec::encode("1234567890", &limits, &mut Vec::new()).unwrap_err(),
        codec::encode(&vec![1; 10], &limits, &mut Vec::new()).unwrap_err(),
        codec::encode(&Unsized(10), &limits, &mut Vec::new()).unwrap_err(),
        Raw(&[0; 11]).encode(&limits, &mut Vec::new()).unwrap_err(),
        Payload::from(&[0; 11][..]).encode(&limits, &mut Vec::new()).unwrap_err(),
        codec::validate(&encode(&vec![1; 10]), &limits).unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.detail("limit")), (Kind::Invalid, Some(&Value::Integer(10))));
    }
    // Correcting a header counts too: 1 + 15 bytes fit, 3 + 16 do not.
    let limits = Limits { max_value_size: 18, ..Limits::default() };
    codec::encode(&Unsized(15), &limits, &mut Vec::new()).unwrap();
    codec::encode(&Unsized(16), &limits, &mut Vec::new()).unwrap_err();
}

#[test]
fn v5_an_expanding_value_is_refused_at_once() {
    /// Would go on for ever.
    struct Endless;
    impl Serialize for Endless {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut seq = serializer.serialize_seq(None)?;
            loop {
                seq.serialize_element("another one")?;
            }
        }
    }
    /// Announces more than could ever fit.
    struct Announced;
    impl Serialize for Announced {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_seq(Some(1 << 30))?;
            panic!("refused before the first item")
        }
    }
    let limits = Limits { max_value_size: 1000, ..Limits::default() };
    let mut bytes = Vec::new();
    assert!(codec::encode(&Endless, &limits, &mut bytes).is_err());
    assert!(bytes.capacity() <= 2000);
    assert!(codec::encode(&Announced, &limits, &mut Vec::new()).is_err());
}

#[test]
fn v6_malformed_bytes_are_foreign() {
    let cases: [&[u8]; 14] = [
        b"\xc1",
        b"\x01\x01",
        b"\xa5abc",
        b"\xd9",
        b"\xda\0",
        b"\xdb\xff\xff\xff\xffabc",
        b"\xc6\xff\xff\xff\xff",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff\x01\x02",
        b"\x92\x01",
        b"\x81\x01",
        b"\xcb\0\0",
        b"\xd4\x01\x02",
        b"\xd6\xff\0\0\0\0",
    ];
    for bytes in cases {
        foreign(bytes);
        assert_eq!(codec::validate(bytes, &Limits::default()).unwrap_err().reason(), Some("foreign"));
    }
    foreign(&[0x91; 10_000]);
    let deep: Vec<u8> = [0x91; MAX_DEPTH + 1].into_iter().chain([0x01]).collect();
    let error = codec::decode::<Value>(&deep).unwrap_err();
    assert_eq!(error.reason(), Some("foreign"));
}

#[test]
fn v6_malformed_wins_over_mistyped() {
    // The first item is not a string; the second is no MessagePack.
    let error = codec::decode::<Vec<String>>(b"\x92\x01\xc1").unwrap_err();
    assert_eq!(error.reason(), Some("foreign"));
    mistaken::<Vec<String>>(b"\x92\x01\x02");
    let error = codec::decode::<u8>(b"\xcd\x01\x00\x01").unwrap_err();
    assert_eq!(error.reason(), Some("foreign"));
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Strict {
    #[expect(dead_code, reason = "only decoded")]
    a: u8,
}

#[derive(Deserialize, Debug)]
#[serde(untagged)]
enum Untagged {
    #[expect(dead_code, reason = "only decoded")]
    Number(u8),
}

/// Its error quotes what it was given.
#[derive(Deserialize, Debug)]
#[serde(try_from = "String")]
struct Quoting;

impl TryFrom<String> for Quoting {
    type Error = String;

    fn try_from(text: String) -> Result<Quoting, String> {
        Err(format!("what is {text}?"))
    }
}

struct Refusing;

impl Serialize for Refusing {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("s3cret"))
    }
}

#[test]
fn e7_no_error_holds_a_part_of_the_value() {
    let secret = encode("s3cret");
    let number = encode(&31_337_u64);
    let float = encode(&31_337.5);
    let inside = encode(&BTreeMap::from([("a", "s3cret")]));
    let odd_key = encode(&BTreeMap::from([("s3cret key", "s3cret")]));
    let unknown = encode(&BTreeMap::from([("s3cret key", 1)]));
    let errors = [
        codec::decode::<u8>(&secret).unwrap_err(),
        codec::decode::<char>(&secret).unwrap_err(),
        codec::decode::<bool>(&secret).unwrap_err(),
        codec::decode::<Vec<u8>>(&secret).unwrap_err(),
        codec::decode::<Strict>(&secret).unwrap_err(),
        codec::decode::<Shape>(&secret).unwrap_err(),
        codec::decode::<Untagged>(&secret).unwrap_err(),
        codec::decode::<Quoting>(&secret).unwrap_err(),
        codec::decode::<IpAddr>(&secret).unwrap_err(),
        codec::decode::<u8>(&number).unwrap_err(),
        codec::decode::<bool>(&number).unwrap_err(),
        codec::decode::<Shape>(&number).unwrap_err(),
        codec::decode::<u64>(&float).unwrap_err(),
        codec::decode::<String>(&float).unwrap_err(),
        codec::decode::<Strict>(&inside).unwrap_err(),
        codec::decode::<BTreeMap<String, u8>>(&odd_key).unwrap_err(),
        codec::decode::<Strict>(&unknown).unwrap_err(),
        codec::decode::<u8>(b"\xa6s3cret!").unwrap_err(),
        codec::encode(&Refusing, &Limits::default(), &mut Vec::new()).unwrap_err(),
    ];
    for error in errors {
        for text in [error.to_string(), format!("{error:?}")] {
            assert!(!text.contains("s3cret") && !text.contains("31337"), "{text}");
        }
        assert!(std::error::Error::source(&error).is_none());
    }
    assert!(mistaken::<Untagged>(&secret).contains("did not match any variant of untagged enum Untagged"));
    assert_eq!(mistaken::<u8>(&number), "value: expected u8, found an integer out of its range");
    assert_eq!(format!("{:?}", Raw(&secret)), "Raw(7 bytes)");
}

#[test]
fn increment_counts_integers_of_any_form_and_nothing_else() {
    for (bytes, number) in [
        (&b"\x05"[..], Some(5)),
        (b"\xff", Some(-1)),
        (b"\xcc\x05", Some(5)),
        (b"\xd3\0\0\0\0\0\0\0\x05", Some(5)),
        (b"\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", Some(i64::MAX)),
        (b"\xcf\x80\0\0\0\0\0\0\0", None),
        (b"\xcb\x3f\xf0\0\0\0\0\0\0", None),
        (b"\xa15", None),
        (b"\xc3", None),
        (b"\xc0", None),
        (b"\x91\x05", None),
        (b"\x05\x05", None),
        (b"\xcd\x05", None),
        (b"", None),
    ] {
        assert_eq!(codec::integer(bytes), number, "{bytes:02x?}");
    }
}
