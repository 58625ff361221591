//! The machine's time for reads, without asking the kernel each time.
//!
//! `clock_gettime` waits until all loads before it are done. For a read of a large table, most of whose cost are loads that
//! could overlap with those of the next read, that is dear: in `benches/peers` reads of entries with a deadline ran at 0.4 to
//! 0.6 of dashmap's speed with it, and at 0.7 to 0.9 without. The processor's time stamp counter can be read without waiting. It is used only to tell that less than half a
//! millisecond has passed since the kernel was asked; how much less does not matter, so it needs no calibration.

use std::sync::Arc;

use store_core::{Clock, Deadline, SystemClock, Time};

use crate::tagged::Tagged;

/// Ticks for which a time stays good: half a millisecond at 1 GHz, the slowest counter there is, and less on all others.
const WINDOW: u64 = 500_000;

/// The clock of a store. On the machine's own clock, reads have the same time cheaper, if the kernel trusts the counter as well.
pub(crate) enum StoreClock {
    Ticks(TickClock),
    Other(Arc<dyn Clock>),
}

impl StoreClock {
    pub(crate) fn new(clock: Option<Arc<dyn Clock>>) -> StoreClock {
        let clock = clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
        match clock.system() {
            Some(system) if counter_is_sound() => StoreClock::Ticks(TickClock::new(system.clone())),
            _ => StoreClock::Other(clock),
        }
    }

    /// The precise time.
    pub(crate) fn now(&self) -> Time {
        match self {
            StoreClock::Ticks(clock) => clock.system.now(),
            StoreClock::Other(clock) => clock.now(),
        }
    }

    /// The time for reads, in whole milliseconds.
    #[inline]
    pub(crate) fn millis(&self) -> u64 {
        match self {
            StoreClock::Ticks(clock) => clock.millis(),
            StoreClock::Other(clock) => clock.coarse().millis_floor(),
        }
    }

    /// The same as a time.
    pub(crate) fn coarse(&self) -> Time {
        Time::from_millis(self.millis())
    }

    /// Whether a deadline has passed, for reads. Without a deadline the clock is not looked at.
    #[inline]
    pub(crate) fn has_passed(&self, deadline: Deadline) -> bool {
        deadline != Deadline::NEVER && deadline.has_passed_at(self.millis())
    }
}

/// Whether all processors count alike, at one rate, and through sleep states. The kernel checks that all the time for its
/// own use of the counter.
pub(crate) fn counter_is_sound() -> bool {
    let source = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    cfg!(all(target_arch = "x86_64", target_os = "linux", not(miri)))
        && std::fs::read_to_string(source).is_ok_and(|name| name.trim() == "tsc")
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
#[inline]
pub(crate) fn counter() -> u64 {
    #[expect(unsafe_code, reason = "benches/peers, row mixed: see above")]
    // SAFETY: every x86-64 processor has RDTSC; it reads a register and touches no memory.
    unsafe {
        core::arch::x86_64::_rdtsc()
    }
}

#[cfg(any(not(target_arch = "x86_64"), miri))]
pub(crate) fn counter() -> u64 {
    0
}

pub(crate) struct TickClock {
    system: SystemClock,
    /// A reading of the counter, and the millisecond that the kernel told after that.
    last: Tagged,
}

impl TickClock {
    fn new(system: SystemClock) -> TickClock {
        let clock = TickClock { system, last: Tagged::new(0) };
        clock.ask(counter());
        clock
    }

    #[cold]
    fn ask(&self, ticks: u64) -> u64 {
        // Another thread's reading may be replaced by an earlier one: then the kernel is asked the sooner.
        self.last.publish(ticks, self.system.now().millis_floor())
    }

    #[inline]
    fn millis(&self) -> u64 {
        let ticks = counter();
        let (last, millis) = self.last.get();
        // A counter behind the reading (it was set back by a sleep, or another thread was faster) is far ahead of it here.
        if ticks.wrapping_sub(last) < WINDOW { millis } else { self.ask(ticks) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Release};
    use store_core::ManualClock;

    #[test]
    fn t6_the_cheap_time_lags_by_less_than_a_millisecond_and_is_never_ahead() {
        let clock = TickClock::new(SystemClock::new());
        let mut asked = 0;
        for _ in 0..200_000 {
            let (before, ticks) = (clock.system.now(), counter());
            let millis = clock.millis();
            let after = clock.system.now();
            assert!(millis <= after.millis_floor());
            assert!(millis >= Time::from_nanos(before.as_nanos() - 999_999).millis_floor());
            asked += u64::from(clock.last.get().0 >= ticks);
        }
        assert!(!counter_is_sound() || asked < 150_000);
    }

    #[test]
    fn t8_the_cheap_time_does_not_go_back_across_threads() {
        let clock = TickClock::new(SystemClock::new());
        let latest = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..100_000 {
                        let before = latest.load(Acquire);
                        let now = clock.millis();
                        assert!(now >= before);
                        latest.fetch_max(now, Release);
                    }
                });
            }
        });
    }

    #[test]
    fn t8_a_counter_that_was_set_back_is_not_believed() {
        let clock = TickClock::new(SystemClock::new());
        for ahead in [1_000_000_000, 1 << 38] {
            clock.last.publish(counter() + ahead, 0);
            let before = clock.system.now();
            assert!(clock.millis() >= before.millis_floor());
        }
        assert!(clock.last.get().0 <= counter());
    }

    #[test]
    fn an_injected_clock_is_left_alone() {
        let manual = ManualClock::new();
        let clock = StoreClock::new(Some(Arc::new(manual.clone())));
        manual.advance(std::time::Duration::from_millis(1));
        assert_eq!((clock.now(), clock.millis()), (manual.now(), manual.now().millis_floor()));
    }
}
