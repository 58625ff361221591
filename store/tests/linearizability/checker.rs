//! Is a history of concurrent operations on one key linearizable?
//!
//! The algorithm is that of Wing and Gong ("Testing and Verifying Concurrent Objects", JPDC 1993) with the memoisation of Lowe
//! ("Testing for Linearizability", 2017): a search for an order of the operations that respects real time and in which a
//! sequential model gives the answers that were seen. States already visited (which operations are done, and the model's state)
//! are not searched again.
//!
//! Expiry is an operation of its own: a write with a TTL brings an `Expire` that takes effect at some moment between the earliest
//! and the latest deadline that the write can have got.

use std::collections::HashSet;
use std::fmt;

/// One write is told from another by a number that no other write of the history has.
pub(crate) type WriteId = u64;

/// What was asked, and what came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Get(Option<i64>),
    Has(bool),
    /// Value and version, the version as seen.
    Entry(Option<(i64, u64)>),
    /// An unconditional write.
    Set(i64),
    /// A put that says its version.
    Put(i64, Result<u64, ()>),
    /// `only_if_absent`: whether it won.
    Add(i64, bool),
    /// `if_version` with this version: the new version, or that it met another (`Some`) or no (`None`) entry.
    Cas(u64, i64, Result<u64, Option<()>>),
    Delete(bool),
    Take(Option<i64>),
    Increment(i64, i64),
    /// A write under this version that nobody knows the outcome of: had it happened, it would have met the version.
    SomeCas(u64, i64),
    /// A count that nobody knows the outcome of.
    SomeIncrement(i64),
    /// The end of what the write with this id wrote.
    Expire(WriteId),
}

/// One operation of a history, with when it began and ended (nanoseconds on one clock).
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) client: usize,
    pub(crate) id: WriteId,
    pub(crate) begin: u64,
    /// `u64::MAX` if no answer ever came.
    pub(crate) end: u64,
    pub(crate) op: Op,
}

/// The model: what one key holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
struct State(Option<Live>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Live {
    value: i64,
    /// The version, once some operation has seen it; one that nobody saw can still be any.
    version: Option<u64>,
    /// The write whose deadline counts; increments keep it.
    deadline_of: WriteId,
}

impl State {
    /// The state after an event, if the model gives the answer that was seen.
    fn step(&self, event: &Event) -> Option<State> {
        let live = self.0.as_ref();
        let written = |value, version| Some(State(Some(Live { value, version, deadline_of: event.id })));
        let same = |holds: bool| holds.then(|| self.clone());
        match &event.op {
            Op::Get(seen) => same(live.map(|live| live.value) == *seen),
            Op::Has(seen) => same(live.is_some() == *seen),
            Op::Entry(None) => same(live.is_none()),
            Op::Entry(Some((value, version))) => {
                let live = live.filter(|live| live.value == *value)?;
                match live.version {
                    Some(known) => same(known == *version),
                    None => Some(State(Some(Live { version: Some(*version), ..live.clone() }))),
                }
            }
            Op::Set(value) => written(*value, None),
            Op::Put(value, Ok(version)) => written(*value, Some(*version)),
            Op::Put(_, Err(())) => None,
            Op::Add(value, true) => live.is_none().then(|| written(*value, None)).flatten(),
            Op::Add(_, false) => same(live.is_some()),
            Op::Cas(expected, value, Ok(version)) => {
                let live = live?;
                // A version nobody has seen cannot be what a caller expected.
                (live.version == Some(*expected)).then(|| written(*value, Some(*version))).flatten()
            }
            Op::Cas(expected, _, Err(Some(()))) => same(live.is_some_and(|live| live.version != Some(*expected))),
            Op::Cas(_, _, Err(None)) => same(live.is_none()),
            Op::SomeCas(expected, value) => {
                live.filter(|live| live.version == Some(*expected)).and_then(|_| written(*value, None))
            }
            Op::SomeIncrement(delta) => match live {
                Some(live) => Some(State(Some(Live { value: live.value + delta, version: None, ..live.clone() }))),
                None => written(*delta, None),
            },
            Op::Delete(seen) => (live.is_some() == *seen).then(State::default),
            Op::Take(seen) => (live.map(|live| live.value) == *seen).then(State::default),
            Op::Increment(delta, sum) => {
                let (value, deadline_of) = live.map_or((0, event.id), |live| (live.value, live.deadline_of));
                let grown = Live { value: *sum, version: None, deadline_of };
                (value + delta == *sum).then_some(State(Some(grown)))
            }
            Op::Expire(write) => {
                let ends = live.is_some_and(|live| live.deadline_of == *write);
                Some(if ends { State::default() } else { self.clone() })
            }
        }
    }
}

/// A history that no order explains, readable.
pub(crate) struct Counterexample {
    events: Vec<Event>,
    /// The longest prefix of an order that the search found.
    best: Vec<usize>,
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "no order of these operations explains their answers (times in us):")?;
        let start = self.events.iter().map(|event| event.begin).min().unwrap_or(0);
        for (index, event) in self.events.iter().enumerate() {
            let place = self.best.iter().position(|&done| done == index);
            let place = place.map_or_else(|| "  stuck".to_owned(), |place| format!("{place:7}"));
            let end = if event.end == u64::MAX { "never".to_owned() } else { ((event.end - start) / 1000).to_string() };
            let begin = (event.begin - start) / 1000;
            writeln!(f, "{place}  client {:2}  {begin:>9} .. {end:>9}  #{} {:?}", event.client, event.id, event.op)?;
        }
        Ok(())
    }
}

/// Whether a history of one key is linearizable.
///
/// An event without an answer (`end` = `u64::MAX`) may take effect at any time after its beginning, or never.
pub(crate) fn check(mut events: Vec<Event>) -> Result<(), Box<Counterexample>> {
    events.sort_by_key(|event| event.begin);
    let words = events.len().div_ceil(64);
    let mut seen: HashSet<(Vec<u64>, State)> = HashSet::new();
    // Depth first, with the choices still open at each depth.
    let mut stack = vec![(vec![0u64; words], State::default(), Vec::<usize>::new())];
    let mut best = Vec::new();
    while let Some((done, state, order)) = stack.pop() {
        let is_done = |index: usize| done[index / 64] >> (index % 64) & 1 == 1;
        if order.len() > best.len() {
            best.clone_from(&order);
        }
        // Nothing may come before an event that ended before it began.
        let horizon = (0..events.len()).filter(|&index| !is_done(index)).map(|index| events[index].end).min();
        let Some(horizon) = horizon else { return Ok(()) };
        if horizon == u64::MAX {
            // What is left never answered, and need not have happened.
            return Ok(());
        }
        for index in (0..events.len()).rev() {
            if is_done(index) || events[index].begin > horizon {
                continue;
            }
            if let Some(next) = state.step(&events[index]) {
                let mut done = done.clone();
                done[index / 64] |= 1 << (index % 64);
                if seen.insert((done.clone(), next.clone())) {
                    let mut order = order.clone();
                    order.push(index);
                    stack.push((done, next, order));
                }
            }
        }
    }
    Err(Box::new(Counterexample { events, best }))
}
