//! What is to go wrong, and when.

use std::time::Duration;

use crate::{Error, Outcome};

/// An operation of a [`Store`](crate::Store).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the method of the same name")]
pub enum Op {
    Get,
    Has,
    Entry,
    Ttl,
    Put,
    Delete,
    Touch,
    GetAndTouch,
    Take,
    Increment,
    GetMany,
    SetMany,
    DeleteMany,
    List,
    Scan,
    Clear,
    PurgeExpired,
    Ping,
    Flush,
    Close,
}

/// One thing that goes wrong: on which operation, at which calls, and how.
///
/// ```
/// use store_core::Error;
/// use store_core::testing::{Fault, Op};
///
/// // The second and third write are applied, but their answers get lost.
/// let fault = Fault::on(Op::Put).after_applying(Error::unavailable("connection lost")).skip(1).times(2);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a fault does nothing until a store has it"]
pub struct Fault {
    pub(super) op: Option<Op>,
    pub(super) skip: u64,
    pub(super) times: Option<u64>,
    pub(super) effect: Effect,
}

#[derive(Clone, Debug)]
pub(super) enum Effect {
    /// The operation does not happen and gives the error.
    Before(Error),
    /// The operation happens and gives the error.
    After(Error),
    /// The operation happens after a while.
    Delay(Duration),
    /// The operation does not happen and never answers.
    Hang,
}

impl Fault {
    /// A fault of one operation: UNAVAILABLE before anything happens, at every call, until said otherwise.
    pub fn on(op: Op) -> Fault {
        Fault::new(Some(op))
    }

    /// A fault of every operation.
    pub fn anywhere() -> Fault {
        Fault::new(None)
    }

    fn new(op: Option<Op>) -> Fault {
        Fault { op, skip: 0, times: None, effect: Effect::Before(Error::unavailable("made to fail")) }
    }

    /// Fails with this error before anything happens.
    pub fn before_applying(mut self, error: Error) -> Fault {
        self.effect = Effect::Before(error.with_outcome(Outcome::NotApplied));
        self
    }

    /// Lets the operation happen and then fails with this error: its outcome is unknown to the caller.
    pub fn after_applying(mut self, error: Error) -> Fault {
        self.effect = Effect::After(error.with_outcome(Outcome::Unknown));
        self
    }

    /// Lets the operation happen, but only after a while.
    pub fn delay(mut self, by: Duration) -> Fault {
        self.effect = Effect::Delay(by);
        self
    }

    /// Never answers: for tests of timeouts and of dropped futures.
    pub fn hang(mut self) -> Fault {
        self.effect = Effect::Hang;
        self
    }

    /// Lets the first `calls` matching calls pass.
    pub fn skip(mut self, calls: u64) -> Fault {
        self.skip = calls;
        self
    }

    /// Goes wrong this many times and then no more.
    pub fn times(mut self, times: u64) -> Fault {
        self.times = Some(times);
        self
    }

    /// Whether it strikes at this call.
    pub(super) fn strikes(&mut self, op: Op) -> Option<Effect> {
        if self.op.is_some_and(|own| own != op) {
            return None;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        if let Some(times) = &mut self.times {
            *times = times.checked_sub(1)?;
        }
        Some(self.effect.clone())
    }
}
