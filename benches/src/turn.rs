//! What was done in a turn that lasts for a time, rather than for a number of operations.

use std::cell::RefCell;
use std::time::Instant;

use crate::Latencies;

/// How many operations were done, and how long those took that were timed one by one.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    done: u64,
    latencies: Latencies,
}

impl Turn {
    /// Does one operation, and looks at the clock for every n-th.
    pub fn time<T>(&mut self, nth: u64, operation: impl FnOnce() -> T) -> T {
        let start = self.begin(nth);
        let result = operation();
        self.end(start, 1);
        result
    }

    /// Before an operation: when it begins, if this is an n-th one.
    #[must_use]
    pub fn begin(&self, nth: u64) -> Option<Instant> {
        self.done.is_multiple_of(nth).then(Instant::now)
    }

    /// After it: it did so much.
    pub fn end(&mut self, start: Option<Instant>, done: u64) {
        if let Some(start) = start {
            self.latencies.add(start.elapsed());
        }
        self.done += done;
    }

    /// Several callers' turns as one.
    #[must_use]
    pub fn sum(turns: impl IntoIterator<Item = Turn>) -> Turn {
        turns.into_iter().fold(Turn::default(), |mut sum, turn| {
            sum.done += turn.done;
            sum.latencies.merge(&turn.latencies);
            sum
        })
    }

    /// How many operations were done.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done
    }

    /// Those that were timed.
    #[must_use]
    pub fn latencies(&self) -> &Latencies {
        &self.latencies
    }
}

/// The turns of a contender, in all rounds but the first, which warms up.
#[derive(Debug, Default)]
pub struct Turns(RefCell<Vec<Turn>>);

impl Turns {
    /// Has a turn: nanoseconds per operation.
    #[expect(clippy::cast_precision_loss, reason = "statistics")]
    pub fn run(&self, turn: impl FnOnce() -> Turn) -> f64 {
        let start = Instant::now();
        let turn = turn();
        let nanos = start.elapsed().as_nanos() as f64 / turn.done.max(1) as f64;
        self.0.borrow_mut().push(turn);
        nanos
    }

    /// All of them.
    #[must_use]
    pub fn sum(self) -> Turn {
        Turn::sum(self.0.into_inner().into_iter().skip(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_turn_counts_all_and_times_every_nth() {
        let turns = Turns::default();
        for _ in 0..3 {
            let nanos = turns.run(|| {
                let mut turn = Turn::default();
                (0..10).for_each(|_| turn.time(4, || std::thread::sleep(Duration::from_millis(1))));
                turn
            });
            assert!(nanos >= 1e6, "{nanos}");
        }
        let sum = turns.sum();
        // Two rounds count; the first, fifth and ninth are timed.
        assert_eq!((sum.done(), sum.latencies().total()), (20, 6));
        assert!(sum.latencies().quantile(0.01) >= 980_000, "{}", sum.latencies().quantile(0.01));
    }
}
