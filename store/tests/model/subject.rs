//! A real store under comparison: does an operation, and watches what the reference does not know, the versions (rule C2).

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use store::{
    Error, Expiry, Handle, IncrementOptions, ListOptions, ManualClock, PutOptions, Registry, Ttl, TypedEntry, Value,
    Version, block_on,
};

use super::operations::{Answer, Op, VersionChoice};
use super::reference::{Bytes, Left};

pub(crate) struct Subject {
    config: String,
    id: String,
    clock: Option<ManualClock>,
    /// Whether a restart closes and opens it, rather than doing nothing.
    restarts: bool,
    registry: Registry,
    handle: Handle,
    /// Every version that a key ever had.
    versions: BTreeMap<Bytes, HashSet<Version>>,
}

fn open(config: &str, id: &str, clock: Option<&ManualClock>) -> (Registry, Handle) {
    let document = store::config::Document::parse(config, "test.toml").unwrap();
    let config = document.resolve(None, &store::backends(), &|_| None).unwrap();
    let builder = Registry::builder(config);
    let registry = match clock {
        Some(clock) => builder.clock(clock.clone()).build(),
        None => builder.build(),
    };
    let handle = block_on(registry.get(id)).unwrap();
    (registry, handle)
}

/// Whether an answer is the expected one, times being at most `slack` milliseconds less.
pub(crate) fn within(seen: &Answer, expected: &Answer, slack: u64) -> bool {
    let left = |seen: &Left, expected: &Left| match (seen, expected) {
        (None, None) => true,
        (Some(seen), Some(expected)) => seen.abs_diff(*expected) <= slack,
        _ => false,
    };
    let entry = |seen: &(Value, Left), expected: &(Value, Left)| seen.0 == expected.0 && left(&seen.1, &expected.1);
    match (seen, expected) {
        (Answer::Entry(Some(seen)), Answer::Entry(Some(expected))) => entry(seen, expected),
        (Answer::Ttl(Some(seen)), Answer::Ttl(Some(expected))) => left(seen, expected),
        (Answer::Written(seen), Answer::Written(expected)) => left(seen, expected),
        (Answer::Items(seen), Answer::Items(expected)) => {
            seen.len() == expected.len()
                && seen.iter().zip(expected).all(|(seen, expected)| {
                    seen.0 == expected.0
                        && match (&seen.1, &expected.1) {
                            (None, None) => true,
                            (Some(seen), Some(expected)) => entry(seen, expected),
                            _ => false,
                        }
                })
        }
        (seen, expected) => seen == expected,
    }
}

impl Subject {
    pub(crate) fn new(config: &str, id: &str, clock: Option<ManualClock>, restarts: bool) -> Subject {
        let (registry, handle) = open(config, id, clock.as_ref());
        Subject {
            config: config.to_owned(),
            id: id.to_owned(),
            clock,
            restarts,
            registry,
            handle,
            versions: BTreeMap::new(),
        }
    }

    pub(crate) fn close(&self) {
        block_on(self.registry.close()).unwrap();
    }

    pub(crate) fn forget(&mut self) {
        self.versions.clear();
    }

    pub(crate) fn apply(&mut self, op: &Op) -> Result<Answer, String> {
        if matches!(op, Op::Restart) && self.restarts {
            self.close();
            (self.registry, self.handle) = open(&self.config, &self.id, self.clock.as_ref());
            return Ok(Answer::Done);
        }
        let before = self.watched(op)?;
        let answer = match block_on(self.operate(op)) {
            Ok(answer) => answer,
            Err(error) => Answer::Refused(error.kind()),
        };
        self.check_versions(op, before, &answer)?;
        Ok(answer)
    }

    /// The entry of the key that an operation is about, before and after it.
    fn watched(&mut self, op: &Op) -> Result<Option<Version>, String> {
        let Some(key) = key_of(op) else { return Ok(None) };
        let entry: Option<TypedEntry<Value>> =
            block_on(self.handle.entry(key)).map_err(|error| format!("{error:?}"))?;
        let version = entry.map(|entry| entry.version);
        if let Some(version) = &version {
            self.versions.entry(key.clone()).or_default().insert(version.clone());
        }
        Ok(version)
    }

    /// A write makes a version that the key never had; anything else leaves it.
    fn check_versions(&mut self, op: &Op, before: Option<Version>, answer: &Answer) -> Result<(), String> {
        let Some(key) = key_of(op) else { return Ok(()) };
        let known = self.versions.get(key).cloned().unwrap_or_default();
        let after = self.watched(op)?;
        let wrote = matches!(
            (op, answer),
            (
                Op::Set(..) | Op::Put { .. } | Op::Increment { .. },
                Answer::Done | Answer::Written(_) | Answer::Integer(_)
            )
        );
        match &after {
            Some(version) if wrote && known.contains(version) => {
                Err(format!("{op:?}: the version {version} came again"))
            }
            Some(version) if !wrote && before.as_ref() != Some(version) => {
                Err(format!("{op:?}: the version changed without a write"))
            }
            _ => Ok(()),
        }
    }

    fn version(&self, key: &Bytes, choice: VersionChoice, current: Option<Version>) -> Version {
        let garbage = Version::parse("never-made");
        match choice {
            VersionChoice::Current => current.unwrap_or(garbage),
            VersionChoice::Garbage => garbage,
            VersionChoice::Old => {
                let known = self.versions.get(key).into_iter().flatten();
                known
                    .filter(|version| Some(*version) != current.as_ref())
                    .min_by_key(ToString::to_string)
                    .cloned()
                    .unwrap_or(garbage)
            }
        }
    }

    async fn operate(&self, op: &Op) -> Result<Answer, Error> {
        let handle = &self.handle;
        Ok(match op {
            Op::Advance(_) | Op::Restart => Answer::Done,
            Op::Get(key) => Answer::Value(handle.get(key).await?),
            Op::Has(key) => Answer::Bool(handle.has(key).await?),
            Op::Entry(key) => {
                let entry: Option<TypedEntry<Value>> = handle.entry(key).await?;
                Answer::Entry(entry.map(|entry| (entry.value, left(entry.ttl))))
            }
            Op::Ttl(key) => Answer::Ttl(handle.ttl(key).await?.map(left)),
            Op::Set(key, value, ttl) => {
                handle.set(key, value, expiry(*ttl)).await?;
                Answer::Done
            }
            Op::Put { key, value, ttl, keep_ttl, only_if_absent, only_if_present, if_version } => {
                let mut options = PutOptions::new();
                options.expiry = if *keep_ttl { Expiry::Default } else { expiry(*ttl) };
                options.keep_ttl = *keep_ttl;
                options.only_if_absent = *only_if_absent;
                options.only_if_present = *only_if_present;
                if let Some(choice) = if_version {
                    options.if_version = Some(self.choose(key, *choice).await?);
                }
                Answer::Written(left(handle.put(key, value, &options).await?.ttl))
            }
            Op::Delete(key) => Answer::Bool(handle.delete(key).await?),
            Op::DeleteIf(key, choice) => {
                let version = self.choose(key, *choice).await?;
                Answer::Bool(handle.delete_if(key, &version).await?)
            }
            Op::Touch(key, ttl) => Answer::Bool(handle.touch(key, expiry(*ttl)).await?),
            Op::TouchIf(key, ttl, choice) => {
                let version = self.choose(key, *choice).await?;
                Answer::Bool(handle.touch_if(key, expiry(*ttl), &version).await?)
            }
            Op::GetAndTouch(key, ttl) => Answer::Value(handle.get_and_touch(key, expiry(*ttl)).await?),
            Op::Take(key) => Answer::Value(handle.take(key).await?),
            Op::Increment { key, delta, initial, ttl } => {
                let options = IncrementOptions::by(*delta).initial(*initial).expiry(expiry(*ttl));
                Answer::Integer(handle.increment_with(key, &options).await?)
            }
            Op::GetMany(keys) => Answer::Values(handle.get_many(keys).await?),
            Op::SetMany(items) => {
                let items: Vec<_> = items.iter().map(|(key, value, ttl)| (key, value, expiry(*ttl))).collect();
                handle.set_many(&items).await?;
                Answer::Done
            }
            Op::DeleteMany(keys) => Answer::Bools(handle.delete_many(keys).await?),
            Op::List { prefix, limit, keys_only } => Answer::Items(self.list(prefix, *limit, *keys_only).await?),
            Op::Clear(prefix) => Answer::Count(handle.clear(prefix).await?),
        })
    }

    async fn choose(&self, key: &Bytes, choice: VersionChoice) -> Result<Version, Error> {
        let current: Option<TypedEntry<Value>> = self.handle.entry(key).await?;
        Ok(self.version(key, choice, current.map(|entry| entry.version)))
    }

    async fn list(
        &self,
        prefix: &Bytes,
        limit: usize,
        keys_only: bool,
    ) -> Result<Vec<(Bytes, Option<(Value, Left)>)>, Error> {
        let mut options = ListOptions::prefix(prefix.clone()).limit(limit);
        options.keys_only = keys_only;
        let mut found = Vec::new();
        loop {
            let page = self.handle.list(&options).await?;
            for item in page.items {
                let entry = item.entry.map(|entry| {
                    let value = <Value as store::codec::Decode>::decode(entry.value)?;
                    Ok::<_, Error>((value, left(entry.ttl)))
                });
                found.push((item.key.into(), entry.transpose()?));
            }
            match page.cursor {
                Some(cursor) => options.after = Some(cursor),
                None => return Ok(found),
            }
        }
    }
}

fn key_of(op: &Op) -> Option<&Bytes> {
    match op {
        Op::Set(key, ..)
        | Op::Put { key, .. }
        | Op::Touch(key, _)
        | Op::TouchIf(key, ..)
        | Op::GetAndTouch(key, _)
        | Op::Increment { key, .. } => Some(key),
        _ => None,
    }
}

fn expiry(ttl: Left) -> Expiry {
    ttl.map_or(Expiry::Never, Expiry::millis)
}

fn left(ttl: Ttl) -> Left {
    ttl.left().map(|left| u64::try_from(left.max(Duration::from_millis(1)).as_millis()).unwrap())
}
