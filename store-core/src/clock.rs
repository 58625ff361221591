//! Time and waiting, both injectable (rule T8).

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point in time: nanoseconds since the Unix epoch, on a timeline that does not go back within a process.
///
/// 64 bits last until the year 2554, beyond the longest TTL from any date before 2454.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(u64);

impl Time {
    /// From nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Time {
        Time(nanos)
    }

    /// From milliseconds since the Unix epoch; saturates.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Time {
        Time(millis.saturating_mul(1_000_000))
    }

    /// Nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the Unix epoch, rounded down: for asking whether a deadline has passed.
    #[must_use]
    pub const fn millis_floor(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Whole milliseconds since the Unix epoch, rounded up: for setting a deadline, so that none comes early.
    #[must_use]
    pub const fn millis_ceil(self) -> u64 {
        self.0.div_ceil(1_000_000)
    }
}

impl std::ops::Add<Duration> for Time {
    type Output = Time;

    fn add(self, rhs: Duration) -> Time {
        Time(self.0.saturating_add(u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// Where a store takes its time from.
///
/// Within a process the time must not go back and must run on while the machine sleeps. Across processes it is wall-clock
/// time, so that persisted deadlines stay meaningful.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The precise time. Deadlines are set from it.
    fn now(&self) -> Time;

    /// A cheap time for reads, at most 1 ms behind [`now`](Clock::now) and never ahead of it.
    fn coarse(&self) -> Time {
        self.now()
    }

    /// The machine's own clock, if this is it: a backend may then read the same time in a cheaper way.
    fn system(&self) -> Option<&SystemClock> {
        None
    }
}

/// The machine's time: wall-clock time when the clock was made, plus what has passed since, suspend included.
///
/// A wall clock that is stepped while the process runs changes nothing until the next start: deadlines neither jump nor
/// come back to life.
#[derive(Debug, Clone)]
pub struct SystemClock {
    epoch: u64,
}

impl SystemClock {
    /// A clock anchored now.
    #[must_use]
    pub fn new() -> SystemClock {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX);
        SystemClock { epoch: wall.saturating_sub(since_boot()) }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        SystemClock::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Time {
        Time(self.epoch.saturating_add(since_boot()))
    }

    fn system(&self) -> Option<&SystemClock> {
        Some(self)
    }
}

/// Nanoseconds of a clock that never goes back and counts suspend (`CLOCK_BOOTTIME`).
#[cfg(target_os = "linux")]
fn since_boot() -> u64 {
    let spec = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(spec.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(spec.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

/// Elsewhere: the standard library's monotonic clock.
#[cfg(not(target_os = "linux"))]
fn since_boot() -> u64 {
    use std::sync::OnceLock;
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// A clock that moves only when told to: TTL tests need not sleep.
///
/// ```
/// use std::time::Duration;
/// use store_core::{Clock, ManualClock};
/// let clock = ManualClock::new();
/// let before = clock.now();
/// clock.advance(Duration::from_millis(5));
/// assert_eq!(clock.now(), before + Duration::from_millis(5));
/// ```
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// A clock that stands at a fixed date (2026-01-01T00:00:00Z).
    #[must_use]
    pub fn new() -> ManualClock {
        ManualClock(Arc::new(AtomicU64::new(1_767_225_600_000_000_000)))
    }

    /// Moves the time forward. Clones move along.
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.0.fetch_add(by, Ordering::SeqCst);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        ManualClock::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Time {
        Time(self.0.load(Ordering::SeqCst))
    }
}

/// A boxed future, as object-safe traits return them.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How the library waits. Injected, so that the core names no runtime and tests need not sleep.
pub trait Timer: fmt::Debug + Send + Sync + 'static {
    /// Completes once `duration` has passed.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// Waits with a helper thread, whatever the runtime (the `futures-timer` crate).
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemTimer;

impl Timer for SystemTimer {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(futures_timer::Delay::new(duration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t8_system_time_is_wall_clock_and_does_not_go_back() {
        let clock = SystemClock::new();
        let first = clock.now();
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let second = clock.now();
        assert!(first <= second);
        assert!(wall.as_nanos().abs_diff(u128::from(second.as_nanos())) < 50_000_000);
    }

    #[test]
    fn t3_millis_round_down_for_asking_and_up_for_setting() {
        let time = Time::from_nanos(1_000_001);
        assert_eq!((time.millis_floor(), time.millis_ceil()), (1, 2));
        assert_eq!(Time::from_millis(u64::MAX).as_nanos(), u64::MAX);
    }
}
