//! Which operations a load is made of.

use std::str::FromStr;

/// An operation of the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Get,
    Set,
    Has,
    Touch,
    Delete,
    Increment,
    List,
}

impl Operation {
    pub(crate) const ALL: [Operation; 7] = [
        Operation::Get,
        Operation::Set,
        Operation::Has,
        Operation::Touch,
        Operation::Delete,
        Operation::Increment,
        Operation::List,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Operation::Get => "get",
            Operation::Set => "set",
            Operation::Has => "has",
            Operation::Touch => "touch",
            Operation::Delete => "delete",
            Operation::Increment => "increment",
            Operation::List => "list",
        }
    }
}

/// Operations, and how often each: `get=80,set=20`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mix {
    parts: Vec<(Operation, u32)>,
    total: u32,
}

impl Mix {
    /// One of the operations, each as often as its part says.
    pub(crate) fn pick(&self, random: &mut fastrand::Rng) -> Operation {
        let mut at = random.u32(0..self.total);
        for (operation, part) in &self.parts {
            match at.checked_sub(*part) {
                None => return *operation,
                Some(rest) => at = rest,
            }
        }
        self.parts[0].0
    }

    pub(crate) fn has(&self, operation: Operation) -> bool {
        self.parts.iter().any(|(own, _)| *own == operation)
    }
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Mix, String> {
        let mut parts: Vec<(Operation, u32)> = Vec::new();
        let mut total = 0;
        for part in text.split(',') {
            let (name, weight) = part.split_once('=').unwrap_or((part, "1"));
            let operation = Operation::ALL.into_iter().find(|operation| operation.name() == name.trim());
            let Some(operation) = operation else {
                let known = Operation::ALL.map(Operation::name).join(", ");
                return Err(format!("`{name}` is not one of the operations: {known}"));
            };
            let weight = weight.trim().parse::<u32>().ok().filter(|weight| (1..=1_000_000).contains(weight));
            let Some(weight) = weight else { return Err(format!("`{part}` has no number from 1 to 1000000")) };
            if parts.iter().any(|(own, _)| *own == operation) {
                return Err(format!("`{name}` is there twice"));
            }
            total += weight;
            parts.push((operation, weight));
        }
        Ok(Mix { parts, total })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_kept() {
        let mix: Mix = "get=80,set=15, increment=5".parse().unwrap();
        let mut random = fastrand::Rng::with_seed(1);
        let mut counts = [0; 7];
        for _ in 0..100_000 {
            counts[mix.pick(&mut random) as usize] += 1;
        }
        for (operation, expected) in [(Operation::Get, 80_000), (Operation::Set, 15_000), (Operation::Increment, 5_000)]
        {
            let count: i32 = counts[operation as usize];
            assert!((count - expected).abs() < 1_000, "{operation:?}: {count}");
        }
        assert_eq!(counts.iter().sum::<i32>(), 100_000);
        assert!(mix.has(Operation::Set) && !mix.has(Operation::List));
        assert_eq!("get".parse::<Mix>(), "get=1".parse());
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "get=0", "get=x", "fetch", "get,get", "get=1,", "get=9999999", "get=-1"] {
            assert!(text.parse::<Mix>().is_err(), "{text}");
        }
    }
}
