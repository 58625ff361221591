//! The format of dumps: pinned, whole or refused, whatever the bytes.
#![allow(clippy::unwrap_used)]

use std::io::{self, Read};

use proptest::prelude::*;
use store_core::dump::{Reader, Record, Writer};
use store_core::{Deadline, Kind, Time, Version};

/// Made by another implementation of the format.
const TWO: &[u8] = include_bytes!("../../fuzz/corpus/dump/two");

fn record(key: &[u8], value: &[u8], version: &str, deadline: u64) -> Record {
    let deadline = Deadline::from_millis(deadline);
    Record { key: key.into(), value: value.into(), version: Version::parse(version), deadline }
}

fn two() -> [Record; 2] {
    [
        record(b"user:1", b"\xa5Alice", "00000000000000ab", 0),
        record(b"\xff\0*", b"\x93\x01\xc3\xcb\x3f\xf0\0\0\0\0\0\0", "etag", 1_764_003_600_000),
    ]
}

fn write(records: &[Record]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), Time::from_millis(1_764_000_000_000)).unwrap();
    for record in records {
        writer.write(record).unwrap();
    }
    assert_eq!(writer.entries(), records.len() as u64);
    writer.finish().unwrap()
}

fn read(bytes: impl Read) -> store_core::Result<Vec<Record>> {
    Reader::new(bytes)?.collect()
}

#[test]
fn format_1_is_pinned() {
    assert_eq!(write(&two()), TWO);
    let reader = Reader::new(TWO).unwrap();
    assert_eq!(reader.made(), Time::from_millis(1_764_000_000_000));
    assert_eq!(reader.collect::<Result<Vec<_>, _>>().unwrap(), two());
}

#[test]
fn what_is_cut_off_anywhere_is_not_whole() {
    assert_eq!(Reader::new(&b""[..]).unwrap_err().kind(), Kind::Invalid);
    for length in 1..TWO.len() {
        let error = read(&TWO[..length]).unwrap_err();
        assert_eq!((error.kind(), error.reason()), (Kind::Internal, Some("corrupt")), "{length}");
        assert_eq!(error.message(), format!("the dump is not whole: it breaks off at byte {length}"));
        assert_eq!(error.detail("offset").unwrap().as_i64(), i64::try_from(length).ok());
    }
}

#[test]
fn every_flipped_bit_is_found() {
    for bit in 0..TWO.len() * 8 {
        let mut bytes = TWO.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let error = read(&*bytes).unwrap_err();
        let kind = if bit < 64 { Kind::Invalid } else { Kind::Internal };
        assert_eq!(error.kind(), kind, "bit {bit}: {error}");
    }
}

#[test]
fn what_was_cut_out_doubled_or_swapped_is_found() {
    let [first, second] = two();
    let header = 24;
    let entry = write(std::slice::from_ref(&first)).len() - header - 13;
    let (a, b) = (header..header + entry, header + entry..TWO.len() - 13);
    let end = TWO.len() - 13..TWO.len();
    for order in [vec![&b, &end], vec![&a, &end], vec![&b, &a, &end], vec![&a, &a, &b, &end], vec![&a, &b, &b, &end]] {
        let mut bytes = TWO[..header].to_vec();
        order.iter().for_each(|&range| bytes.extend(&TWO[range.clone()]));
        assert_eq!(read(&*bytes).unwrap_err().reason(), Some("corrupt"), "{order:?}");
    }
    assert_eq!(read(&*[TWO, &write(&[second])].concat()).unwrap_err().reason(), Some("corrupt"), "two dumps in one");
}

#[test]
fn newer_formats_and_other_files_are_told_apart() {
    let of = |name: &str| {
        let path = format!("{}/../fuzz/corpus/dump/{name}", env!("CARGO_MANIFEST_DIR"));
        read(std::fs::File::open(path).unwrap()).unwrap_err()
    };
    assert_eq!(of("newer").message(), "the dump has format 2, and this version reads format 1");
    assert_eq!(of("other").message(), "this is no dump of a store");
    assert_eq!((of("newer").kind(), of("other").kind()), (Kind::Invalid, Kind::Invalid));
    for name in ["miscounted", "bad_key", "bad_version", "behind"] {
        assert_eq!(of(name).reason(), Some("corrupt"), "{name}");
    }
}

#[test]
fn announced_sizes_are_not_believed() {
    let seed = include_bytes!("../../fuzz/corpus/dump/huge_value");
    assert_eq!(read(&seed[..]).unwrap_err().reason(), Some("corrupt"));
    let error = Reader::new(&seed[..]).unwrap().limit(1000).next().unwrap().unwrap_err();
    assert_eq!((error.kind(), error.detail("limit").unwrap().as_i64()), (Kind::Invalid, Some(1000)));
    assert_eq!(error.detail("key").unwrap().as_bytes(), Some(&b"k"[..]));
}

#[test]
fn a_reader_ends_after_its_first_error() {
    let mut reader = Reader::new(&TWO[..TWO.len() - 1]).unwrap();
    let results: Vec<bool> = reader.by_ref().map(|record| record.is_ok()).collect();
    assert_eq!(results, [true, true, false]);
    assert!(reader.next().is_none());
}

/// Gives a byte at a time, with interruptions, and then fails.
struct Slow<'a>(&'a [u8], bool);

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::Error::from(io::ErrorKind::Interrupted));
        }
        let Some((&byte, rest)) = self.0.split_first() else { return Err(io::Error::other("unplugged")) };
        self.0 = rest;
        buffer[0] = byte;
        Ok(1)
    }
}

#[test]
fn failures_of_the_medium_are_not_damage() {
    let mut reader = Reader::new(Slow(&TWO[..TWO.len() - 1], false)).unwrap();
    assert_eq!(reader.by_ref().take(2).collect::<Result<Vec<_>, _>>().unwrap(), two());
    let error = reader.next().unwrap().unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::Unavailable, Some("io")));
    let mut full = [0; 100];
    let error = Writer::new(&mut full[..], Time::default()).and_then(|mut writer| {
        two().iter().try_for_each(|record| writer.write(record))?;
        writer.finish().map(drop)
    });
    assert_eq!(error.unwrap_err().reason(), Some("io"));
}

#[test]
fn a_key_that_is_none_is_not_written() {
    let mut writer = Writer::new(Vec::new(), Time::default()).unwrap();
    for key in [&b""[..], &[0; 1025]] {
        assert_eq!(writer.write(&record(key, b"\x01", "v", 0)).unwrap_err().kind(), Kind::Invalid);
    }
    assert_eq!(read(&*writer.finish().unwrap()).unwrap(), []);
}

fn any_record() -> impl Strategy<Value = Record> {
    let bytes = |range| prop::collection::vec(any::<u8>(), range);
    let key = prop_oneof![20 => bytes(1..20), 1 => bytes(1000..1025)];
    let value = prop_oneof![20 => bytes(0..50), 1 => bytes(70_000..80_000)];
    (key, value, any::<String>(), any::<u64>())
        .prop_map(|(key, value, version, deadline)| record(&key, &value, &version, deadline))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_written_is_read(records in prop::collection::vec(any_record(), 0..20)) {
        prop_assert_eq!(read(&*write(&records)).unwrap(), records);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0..TWO.len()) {
        let _ = read(&*bytes);
        let _ = read(&*[&TWO[..at], &bytes].concat());
        let _ = read(&*[&TWO[..at], &bytes, &TWO[at..]].concat());
    }
}
