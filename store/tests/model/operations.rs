//! The operations of the model test: how they are made at random, and what they may answer.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use store::{Kind, Value};

use super::reference::{Bytes, Left};

/// Which version a conditional operation asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VersionChoice {
    /// The one the entry has.
    Current,
    /// One that some entry of this key had, but has no more.
    Old,
    /// One that no backend ever made.
    Garbage,
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Get(Bytes),
    Has(Bytes),
    Entry(Bytes),
    Ttl(Bytes),
    Set(Bytes, Value, Left),
    Put {
        key: Bytes,
        value: Value,
        ttl: Left,
        keep_ttl: bool,
        only_if_absent: bool,
        only_if_present: bool,
        if_version: Option<VersionChoice>,
    },
    Delete(Bytes),
    DeleteIf(Bytes, VersionChoice),
    Touch(Bytes, Left),
    TouchIf(Bytes, Left, VersionChoice),
    GetAndTouch(Bytes, Left),
    Take(Bytes),
    Increment {
        key: Bytes,
        delta: i64,
        initial: i64,
        ttl: Left,
    },
    GetMany(Vec<Bytes>),
    SetMany(Vec<(Bytes, Value, Left)>),
    DeleteMany(Vec<Bytes>),
    /// The whole listing, by pages of this many.
    List {
        prefix: Bytes,
        limit: usize,
        keys_only: bool,
    },
    Clear(Bytes),
    Advance(u64),
    /// Close and open again; only where entries survive that.
    Restart,
}

/// What an operation answers, versions aside.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Done,
    Bool(bool),
    Bools(Vec<bool>),
    Integer(i64),
    Count(u64),
    Value(Option<Value>),
    Values(Vec<Option<Value>>),
    Entry(Option<(Value, Left)>),
    Ttl(Option<Left>),
    Written(Left),
    Items(Vec<(Bytes, Option<(Value, Left)>)>),
    Refused(Kind),
}

/// A few keys, so that operations meet; with everything in them that a backend might take for special.
fn key() -> impl Strategy<Value = Bytes> {
    select(vec![&b"a"[..], b"a*", b"a:b", b"\0", b"\xff\xfe", b"a\xff", b"{a}", b"n", b"n?[x]\\"])
        .prop_map(<[u8]>::to_vec)
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => (-3i64..3).prop_map(Value::Integer),
        1 => select(vec![i64::MAX, i64::MIN, 1 << 53, -129, 128, 255, 256, 65_536]).prop_map(Value::Integer),
        1 => select(vec![0.0, 1.0, -0.5, f64::INFINITY]).prop_map(Value::Float),
        1 => any::<bool>().prop_map(Value::Bool),
        2 => vec(any::<u8>(), 0..20).prop_map(Value::String),
        1 => vec((0i64..9).prop_map(Value::Integer), 1..4).prop_map(Value::Array),
        1 => vec(any::<u8>(), 1..4).prop_map(|text| Value::Map(vec![(Value::from("k"), Value::String(text))])),
    ]
}

/// Milliseconds; never, short, or long against the steps of the clock.
fn ttl() -> impl Strategy<Value = Left> {
    prop_oneof![2 => Just(None), 3 => (1u64..8).prop_map(|steps| Some(steps * STEP)), 1 => Just(Some(1_000_000))]
}

/// The steps of time, in milliseconds: TTLs and advances are multiples, so that a runner in real time can tell them apart.
pub(crate) const STEP: u64 = 50;

fn choice() -> impl Strategy<Value = VersionChoice> {
    select(vec![VersionChoice::Current, VersionChoice::Current, VersionChoice::Old, VersionChoice::Garbage])
}

fn put() -> impl Strategy<Value = Op> {
    let options = (any::<bool>(), 0..5u8, choice());
    (key(), value(), ttl(), options).prop_map(|(key, value, ttl, (keep_ttl, condition, choice))| Op::Put {
        key,
        value,
        // A TTL and keep_ttl exclude each other.
        ttl: if keep_ttl { None } else { ttl },
        keep_ttl,
        only_if_absent: condition == 1,
        only_if_present: condition == 2 || condition == 4,
        if_version: (condition >= 3).then_some(choice),
    })
}

fn increment() -> impl Strategy<Value = Op> {
    let delta = prop_oneof![4 => -3i64..4, 1 => select(vec![i64::MAX, i64::MIN, 1 << 40])];
    (key(), delta, -2i64..3, ttl()).prop_map(|(key, delta, initial, ttl)| Op::Increment { key, delta, initial, ttl })
}

fn list() -> impl Strategy<Value = Op> {
    let prefix = select(vec![&b""[..], b"a", b"\xff", b"n?", b"a:", b"\xff\xff"]).prop_map(<[u8]>::to_vec);
    (prefix, 1usize..4, any::<bool>()).prop_map(|(prefix, limit, keys_only)| Op::List { prefix, limit, keys_only })
}

fn op() -> impl Strategy<Value = Op> {
    let item = || (key(), value(), ttl());
    prop_oneof![
        4 => key().prop_map(Op::Get),
        1 => key().prop_map(Op::Has),
        3 => key().prop_map(Op::Entry),
        2 => key().prop_map(Op::Ttl),
        6 => item().prop_map(|(key, value, ttl)| Op::Set(key, value, ttl)),
        8 => put(),
        3 => key().prop_map(Op::Delete),
        2 => (key(), choice()).prop_map(|(key, choice)| Op::DeleteIf(key, choice)),
        3 => (key(), ttl()).prop_map(|(key, ttl)| Op::Touch(key, ttl)),
        2 => (key(), ttl(), choice()).prop_map(|(key, ttl, choice)| Op::TouchIf(key, ttl, choice)),
        2 => (key(), ttl()).prop_map(|(key, ttl)| Op::GetAndTouch(key, ttl)),
        2 => key().prop_map(Op::Take),
        5 => increment(),
        2 => vec(key(), 0..6).prop_map(Op::GetMany),
        2 => vec(item(), 0..6).prop_map(Op::SetMany),
        2 => vec(key(), 0..6).prop_map(Op::DeleteMany),
        3 => list(),
        1 => select(vec![&b""[..], b"a", b"n"]).prop_map(|prefix| Op::Clear(prefix.to_vec())),
        4 => (1u64..5).prop_map(|steps| Op::Advance(steps * STEP)),
        1 => option::of(Just(())).prop_map(|_| Op::Restart),
    ]
}

/// A random run.
pub(crate) fn operations(length: usize) -> impl Strategy<Value = Vec<Op>> {
    vec(op(), 1..length)
}
