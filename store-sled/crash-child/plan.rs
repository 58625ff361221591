//! What the killed process does, and so what its parent expects to find: every operation follows from seed, writer and number.

/// Keys that each writer has for itself.
pub(crate) const SLOTS: u64 = 24;

/// A TTL that is over before the parent looks.
pub(crate) const SHORT: u64 = 20;
/// A TTL that is not.
pub(crate) const LONG: u64 = 3_600_000;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
    Set { slot: u64, length: usize, ttl: u64 },
    Delete { slot: u64 },
    Touch { slot: u64, ttl: u64 },
    Batch { slots: [u64; 5] },
}

/// SplitMix64 (Steele, Lea, Flood 2014).
fn mix(mut state: u64) -> u64 {
    state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

fn random(seed: u64, writer: u64, number: u64, what: u64) -> u64 {
    mix(mix(mix(mix(seed) ^ writer) ^ number) ^ what)
}

/// The operation with this number.
pub(crate) fn action(seed: u64, writer: u64, number: u64) -> Action {
    let random = |what| random(seed, writer, number, what);
    let slot = random(0) % SLOTS;
    let ttl = [0, 0, SHORT, LONG][usize::try_from(random(1) % 4).unwrap_or(0)];
    let kind = match random(2) % 100 {
        // Half of the runs have no large values: each of those lets the journal begin again.
        65..=70 if seed.is_multiple_of(2) => 0,
        kind => kind,
    };
    match kind {
        0..=64 => Action::Set { slot, length: 16 + usize::try_from(random(3) % 200).unwrap_or(0), ttl },
        // Around the limit of what is kept inside of a record, and far above it.
        65..=69 => Action::Set { slot, length: 4000 + usize::try_from(random(3) % 200).unwrap_or(0), ttl },
        70 => Action::Set { slot, length: 100_000 + usize::try_from(random(3) % 300_000).unwrap_or(0), ttl },
        71..=82 => Action::Delete { slot },
        83..=94 => Action::Touch { slot, ttl },
        _ => Action::Batch { slots: std::array::from_fn(|at| (slot + at as u64) % SLOTS) },
    }
}

/// The value that it writes: names itself, and every byte can be verified.
pub(crate) fn value(seed: u64, writer: u64, number: u64, length: usize) -> Vec<u8> {
    let mut value = Vec::with_capacity(length + 8);
    let mut state = random(seed, writer, number, 9);
    while value.len() < length {
        value.extend_from_slice(&state.to_be_bytes());
        state = mix(state);
    }
    value.truncate(length);
    value
}

pub(crate) fn key(writer: u64, slot: u64) -> String {
    format!("writer:{writer}:slot:{slot}")
}
