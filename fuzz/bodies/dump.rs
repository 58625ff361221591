//! What must hold of dumps for any bytes.

use store_core::dump::{Reader, Record, Writer};
use store_core::{Deadline, Error, Kind, Time, Version};

/// Reads any bytes as a dump, and makes a dump of any bytes.
///
/// # Panics
/// If an error does not say what and where, if two dumps mean the same, or if a dump is read as something else than was written.
pub(crate) fn dump(bytes: &[u8]) {
    match read(bytes) {
        // There is one dump for given entries, so nothing but those bytes is accepted.
        Ok((made, records)) => assert_eq!(written(made, &records), bytes),
        Err(error) => honest(&error, bytes.len()),
    }

    // The same bytes as entries.
    let mut records = Vec::new();
    let mut rest = bytes;
    while let Some((&length, behind)) = rest.split_first() {
        let (piece, behind) = behind.split_at(behind.len().min(length.into()));
        let key = if piece.is_empty() { &b"key"[..] } else { piece };
        records.push(Record {
            key: key.into(),
            value: piece.into(),
            version: Version::from_u64(length.into()),
            deadline: Deadline::from_millis(u64::from(length) << 40),
        });
        rest = behind;
    }
    let made = Time::from_millis(bytes.len() as u64);
    let whole = written(made, &records);
    assert_eq!(read(&whole).expect("is whole"), (made, records));

    // Cut anywhere, or with any bit changed, it is never taken for whole.
    let at = bytes.iter().fold(0, |sum: usize, &byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let cut = at % whole.len();
    honest(&read(&whole[..cut]).expect_err("cut off"), cut);
    let mut flipped = whole;
    flipped[cut] ^= 1 << (at % 8);
    honest(&read(&flipped).expect_err("damaged"), flipped.len());
}

fn read(bytes: &[u8]) -> Result<(Time, Vec<Record>), Error> {
    let reader = Reader::new(bytes)?;
    let made = reader.made();
    Ok((made, reader.collect::<Result<_, _>>()?))
}

fn written(made: Time, records: &[Record]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), made).expect("begins");
    for record in records {
        writer.write(record).expect("takes every entry");
    }
    writer.finish().expect("ends")
}

fn honest(error: &Error, length: usize) {
    match error.kind() {
        Kind::Invalid => assert_eq!(error.reason(), Some("format")),
        kind => {
            assert_eq!((kind, error.reason()), (Kind::Internal, Some("corrupt")));
            let offset = error.detail("offset").and_then(|offset| offset.as_i64()).expect("says where");
            assert!(usize::try_from(offset).is_ok_and(|offset| offset <= length), "{offset} of {length}");
        }
    }
}
