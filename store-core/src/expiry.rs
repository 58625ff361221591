//! Time to live: what a write may ask for, and the only place where it is computed with (rules T1 to T6, T9, T10).
//!
//! The road of a TTL: a caller states an [`Expiry`]; [`TtlRules`] (default, cap, jitter of the store) turn it into a
//! [`Lifetime`] in whole milliseconds; the backend, at the moment of writing, turns that into a [`Deadline`] from its
//! precise clock. Reads compare the deadline with the clock. Remaining seconds are never stored, so nothing computed as
//! "0 left" can turn into "forever".

use std::num::NonZeroU64;
use std::time::Duration;

use crate::{Error, Result, Time};

/// The longest finite TTL: 100 years of 365.25 days. Longer ones are clamped to it.
pub const MAX_TTL: Duration = Duration::from_secs(3_155_760_000);

/// What a write asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Expiry {
    /// The store's `default_ttl`; never, if none is configured.
    #[default]
    Default,
    /// No expiry, up to the store's `max_ttl`.
    Never,
    /// After this long: rounded up to whole milliseconds. Zero is INVALID: use delete.
    After(Duration),
}

impl Expiry {
    /// After this many milliseconds.
    #[must_use]
    pub const fn millis(millis: u64) -> Expiry {
        Expiry::After(Duration::from_millis(millis))
    }

    /// After this many seconds.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Expiry {
        Expiry::After(Duration::from_secs(seconds))
    }

    /// What a number of seconds means where the type cannot say it, as in Lua: 0 and infinity are never.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) for a negative number and for NaN.
    #[inline]
    pub fn from_seconds(seconds: f64) -> Result<Expiry> {
        if seconds.is_nan() || seconds < 0.0 {
            return Err(Error::invalid(format!("ttl must be 0 or more seconds, got {seconds}")));
        }
        if seconds == 0.0 || seconds == f64::INFINITY {
            return Ok(Expiry::Never);
        }
        if seconds >= MAX_TTL.as_secs_f64() {
            return Ok(Expiry::After(MAX_TTL));
        }
        // Most are whole seconds.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 100 years")]
        let whole = seconds as u64;
        #[expect(clippy::cast_precision_loss, reason = "within 100 years")]
        if whole > 0 && whole as f64 == seconds {
            return Ok(Expiry::seconds(whole));
        }
        // In milliseconds, less an epsilon of floating point: 0.3 s is 300 ms and not 301.
        let millis = seconds * 1000.0;
        let nearest = millis.round();
        let millis = if (millis - nearest).abs() <= nearest * f64::EPSILON { nearest } else { millis.ceil() };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 1 ms and 100 years")]
        let millis = millis.max(1.0) as u64;
        Ok(Expiry::millis(millis))
    }
}

impl From<Duration> for Expiry {
    fn from(ttl: Duration) -> Expiry {
        Expiry::After(ttl)
    }
}

/// A checked time to live in whole milliseconds, from 1 ms to [`MAX_TTL`], or never: what backends receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime(Option<NonZeroU64>);

impl Lifetime {
    /// No expiry.
    pub const NEVER: Lifetime = Lifetime(None);

    /// Rounds up to whole milliseconds and clamps to [`MAX_TTL`].
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) for zero.
    pub fn after(ttl: Duration) -> Result<Lifetime> {
        let ttl = ttl.min(MAX_TTL);
        // Within 100 years: nothing overflows.
        let millis = ttl.as_secs() * 1000 + u64::from(ttl.subsec_nanos().div_ceil(1_000_000));
        match NonZeroU64::new(millis) {
            Some(millis) => Ok(Lifetime(Some(millis))),
            None => Err(Error::invalid("a ttl of zero is not allowed; use delete, or Expiry::Never")),
        }
    }

    /// The time to live in milliseconds; `None` means never.
    #[must_use]
    pub const fn as_millis(self) -> Option<NonZeroU64> {
        self.0
    }
}

/// A store's own rules about TTLs: `default_ttl`, `max_ttl`, `ttl_jitter` (T10).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TtlRules {
    default: Lifetime,
    max: Option<Lifetime>,
    jitter: f64,
}

impl TtlRules {
    /// No default, no cap, no jitter.
    pub const NONE: TtlRules = TtlRules { default: Lifetime::NEVER, max: None, jitter: 0.0 };

    /// Rules of a store. `jitter` is the largest fraction by which a TTL may be shortened.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) for a zero duration and for a jitter outside 0 to 1 (1 excluded).
    pub fn new(default: Option<Duration>, max: Option<Duration>, jitter: f64) -> Result<TtlRules> {
        if !(0.0..1.0).contains(&jitter) {
            return Err(Error::invalid(format!("ttl_jitter must be at least 0 and less than 1, got {jitter}")));
        }
        let default = default.map_or(Ok(Lifetime::NEVER), Lifetime::after)?;
        let max = max.map(Lifetime::after).transpose()?;
        Ok(TtlRules { default, max, jitter })
    }

    /// What a write gets: the call's own expiry, else the default, capped, and shortened by jitter.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) for a duration of zero.
    #[inline]
    pub fn resolve(&self, expiry: Expiry) -> Result<Lifetime> {
        let asked = match expiry {
            Expiry::Default => self.default,
            Expiry::Never => Lifetime::NEVER,
            Expiry::After(ttl) => Lifetime::after(ttl)?,
        };
        let capped = match (asked.0, self.max.and_then(Lifetime::as_millis)) {
            (Some(asked), Some(max)) => Some(asked.min(max)),
            (None, max) => max,
            (asked, None) => asked,
        };
        match capped {
            Some(millis) if self.jitter > 0.0 => Ok(self.shorten(millis)),
            _ => Ok(Lifetime(capped)),
        }
    }

    fn shorten(&self, millis: NonZeroU64) -> Lifetime {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a fraction of a number below 2^53"
        )]
        let cut = (millis.get() as f64 * self.jitter * fastrand::f64()) as u64;
        Lifetime(NonZeroU64::new(millis.get().saturating_sub(cut).max(1)))
    }
}

impl Default for TtlRules {
    fn default() -> Self {
        TtlRules::NONE
    }
}

/// The moment from which an entry is absent, in milliseconds since the Unix epoch; or none. The stored form of expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Deadline(Option<NonZeroU64>);

impl Deadline {
    /// No expiry.
    pub const NEVER: Deadline = Deadline(None);

    /// The deadline of what is written at `now`, which must be the precise time: never a moment early.
    #[must_use]
    pub fn after(now: Time, lifetime: Lifetime) -> Deadline {
        Deadline::after_millis(now.millis_ceil(), lifetime)
    }

    /// The same, from the precise time in whole milliseconds since the Unix epoch, rounded up.
    #[must_use]
    #[inline]
    pub fn after_millis(now: u64, lifetime: Lifetime) -> Deadline {
        Deadline(lifetime.0.map(|millis| millis.saturating_add(now)))
    }

    /// From the stored form, in which 0 is never.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Deadline {
        Deadline(NonZeroU64::new(millis))
    }

    /// The stored form: milliseconds since the Unix epoch, 0 for never.
    #[must_use]
    #[inline]
    pub const fn as_millis(self) -> u64 {
        match self.0 {
            Some(millis) => millis.get(),
            None => 0,
        }
    }

    /// Whether the entry is absent at `now` (T6).
    #[must_use]
    #[inline]
    pub const fn has_passed(self, now: Time) -> bool {
        self.has_passed_at(now.millis_floor())
    }

    /// The same for a time in whole milliseconds since the Unix epoch, rounded down.
    #[must_use]
    #[inline]
    pub const fn has_passed_at(self, millis: u64) -> bool {
        // Never is 0, and so the latest of all here.
        self.as_millis().wrapping_sub(1) < millis
    }

    /// The time left at `now`; `None` if the deadline has passed.
    #[must_use]
    pub fn left(self, now: Time) -> Option<Ttl> {
        let Some(millis) = self.0 else { return Some(Ttl::Never) };
        if self.has_passed(now) {
            return None;
        }
        let left = Time::from_millis(millis.get()).as_nanos().saturating_sub(now.as_nanos());
        // Deadlines were rounded up: in whole milliseconds nobody is told more than he asked for. The last one is told exactly.
        let whole = left - left % 1_000_000;
        Some(Ttl::Left(Duration::from_nanos(if whole == 0 { left.max(1) } else { whole })))
    }
}

/// How long a live entry has left (T9). Absence is told one level up, by an `Option`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// It does not expire.
    Never,
    /// The time left, more than zero.
    Left(Duration),
}

impl Ttl {
    /// Seconds left, infinity for never: the form of Lua.
    #[must_use]
    pub fn as_seconds(self) -> f64 {
        match self {
            Ttl::Never => f64::INFINITY,
            Ttl::Left(left) => left.as_secs_f64(),
        }
    }

    /// The time left; `None` for never.
    #[must_use]
    pub const fn left(self) -> Option<Duration> {
        match self {
            Ttl::Never => None,
            Ttl::Left(left) => Some(left),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    fn millis(lifetime: Lifetime) -> Option<u64> {
        lifetime.as_millis().map(NonZeroU64::get)
    }

    #[test]
    fn t1_zero_and_infinity_seconds_are_never() {
        assert_eq!(Expiry::from_seconds(0.0).unwrap(), Expiry::Never);
        assert_eq!(Expiry::from_seconds(-0.0).unwrap(), Expiry::Never);
        assert_eq!(Expiry::from_seconds(f64::INFINITY).unwrap(), Expiry::Never);
        assert_eq!(Lifetime::after(Duration::ZERO).unwrap_err().kind(), Kind::Invalid);
    }

    #[test]
    fn t2_negative_and_nan_are_invalid() {
        for seconds in [-1.0, -1e-9, f64::NAN, f64::NEG_INFINITY] {
            assert_eq!(Expiry::from_seconds(seconds).unwrap_err().kind(), Kind::Invalid);
        }
    }

    #[test]
    fn t3_rounded_up_to_whole_milliseconds() {
        for (seconds, expected) in [
            (1e-9, 1),
            (0.0005, 1),
            (0.001, 1),
            (0.0011, 2),
            (0.3, 300),
            (1.1, 1100),
            (0.07, 70),
            (1.0, 1000),
            (1.0 + 1e-7, 1001),
            (3600.0, 3_600_000),
        ] {
            assert_eq!(Expiry::from_seconds(seconds).unwrap(), Expiry::millis(expected), "{seconds}");
        }
        assert_eq!(millis(Lifetime::after(Duration::from_nanos(1)).unwrap()), Some(1));
        assert_eq!(millis(Lifetime::after(Duration::from_nanos(1_000_001)).unwrap()), Some(2));
    }

    #[test]
    fn t4_clamped_to_a_hundred_years_and_nothing_overflows() {
        let max = MAX_TTL.as_secs() * 1000;
        assert_eq!(millis(Lifetime::after(Duration::MAX).unwrap()), Some(max));
        for seconds in [1e300, f64::MAX, 1e10] {
            assert_eq!(Expiry::from_seconds(seconds).unwrap(), Expiry::After(MAX_TTL));
        }
        let lifetime = Lifetime::after(Duration::MAX).unwrap();
        assert!(!Deadline::after(Time::from_nanos(u64::MAX), lifetime).has_passed(Time::from_nanos(0)));
    }

    #[test]
    fn t6_readable_until_the_deadline_and_not_from_it_on() {
        let written = Time::from_nanos(10_900_000);
        let deadline = Deadline::after(written, Lifetime::after(Duration::from_millis(5)).unwrap());
        assert!(!deadline.has_passed(written + Duration::from_nanos(4_999_999)), "never early");
        assert!(!deadline.has_passed(written + Duration::from_millis(5)), "rounded up");
        assert!(deadline.has_passed(written + Duration::from_millis(6)), "at most 1 ms late");
        assert_eq!(deadline.left(Time::from_millis(16)), None);
        assert_eq!(deadline.left(Time::from_millis(15)), Some(Ttl::Left(Duration::from_millis(1))));
        assert_eq!(deadline.left(written), Some(Ttl::Left(Duration::from_millis(5))), "never more than was asked for");
        assert_eq!(deadline.left(Time::from_nanos(15_999_999)), Some(Ttl::Left(Duration::from_nanos(1))));
        assert!(!Deadline::NEVER.has_passed(Time::from_nanos(u64::MAX)));
    }

    #[test]
    fn t10_default_cap_and_jitter() {
        let second = Duration::from_secs(1);
        let rules = TtlRules::new(Some(second), Some(2 * second), 0.0).unwrap();
        assert_eq!(millis(rules.resolve(Expiry::Default).unwrap()), Some(1000));
        assert_eq!(millis(rules.resolve(Expiry::Never).unwrap()), Some(2000));
        assert_eq!(millis(rules.resolve(Expiry::After(9 * second)).unwrap()), Some(2000));
        assert_eq!(millis(TtlRules::NONE.resolve(Expiry::Default).unwrap()), None);
        let rules = TtlRules::new(None, None, 0.5).unwrap();
        for _ in 0..1000 {
            let got = millis(rules.resolve(Expiry::After(second)).unwrap()).unwrap();
            assert!((500..=1000).contains(&got), "{got}");
        }
        assert_eq!(millis(rules.resolve(Expiry::millis(1)).unwrap()), Some(1));
        for jitter in [-0.1, 1.0, f64::NAN] {
            assert!(TtlRules::new(None, None, jitter).is_err());
        }
    }
}
