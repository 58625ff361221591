//! The millisecond that deadlines are counted from, without asking the kernel for each.
//!
//! A deadline is a whole millisecond, rounded up (T3, T6). So the precise time matters only as far as it says which millisecond that is: between the time that
//! the kernel told last and the latest that it can be by now, as the processor's counter says, there mostly is no boundary between milliseconds, and both say
//! the same as the kernel would. Where there is one between them, the kernel is asked, a few dozen times in a millisecond at most. What is set is what would
//! have been set with the kernel's time, never early and never late; asking it for each was a fifth of what a write to a small store costs.
//!
//! Nor is one early where the counter stands still while the machine sleeps: between the freezing of a process and its thaw the machine stops and starts its
//! devices, and meanwhile even such a counter runs on for far more ticks than [`WINDOW`]. So what is set first after that is set by the kernel's time.

use std::fmt;

use store_core::{Clock, Time};

use crate::tagged::Tagged;
use crate::tick::{counter, counter_is_sound};

/// Beyond so many ticks the kernel is asked in any case.
const WINDOW: u64 = 1_000_000;

/// See the [module](self).
pub(crate) struct Due {
    /// A millisecond, and up to what the counter may count in it at least; `None` if the clock is asked each time.
    last: Option<Tagged>,
}

impl Due {
    /// For deadlines by this clock; `None` is the machine's own.
    pub(crate) fn new(clock: Option<&dyn Clock>) -> Due {
        let is_system = clock.is_none_or(|clock| clock.system().is_some());
        Due { last: (is_system && counter_is_sound()).then(|| Tagged::new(0)) }
    }

    /// The millisecond that the precise time, which `now` tells, rounds up to.
    #[inline]
    pub(crate) fn millis(&self, now: impl FnOnce() -> Time) -> u64 {
        let Some(last) = &self.last else { return now().millis_ceil() };
        let ticks = counter();
        let (until, millis) = last.get();
        // Neither beyond it, nor far before it: that is a counter that was set back.
        if until.wrapping_sub(ticks).wrapping_sub(1) < WINDOW { millis } else { ask(last, ticks, now()) }
    }
}

/// How many ticks after a time it is certainly still the millisecond that the time rounds up to. No counter is slower than 1 GHz: a tick is a nanosecond or less. But a
/// clock that is being corrected runs faster than the counter, by 500 millionths at most (NTP's limit, and the kernel's); a 1024th is more than that.
fn certain(time: Time) -> u64 {
    let left = Time::from_millis(time.millis_ceil()).as_nanos().saturating_sub(time.as_nanos());
    left.saturating_sub(1) / 1025 * 1024
}

/// `ticks` is a reading from before `now`.
#[cold]
fn ask(last: &Tagged, ticks: u64, now: Time) -> u64 {
    // Another thread's may be replaced by an earlier one: then the kernel is asked the sooner.
    last.publish(ticks.saturating_add(certain(now)), now.millis_ceil())
}

impl fmt::Debug for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Due").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use store_core::{ManualClock, SystemClock};

    #[test]
    fn t6_the_millisecond_is_that_of_the_precise_time() {
        let clock = SystemClock::new();
        let (due, asked) = (Due::new(None), Cell::new(0));
        for round in 0..300_000 {
            let before = clock.now();
            let told = due.millis(|| {
                asked.set(asked.get() + 1);
                clock.now()
            });
            let after = clock.now();
            let (earliest, latest) = (before.millis_ceil(), after.millis_ceil());
            assert!((earliest..=latest).contains(&told), "{round}: {told} is not within {earliest} to {latest}");
        }
        assert!(due.last.is_none() || asked.get() < 100_000, "{asked:?}");
    }

    #[test]
    fn t6_also_where_threads_replace_each_others_readings() {
        let (clock, due) = (SystemClock::new(), Due::new(None));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..100_000 {
                        let before = clock.now();
                        let told = due.millis(|| clock.now());
                        assert!((before.millis_ceil()..=clock.now().millis_ceil()).contains(&told));
                    }
                });
            }
        });
    }

    #[test]
    fn a_clock_that_is_being_corrected_is_allowed_for() {
        for nanos in (0..2_000_000).step_by(97).chain([1, 999_999, 1_000_000, 1_000_001]) {
            let time = Time::from_nanos(nanos);
            let ticks = certain(time);
            let faster = time.as_nanos() + ticks + (ticks * 500).div_ceil(1_000_000);
            assert_eq!(Time::from_nanos(faster).millis_ceil(), time.millis_ceil(), "{nanos}");
            assert!(ticks < WINDOW && (ticks > 0 || nanos % 1_000_000 == 0 || nanos % 1_000_000 > 998_000), "{nanos}");
        }
    }

    #[test]
    fn a_counter_that_was_set_back_is_not_believed() {
        let (clock, due) = (SystemClock::new(), Due::new(None));
        if let Some(last) = &due.last {
            for ahead in [2, 1 << 40] {
                due.millis(|| clock.now());
                last.publish(counter() + WINDOW * ahead, 0);
                let before = clock.now().millis_ceil();
                assert!(due.millis(|| clock.now()) >= before);
            }
        }
    }

    #[test]
    fn an_injected_clock_is_asked_each_time() {
        let manual = ManualClock::new();
        let due = Due::new(Some(&manual));
        for _ in 0..3 {
            manual.advance(std::time::Duration::from_micros(400));
            assert_eq!(due.millis(|| manual.now()), manual.now().millis_ceil());
        }
    }
}
