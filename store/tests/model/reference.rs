//! The reference: what a store must answer, in the fewest words that say it. One thread, one map, one number for time.

use std::collections::BTreeMap;

use store::{Kind, Value};

use super::operations::{Answer, Op, VersionChoice};

pub(crate) type Bytes = Vec<u8>;

/// Milliseconds left; `None` for never.
pub(crate) type Left = Option<u64>;

#[derive(Clone, Debug)]
struct Entry {
    value: Value,
    deadline: Option<u64>,
}

/// The state of one store, and the time in milliseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    entries: BTreeMap<Bytes, Entry>,
    pub(crate) now: u64,
}

impl Model {
    /// Deadlines that have passed take their entries along.
    fn expire(&mut self) {
        let now = self.now;
        self.entries.retain(|_, entry| entry.deadline.is_none_or(|deadline| now < deadline));
    }

    /// All deadlines, for a runner in real time that must keep away from them.
    pub(crate) fn deadlines(&self) -> impl Iterator<Item = u64> + '_ {
        self.entries.values().filter_map(|entry| entry.deadline)
    }

    fn deadline(&self, ttl: Left) -> Option<u64> {
        ttl.map(|ttl| self.now + ttl)
    }

    fn left(&self, entry: &Entry) -> Left {
        entry.deadline.map(|deadline| deadline - self.now)
    }

    /// What happens if `if_version` is asked of a key: nothing, or the error.
    fn version_refused(&self, key: &Bytes, choice: VersionChoice) -> Option<Kind> {
        match (self.entries.contains_key(key), choice) {
            (false, _) => Some(Kind::NotFound),
            (true, VersionChoice::Current) => None,
            (true, VersionChoice::Old | VersionChoice::Garbage) => Some(Kind::Conflict),
        }
    }

    /// Does one operation and says what a store must answer.
    pub(crate) fn apply(&mut self, op: &Op) -> Answer {
        if let Op::Advance(millis) = op {
            self.now += millis;
        }
        self.expire();
        let value = |entry: &Entry| entry.value.clone();
        match op {
            Op::Advance(_) | Op::Restart => Answer::Done,
            Op::Get(key) => Answer::Value(self.entries.get(key).map(value)),
            Op::Has(key) => Answer::Bool(self.entries.contains_key(key)),
            Op::Entry(key) => Answer::Entry(self.entries.get(key).map(|entry| (value(entry), self.left(entry)))),
            Op::Ttl(key) => Answer::Ttl(self.entries.get(key).map(|entry| self.left(entry))),
            Op::Set(key, value, ttl) => {
                self.write(key, value, self.deadline(*ttl));
                Answer::Done
            }
            Op::Put { key, value, ttl, keep_ttl, only_if_absent, only_if_present, if_version } => {
                let live = self.entries.contains_key(key);
                if *only_if_absent && live {
                    return Answer::Refused(Kind::AlreadyExists);
                }
                if *only_if_present && !live {
                    return Answer::Refused(Kind::NotFound);
                }
                if let Some(kind) = if_version.and_then(|choice| self.version_refused(key, choice)) {
                    return Answer::Refused(kind);
                }
                let kept = self.entries.get(key).filter(|_| *keep_ttl).map(|entry| entry.deadline);
                let deadline = kept.unwrap_or_else(|| self.deadline(*ttl));
                self.write(key, value, deadline);
                Answer::Written(deadline.map(|deadline| deadline - self.now))
            }
            Op::Delete(key) => Answer::Bool(self.entries.remove(key).is_some()),
            Op::DeleteIf(key, choice) => match self.version_refused(key, *choice) {
                None => Answer::Bool(self.entries.remove(key).is_some()),
                Some(Kind::NotFound) => Answer::Bool(false),
                Some(kind) => Answer::Refused(kind),
            },
            Op::Touch(key, ttl) => Answer::Bool(self.touch(key, *ttl)),
            Op::TouchIf(key, ttl, choice) => match self.version_refused(key, *choice) {
                None => Answer::Bool(self.touch(key, *ttl)),
                Some(Kind::NotFound) => Answer::Bool(false),
                Some(kind) => Answer::Refused(kind),
            },
            Op::GetAndTouch(key, ttl) => {
                self.touch(key, *ttl);
                Answer::Value(self.entries.get(key).map(value))
            }
            Op::Take(key) => Answer::Value(self.entries.remove(key).map(|entry| entry.value)),
            Op::Increment { key, delta, initial, ttl } => self.increment(key, *delta, *initial, *ttl),
            Op::GetMany(keys) => Answer::Values(keys.iter().map(|key| self.entries.get(key).map(value)).collect()),
            Op::SetMany(items) => {
                for (key, value, ttl) in items {
                    self.write(key, value, self.deadline(*ttl));
                }
                Answer::Done
            }
            Op::DeleteMany(keys) => Answer::Bools(keys.iter().map(|key| self.entries.remove(key).is_some()).collect()),
            Op::List { prefix, keys_only, .. } => {
                let found = self.entries.iter().filter(|(key, _)| key.starts_with(prefix));
                let item = |(key, entry): (&Bytes, &Entry)| {
                    (key.clone(), (!keys_only).then(|| (value(entry), self.left(entry))))
                };
                Answer::Items(found.map(item).collect())
            }
            Op::Clear(prefix) => {
                let before = self.entries.len();
                self.entries.retain(|key, _| !key.starts_with(prefix));
                Answer::Count((before - self.entries.len()) as u64)
            }
        }
    }

    fn write(&mut self, key: &Bytes, value: &Value, deadline: Option<u64>) {
        self.entries.insert(key.clone(), Entry { value: value.clone(), deadline });
    }

    fn touch(&mut self, key: &Bytes, ttl: Left) -> bool {
        let deadline = self.deadline(ttl);
        self.entries.get_mut(key).map(|entry| entry.deadline = deadline).is_some()
    }

    fn increment(&mut self, key: &Bytes, delta: i64, initial: i64, ttl: Left) -> Answer {
        let (number, deadline) = match self.entries.get(key) {
            None => (initial, self.deadline(ttl)),
            Some(Entry { value: Value::Integer(number), deadline }) => (*number, *deadline),
            Some(_) => return Answer::Refused(Kind::Invalid),
        };
        let Some(sum) = number.checked_add(delta) else { return Answer::Refused(Kind::Invalid) };
        self.write(key, &Value::Integer(sum), deadline);
        Answer::Integer(sum)
    }
}
