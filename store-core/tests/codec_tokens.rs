//! The encoder and the decoder by themselves, as a script engine uses them.
#![allow(clippy::unwrap_used)]

use store_core::codec::{self, Decoder, Encoder, Limits, MAX_DEPTH, Token};
use store_core::{Kind, Result, Value};

fn written(limits: &Limits, write: impl FnOnce(&mut Encoder<'_>) -> Result<()>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    write(&mut Encoder::new(&mut bytes, limits))?;
    codec::validate(&bytes, &Limits::default())?;
    Ok(bytes)
}

#[test]
fn tokens_read_back_as_written() {
    let bytes = written(&Limits::default(), |encoder| {
        encoder.array_header(9)?;
        encoder.nil()?;
        encoder.bool(true)?;
        encoder.int(-5)?;
        encoder.uint(5)?;
        encoder.uint(u64::MAX)?;
        encoder.float(5.0)?;
        encoder.string(b"\xff")?;
        encoder.str("x")?;
        encoder.map_header(1)?;
        encoder.int(1)?;
        encoder.bool(false)
    });
    let bytes = bytes.unwrap();
    let mut decoder = Decoder::new(&bytes);
    for token in [
        Token::Array(9),
        Token::Nil,
        Token::Bool(true),
        Token::Int(-5),
        Token::Int(5),
        Token::UInt(u64::MAX),
        Token::Float(5.0),
        Token::Str(b"\xff"),
        Token::Str(b"x"),
        Token::Map(1),
        Token::Int(1),
        Token::Bool(false),
    ] {
        assert_eq!(decoder.peek_nil(), token == Token::Nil);
        assert_eq!(decoder.token().unwrap(), token);
    }
    decoder.finish().unwrap();
    assert_eq!((decoder.position(), decoder.remaining()), (bytes.len(), 0));
    assert_eq!(decoder.token().unwrap_err().reason(), Some("foreign"));
}

#[test]
fn strings_alone_are_encoded_and_found_as_all_strings_are() {
    for length in 0..=70_000_usize {
        if (300..65_500).contains(&length) {
            continue;
        }
        for byte in [b'x', 0xff] {
            let text = vec![byte; length];
            let bytes = written(&Limits::default(), |encoder| encoder.string(&text)).unwrap();
            let is_found = length <= usize::from(u16::MAX);
            assert_eq!(codec::string(&bytes), is_found.then_some(&text[..]));
            assert_eq!(codec::string(&bytes[..bytes.len() - 1]), None);
            assert_eq!(codec::string(&[&bytes[..], b"x"].concat()), None);
            let mut room = [0; 257];
            assert_eq!(codec::encode_short_string(&text, &mut room), (length <= 255).then_some(&bytes[..]));
            let mut less = vec![0; bytes.len().min(257) - 1];
            assert_eq!(codec::encode_short_string(&text, &mut less), None);
        }
    }
    for other in [&b""[..], &[0xc0], &[0x01], &[0x80], &[0x91, 0x01], &[0xd9], &[0xda, 0x00], &[0xc7, 0x00, 0x00]] {
        assert_eq!(codec::string(other), None);
    }
}

#[test]
fn v2_an_array_can_be_taken_back_and_become_a_map() {
    let bytes = written(&Limits::default(), |encoder| {
        encoder.array_header(1)?;
        let mark = encoder.position();
        let array = encoder.begin_array(2)?;
        encoder.int(10)?;
        // The second item turns out to have the key "x".
        encoder.truncate(mark);
        encoder.leave();
        assert_eq!(encoder.depth(), 0);
        let map = encoder.begin_map(1)?;
        encoder.int(1)?;
        encoder.int(10)?;
        encoder.str("x")?;
        encoder.int(20)?;
        assert_eq!(encoder.written(mark).first(), Some(&0x81));
        let _ = array;
        encoder.end(map, 2)
    });
    let map = Value::Map(vec![(Value::Integer(1), Value::Integer(10)), (Value::from("x"), Value::Integer(20))]);
    assert_eq!(codec::decode::<Value>(&bytes.unwrap()).unwrap(), Value::Array(vec![map]));
}

#[test]
fn v5_announced_and_guessed_counts_hold_the_limit() {
    let limits = Limits { max_value_size: 20, max_depth: 2 };
    let refused = |write: fn(&mut Encoder<'_>) -> Result<()>| {
        let error = written(&limits, write).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        error.detail("limit").and_then(Value::as_i64)
    };
    assert_eq!(refused(|encoder| encoder.array_header(20)), Some(20));
    assert_eq!(refused(|encoder| encoder.map_header(10)), Some(20));
    assert_eq!(refused(|encoder| encoder.array_header(usize::MAX)), Some(20));
    assert_eq!(refused(|encoder| encoder.map_header(usize::MAX)), Some(20));
    assert_eq!(refused(|encoder| (0..3).try_for_each(|_| encoder.begin_array(1).map(drop))), Some(2));

    let mut bytes = vec![0; 100];
    let mut encoder = Encoder::new(&mut bytes, &limits);
    let open = encoder.begin_array(0).unwrap();
    for _ in 0..19 {
        encoder.nil().unwrap();
    }
    assert_eq!(encoder.room(), 0);
    assert!(encoder.nil().is_err());
    // The header of 19 items is two bytes longer than that of none.
    assert!(encoder.end(open, 19).is_err());
    assert_eq!(encoder.position(), 120);
}

#[test]
fn v6_a_header_never_announces_more_than_could_be_there() {
    for (bytes, token) in [
        (&b"\x92\x01\x01"[..], Some(Token::Array(2))),
        (b"\x93\x01\x01", None),
        (b"\xdc\x00\x02\x01\x01", Some(Token::Array(2))),
        (b"\xdd\x00\x00\x00\x03\x01\x01", None),
        (b"\x81\x01\x01", Some(Token::Map(1))),
        (b"\x82\x01\x01\x01", None),
        (b"\xdf\x00\x00\x00\x02\x01\x01\x01", None),
        (b"\xa3abc", Some(Token::Str(b"abc"))),
        (b"\xdb\x00\x00\x00\x04abc", None),
    ] {
        assert_eq!(Decoder::new(bytes).token().ok(), token, "{bytes:02x?}");
    }
}

#[test]
fn v6_skipping_takes_no_stack_and_stops_at_the_end_of_the_value() {
    let mut decoder = Decoder::new(b"\x92\x81\x01\x90\xc0\x07");
    decoder.skip().unwrap();
    assert_eq!(decoder.token().unwrap(), Token::Int(7));
    let mut deep = vec![0x91; 1 << 20];
    deep.push(0xc0);
    Decoder::new(&deep).skip().unwrap();
    deep.pop();
    assert!(Decoder::new(&deep).skip().is_err());
    // Every array announces as much as there is: a bomb for whoever counts pieces.
    let bomb = [0xdc, 0x7f, 0xff].repeat(1 << 15);
    assert!(Decoder::new(&bomb).skip().is_err());
}

#[test]
fn v6_the_decoder_counts_its_depth() {
    let mut decoder = Decoder::new(b"");
    for _ in 0..MAX_DEPTH {
        decoder.enter().unwrap();
    }
    assert_eq!(decoder.enter().unwrap_err().reason(), Some("foreign"));
    decoder.leave();
    decoder.enter().unwrap();
}

#[test]
fn e7_debug_shows_where_and_not_what() {
    let mut bytes = b"s3cret".to_vec();
    let mut encoder = Encoder::new(&mut bytes, &Limits::default());
    encoder.str("s3cret").unwrap();
    assert_eq!(format!("{encoder:?}"), "Encoder { position: 13, depth: 0, .. }");
    assert_eq!(format!("{:?}", Decoder::new(&bytes)), "Decoder { position: 0, remaining: 13, .. }");
    assert_eq!(format!("{:?}", codec::encode_integer(31_337)), "IntegerBuf(3 bytes)");
}
