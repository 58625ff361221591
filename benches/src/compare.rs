//! Contenders in rounds.

use std::time::Duration;

/// A contender: a name, and one round of its work, which returns how long one operation took, in nanoseconds.
pub struct Contender<'a> {
    /// What tables call it.
    pub name: String,
    round: Box<dyn FnMut() -> f64 + 'a>,
}

impl<'a> Contender<'a> {
    /// A contender that times itself: nanoseconds per operation.
    pub fn new(name: impl Into<String>, round: impl FnMut() -> f64 + 'a) -> Contender<'a> {
        Contender { name: name.into(), round: Box::new(round) }
    }

    /// A contender that does `operations` operations in a round and is timed from outside.
    pub fn timed(name: impl Into<String>, operations: usize, mut round: impl FnMut() + 'a) -> Contender<'a> {
        Contender::new(name, move || {
            let start = std::time::Instant::now();
            round();
            per_operation(start.elapsed(), operations)
        })
    }
}

impl std::fmt::Debug for Contender<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Contender({})", self.name)
    }
}

#[expect(clippy::cast_precision_loss, reason = "statistics")]
fn per_operation(elapsed: Duration, operations: usize) -> f64 {
    elapsed.as_nanos() as f64 / operations.max(1) as f64
}

/// What a contender needed, round by round.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The contender.
    pub name: String,
    /// Nanoseconds per operation of each round.
    pub rounds: Vec<f64>,
}

impl Outcome {
    /// The median over the rounds.
    #[must_use]
    pub fn median(&self) -> f64 {
        median(&self.rounds)
    }

    /// How many times as fast this one is as another, from the rounds that both did at about the same time.
    #[must_use]
    pub fn speed_against(&self, other: &Outcome) -> Ratio {
        let mut ratios: Vec<f64> = self.rounds.iter().zip(&other.rounds).map(|(own, other)| other / own).collect();
        ratios.sort_by(f64::total_cmp);
        let last = ratios.len().saturating_sub(1);
        // The quartiles are rounds that were, the nearest: with five rounds, the second and the fourth.
        let at = |index: usize| ratios.get(index).copied().unwrap_or(f64::NAN);
        Ratio {
            median: median(&ratios),
            low: at(0),
            lower: at((last + 2) / 4),
            upper: at((3 * last + 2) / 4),
            high: at(last),
        }
    }
}

/// A ratio: the median over the rounds, and how far the rounds are apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// The median.
    pub median: f64,
    /// The lowest of all rounds.
    pub low: f64,
    /// The first quartile.
    pub lower: f64,
    /// The third quartile.
    pub upper: f64,
    /// The highest of all rounds.
    pub high: f64,
}

impl std::fmt::Display for Ratio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.2} ({:.2} to {:.2})", self.median, self.low, self.high)
    }
}

/// The median; NaN of nothing.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    match (values.len() / 2, values.len() % 2) {
        (_, _) if values.is_empty() => f64::NAN,
        (half, 0) => (values[half - 1] + values[half]) / 2.0,
        (half, _) => values[half],
    }
}

/// Runs every contender once per round, each round beginning with another one. One round before the first warms up.
#[must_use]
pub fn compare(mut contenders: Vec<Contender<'_>>, rounds: usize) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> =
        contenders.iter().map(|contender| Outcome { name: contender.name.clone(), rounds: Vec::new() }).collect();
    let count = contenders.len();
    for round in 0..=rounds {
        for turn in 0..count {
            let index = (round + turn) % count;
            let nanos = (contenders[index].round)();
            if round > 0 {
                outcomes[index].rounds.push(nanos);
            }
        }
    }
    outcomes
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;

    fn spin(steps: u64) -> u64 {
        (0..steps).fold(1, |sum, step| black_box(sum ^ step))
    }

    /// Nanoseconds that this thread has had a processor.
    #[expect(clippy::cast_precision_loss, reason = "statistics")]
    fn processor_time() -> f64 {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
    }

    #[test]
    fn a_timed_contender_is_timed_per_operation() {
        let outcomes = compare(vec![Contender::timed("sleep", 10, || std::thread::sleep(Duration::from_millis(5)))], 3);
        assert!(outcomes[0].rounds.iter().all(|&nanos| nanos >= 500_000.0), "{outcomes:?}");
    }

    #[test]
    fn a_contender_slowed_by_a_known_factor_reads_as_that_factor() {
        // By the processor time of this thread: what else the machine does is no part of the work.
        let contender = |factor: u64| {
            Contender::new(factor.to_string(), move || {
                let start = processor_time();
                black_box(spin(3_000 * factor));
                processor_time() - start
            })
        };
        let outcomes = compare([1, 2, 5].map(contender).into(), 501);
        for (outcome, factor) in outcomes.iter().zip([1.0, 2.0, 5.0]) {
            let ratio = outcomes[0].speed_against(outcome).median.recip();
            let measured = outcome.speed_against(&outcomes[0]).median;
            assert!((measured * factor - 1.0).abs() < 0.15, "{factor}: {measured}");
            assert!((ratio - measured).abs() < 0.15);
        }
    }

    #[test]
    fn contenders_take_turns_at_going_first() {
        let order = std::cell::RefCell::new(Vec::new());
        let contender = |name: &'static str| {
            let order = &order;
            Contender::new(name, move || {
                order.borrow_mut().push(name);
                1.0
            })
        };
        let outcomes = compare(vec![contender("a"), contender("b"), contender("c")], 2);
        assert_eq!(order.into_inner().concat(), "abcbcacab");
        assert!(outcomes.iter().all(|outcome| outcome.rounds.len() == 2));
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "exact by construction")]
    fn medians_and_ratios() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
        let outcome = |rounds: &[f64]| Outcome { name: String::new(), rounds: rounds.to_vec() };
        let ratio = outcome(&[1.0, 2.0, 4.0]).speed_against(&outcome(&[2.0, 2.0, 2.0]));
        assert_eq!(ratio, Ratio { median: 1.0, low: 0.5, lower: 1.0, upper: 2.0, high: 2.0 });
        let ratio = outcome(&[1.0; 5]).speed_against(&outcome(&[5.0, 1.0, 4.0, 2.0, 3.0]));
        assert_eq!(ratio, Ratio { median: 3.0, low: 1.0, lower: 2.0, upper: 4.0, high: 5.0 });
        assert_eq!(ratio.to_string(), "3.00 (1.00 to 5.00)");
    }
}
