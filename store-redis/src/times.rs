//! Lifetimes as Redis has them, in whole milliseconds.

use std::time::Duration;

use redis::Cmd;
use store_core::{Lifetime, Ttl};

/// The PX argument of scripts: empty for never.
pub(crate) fn lifetime_argument(command: &mut Cmd, lifetime: Lifetime) {
    match lifetime.as_millis() {
        Some(millis) => command.arg(millis.get()),
        None => command.arg(""),
    };
}

/// What PTTL says. A live key may have 0 ms left: Redis counts in whole milliseconds and expires after the last one.
pub(crate) fn ttl_of(pttl: i64) -> Option<Ttl> {
    match pttl {
        -1 => Some(Ttl::Never),
        left => u64::try_from(left).ok().map(|left| Ttl::Left(Duration::from_millis(left.max(1)))),
    }
}

/// What is left of a lifetime that begins now.
pub(crate) fn ttl_from(lifetime: Lifetime) -> Ttl {
    lifetime.as_millis().map_or(Ttl::Never, |millis| Ttl::Left(Duration::from_millis(millis.get())))
}
