//! What is asked for.

use std::time::Duration;

/// How much of a benchmark is run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many entries there are.
    pub keys: usize,
    /// How many rounds count.
    pub rounds: usize,
    /// How long a turn lasts.
    pub turn: Duration,
    /// The rows; none means all.
    pub rows: Vec<String>,
    /// How the names of contenders begin, with commas between; none means all. Ours take part anyway.
    pub only: Option<String>,
}

impl Plan {
    /// Whether a row is asked for.
    #[must_use]
    pub fn wants(&self, row: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|name| name == row)
    }

    /// Whether a contender is asked for.
    #[must_use]
    pub fn takes(&self, contender: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only.split(',').any(|part| contender.starts_with(part)))
    }

    /// From the words of a command line: `[--quick | --test] [--keys N] [--rounds N] [--turn SECONDS] [--only PART,PART] [ROW...]`.
    ///
    /// # Errors
    /// About a word that it does not understand.
    pub fn parse(mut self, words: impl IntoIterator<Item = String>) -> Result<Plan, String> {
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            let number = |text: String| text.parse().map_err(|_| format!("{word}: {text} is no number"));
            match word.as_str() {
                "--quick" => (self.keys, self.rounds, self.turn) = (100_000, 3, Duration::from_millis(100)),
                "--keys" => self.keys = number(value()?)?,
                "--rounds" => self.rounds = number(value()?)?,
                "--turn" => {
                    let text = value()?;
                    let turn = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
                    self.turn = turn.ok_or(format!("--turn: {text} is no number of seconds"))?;
                }
                "--only" => self.only = Some(value()?),
                // It runs: as small as it goes.
                "--test" => (self.keys, self.rounds, self.turn) = (1000, 1, Duration::from_millis(5)),
                // What every benchmark is told, by `cargo bench` and for criterion.
                "--bench" => {}
                "--baseline-lenient" | "--save-baseline" => drop(value()?),
                option if option.starts_with('-') => return Err(format!("unknown option {option}")),
                _ => self.rows.push(word),
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_says_what_is_run() {
        let plan = Plan { keys: 9, rounds: 9, turn: Duration::from_secs(9), rows: Vec::new(), only: None };
        let parse = |words: &str| plan.clone().parse(words.split_whitespace().map(str::to_owned));
        let all = parse("--bench").unwrap();
        assert!(all.wants("get") && all.takes("sled"));
        let some = parse("get --quick --turn 0.5 --only redb,sled set").unwrap();
        assert_eq!((some.keys, some.rounds, some.turn), (100_000, 3, Duration::from_millis(500)));
        assert!(some.wants("get") && some.wants("set") && !some.wants("scan"));
        assert!(some.takes("sled + flush") && some.takes("redb, None") && !some.takes("fjall"));
        for (words, error) in [
            ("--rounds", "--rounds needs a value"),
            ("--keys x", "--keys: x is no number"),
            ("--turn -1", "--turn: -1 is no number of seconds"),
            ("--what", "unknown option --what"),
        ] {
            assert_eq!(parse(words).unwrap_err(), error);
        }
    }
}
