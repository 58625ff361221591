//! One live connection.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, Value};
use store_core::Error;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::connect::Peer;
use crate::deadlines::{Deadlines, Moment};
use crate::error::{self, Raised, Refusal};

/// How a request failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server answered no, or nothing was sent.
    Refused(Refusal),
    /// The connection ended while the answer was awaited: nobody knows whether the request was executed.
    Lost(Error),
    /// The deadline passed while the answer was awaited: nobody knows.
    TimedOut,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Refused(error.into())
    }
}

/// A connection that has passed its handshake.
#[derive(Debug)]
pub(crate) struct Link {
    connection: MultiplexedConnection,
    driver: AbortHandle,
    pub(crate) peer: Peer,
    /// Counts the connections of one supervisor: another one may be another server, or the same after a restart.
    pub(crate) generation: u64,
    ended: AtomicBool,
    /// It has answered a call.
    answered: AtomicBool,
    /// Calls in a row that timed out.
    timeouts: AtomicU32,
    /// Somebody doubts that the server still answers.
    pub(crate) suspect: Notify,
}

impl Link {
    pub(crate) fn new(connection: MultiplexedConnection, driver: AbortHandle, peer: Peer, generation: u64) -> Link {
        Link {
            connection,
            driver,
            peer,
            generation,
            ended: AtomicBool::new(false),
            answered: AtomicBool::new(false),
            timeouts: AtomicU32::new(0),
            suspect: Notify::new(),
        }
    }

    /// Whether it is known not to work any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Whether it has answered a call, and so is known to have worked.
    pub(crate) fn has_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    /// Sends one command and awaits its answer.
    pub(crate) async fn call(&self, command: &Cmd, deadlines: &Deadlines, until: Moment) -> Result<Value, Failure> {
        let mut connection = self.connection.clone();
        // Pinned here and not passed by value, which would make room for it twice.
        let request = pin!(connection.send_packed_command(command));
        let answer = deadlines.within(until, request).await;
        match self.judge(answer)? {
            Value::ServerError(refusal) => Err(self.refused(error::reply(&refusal))),
            value => Ok(value),
        }
    }

    /// Sends many commands in one go; each answer may be a [`Value::ServerError`].
    pub(crate) async fn batch(
        &self,
        commands: &Pipeline,
        deadlines: &Deadlines,
        until: Moment,
    ) -> Result<Vec<Value>, Failure> {
        let mut connection = self.connection.clone();
        let request = pin!(connection.send_packed_commands(commands, 0, commands.len()));
        let answer = deadlines.within(until, request).await;
        let answers = self.judge(answer)?;
        for answer in &answers {
            if let Value::ServerError(refusal) = answer
                && error::reply(refusal).relink
            {
                self.end();
            }
        }
        Ok(answers)
    }

    /// Runs commands as one transaction, in one round trip.
    pub(crate) async fn transaction(
        &self,
        commands: &Pipeline,
        deadlines: &Deadlines,
        until: Moment,
    ) -> Result<Vec<Value>, Failure> {
        let mut connection = self.connection.clone();
        let request = pin!(connection.send_packed_commands(commands, commands.len() + 1, 1));
        let answers = self.judge(deadlines.within(until, request).await)?;
        match answers.into_iter().next() {
            Some(Value::Array(values)) if values.len() == commands.len() => {
                match values.iter().find_map(|value| match value {
                    Value::ServerError(refusal) => Some(error::reply(refusal)),
                    _ => None,
                }) {
                    Some(refusal) => Err(self.refused(refusal)),
                    None => Ok(values),
                }
            }
            Some(Value::ServerError(refusal)) => Err(self.refused(error::reply(&refusal))),
            _ => Err(error::bad_reply().into()),
        }
    }

    /// Asks whether the server still answers; if it does not, ends the connection.
    pub(crate) async fn probe(&self, deadlines: &Deadlines, until: Moment) {
        // Any answer will do, also a refusal.
        if matches!(self.call(&redis::cmd("PING"), deadlines, until).await, Err(Failure::TimedOut)) {
            self.end();
        }
    }

    /// Ends the connection: calls in flight learn that it was lost.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
        self.driver.abort();
    }

    fn judge<T>(&self, answer: Option<redis::RedisResult<T>>) -> Result<T, Failure> {
        match answer {
            Some(Ok(value)) => {
                // Looked at first: what is only read stays in the caches of all who call.
                if !self.answered.load(Ordering::Relaxed) {
                    self.answered.store(true, Ordering::Relaxed);
                }
                if self.timeouts.load(Ordering::Relaxed) != 0 {
                    self.timeouts.store(0, Ordering::Relaxed);
                }
                Ok(value)
            }
            Some(Err(raised)) => match error::raised(raised) {
                Raised::Refused(refusal) => Err(self.refused(refusal)),
                Raised::Lost(error) => {
                    self.end();
                    Err(Failure::Lost(error))
                }
            },
            None => {
                match self.timeouts.fetch_add(1, Ordering::Relaxed) {
                    0 | 1 => self.suspect.notify_one(),
                    _ => self.end(),
                }
                Err(Failure::TimedOut)
            }
        }
    }

    fn refused(&self, refusal: Refusal) -> Failure {
        if refusal.relink {
            self.end();
        }
        Failure::Refused(refusal)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.end();
    }
}
