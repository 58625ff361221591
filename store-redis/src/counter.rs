//! Counting, exact for all 64-bit integers, never twice.

use redis::Value;
use store_core::codec::integer;
use store_core::{Condition, Error, Increment, Key, Lifetime, Outcome, Put, Result};

use crate::envelope::{self, Wrapped};
use crate::error::bad_reply;
use crate::form::{Format, Stored};
use crate::index;
use crate::keys::FullKey;
use crate::link::Failure;
use crate::pool::Lane;
use crate::scripts::{FOREIGN, NOT_TEXT, OVERFLOW};
use crate::store::RedisStore;
use crate::times::lifetime_argument;

/// How often a count that must go by compare-and-set may lose against others.
const ATTEMPTS: usize = 16;

impl RedisStore {
    pub(crate) async fn count(&self, key: Key<'_>, by: Increment) -> Result<i64> {
        let lane = self.pool.lane(key);
        let key = self.keys.of(key);
        let first = by.initial.checked_add(by.delta).map_or_else(String::new, |first| first.to_string());
        for _ in 0..ATTEMPTS {
            let version = self.new_version();
            let answer = self
                .run(lane, index::INCREMENT, key, |command| {
                    command.arg(by.delta).arg(&envelope::integer_header(version)).arg(&first);
                    lifetime_argument(command, by.lifetime);
                })
                .await;
            return match answer {
                Ok(Value::BulkString(sum)) => envelope::decimal(&sum).ok_or_else(bad_reply),
                Ok(Value::Int(FOREIGN)) => Err(envelope::foreign()),
                Ok(Value::Int(OVERFLOW)) => Err(overflow()),
                Ok(Value::Int(NOT_TEXT)) if self.format == Format::Raw => Err(no_integer()),
                Ok(Value::Int(NOT_TEXT)) => match Box::pin(self.count_by_version(lane, key, by.delta)).await? {
                    Some(sum) => Ok(sum),
                    None => continue,
                },
                Ok(_) => Err(bad_reply()),
                Err(Failure::Lost(error)) if self.format == Format::Envelope => {
                    Box::pin(self.counted(lane, key, version, error)).await
                }
                Err(failure) => Err(lane.of_write(failure)),
            };
        }
        Err(Error::version_conflict())
    }

    /// After a lost answer: the sum, if this very count is what the entry holds. It is never sent again.
    async fn counted(&self, lane: Lane<'_>, key: FullKey<'_>, version: u64, lost: Error) -> Result<i64> {
        let found = lane.read(&RedisStore::command("GET", key)).await.and_then(|value| self.format.opened(value));
        match found {
            Ok(Some((payload, found))) if found.as_u64() == Some(version) => integer(&payload).ok_or_else(bad_reply),
            _ => Err(lost.with_outcome(Outcome::Unknown)),
        }
    }

    /// Counts on an entry that is not in the integer form: one in another encoding than the smallest is still an integer.
    /// `None` if another write came between.
    async fn count_by_version(&self, lane: Lane<'_>, key: FullKey<'_>, delta: i64) -> Result<Option<i64>> {
        let value = lane.read(&RedisStore::command("GET", key)).await?;
        let Some((payload, version)) = self.format.opened(value)? else { return Ok(None) };
        let held = integer(&payload).ok_or_else(no_integer)?;
        let sum = held.checked_add(delta).ok_or_else(overflow)?;
        let put = Put { lifetime: Lifetime::NEVER, keep_ttl: true, condition: Condition::IfVersion(&version) };
        let stored = Stored::Wrapped(Wrapped::integer(self.new_version(), sum));
        match self.put_stored(lane, key, &stored, put).await {
            Ok(_) => Ok(Some(sum)),
            Err(error)
                if matches!(error.kind(), store_core::Kind::Conflict | store_core::Kind::NotFound)
                    && error.outcome() == Outcome::NotApplied =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

fn no_integer() -> Error {
    Error::invalid("the value is not an integer")
}

fn overflow() -> Error {
    Error::invalid("the sum does not fit into 64 bits")
}
