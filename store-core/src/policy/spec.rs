//! A policy as it is written, and what may be wrong with it.

use std::fmt;

use super::condition::ConditionSpec;
use super::decision::Effect;

/// A policy as a configuration states it, not yet looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicySpec {
    /// Its name, for the audit hook.
    pub id: String,
    /// Patterns of actions. `${...}` is not allowed in them.
    pub actions: Vec<String>,
    /// Patterns of store ids.
    pub resources: Vec<String>,
    /// Patterns of keys; without them the policy speaks of all keys, and of the actions that have none.
    pub keys: Option<Vec<String>>,
    /// What else must hold: all of them.
    pub conditions: Vec<ConditionSpec>,
    /// Allow or deny.
    pub effect: Effect,
    /// The groups that bring it into a scope; without any it is in every scope.
    pub groups: Vec<String>,
}

/// A mistake in a [`PolicySpec`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The field that has it: `actions`, `keys`, ...
    pub field: &'static str,
    /// Which item of the field, counted from 0, if it is one item's.
    pub index: Option<usize>,
    /// Which key of the item, if it is one's: `operator`, `value`, ...
    pub key: Option<&'static str>,
    /// What is wrong.
    pub message: String,
}

impl Problem {
    pub(super) fn of(field: &'static str, index: Option<usize>, message: impl Into<String>) -> Problem {
        Problem { field, index, key: None, message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.field)?;
        if let Some(index) = self.index {
            write!(f, "[{index}]")?;
        }
        if let Some(key) = self.key {
            write!(f, ".{key}")?;
        }
        write!(f, ": {}", self.message)
    }
}
